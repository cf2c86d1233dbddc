"""Fit everything that the systems learn to the games before a cutoff.

Trees trained on the early games predict the held-out late games. There the calibrations, the
weights of the ensemble and the line updates are learned. Then the trees are trained again on all
games. For the metrics on the card, calibrations and weights are learned on the first half of the
held-out games and measured on the second half.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import polars as pl

from nba_predictions.domain.market import Market
from nba_predictions.features.build import FEATURES, statistics, training_features
from nba_predictions.systems import gradient_boosting
from nba_predictions.systems.base import LEAST_SPREAD, Floats, Forecast, LeaguePrior
from nba_predictions.systems.ensemble import ENSEMBLE, learn_weights, shift_weights_to_best
from nba_predictions.systems.line_update import BaseLines, with_line
from nba_predictions.systems.registry import predict_all, registered_systems
from nba_predictions.systems.system import System
from nba_predictions.systems.trained_models import TrainedModels
from nba_predictions.training.calibration_fit import fit_calibration
from nba_predictions.training.cutoff import held_out_since
from nba_predictions.training.fingerprint import code_version
from nba_predictions.training.line_update_fit import LinedRows, fit_update
from nba_predictions.training.past_lines import PAST_LINES
from nba_predictions.training.scoring import line_metrics, metrics

#: Calibrations and weights are learned on players with this many games and minutes per game,
#: because such players are on slates, and on at least this many rows.
LEARN_GAMES: Final = 5
LEARN_MINUTES: Final = 12.0
LEARN_ROWS: Final = 60
#: The weights before any are learned. There are no trees then.
DEFAULT_WEIGHTS: Final = {
    "moving_average": 0.5,
    "zone_matchup": 0.3,
    "similarity": 0.2,
    "xgboost": 0.0,
}
#: An error below this share of the line's error, on at least this many lines, suggests a leak.
TOO_GOOD: Final = 0.95
TOO_GOOD_LINES: Final = 500
#: Players with fewer games are newcomers. Rows of the first days are ignored, because there the
#: history does not show earlier games.
NEWCOMER_GAMES: Final = 3
NEWCOMER_AFTER: Final = timedelta(days=60)


@dataclass(frozen=True)
class HeldOut:
    """Games that the trees were not trained on, and the base lines of each market there."""

    games: pl.DataFrame
    lines: Mapping[str, BaseLines]

    def __getitem__(self, rows: np.ndarray) -> HeldOut:
        lines = {market: own[rows] for market, own in self.lines.items()}
        return HeldOut(self.games.filter(rows), lines)

    def outcomes(self, market: Market) -> Floats:
        """Return the statistic of a market in these games."""
        return self.games[market.statistic].to_numpy().astype(np.float64)


def train(
    history: pl.DataFrame,
    cutoff: date,
    lines: pl.DataFrame | None = None,
    systems: Sequence[System] | None = None,
) -> TrainedModels:
    """Learn everything that the systems need from the GAME_LOGS rows before `cutoff`.

    The result is deterministic: the same rows in any order give models with the same bytes. With
    too few rows the models are the documented defaults, and the card has `xgboost_trained: false`.
    Of the past `lines` (PAST_LINES), those of held-out games are used. Without lines the defaults
    say how much of a forecast remains once a line is known.

    Raises:
        ValueError: the frame lacks a column.
    """
    systems = registered_systems() if systems is None else systems
    past = history.filter(pl.col("game_date") < cutoff)
    held_out_from = held_out_since(past, cutoff)
    frame = training_features(past, similar_since=held_out_from)
    early = frame.filter(pl.col("game_date") < held_out_from)
    late = frame.filter(
        (pl.col("game_date") >= held_out_from)
        & (pl.col("games") >= LEARN_GAMES)
        & (pl.col("minutes_last_10") >= LEARN_MINUTES)
    )
    markets = {system.market.name: system.market for system in systems}
    held_out = HeldOut(late, {name: _base_lines(late, lines, name) for name in markets})
    card = _card(frame, held_out, cutoff, held_out_from)
    priors = _priors(frame)
    if early.height < gradient_boosting.FEWEST_ROWS or late.height < LEARN_ROWS:
        return TrainedModels(cutoff.isoformat(), priors, {}, DEFAULT_WEIGHTS, None, card)

    blind = TrainedModels(
        version=held_out_from.isoformat(),
        priors=_priors(early),
        calibrations={},
        weights=DEFAULT_WEIGHTS,
        booster_raw=gradient_boosting.fit(early),
    )
    levels = {s.system_id: s.estimate(late, blind, {}) for s in systems if not s.members}
    scores = _held_out_metrics(held_out, levels, blind, systems)
    card |= {"xgboost_trained": True, "metrics": scores, "suspected_leaks": _too_good(scores)}
    return replace(
        _learn(held_out, levels, blind, systems),
        version=cutoff.isoformat(),
        priors=priors,
        booster_raw=gradient_boosting.fit(frame),
        card=card,
    )


def _card(
    frame: pl.DataFrame, held_out: HeldOut, cutoff: date, held_out_from: date
) -> dict[str, Any]:
    """Describe the training for readers."""
    days = frame["game_date"]
    has_line = [~np.isnan(lines.base) for lines in held_out.lines.values()]
    lined_days = pl.concat([held_out.games["game_date"].filter(pl.Series(m)) for m in has_line])
    return {
        "cutoff": cutoff.isoformat(),
        "trained_from": _iso(days.min()),
        "trained_through": _iso(days.max()),
        "rows": frame.height,
        "held_out_from": held_out_from.isoformat(),
        "held_out_rows": held_out.games.height,
        "lines": len(lined_days),
        "lines_from": _iso(lined_days.min()),
        "lines_through": _iso(lined_days.max()),
        "xgboost_trained": False,
        "features": list(FEATURES),
        "code_version": code_version(),
        "metrics": {},
        "suspected_leaks": [],
    }


def _too_good(scores: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return the systems with an error so far below the line's that a leak is likely."""
    return [
        name
        for name, score in scores.items()
        if score.get("lines", 0) >= TOO_GOOD_LINES
        and score["absolute_error_with_line"] < TOO_GOOD * score["absolute_error_of_line"]
    ]


