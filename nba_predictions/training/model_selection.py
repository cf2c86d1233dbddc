"""Select the models that predict a date, and train them if the store does not have them."""

import logging
from dataclasses import dataclass
from datetime import date

import polars as pl

from nba_predictions.domain.errors import DamagedFileError, ModelError
from nba_predictions.inputs.port import Lines
from nba_predictions.logs import milestone
from nba_predictions.systems.trained_models import TrainedModels
from nba_predictions.training.cutoff import training_cutoff
from nba_predictions.training.fingerprint import training_fingerprint
from nba_predictions.training.fitting import train
from nba_predictions.training.model_store import ModelStore
from nba_predictions.training.past_lines import past_lines
from nba_predictions.training.promotions import Promotions


@dataclass(frozen=True)
class SelectedModels:
    """Models with their name in the store.

    Attributes:
        name: the name in the store.
        models: the models.
        trained_now: the store did not have the models of the week, so they were trained.
        promoted: the models are in force by a promotion. Otherwise they are those of the week.
    """

    name: str
    models: TrainedModels
    trained_now: bool
    promoted: bool = False


def models_of_date(
    game_date: date, history: pl.DataFrame, store: ModelStore, source: Lines | None = None
) -> SelectedModels:
    """Return the models for `game_date`: promoted ones, or else those of its week.

    The models of the week are trained in any case, because they are the next challengers. Promoted
    models with a cutoff after the date never predict it.
    """
    week = models_before(training_cutoff(game_date, history), history, store, source)
    name = "the promoted models"
    try:
        promotion = Promotions(store.folder).serving(game_date)
        if promotion is None:
            return week
        name = promotion.name
        promoted = store.load(name)
        problem = f"{store.folder} does not have them"
    except (DamagedFileError, ModelError) as error:
        promoted, problem = None, str(error)
    if promoted is None:
        # The models of the week, with a warning, are better than no night.
        milestone(
            "promoted_models_unusable",
            f"{name} cannot be used, {week.name} is used instead: {problem}",
            severity=logging.WARNING,
            game_date=game_date,
            models=name,
            instead=week.name,
        )
        return week
    return SelectedModels(name, promoted, week.trained_now, promoted=True)


def models_before(
    cutoff: date, history: pl.DataFrame, store: ModelStore, source: Lines | None = None
) -> SelectedModels:
    """Return the models trained on the games before `cutoff`, from the store or trained now.

    Stored models are used only if the same code trained them on exactly the same rows and lines.
    Without a `source` of past lines the defaults say what a line is worth.
    """
    lines = None if source is None else past_lines(source, history, cutoff)
    name = f"{cutoff.isoformat()}-{training_fingerprint(history, cutoff, lines)[:16]}"
    try:
        stored = store.load(name)
    except DamagedFileError:
        # Saving the new models moves the damaged file to the quarantine, and logs it.
        stored = None
    if stored is not None:
        return SelectedModels(name, stored, trained_now=False)
    models = train(history, cutoff, lines)
    store.save(name, models)
    return SelectedModels(name, models, trained_now=True)
