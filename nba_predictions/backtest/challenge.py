"""Promote models that beat those in force on games that neither was trained on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
import polars as pl

from nba_predictions.backtest.walk_forward import dates_played, forecasts_of, rows_of
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import DamagedFileError, ModelError
from nba_predictions.domain.policies.promotion import DateComparison, Decision, decide
from nba_predictions.inputs.port import LeagueSource
from nba_predictions.logs import milestone
from nba_predictions.systems.ensemble import ENSEMBLE
from nba_predictions.systems.trained_models import TrainedModels
from nba_predictions.training.model_store import ModelStore
from nba_predictions.training.promotions import Promotion, Promotions


def compare(
    league: LeagueSource, current: TrainedModels, challenger: TrainedModels, until: date
) -> Sequence[DateComparison]:
    """Compare the ensemble's errors with both models, on players of the slates who played.

    The games are those from the later of the two cutoffs on and before `until`.
    """
    first = max(date.fromisoformat(m.version) for m in (current, challenger))
    played = dates_played(league.game_logs(until), first)
    if not played:
        return []
    rows, _ = rows_of(league, played)
    rows = rows.filter("on_slate")
    outcomes = rows[ENSEMBLE.market.statistic].to_numpy().astype(np.float64)
    old, new = (
        np.abs(forecasts_of(rows, m)[ENSEMBLE.system_id].mean - outcomes)
        for m in (current, challenger)
    )
    by_date = (
        rows.select("game_date", difference=pl.Series(new - old))
        .group_by("game_date", maintain_order=True)
        .agg(pl.len().alias("n"), pl.col("difference").sum())
    )
    return [DateComparison(*row) for row in by_date.iter_rows()]


#: Models must be this old to challenge those in force, so that there are games to compare.
CHALLENGE_AFTER: Final = timedelta(days=7)


@dataclass(frozen=True)
class Challenge:
    """The result of a challenge.

    Attributes:
        in_force: the models in force now; None if each week uses its own models.
        challenger: the models that challenged; None if there were none.
        promoted: the challenger was promoted.
        reason: why it was promoted or not.
        decision: the comparison, if there was one.
    """

    in_force: str | None
    challenger: str | None
    promoted: bool
    reason: str
    decision: Decision | None = None


def challenge(
    league: LeagueSource,
    store: ModelStore,
    until: date,
    name: str | None = None,
    *,
    force: bool = False,
) -> Challenge:
    """Promote models if they beat those in force on games that neither was trained on.

    Args:
        league: the source of the games on which both are compared.
        store: the models, in the folder with the record of promotions.
        until: games before this date are compared.
        name: the challenger. The default is the newest models that are old enough and were not
            rolled back. If no models are in force, their age does not matter, because there is
            nothing to compare them with.
        force: promote without a comparison.

    Raises:
        ModelError: no models of that name are stored, or they are in force already.
    """
    promotions = Promotions(store.folder)
    before = promotions.in_force()
    in_force = before.name if before else None
    current = None if in_force is None else _usable(store, in_force)
    if name is None:
        name = _challenger(store, promotions, until, current)
        if name is None:
            return Challenge(in_force, None, False, "no models can challenge")
    elif name == in_force:
        raise ModelError(f"{name} are in force already")
    challenger, decision = stored(store, name), None
    if force:
        reason = "promoted by force, without a comparison"
    elif current is not None:
        decision = decide(compare(league, current, challenger, until))
        reason = decision.reason
        if not decision.promote:
            milestone("models_kept", reason, models=in_force, challenger=name)
            return Challenge(in_force, name, False, reason, decision)
    elif in_force is not None:
        reason = f"{in_force} cannot be used: they are missing, or were trained with other features"
    else:
        reason = "the first promotion: no models were in force to compare with"
    now = utc_now().isoformat(timespec="seconds")
    promotions.promote(Promotion(name, challenger.version, now, reason))
    milestone("models_promoted", reason, models=name, before=in_force)
    return Challenge(name, name, True, reason, decision)


def stored(store: ModelStore, name: str) -> TrainedModels:
    """Return the models of a name.

    Raises:
        ModelError: none are stored, or they cannot be used.
    """
    try:
        models = store.load(name) if name in store.names() else None
    except DamagedFileError as error:
        raise ModelError(f"{name}: {error}") from error
    if models is None:
        names = ", ".join(store.names()) or "none yet; predict a date first"
        raise ModelError(f"{name}: no such models in {store.folder}; stored models: {names}")
    return models


def _usable(store: ModelStore, name: str) -> TrainedModels | None:
    try:
        return stored(store, name)
    except ModelError:
        return None


def _challenger(
    store: ModelStore, promotions: Promotions, until: date, current: TrainedModels | None
) -> str | None:
    """Return the newest models that may challenge those in force; None if no models may."""
    latest = until if current is None else until - CHALLENGE_AFTER
    rolled_back = promotions.rolled_back()
    for name in reversed(store.names()):
        models = None if name in rolled_back else _usable(store, name)
        if models is None:
            continue
        cutoff = date.fromisoformat(models.version)
        if current is not None and cutoff <= date.fromisoformat(current.version):
            return None
        if cutoff <= latest:
            return name
    return None
