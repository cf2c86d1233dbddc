"""From a centre and a spread to probabilities of whole points.

Points are counted, so the forecast is a normal distribution rounded to whole numbers: k points
gather the mass between k - 0.5 and k + 0.5 (the continuity correction), and all mass below 0.5
falls on zero, for nobody scores less. The centre is the median as well as the mean of the normal,
which is why systems are trained and judged by absolute error.

All functions broadcast their arguments like numpy arithmetic.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from nba_predictions.systems.base import Floats

_ERFC = np.frompyfunc(math.erfc, 1, 1)


def normal_cdf(z: ArrayLike) -> Floats:
    """The standard normal distribution function, exact in both tails."""
    return np.asarray(0.5 * _ERFC(-np.asarray(z, dtype=np.float64) / math.sqrt(2)), np.float64)


def cumulative(mean: ArrayLike, spread: ArrayLike, points: ArrayLike) -> Floats:
    """P(points scored <= `points`), for any real `points`; 0 below zero.

    Raises:
        ValueError: a spread is not above zero, or any argument is not finite.
    """
    mean, spread, points = (np.asarray(a, dtype=np.float64) for a in (mean, spread, points))
    for name, values in (("mean", mean), ("spread", spread), ("points", points)):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} holds a value that is not finite: {values}")
    if (spread <= 0).any():
        raise ValueError(f"a spread must be above zero, got {spread.min()}")
    whole = np.floor(points)
    return np.where(whole < 0, 0.0, normal_cdf((whole + 0.5 - mean) / spread))


def over_probability(mean: ArrayLike, spread: ArrayLike, line: ArrayLike) -> Floats:
    """P(points > `line`). Errors as in `cumulative`."""
    return 1.0 - cumulative(mean, spread, line)


def push_probability(mean: ArrayLike, spread: ArrayLike, line: ArrayLike) -> Floats:
    """P(points = `line`): zero for a line that is no whole number. Errors as in `cumulative`."""
    line = np.asarray(line, dtype=np.float64)
    at, below = cumulative(mean, spread, line), cumulative(mean, spread, line - 1)
    return np.where(line == np.floor(line), at - below, 0.0)


def under_probability(mean: ArrayLike, spread: ArrayLike, line: ArrayLike) -> Floats:
    """P(points < `line`), so that over + push + under = 1. Errors as in `cumulative`."""
    return cumulative(mean, spread, np.ceil(np.asarray(line, dtype=np.float64)) - 1)
