"""Name the home that a command looked at, and find other homes that have a date."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.batch_store.sqlite_store import SQLiteBatchStore
from nba_predictions.definitions import build_resources
from nba_predictions.domain.batches.batch import Batch
from nba_predictions.domain.errors import BatchStateError, StorageError
from nba_predictions.settings import Settings


def describe_home(settings: Settings) -> str:
    """Return the home, the profile and the source in one line."""
    return f"{settings.home} (profile {settings.profile}, source {settings.source})"


def other_homes(settings: Settings, game_date: date) -> list[Path]:
    """Return the folders next to the home whose batch store has a batch of the date."""
    if not settings.home.parent.is_dir():
        return []
    return [
        folder
        for folder in sorted(settings.home.parent.iterdir())
        if folder != settings.home and _has_batch(folder / "batches.sqlite", game_date)
    ]


def _has_batch(file: Path, game_date: date) -> bool:
    try:
        return file.is_file() and bool(SQLiteBatchStore(file, read_only=True).of_date(game_date))
    except (StorageError, OSError):
        # Another home that cannot be read is no reason to fail.
        return False


def hint_of_other_homes(settings: Settings, game_date: date) -> list[str]:
    """Return a sentence about each other home that has a batch of the date."""
    return [
        f"{home} has a batch of {game_date}; to look there, set NBA_PREDICTIONS_HOME={home}"
        for home in other_homes(settings, game_date)
    ]


def find_batch(settings: Settings, batch_id: str) -> Batch:
    """Return a batch, and create nothing.

    Raises:
        BatchStateError: there is no such batch; the message names the home.
    """
    batches: BatchStore = build_resources(settings, reading=True)["batches"]
    try:
        return batches.get(batch_id)
    except BatchStateError as error:
        raise BatchStateError(
            f"{error} in {describe_home(settings)}; `nba-predictions audit --game-date D` prints "
            f"the batch of a date"
        ) from error
