"""Learning from the games before a cutoff, and nothing after it.

The games are split in time. Trees grown on the earlier part predict the last part, which none of
them saw; there the calibrations and the ensemble's weights are learned. Then the trees are grown
again on everything. The figures on the card are more careful still: for them, calibrations and
weights are learned on the first half of the last part and judged on its second half.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import lru_cache
from importlib import resources
from typing import Any, Final

import numpy as np
import polars as pl
import xgboost as xgb

from nba_predictions.domain.market import POINTS
from nba_predictions.features.build import FEATURES, training_features
from nba_predictions.systems import gradient_boosting, registry
from nba_predictions.systems.base import (
    LEAST_SPREAD,
    Calibration,
    Floats,
    Forecast,
    LeaguePrior,
    minutes_term,
    spread_terms,
)
from nba_predictions.systems.ensemble import ENSEMBLE, learn_weights, shift_weights_to_best
from nba_predictions.systems.line_update import BaseLines, with_line
from nba_predictions.systems.system import System
from nba_predictions.systems.trained_models import TrainedModels
from nba_predictions.training.line_update_fit import PAST_LINES, LinedRows, fit_update
from nba_predictions.training.scoring import line_metrics, metrics

__all__ = [
    "TrainedModels",
    "code_version",
    "held_out_since",
    "metrics",
    "train",
    "training_cutoff",
    "training_fingerprint",
]

#: Rows before a Monday that make a model of that Monday worth keeping for the week.
ROWS_FOR_WEEKLY: Final = 5_000
#: The last part, held out: this share of the rows, at most so many.
HELD_OUT_SHARE: Final = 0.25
HELD_OUT_MOST: Final = 26_000
#: Calibrations and weights are learned on players with so many games and minutes a game, for those
#: are on slates, and on at least so many rows.
LEARN_GAMES: Final = 5
LEARN_MINUTES: Final = 12.0
LEARN_ROWS: Final = 60
#: Before anything is learned: the formulas count, the trees (there are none) do not.
DEFAULT_WEIGHTS: Final = {
    "moving_average": 0.5,
    "zone_matchup": 0.3,
    "similarity": 0.2,
    "xgboost": 0.0,
}
#: Nobody misses by so much less than the books do, on so many lines, who has not seen the result.
TOO_GOOD: Final = 0.95
TOO_GOOD_LINES: Final = 500
#: A newcomer is a player in his first games, where the history reaches far enough back to tell.
NEWCOMER_GAMES: Final = 3
NEWCOMER_AFTER: Final = timedelta(days=60)

_FINGERPRINT_COLUMNS: Final = (
    *("game_date", "game_id", "player_lookup", "team", "opponent", "is_home", "minutes"),
    *("points", "fgm", "fga", "fg3m", "fg3a", "ftm", "fta", "oreb", "tov"),
)
_MAD_TO_SD: Final = 1.2533141373155003  # sqrt(pi / 2), for a normal distribution


def training_cutoff(game_date: date, history: pl.DataFrame) -> date:
    """The date before which the models for `game_date` are trained.

    The Monday of its week where ROWS_FOR_WEEKLY rows lie before that, so that one model serves a
    week; otherwise `game_date` itself. Rows on or after the result do not matter.
    """
    monday = game_date - timedelta(days=game_date.weekday())
    enough = (history["game_date"] < monday).sum() >= ROWS_FOR_WEEKLY
    return monday if enough else game_date


def training_fingerprint(
    history: pl.DataFrame, cutoff: date, lines: pl.DataFrame | None = None
) -> str:
    """A SHA-256 of all that `train` depends on with these arguments, whatever the order of rows.

    It covers the cutoff, the rows before it (the columns that are learned from), the lines before
    it, the code of features and systems, and the versions of the libraries that compute them.
    """
    digest = hashlib.sha256(f"{cutoff.isoformat()} {code_version()}".encode())
    _digest_rows(digest, history, _FINGERPRINT_COLUMNS, cutoff)
    if lines is not None:
        _digest_rows(digest, lines, tuple(PAST_LINES), cutoff)
    return digest.hexdigest()


def _digest_rows(
    digest: hashlib._Hash, frame: pl.DataFrame, columns: tuple[str, ...], cutoff: date
) -> None:
    rows = frame.lazy().select(columns).filter(pl.col("game_date") < cutoff).sort(columns).collect()
    for name in columns:
        values = rows[name]
        digest.update(f"\n{name} {len(values)} ".encode())
        if values.dtype == pl.String:
            # A null must not read like a name; no name holds a control character.
            digest.update("\n".join(values.fill_null("\x00").to_list()).encode())
        else:
            digest.update(values.is_null().to_numpy().tobytes())
            digest.update(values.to_physical().cast(pl.Float64).fill_null(0).to_numpy().tobytes())


@lru_cache(maxsize=1)
def code_version() -> str:
    """A short hash over the source of features and systems and their libraries' versions."""
    digest = hashlib.sha256(f"{xgb.__version__} {np.__version__} {pl.__version__}".encode())
    for package in ("features", "systems", "training"):
        folder = resources.files(f"nba_predictions.{package}")
        for item in sorted(folder.iterdir(), key=lambda i: i.name):
            if item.name.endswith(".py"):
                digest.update(item.name.encode() + item.read_bytes())
    return digest.hexdigest()[:16]


