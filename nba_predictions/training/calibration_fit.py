"""Fit the calibration of a system to held-out games."""

from typing import Final

import numpy as np
import polars as pl

from nba_predictions.systems.base import (
    Calibration,
    Floats,
    LeaguePrior,
    minutes_term,
    spread_terms,
)
from nba_predictions.systems.system import System

_MAD_TO_SD: Final = 1.2533141373155003  # sqrt(pi / 2), for a normal distribution


def fit_calibration(
    system: System, games: pl.DataFrame, level: Floats, outcomes: Floats, prior: LeaguePrior
) -> Calibration:
    """Fit center and spread of a system to its level and the outcomes in held-out games.

    Medians, and mixes of medians, keep their level as the center.
    """
    is_median = system.is_median or bool(system.members)
    scale, slope = (1.0, 0.0) if is_median else _fit_center(games, level, outcomes)
    center = Calibration(scale, slope).center(games, level)
    statistic = system.market.statistic
    # Regress the size of the errors on the terms of the spread.
    size = _MAD_TO_SD * np.abs(outcomes - center)
    terms = np.stack(spread_terms(games, center, statistic))
    # A little ridge keeps small or uniform leagues solvable.
    gram = np.einsum("ir,jr->ij", terms, terms) / len(outcomes) + 1e-3 * np.eye(len(terms))
    target = np.einsum("ir,r->i", terms, size) / len(outcomes)
    shape = np.linalg.solve(gram, target)
    raw = Calibration(scale, slope, *(float(c) for c in shape))
    # Scale the spread so that the central ranges cover 50% and 80% of the outcomes.
    off = np.abs(outcomes - center) / raw.spread(games, center, prior, statistic)
    stretch = (np.quantile(off, 0.5) / 0.67449 + np.quantile(off, 0.8) / 1.28155) / 2
    return Calibration(scale, slope, *(round(float(c * stretch), 6) for c in shape))


def _fit_center(games: pl.DataFrame, level: Floats, outcomes: Floats) -> tuple[float, float]:
    """Fit `outcomes` by `level * (scale + slope * minutes term)` with least absolute deviation.

    The method is iteratively reweighted least squares in two unknowns. Without a solution (all
    outcomes are 0, or all minutes are equal) it returns the defaults.
    """
    x, z = level, level * minutes_term(games)
    scale, slope = Calibration.scale, Calibration.minutes_slope
    for _ in range(20):
        weight = 1.0 / np.maximum(np.abs(outcomes - scale * x - slope * z), 0.5)
        xx, xz, zz = (weight * x * x).sum(), (weight * x * z).sum(), (weight * z * z).sum()
        xy, zy = (weight * x * outcomes).sum(), (weight * z * outcomes).sum()
        determinant = xx * zz - xz * xz
        if determinant <= 1e-9 * xx * zz:
            return Calibration.scale, Calibration.minutes_slope
        scale = float((xy * zz - zy * xz) / determinant)
        slope = float((zy * xx - xy * xz) / determinant)
    return round(scale, 6), round(slope, 6)
