"""Update a forecast by the betting line of the same player.

Books know facts that box scores lack, for example tonight's injuries and line-ups. A forecast from
box scores alone is therefore far too confident when it differs from a line. Probabilities at lines
come from an updated distribution: its center is the line, moved by a learned share of the
difference between forecast and line. The system's own center (`predicted_points`) stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from nba_predictions.features.windows import Floats

#: Prices beyond these probabilities move the center no further, because odd prices carry no news.
_LEAST_FAIR, _MOST_FAIR = 0.35, 0.65
_QUANTILE = np.frompyfunc(NormalDist().inv_cdf, 1, 1)


@dataclass(frozen=True)
class BaseLines:
    """The base lines of one market, aligned with feature rows; NaN in rows without a line.

    `fair_over` is the no-vig probability of the over at the line `base`; NaN if it is not known.
    """

    base: Floats
    fair_over: Floats

    @classmethod
    def none(cls, rows: int) -> BaseLines:
        """Return base lines for rows of which none has a line."""
        return cls(np.full(rows, np.nan), np.full(rows, np.nan))

    def __getitem__(self, rows: NDArray) -> BaseLines:
        return BaseLines(self.base[rows], self.fair_over[rows])


@dataclass(frozen=True)
class LineUpdate:
    """How a line changes a system's forecast. Training learns it per system.

    center' = line + bias * spread + own_share * (center - line)
    spread' = stretch * spread

    The defaults apply until there are past lines to learn from. They treat a line as the median and
    keep a tenth of the difference between forecast and line. A larger share makes a forecast from
    box scores alone worse, because most of the difference is what it does not know.
    """

    bias: float = 0.0
    own_share: float = 0.1
    stretch: float = 1.0


def implied_center(lines: BaseLines, spread: Floats) -> Floats:
    """Return the median that lines and prices imply: the line, moved toward the dearer side."""
    fair = np.clip(np.nan_to_num(lines.fair_over, nan=0.5), _LEAST_FAIR, _MOST_FAIR)
    return lines.base + spread * np.asarray(_QUANTILE(fair)).astype(np.float64)


def with_line(
    center: Floats, spread: Floats, lines: BaseLines, update: LineUpdate
) -> tuple[Floats, Floats]:
    """Return center and spread updated by the line; unchanged in rows without a line."""
    anchor = implied_center(lines, spread)
    moved = anchor + update.bias * spread + update.own_share * (center - anchor)
    known = ~np.isnan(lines.base)
    return (
        np.where(known, np.maximum(moved, 0.0), center),
        np.where(known, update.stretch * spread, spread),
    )
