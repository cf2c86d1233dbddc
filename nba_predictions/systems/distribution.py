"""Compute probabilities of whole results from a center and a spread.

Statistics are counts, so a forecast is a normal distribution rounded to whole numbers: the result k
has the mass between k - 0.5 and k + 0.5 (the continuity correction), and 0 has all mass below 0.5.
The center is the median. Therefore systems are trained and compared by absolute error.

All functions broadcast their arguments like numpy arithmetic.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from nba_predictions.systems.base import Floats

_ERFC = np.frompyfunc(math.erfc, 1, 1)


def normal_cdf(z: ArrayLike) -> Floats:
    """Return the standard normal distribution function, exact in both tails."""
    return np.asarray(0.5 * _ERFC(-np.asarray(z, dtype=np.float64) / math.sqrt(2)), np.float64)


def cumulative(mean: ArrayLike, spread: ArrayLike, value: ArrayLike) -> Floats:
    """Return P(result <= `value`) for any real `value`; 0 below zero.

    Raises:
        ValueError: a spread is not above zero, or an argument is not finite.
    """
    mean, spread, value = (np.asarray(a, dtype=np.float64) for a in (mean, spread, value))
    for name, numbers in (("mean", mean), ("spread", spread), ("value", value)):
        if not np.isfinite(numbers).all():
            raise ValueError(f"{name} has a value that is not finite: {numbers}")
    if (spread <= 0).any():
        raise ValueError(f"a spread must be above zero, got {spread.min()}")
    whole = np.floor(value)
    return np.where(whole < 0, 0.0, normal_cdf((whole + 0.5 - mean) / spread))


def over_probability(mean: ArrayLike, spread: ArrayLike, line: ArrayLike) -> Floats:
    """Return P(result > `line`). Errors as in `cumulative`."""
    return 1.0 - cumulative(mean, spread, line)


def push_probability(mean: ArrayLike, spread: ArrayLike, line: ArrayLike) -> Floats:
    """Return P(result = `line`): zero unless the line is a whole number.

    Errors as in `cumulative`.
    """
    line = np.asarray(line, dtype=np.float64)
    upto, below = cumulative(mean, spread, line), cumulative(mean, spread, line - 1)
    return np.where(line == np.floor(line), upto - below, 0.0)
