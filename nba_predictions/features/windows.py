"""Sums over the earlier games of a player or a team, in exact integer arithmetic.

Rows are sorted by group and date, so the games before a row are a slice, and the sum of a slice is
the difference of two cumulative sums. Integers keep those differences exact: the same game gives
the same feature to the last bit, whatever other rows stand around it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def first_of_run(*keys: NDArray) -> Ints:
    """For each row, the index of the first row of its run: adjacent rows with equal `keys`."""
    rows = len(keys[0])
    if rows == 0:
        return np.zeros(0, dtype=np.int64)
    changed = np.zeros(rows, dtype=bool)
    for key in keys:
        changed[1:] |= key[1:] != key[:-1]
    return np.maximum.accumulate(np.where(changed, np.arange(rows), 0))


@dataclass(frozen=True)
class Slices:
    """For each row, the rows `[low, high)` of its past."""

    low: Ints
    high: Ints

    @property
    def count(self) -> Ints:
        """How many past rows there are."""
        return self.high - self.low

    def last(self, games: int) -> Slices:
        """The same past, cut to its most recent `games` rows."""
        return Slices(np.maximum(self.low, self.high - games), self.high)

    def sum(self, values: Ints) -> Ints:
        """Sum of integer `values` over each slice."""
        cumulative = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(values)])
        return cumulative[self.high] - cumulative[self.low]

    def mean(self, values: Ints) -> Floats:
        """Mean of integer `values` over each slice, NaN where the slice is empty."""
        return ratio(self.sum(values), self.count)

    def sd(self, values: Ints) -> Floats:
        """Sample standard deviation over each slice, NaN below two rows."""
        n, total, squares = self.count, self.sum(values), self.sum(values * values)
        # n * squares - total**2 stays an exact integer, so it cannot come out below zero.
        return np.sqrt(ratio(n * squares - total * total, n * (n - 1)))

    def latest(self, values: Floats) -> Floats:
        """The value at the most recent row of each slice, NaN where the slice is empty."""
        found = values[np.maximum(self.high - 1, 0)] if len(values) else np.zeros(len(self.high))
        return np.where(self.count > 0, found, np.nan)


def ratio(numerator: NDArray, denominator: NDArray) -> Floats:
    """Element-wise quotient, NaN where the denominator is not above zero."""
    above = denominator > 0
    out = np.full(np.broadcast(numerator, denominator).shape, np.nan)
    np.divide(numerator, denominator, out=out, where=above)
    return out
