"""Where trained models are kept: one file each, named by the fingerprint of its training data."""

from __future__ import annotations

import logging
import re
import uuid
from dataclasses import dataclass
from datetime import date, datetime, timezone
from functools import lru_cache
from pathlib import Path

import polars as pl

from nba_predictions.inputs.port import Lines
from nba_predictions.logs import milestone
from nba_predictions.training.past_lines import past_lines
from nba_predictions.training.promotions import Promotions
from nba_predictions.training.train import (
    TrainedModels,
    train,
    training_cutoff,
    training_fingerprint,
)


@dataclass(frozen=True)
class ModelStore:
    """`folder` holds the models. What is in it can always be trained again."""

    folder: Path

    def load(self, name: str) -> TrainedModels | None:
        """Return the models of that name, None if there are none. A process reads a file once."""
        path = self._path(name)
        return _read(path) if path.is_file() else None

    def names(self) -> list[str]:
        """The names of all stored models, by cutoff."""
        return sorted(path.stem for path in self.folder.glob("*.zip"))

    def save(self, name: str, models: TrainedModels) -> None:
        """Keep the models under that name; whoever reads sees all of the file or none."""
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
        aside.write_bytes(models.to_bytes())
        aside.replace(path)

    def saved_at(self) -> dict[str, datetime]:
        """Return when each of the models was saved (UTC), by name."""
        return {
            path.stem: datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
            for path in self.folder.glob("*.zip")
        }

    def remove(self, name: str) -> None:
        """Forget the models of that name; nothing happens when they are gone."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        if not re.fullmatch(r"[0-9a-z-]+", name):
            raise ValueError(f"{name!r} is no name of trained models: a-z, 0-9 and - only")
        return self.folder / f"{name}.zip"


@dataclass(frozen=True)
class ModelsOfDate:
    """The models that serve a date, by name, and whether any had to be trained.

    `promoted` models were put in force by somebody; others are those of the date's week.
    """

    name: str
    models: TrainedModels
    trained_now: bool
    promoted: bool = False


def models_of_date(
    game_date: date, history: pl.DataFrame, store: ModelStore, source: Lines | None = None
) -> ModelsOfDate:
    """Return the models for `game_date`: those that were promoted, else those of its week.

    The week's are made in any case: they are the next challengers. Promoted models that may have
    seen the date never predict it.
    """
    week = models_before(training_cutoff(game_date, history), history, store, source)
    promotion = Promotions(store.folder).serving(game_date)
    if promotion is None:
        return week
    try:
        promoted = store.load(promotion.name)
        problem = None if promoted else f"they are gone from {store.folder}"
    except ValueError as error:
        promoted, problem = None, str(error)
    if promoted is None:
        # Better this week's models, in the open, than no night.
        milestone(
            "promoted_models_unusable",
            f"{promotion.name} cannot serve, {week.name} does: {problem}",
            severity=logging.WARNING,
            game_date=game_date,
            models=promotion.name,
            instead=week.name,
        )
        return week
    return ModelsOfDate(promotion.name, promoted, week.trained_now, promoted=True)


def models_before(
    cutoff: date, history: pl.DataFrame, store: ModelStore, source: Lines | None = None
) -> ModelsOfDate:
    """Return the models that know what lies before `cutoff`: stored ones, or trained now.

    Stored models are used only when they were trained on exactly the same rows and lines by the
    same code. Without a `source` of past lines the defaults say what a line is worth.
    """
    lines = None if source is None else past_lines(source, history, cutoff)
    name = f"{cutoff.isoformat()}-{training_fingerprint(history, cutoff, lines)[:16]}"
    stored = store.load(name)
    if stored is not None:
        return ModelsOfDate(name, stored, trained_now=False)
    models = train(history, cutoff, lines)
    store.save(name, models)
    return ModelsOfDate(name, models, trained_now=True)


@lru_cache(maxsize=2)
def _read(path: Path) -> TrainedModels:
    return TrainedModels.from_bytes(path.read_bytes())