def _base_lines(games: pl.DataFrame, lines: pl.DataFrame | None, market: str) -> BaseLines:
    """Return the base lines of a market in these games, NaN in games without one."""
    if lines is None:
        return BaseLines.none(games.height)
    keys = ["game_date", "player_lookup"]
    own = lines.filter(pl.col("market") == market).select(*PAST_LINES).sort(*PAST_LINES)
    joined = games.select(keys).join(
        own.unique(keys, keep="first"), on=keys, how="left", maintain_order="left"
    )
    return BaseLines(
        joined["base_line"].fill_null(np.nan).to_numpy(),
        joined["fair_over"].fill_null(np.nan).to_numpy(),
    )


def _iso(day: object) -> str | None:
    return day.isoformat() if isinstance(day, date) else None


def _priors(frame: pl.DataFrame) -> dict[str, LeaguePrior]:
    """Return per statistic the median and standard deviation of newcomers.

    With few newcomers those of all players are used, and with few rows the defaults.
    """
    if frame.height < 30:
        return {name: LeaguePrior() for name in statistics()}
    first: date = frame["game_date"][0]
    since = first + NEWCOMER_AFTER
    newcomers = frame.filter((pl.col("games") < NEWCOMER_GAMES) & (pl.col("game_date") > since))
    rows = newcomers if newcomers.height >= 100 else frame
    return {name: _prior(rows[name].to_numpy()) for name in statistics()}


def _prior(outcomes: np.ndarray) -> LeaguePrior:
    return LeaguePrior(float(np.median(outcomes)), max(float(outcomes.std()), LEAST_SPREAD))


def _learn(
    held_out: HeldOut,
    levels: Mapping[str, Floats],
    blind: TrainedModels,
    systems: Sequence[System],
) -> TrainedModels:
    """Learn calibrations, weights and line updates of all systems from held-out games."""
    games = held_out.games
    models = replace(blind, calibrations={}, line_updates={})
    forecasts: dict[str, Forecast] = {}
    for system in systems:
        name, market = system.system_id, system.market
        outcomes, lines = held_out.outcomes(market), held_out.lines[market.name]
        if name == ENSEMBLE.system_id:
            centers = {m.system_id: forecasts[m.system_id].mean for m in system.members}
            models = replace(models, weights=_ensemble_weights(centers, outcomes))
        level = levels[name] if name in levels else system.estimate(games, models, forecasts)
        prior = blind.prior(market)
        calibration = fit_calibration(system, games, level, outcomes, prior)
        center = calibration.center(games, level)
        spread = calibration.spread(games, center, prior, market.statistic)
        has_line = ~np.isnan(lines.base)
        update = fit_update(
            LinedRows(center[has_line], spread[has_line], lines[has_line], outcomes[has_line]),
            system.default_update,
        )
        if system.rests_on_line:
            update = replace(system.default_update, stretch=update.stretch)
        models = replace(
            models,
            calibrations={**models.calibrations, name: calibration},
            line_updates={**models.line_updates, name: update},
        )
        updated = with_line(center, spread, lines, update)
        forecasts[name] = Forecast(center, spread, np.zeros(len(center)), *updated)
    return models


def _ensemble_weights(centers: Mapping[str, Floats], outcomes: Floats) -> dict[str, float]:
    best = min(centers, key=lambda name: float(np.abs(outcomes - centers[name]).mean()))
    return shift_weights_to_best(learn_weights(centers, outcomes), best)


def _held_out_metrics(
    held_out: HeldOut,
    levels: Mapping[str, Floats],
    blind: TrainedModels,
    systems: Sequence[System],
) -> dict[str, dict[str, float]]:
    """Learn on the first half of the held-out dates, and measure on the second half."""
    middle = held_out.games["game_date"][held_out.games.height // 2]
    first = (held_out.games["game_date"] < middle).to_numpy()
    if first.sum() < LEARN_ROWS:
        return {}
    early_levels = {name: level[first] for name, level in levels.items()}
    models = _learn(held_out[first], early_levels, blind, systems)
    judged = held_out[~first]
    forecasts = predict_all(judged.games, models, judged.lines, systems)
    scores = {}
    for system in systems:
        forecast, outcomes = forecasts[system.system_id], judged.outcomes(system.market)
        at_lines = line_metrics(forecast, judged.lines[system.market.name], outcomes)
        scores[system.system_id] = {**metrics(forecast, outcomes), **at_lines}
    return scores