def train(
    history: pl.DataFrame,
    cutoff: date,
    lines: pl.DataFrame | None = None,
    systems: Sequence[System] | None = None,
) -> TrainedModels:
    """Learn everything that the systems need from the games strictly before `cutoff`.

    Deterministic: the same rows, in any order, give models with the same bytes. With too few rows
    the models are the documented defaults, and the card says `xgboost_trained: false`.

    Args:
        history: GAME_LOGS rows; those on or after `cutoff` are not looked at.
        cutoff: first date not to be learned from.
        lines: past base lines (PAST_LINES), of which those since `held_out_from` and before
            `cutoff` are looked at; where there are none, the documented defaults say how much of a
            forecast is left beside a line.
        systems: which systems; those of the registry by default.

    Raises:
        ValueError: the frame lacks a column.
    """
    systems = registry.SYSTEMS if systems is None else systems
    past = history.filter(pl.col("game_date") < cutoff)
    held_out_from = held_out_since(past, cutoff)
    frame = training_features(past, similar_since=held_out_from)
    early = frame.filter(pl.col("game_date") < held_out_from)
    late = frame.filter(
        (pl.col("game_date") >= held_out_from)
        & (pl.col("games") >= LEARN_GAMES)
        & (pl.col("minutes_last_10") >= LEARN_MINUTES)
    )
    at_lines = _base_lines(late, lines)
    quoted = late.filter(pl.Series(~np.isnan(at_lines.base)))["game_date"]
    days: list[date] = frame["game_date"].to_list()
    card: dict[str, Any] = {
        "cutoff": cutoff.isoformat(),
        "trained_from": days[0].isoformat() if days else None,
        "trained_through": days[-1].isoformat() if days else None,
        "rows": frame.height,
        "held_out_from": held_out_from.isoformat(),
        "held_out_rows": late.height,
        "lines": len(quoted),
        "lines_from": _iso(quoted.min()),
        "lines_through": _iso(quoted.max()),
        "xgboost_trained": False,
        "features": list(FEATURES),
        "code_version": code_version(),
        "metrics": {},
        "suspected_leaks": [],
    }
    priors = {POINTS.statistic: _prior(frame)}
    if early.height < gradient_boosting.FEWEST_ROWS or late.height < LEARN_ROWS:
        return TrainedModels(cutoff.isoformat(), priors, {}, DEFAULT_WEIGHTS, None, card)

    blind = TrainedModels(
        version=held_out_from.isoformat(),
        priors={POINTS.statistic: _prior(early)},
        calibrations={},
        weights=DEFAULT_WEIGHTS,
        booster_raw=gradient_boosting.fit(early),
    )
    levels = {s.system_id: s.estimate(late, blind, {}) for s in systems if not s.members}
    card["xgboost_trained"] = True
    card["metrics"] = _honest_metrics(late, at_lines, levels, blind, systems)
    card["suspected_leaks"] = _too_good(card["metrics"])
    return replace(
        _learn(late, at_lines, levels, blind, systems),
        version=cutoff.isoformat(),
        priors=priors,
        booster_raw=gradient_boosting.fit(frame),
        card=card,
    )


