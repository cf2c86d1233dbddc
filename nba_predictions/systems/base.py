"""Forecasts, their calibration, and the league prior: what all systems share.

A system estimates a level of its market's statistic. The steps from the level to a forecast are the
same for all systems: move the center to the median, compute the spread and the confidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Games of the league prior mixed into a player's own record. On newcomers of 2022-25 one to two
#: games give the least absolute error, and from the third game on more games are worse.
PRIOR_GAMES = 1.5
#: Games of typical volatility mixed into a player's own.
VOLATILITY_GAMES = 10.0
#: Games after which the evidence for a player counts half.
EVIDENCE_GAMES = 10.0
#: No forecast is sharper than this, in units of the statistic.
LEAST_SPREAD = 1.0

#: Default of the fields that equal the values without a line.
_SAME_AS_OWN: Final = np.empty(0)


@dataclass(frozen=True)
class Forecast:
    """One distribution of the statistic per row: float64 arrays aligned with the feature rows.

    Attributes:
        mean: the center (median) that the system itself expects, >= 0.
        spread: standard deviation, > 0.
        confidence: 0..1.
        line_mean: the center updated by the row's betting line; `mean` if there is no line.
            Probabilities at lines use it.
        line_spread: the standard deviation updated likewise.

    Raises:
        ValueError: the arrays differ in length, or a value is out of range or not finite.
    """

    mean: Floats
    spread: Floats
    confidence: Floats
    line_mean: Floats = field(default_factory=lambda: _SAME_AS_OWN)
    line_spread: Floats = field(default_factory=lambda: _SAME_AS_OWN)

    def __post_init__(self) -> None:
        if self.line_mean is _SAME_AS_OWN:
            object.__setattr__(self, "line_mean", self.mean)
        if self.line_spread is _SAME_AS_OWN:
            object.__setattr__(self, "line_spread", self.spread)
        for name in ("mean", "spread", "line_mean", "line_spread"):
            self._check(name, 0.0, np.inf)
        self._check("confidence", 0.0, 1.0)
        for name in ("spread", "line_spread"):
            if (getattr(self, name) <= 0).any():
                raise ValueError(f"a forecast's {name} must be above zero")

    def __getitem__(self, rows: NDArray) -> Forecast:
        """Return the forecasts of some of the rows."""
        return Forecast(*(getattr(self, column.name)[rows] for column in fields(self)))

    def _check(self, name: str, low: float, high: float) -> None:
        values = getattr(self, name)
        if values.shape != self.mean.shape or values.dtype != np.float64:
            raise ValueError(
                f"a forecast's {name} must be float64 of shape {self.mean.shape}, "
                f"got {values.dtype} of shape {values.shape}"
            )
        wrong = ~(np.isfinite(values) & (values >= low) & (values <= high))
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise ValueError(f"a forecast's {name} is {values[row]} in row {row}")

    def __len__(self) -> int:
        return len(self.mean)


#: Forecasts by system_id.
Forecasts = Mapping[str, Forecast]


@dataclass(frozen=True)
class LeaguePrior:
    """What is expected of a player without a record: median and standard deviation.

    The defaults are those of points. They apply until there are games to learn from.
    """

    median: float = 4.0
    sd: float = 5.0


@dataclass(frozen=True)
class Calibration:
    """How a system's level becomes a center and a spread. Training learns it per system.

    center = level * (scale + minutes_slope * (min(minutes_ewm, 36) / 30 - 1))
    spread = base + per_root_point * sqrt(center) + per_volatility * volatility
             + per_minutes_sd * minutes_sd_10

    The distribution of points is skewed to the right, so the median is below an average
    (scale < 1), most of all for players with few minutes. The defaults are the rounded values of
    moving averages on NBA seasons 2021-24. They apply until there are enough games to learn from.
    """

    scale: float = 0.97
    minutes_slope: float = 0.1
    base: float = 0.4
    per_root_point: float = 1.2
    per_volatility: float = 0.25
    per_minutes_sd: float = 0.0

    def center(self, features: pl.DataFrame, level: Floats) -> Floats:
        """Return the median forecast for a level of the statistic."""
        factor = self.scale + self.minutes_slope * minutes_term(features)
        return np.maximum(level * factor, 0.0)

    def spread(
        self, features: pl.DataFrame, center: Floats, prior: LeaguePrior, statistic: str
    ) -> Floats:
        """Return the standard deviation around `center`: wider for players with few games."""
        one, root, volatility, minutes_sd = spread_terms(features, center, statistic)
        usual = (
            self.base * one
            + self.per_root_point * root
            + self.per_volatility * volatility
            + self.per_minutes_sd * minutes_sd
        )
        usual = np.maximum(usual, LEAST_SPREAD)
        unknown = PRIOR_GAMES / (column(features, "games", 0.0) + PRIOR_GAMES)
        return np.sqrt(usual * usual + unknown * prior.sd * prior.sd)


def column(features: pl.DataFrame, name: str, missing: float = np.nan) -> Floats:
    """Return a feature as an array, with `missing` in rows where it is not known."""
    values = features.get_column(name).to_numpy()
    return values if np.isnan(missing) else np.where(np.isnan(values), missing, values)


def minutes_term(features: pl.DataFrame) -> Floats:
    """Return min(minutes_ewm, 36) / 30 - 1: minutes relative to a starter's 30, 0 if not known."""
    return np.minimum(column(features, "minutes_ewm", 30.0), 36.0) / 30.0 - 1.0


def spread_terms(
    features: pl.DataFrame, center: Floats, statistic: str
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the four terms of a spread: 1, sqrt(center), volatility, minutes_sd_10.

    Volatility is the player's standard deviation of the statistic this season, shrunk toward the
    typical one at their level (about 1.5 times the root of the points).
    """
    root = np.sqrt(center)
    typical = 0.7 + 1.5 * root
    own = column(features, f"{statistic}_sd_season")
    games = np.where(np.isnan(own), 0.0, column(features, "games_season", 0.0))
    own = np.where(np.isnan(own), 0.0, own)
    volatility = (games * own + VOLATILITY_GAMES * typical) / (games + VOLATILITY_GAMES)
    return np.ones_like(root), root, volatility, column(features, "minutes_sd_10", 6.0)


def shrink_to_prior(features: pl.DataFrame, level: Floats, prior: LeaguePrior) -> Floats:
    """Mix a player's own level with the league prior, weighted by the player's games."""
    games = np.where(np.isnan(level), 0.0, column(features, "games", 0.0))
    own = np.where(np.isnan(level), 0.0, level)
    return (games * own + PRIOR_GAMES * prior.median) / (games + PRIOR_GAMES)


def confidence(features: pl.DataFrame, center: Floats, spread: Floats) -> Floats:
    """Return the confidence, 0..1: evidence (games known) times relative precision."""
    games = column(features, "games", 0.0)
    return games / (games + EVIDENCE_GAMES) * (center / (center + spread))
