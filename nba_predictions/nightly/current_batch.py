"""What every step of a night asks of the batch store."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import Batch, BatchState, LedgerEntry, Progress, progress
from nba_predictions.domain.errors import BatchStateError


def current_batch(store: BatchStore, game_date: date) -> Batch:
    """Return the newest batch of a date that was not given up.

    Raises:
        BatchStateError: the date has no batch.
    """
    batch = newest_batch(store, game_date)
    if batch is None:
        raise BatchStateError(
            f"game_date {game_date} has no batch; materialize staged_predictions first"
        )
    return batch


def newest_batch(store: BatchStore, game_date: date) -> Batch | None:
    """Return the newest batch of a date that was not given up, else the newest, else None."""
    batches = store.of_date(game_date)
    standing = (b for b in batches if b.state is not BatchState.FAILED)
    return next(standing, next(iter(batches), None))


def set_announce(store: BatchStore, batch_id: str, announce: bool, *, run_id: str) -> bool:
    """Let a batch be announced, or not; return whether that is a change."""
    while True:
        batch = store.get(batch_id)
        if batch.announce is announce:
            return False
        # Not revised: somebody else has changed the batch meanwhile.
        if store.revise(batch, replace(batch, announce=announce)):
            counts = {"announce": announce}
            store.append(batch_id, LedgerEntry("announce_changed", store.now(), run_id, counts))
            return True


def log_fields(batch: Batch, run_id: str) -> dict[str, Any]:
    """Return what every milestone of a batch carries."""
    return {"batch_id": batch.batch_id, "game_date": batch.game_date, "run_id": run_id}


def batch_progress(batch: Batch, store: BatchStore) -> Progress:
    """Let the store count a batch."""
    return progress(batch, store.tally(batch.batch_id))