def _too_good(scores: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Systems that miss by far less than the line: a leak, until proven otherwise."""
    return [
        name
        for name, score in scores.items()
        if score.get("lines", 0) >= TOO_GOOD_LINES
        and score["absolute_error_with_line"] < TOO_GOOD * score["absolute_error_of_line"]
    ]


def held_out_since(history: pl.DataFrame, cutoff: date) -> date:
    """The date that splits off the last part of the rows before `cutoff`, whole dates only.

    Lines before it are of no use to `train`.
    """
    past = history.filter(pl.col("game_date") < cutoff)
    if past.is_empty():
        return cutoff
    dates = past["game_date"].sort()
    part = min(int(past.height * HELD_OUT_SHARE), HELD_OUT_MOST)
    return dates[past.height - 1 - part]


def _base_lines(late: pl.DataFrame, lines: pl.DataFrame | None) -> BaseLines:
    """The base lines of the held-out rows, NaN where there is none."""
    if lines is None:
        return BaseLines.none(late.height)
    keys = ["game_date", "player_lookup"]
    known = lines.select(*PAST_LINES).sort(*PAST_LINES).unique(keys, keep="first")
    found = late.select(keys).join(known, on=keys, how="left", maintain_order="left")
    return BaseLines(
        found["base_line"].fill_null(np.nan).to_numpy(),
        found["fair_over"].fill_null(np.nan).to_numpy(),
    )


def _iso(day: object) -> str | None:
    return day.isoformat() if isinstance(day, date) else None


def _prior(frame: pl.DataFrame) -> LeaguePrior:
    """Median and standard deviation of newcomers' points, of everybody's while there are few."""
    if frame.height < 30:
        return LeaguePrior()
    first: date = frame["game_date"][0]
    since = first + NEWCOMER_AFTER
    newcomers = frame.filter((pl.col("games") < NEWCOMER_GAMES) & (pl.col("game_date") > since))
    points = (newcomers if newcomers.height >= 100 else frame)["points"].to_numpy()
    return LeaguePrior(float(np.median(points)), max(float(points.std()), LEAST_SPREAD))


def _learn(
    late: pl.DataFrame,
    lines: BaseLines,
    levels: Mapping[str, Floats],
    blind: TrainedModels,
    systems: Sequence[System],
) -> TrainedModels:
    """Calibrations, weights and updates by lines of all systems, from rows held out."""
    points = late["points"].to_numpy().astype(np.float64)
    quoted = ~np.isnan(lines.base)
    models = replace(blind, calibrations={}, line_updates={})
    forecasts: dict[str, Forecast] = {}
    for system in systems:
        name = system.system_id
        if name == ENSEMBLE.system_id:
            centres = {m.system_id: forecasts[m.system_id].mean for m in system.members}
            best = min(centres, key=lambda name: float(np.abs(points - centres[name]).mean()))
            found = shift_weights_to_best(learn_weights(centres, points), best)
            models = replace(models, weights=found)
        level = levels[name] if name in levels else system.estimate(late, models, forecasts)
        # Medians and mixes of them are where they should be; averages have to be moved there.
        median = system.is_median or bool(system.members)
        scale, slope = (1.0, 0.0) if median else _fit_centre(late, level, points)
        centre = Calibration(scale, slope).center(late, level)
        calibration = _fit_spread(late, centre, points, blind.prior(POINTS), scale, slope)
        spread = calibration.spread(late, centre, blind.prior(POINTS), "points")
        update = fit_update(
            LinedRows(centre[quoted], spread[quoted], lines[quoted], points[quoted]),
            system.default_update,
        )
        if system.rests_on_line:
            update = replace(system.default_update, stretch=update.stretch)
        models = replace(
            models,
            calibrations={**models.calibrations, name: calibration},
            line_updates={**models.line_updates, name: update},
        )
        updated = with_line(centre, spread, lines, update)
        forecasts[name] = Forecast(centre, spread, np.zeros(len(centre)), *updated)
    return models


def _fit_centre(late: pl.DataFrame, level: Floats, points: Floats) -> tuple[float, float]:
    """Least absolute deviation of `points` from `level * (scale + slope * minutes term)`.

    Iteratively reweighted least squares in two unknowns, written out; without a solution (nobody
    scores, everybody plays the same minutes) the defaults stand.
    """
    x, z = level, level * minutes_term(late)
    scale, slope = Calibration.scale, Calibration.minutes_slope
    for _ in range(20):
        weight = 1.0 / np.maximum(np.abs(points - scale * x - slope * z), 0.5)
        xx, xz, zz = (weight * x * x).sum(), (weight * x * z).sum(), (weight * z * z).sum()
        xy, zy = (weight * x * points).sum(), (weight * z * points).sum()
        determinant = xx * zz - xz * xz
        if determinant <= 1e-9 * xx * zz:
            return Calibration.scale, Calibration.minutes_slope
        scale = float((xy * zz - zy * xz) / determinant)
        slope = float((zy * xx - xy * xz) / determinant)
    return round(scale, 6), round(slope, 6)


def _fit_spread(
    late: pl.DataFrame,
    centre: Floats,
    points: Floats,
    prior: LeaguePrior,
    scale: float,
    slope: float,
) -> Calibration:
    """Regress the size of the errors on the spread's terms, then scale to cover 50% and 80%."""
    size = _MAD_TO_SD * np.abs(points - centre)
    terms = np.stack(spread_terms(late, centre, "points"))
    # A touch of ridge keeps tiny or uniform leagues solvable.
    gram = np.einsum("ir,jr->ij", terms, terms) / len(points) + 1e-3 * np.eye(len(terms))
    target = np.einsum("ir,r->i", terms, size) / len(points)
    shape = np.linalg.solve(gram, target)
    raw = Calibration(scale, slope, *(float(c) for c in shape))
    off = np.abs(points - centre) / raw.spread(late, centre, prior, "points")
    stretch = (np.quantile(off, 0.5) / 0.67449 + np.quantile(off, 0.8) / 1.28155) / 2
    return Calibration(scale, slope, *(round(float(c * stretch), 6) for c in shape))


def _honest_metrics(
    late: pl.DataFrame,
    lines: BaseLines,
    levels: Mapping[str, Floats],
    blind: TrainedModels,
    systems: Sequence[System],
) -> dict[str, dict[str, float]]:
    """Learn on the first half of the held-out dates, judge on the second."""
    middle = late["game_date"][late.height // 2]
    first = (late["game_date"] < middle).to_numpy()
    if first.sum() < LEARN_ROWS:
        return {}
    early_levels = {name: level[first] for name, level in levels.items()}
    models = _learn(late.filter(first), lines[first], early_levels, blind, systems)
    judged, at_lines = late.filter(~first), lines[~first]
    points = judged["points"].to_numpy().astype(np.float64)
    return {
        name: {**metrics(f, points), **line_metrics(f, at_lines, points)}
        for name, f in registry.predict_all(
            judged, models, {POINTS.name: at_lines}, systems
        ).items()
    }
