"""Fit how a line changes a system's forecast to past lines and outcomes."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from nba_predictions.systems.base import Floats
from nba_predictions.systems.distribution import normal_cdf
from nba_predictions.systems.line_update import BaseLines, LineUpdate, implied_center

#: The weight of the defaults, in rows with lines. The larger it is, the less a few lines change
#: them. They express prior knowledge: a book's line is seldom off by 0.05 spreads, and a system is
#: never right about half of its difference to the line.
BIAS_ROWS: Final = 700.0
OWN_ROWS: Final = 1000.0
STRETCH_ROWS: Final = 500.0

#: Thresholds around the line at which outcomes are compared, like the tested lines.
_OFFSETS: Final = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
#: Fisher information of a sign at an even threshold, per squared unit of z.
_INFORMATION: Final = 2.0 / np.pi
_STEPS: Final = 25


@dataclass(frozen=True)
class LinedRows:
    """The data of a fit: own forecasts, lines and outcomes, aligned."""

    center: Floats
    spread: Floats
    lines: BaseLines
    outcomes: Floats


def fit_update(rows: LinedRows, default: LineUpdate | None = None) -> LineUpdate:
    """Fit how a line changes a system's forecast to past rows with lines; no rows give the default.

    The model is a probit of "result above t" for the half units t around each line. The fit
    maximizes its likelihood under a normal prior around the default. It is concave, so Newton
    steps find the only solution. Each row counts once, however many thresholds there are.
    """
    default = default or LineUpdate()
    if len(rows.outcomes) == 0:
        return default
    anchor = implied_center(rows.lines, rows.spread)
    threshold = (np.floor(rows.lines.base) + 0.5)[:, None] + _OFFSETS
    away = (anchor[:, None] - threshold) / rows.spread[:, None]
    own = np.broadcast_to(((rows.center - anchor) / rows.spread)[:, None], away.shape)
    terms = np.stack([np.ones_like(away), own, away]).reshape(3, -1)
    sign = np.where(rows.outcomes[:, None] > threshold, 1.0, -1.0).ravel()
    sharp = 1.0 / default.stretch
    prior = np.array([default.bias * sharp, default.own_share * sharp, sharp])
    squares = np.array([1.0, float((own * own).mean()), float((away * away).mean())])
    strength = _INFORMATION * np.array([BIAS_ROWS, OWN_ROWS, STRETCH_ROWS]) * squares + 1e-9

    weights = prior
    for _ in range(_STEPS):
        z = weights[0] * terms[0] + weights[1] * terms[1] + weights[2] * terms[2]
        density = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
        slope = sign * density / np.maximum(normal_cdf(sign * z), 1e-300)
        bend = np.maximum(slope * (slope + z), 1e-12)
        gradient = np.einsum("ir,r->i", terms, slope) / len(_OFFSETS)
        gradient = gradient - strength * (weights - prior)
        curvature = np.einsum("ir,jr,r->ij", terms, terms, bend) / len(_OFFSETS)
        step = np.linalg.solve(curvature + np.diag(strength), gradient)
        weights = weights + step
        if np.abs(step).max() < 1e-9:
            break
    stretch = 1.0 / max(float(weights[2]), 0.2)
    return LineUpdate(
        bias=round(float(weights[0]) * stretch, 6),
        # A share: neither more than the whole difference, nor the opposite of it.
        own_share=round(min(max(float(weights[1]) * stretch, 0.0), 1.0), 6),
        stretch=round(stretch, 6),
    )
