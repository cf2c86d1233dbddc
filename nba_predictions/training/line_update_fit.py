"""Learning from past lines what a system's word is worth beside one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from nba_predictions.systems.base import Floats
from nba_predictions.systems.distribution import normal_cdf
from nba_predictions.systems.line_update import BaseLines, LineUpdate, implied_center

#: The columns of past lines: one row per player and date, `base_line` in points, `fair_over` the
#: no-vig probability of the over there, null where prices do not tell.
PAST_LINES: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "game_date": pl.Date,
    "player_lookup": pl.String,
    "base_line": pl.Float64,
    "fair_over": pl.Float64,
}

#: Rows with lines that the defaults count for, against what the lines themselves say: the larger,
#: the less is believed of few lines. They are what is known beforehand (a book's line is seldom off
#: by 0.05 spreads, half of a system's word is never right against a line), in rows.
BIAS_ROWS: Final = 700.0
OWN_ROWS: Final = 1000.0
STRETCH_ROWS: Final = 500.0

#: Thresholds around the line at which outcomes are looked at, as tested lines are.
_OFFSETS: Final = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
#: Fisher information of a sign at an even threshold, per squared unit of z.
_INFORMATION: Final = 2.0 / np.pi
_STEPS: Final = 25


@dataclass(frozen=True)
class LinedRows:
    """What an update is learned from: own forecasts, lines and outcomes, aligned."""

    centre: Floats
    spread: Floats
    lines: BaseLines
    points: Floats


def fit_update(rows: LinedRows, default: LineUpdate | None = None) -> LineUpdate:
    """Learn what a system's word is worth beside the line.

    A probit model of "more than t points" for the half points t around each line, of greatest
    likelihood under a normal prior around the defaults. It is concave, so Newton's steps find the
    one solution. Each row counts once, however many thresholds are looked at.

    Args:
        rows: past rows, all with a line. None at all gives the defaults.
    """
    default = default or LineUpdate()
    if len(rows.points) == 0:
        return default
    anchor = implied_center(rows.lines, rows.spread)
    threshold = (np.floor(rows.lines.base) + 0.5)[:, None] + _OFFSETS
    away = (anchor[:, None] - threshold) / rows.spread[:, None]
    own = np.broadcast_to(((rows.centre - anchor) / rows.spread)[:, None], away.shape)
    terms = np.stack([np.ones_like(away), own, away]).reshape(3, -1)
    sign = np.where(rows.points[:, None] > threshold, 1.0, -1.0).ravel()
    sharp = 1.0 / default.stretch
    prior = np.array([default.bias * sharp, default.own_share * sharp, sharp])
    squares = np.array([1.0, float((own * own).mean()), float((away * away).mean())])
    strength = _INFORMATION * np.array([BIAS_ROWS, OWN_ROWS, STRETCH_ROWS]) * squares + 1e-9

    found = prior
    for _ in range(_STEPS):
        z = found[0] * terms[0] + found[1] * terms[1] + found[2] * terms[2]
        density = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
        slope = sign * density / np.maximum(normal_cdf(sign * z), 1e-300)
        bend = np.maximum(slope * (slope + z), 1e-12)
        gradient = np.einsum("ir,r->i", terms, slope) / len(_OFFSETS) - strength * (found - prior)
        curvature = np.einsum("ir,jr,r->ij", terms, terms, bend) / len(_OFFSETS)
        step = np.linalg.solve(curvature + np.diag(strength), gradient)
        found = found + step
        if np.abs(step).max() < 1e-9:
            break
    stretch = 1.0 / max(float(found[2]), 0.2)
    return LineUpdate(
        bias=round(float(found[0]) * stretch, 6),
        # A share: against the line no system is believed more than wholly, or in reverse.
        own_share=round(min(max(float(found[1]) * stretch, 0.0), 1.0), 6),
        stretch=round(stretch, 6),
    )
