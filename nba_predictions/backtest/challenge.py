"""Put models in force: a challenger that beat the present ones on games that neither has seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
import polars as pl

from nba_predictions.backtest.walk_forward import dates_played, forecasts_of, rows_of
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import ModelError
from nba_predictions.domain.policies.promotion import DateComparison, Decision, decide
from nba_predictions.inputs.port import LeagueSource
from nba_predictions.logs import milestone
from nba_predictions.systems.ensemble import ENSEMBLE
from nba_predictions.systems.trained_models import TrainedModels
from nba_predictions.training.model_store import ModelStore
from nba_predictions.training.promotions import Promotion, Promotions


def compare(
    league: LeagueSource, present: TrainedModels, challenger: TrainedModels, until: date
) -> Sequence[DateComparison]:
    """The ensemble's errors by both models, on the players of the slates who played.

    From the later of the two cutoffs on, to before `until`.
    """
    first = max(date.fromisoformat(m.version) for m in (present, challenger))
    played = dates_played(league.game_logs(until), first)
    if not played:
        return []
    rows, _ = rows_of(league, played)
    rows = rows.filter("on_slate")
    points = rows["points"].to_numpy().astype(np.float64)
    old, new = (
        np.abs(forecasts_of(rows, m)[ENSEMBLE.system_id].mean - points)
        for m in (present, challenger)
    )
    by_date = (
        rows.select("game_date", difference=pl.Series(new - old))
        .group_by("game_date", maintain_order=True)
        .agg(pl.len().alias("n"), pl.col("difference").sum())
    )
    return [DateComparison(*row) for row in by_date.iter_rows()]


#: Models challenge the present ones when so much has been played since they were made.
CHALLENGE_AFTER: Final = timedelta(days=7)


@dataclass(frozen=True)
class Challenge:
    """How a challenge ended: what serves from now on, who challenged it, and why it came so.

    `in_force` is None where each week's own models serve, `challenger` where nobody challenged.
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
    """Put models in force if they beat the present ones on games that neither has seen.

    Args:
        league: where the games come from on which both are compared.
        store: where the models are, and the record of what was promoted.
        until: games before this date are compared.
        name: who challenges; by default the newest models that are old enough to be judged, and
            were not rolled back. Where nothing is in force yet, the newest at all: there is nothing
            to compare them with.
        force: promote without a comparison.

    Raises:
        ModelError: there are no models of that name, or they are in force already.
    """
    promotions = Promotions(store.folder)
    before = promotions.in_force()
    in_force = before.name if before else None
    present = None if in_force is None else _usable(store, in_force)
    if name is None:
        name = _challenger(store, promotions, until, present)
        if name is None:
            return Challenge(in_force, None, False, "there is no challenger")
    elif name == in_force:
        raise ModelError(f"{name} are in force already")
    challenger, decision = stored(store, name), None
    if force:
        reason = "promoted by force, without a comparison"
    elif present is not None:
        decision = decide(compare(league, present, challenger, until))
        reason = decision.reason
        if not decision.promote:
            milestone("models_kept", reason, models=in_force, challenger=name)
            return Challenge(in_force, name, False, reason, decision)
    elif in_force is not None:
        reason = f"{in_force} cannot serve any more: they are gone, or of other features"
    else:
        reason = "the first to be promoted: none were in force to compare them with"
    now = utc_now().isoformat(timespec="seconds")
    promotions.promote(Promotion(name, challenger.version, now, reason))
    milestone("models_promoted", reason, models=name, before=in_force)
    return Challenge(name, name, True, reason, decision)


def stored(store: ModelStore, name: str) -> TrainedModels:
    """Return the models of a name.

    Raises:
        ModelError: there are none, or they cannot be used any more.
    """
    try:
        found = store.load(name) if name in store.names() else None
    except ValueError as error:
        raise ModelError(f"{name}: {error}") from error
    if found is None:
        there = ", ".join(store.names()) or "none yet; predict a date first"
        raise ModelError(f"{name}: there are no such models in {store.folder}; there are: {there}")
    return found


def _usable(store: ModelStore, name: str) -> TrainedModels | None:
    try:
        return stored(store, name)
    except ModelError:
        return None


def _challenger(
    store: ModelStore, promotions: Promotions, until: date, present: TrainedModels | None
) -> str | None:
    """Return the newest models that may challenge those in force; None if there are none."""
    latest = until if present is None else until - CHALLENGE_AFTER
    rolled_back = promotions.rolled_back()
    for name in reversed(store.names()):
        found = None if name in rolled_back else _usable(store, name)
        if found is None:
            continue
        cutoff = date.fromisoformat(found.version)
        if present is not None and cutoff <= date.fromisoformat(present.version):
            return None
        if cutoff <= latest:
            return name
    return None
