"""What a betting line adds to a forecast: the distribution of points once the line is known.

The books know what box scores do not tell: tonight's injuries, line-ups, minutes. A system's own
forecast, taken against a line as it stands, is therefore far too sure of itself. So probabilities
at lines come from a distribution whose centre is the line, moved by a learned share of the distance
that the system sees; `predicted_points` stays the system's own number.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from nba_predictions.features.windows import Floats

#: Prices never move the centre further than these probabilities do: an odd price is no news.
_LEAST_FAIR, _MOST_FAIR = 0.35, 0.65
_QUANTILE = np.frompyfunc(NormalDist().inv_cdf, 1, 1)


@dataclass(frozen=True)
class BaseLines:
    """The books' word per row, NaN where there is none.

    Attributes:
        base: the base line in points.
        fair_over: the books' own probability of the over there, their margin taken out.
    """

    base: Floats
    fair_over: Floats

    @classmethod
    def none(cls, rows: int) -> BaseLines:
        """Nobody quotes anybody."""
        return cls(np.full(rows, np.nan), np.full(rows, np.nan))

    def __getitem__(self, rows: NDArray) -> BaseLines:
        return BaseLines(self.base[rows], self.fair_over[rows])


@dataclass(frozen=True)
class MarketUpdate:
    """What a system's forecast becomes once a line is known; learned in training, per system.

    centre' = line + bias * spread + own_share * (centre - line)
    spread' = stretch * spread

    The defaults stand until there are past lines to learn from: a line is as good as a median, and
    a tenth is believed of what a system sees beside it. A forecast from box scores alone misses by
    about as much as the line plus what it does not know, so a larger share makes it worse.
    """

    bias: float = 0.0
    own_share: float = 0.1
    stretch: float = 1.0


def market_centre(lines: BaseLines, spread: Floats) -> Floats:
    """The median that the books stand for: the line, moved by prices that lean to one side."""
    lean = np.asarray(
        _QUANTILE(np.clip(np.nan_to_num(lines.fair_over, nan=0.5), _LEAST_FAIR, _MOST_FAIR))
    )
    return lines.base + spread * lean.astype(np.float64)


def with_line(
    centre: Floats, spread: Floats, lines: BaseLines, update: MarketUpdate
) -> tuple[Floats, Floats]:
    """Centre and spread once the line is known; as they were where there is none."""
    anchor = market_centre(lines, spread)
    moved = anchor + update.bias * spread + update.own_share * (centre - anchor)
    known = ~np.isnan(lines.base)
    return (
        np.where(known, np.maximum(moved, 0.0), centre),
        np.where(known, update.stretch * spread, spread),
    )
