"""Sum and average over the earlier games of a player or a team, in exact integer arithmetic.

Rows are sorted by group and date, so the games before a row are a slice, and the sum of a slice is
the difference of two cumulative sums. With integers these differences are exact: a game has the
same features to the last bit, whatever other rows the frame has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def first_of_run(*keys: NDArray) -> Ints:
    """Return per row the index of the first row of its run: adjacent rows with equal `keys`."""
    rows = len(keys[0])
    if rows == 0:
        return np.zeros(0, dtype=np.int64)
    changed = np.zeros(rows, dtype=bool)
    for key in keys:
        changed[1:] |= key[1:] != key[:-1]
    return np.maximum.accumulate(np.where(changed, np.arange(rows), 0))


@dataclass(frozen=True)
class Slices:
    """The past of each row: the rows `[low, high)`."""

    low: Ints
    high: Ints

    @property
    def count(self) -> Ints:
        """The number of past rows."""
        return self.high - self.low

    def last(self, games: int) -> Slices:
        """Return the most recent `games` rows of each past."""
        return Slices(np.maximum(self.low, self.high - games), self.high)

    def sum(self, values: Ints) -> Ints:
        """Return the sum of integer `values` over each slice."""
        cumulative = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(values)])
        return cumulative[self.high] - cumulative[self.low]

    def mean(self, values: Ints) -> Floats:
        """Return the mean of integer `values` over each slice, NaN where the slice is empty."""
        return ratio(self.sum(values), self.count)

    def sd(self, values: Ints) -> Floats:
        """Return the sample standard deviation over each slice, NaN below two rows."""
        n, total, squares = self.count, self.sum(values), self.sum(values * values)
        # n * squares - total**2 is an exact integer, so it cannot be below zero.
        return np.sqrt(ratio(n * squares - total * total, n * (n - 1)))

    def latest(self, values: Floats) -> Floats:
        """Return the value at the most recent row of each slice, NaN where the slice is empty."""
        last = values[np.maximum(self.high - 1, 0)] if len(values) else np.zeros(len(self.high))
        return np.where(self.count > 0, last, np.nan)


def ratio(numerator: NDArray, denominator: NDArray) -> Floats:
    """Return the element-wise quotient, NaN where the denominator is not above zero."""
    above = denominator > 0
    out = np.full(np.broadcast(numerator, denominator).shape, np.nan)
    np.divide(numerator, denominator, out=out, where=above)
    return out
