"""What a prediction system is, what it answers, and how every answer is calibrated.

A system estimates a level of points from features. What turns a level into a forecast is common to
all: the centre is moved to the median, a spread is put around it, and a confidence is stated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nba_predictions.domain.market import POINTS, Market
from nba_predictions.systems.market import BaseLines, MarketUpdate, with_line

if TYPE_CHECKING:
    from nba_predictions.systems.trained_models import TrainedModels

Floats = NDArray[np.float64]

#: Games of league prior mixed into a player's own record. Measured on newcomers of 2022-25: one to
#: two games give the least absolute error, more is worse from the third game on.
PRIOR_GAMES = 1.5
#: Games of typical volatility mixed into a player's own.
VOLATILITY_GAMES = 10.0
#: Games after which the evidence for a player counts half.
EVIDENCE_GAMES = 10.0
#: No forecast is sharper than this (points).
LEAST_SPREAD = 1.0
#: What is left of the confidence of a system that rests on the line, where there is no line.
WITHOUT_LINE = 0.7

#: Stands for "no line is known" until a forecast is made.
_AS_BEFORE: Final = np.empty(0)


@dataclass(frozen=True)
class Forecast:
    """A distribution of points per row: float64 arrays aligned with the feature rows.

    Attributes:
        mean: the centre (median) in points, >= 0: what the system itself expects.
        spread: standard deviation in points, > 0.
        confidence: 0..1.
        line_mean: the centre once the row's betting line is known; `mean` where there is no line.
            Probabilities at lines are taken from it.
        line_spread: likewise the standard deviation.

    Raises:
        ValueError: the arrays differ in length, or a value is out of range or not finite.
    """

    mean: Floats
    spread: Floats
    confidence: Floats
    line_mean: Floats = field(default_factory=lambda: _AS_BEFORE)
    line_spread: Floats = field(default_factory=lambda: _AS_BEFORE)

    def __post_init__(self) -> None:
        if self.line_mean is _AS_BEFORE:
            object.__setattr__(self, "line_mean", self.mean)
        if self.line_spread is _AS_BEFORE:
            object.__setattr__(self, "line_spread", self.spread)
        for name in ("mean", "spread", "line_mean", "line_spread"):
            self._check(name, 0.0, np.inf)
        self._check("confidence", 0.0, 1.0)
        for name in ("spread", "line_spread"):
            if (getattr(self, name) <= 0).any():
                raise ValueError(f"a forecast's {name} must be above zero")

    def __getitem__(self, rows: NDArray) -> Forecast:
        """The forecasts of some of the rows."""
        return Forecast(
            self.mean[rows],
            self.spread[rows],
            self.confidence[rows],
            self.line_mean[rows],
            self.line_spread[rows],
        )

    def _check(self, name: str, low: float, high: float) -> None:
        values = getattr(self, name)
        if values.shape != self.mean.shape or values.dtype != np.float64:
            raise ValueError(
                f"a forecast's {name} must be float64 of shape {self.mean.shape}, "
                f"got {values.dtype} of shape {values.shape}"
            )
        wrong = ~(np.isfinite(values) & (values >= low) & (values <= high))
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            raise ValueError(f"a forecast's {name} is {values[at]} in row {at}")

    def __len__(self) -> int:
        return len(self.mean)


@dataclass(frozen=True)
class LeaguePrior:
    """What is expected of a player nobody knows: median and standard deviation of his points."""

    points: float = 4.0
    sd: float = 5.0


@dataclass(frozen=True)
class Calibration:
    """How a system's level becomes a centre and a spread; learned in training, per system.

    centre = level * (scale + minutes_slope * (min(minutes_ewm, 36) / 30 - 1))
    spread = base + per_root_point * sqrt(centre) + per_volatility * volatility
             + per_minutes_sd * minutes_sd_10

    The distribution of points leans to the right, so the median lies below the level of an average
    (scale < 1), the more so for players of few minutes. The defaults are those of moving averages
    on NBA seasons 2021-24, rounded; they serve until there are games enough to learn from.
    """

    scale: float = 0.97
    minutes_slope: float = 0.1
    base: float = 0.4
    per_root_point: float = 1.2
    per_volatility: float = 0.25
    per_minutes_sd: float = 0.0

    def centre(self, features: pl.DataFrame, level: Floats) -> Floats:
        """The median forecast for a level of points."""
        factor = self.scale + self.minutes_slope * minutes_term(features)
        return np.maximum(level * factor, 0.0)

    def spread(self, features: pl.DataFrame, centre: Floats, prior: LeaguePrior) -> Floats:
        """The standard deviation around `centre`, wider the less is known of the player."""
        one, root, volatility, minutes_sd = spread_terms(features, centre)
        usual = (
            self.base * one
            + self.per_root_point * root
            + self.per_volatility * volatility
            + self.per_minutes_sd * minutes_sd
        )
        usual = np.maximum(usual, LEAST_SPREAD)
        unknown = PRIOR_GAMES / (column(features, "games", 0.0) + PRIOR_GAMES)
        return np.sqrt(usual * usual + unknown * prior.sd * prior.sd)


@dataclass(frozen=True)
class System:
    """A named, versioned way to predict.

    Attributes:
        system_id: the name in the table.
        version: raised when the formula changes.
        estimate: level of points per feature row, >= 0, finite; a pure function of the features,
            the trained models, and the forecasts of `members` (empty but for a combination).
        members: systems whose forecasts `estimate` combines.
        is_median: the estimate is a median already; others are moved there by calibration.
        rests_on_line: the estimate is of members' `line_mean`, so the line has been heard; without
            a line it is worth less, and says so by its confidence.
        market: the market that the system predicts. Its members predict the same market.

    Raises:
        ValueError: a member predicts another market.
    """

    system_id: str
    version: str
    estimate: Callable[[pl.DataFrame, TrainedModels, Mapping[str, Forecast]], Floats]
    members: tuple[System, ...] = ()
    is_median: bool = False
    rests_on_line: bool = False
    market: Market = POINTS

    def __post_init__(self) -> None:
        others = [m.system_id for m in self.members if m.market != self.market]
        if others:
            raise ValueError(
                f"{self.system_id} predicts {self.market.name}, but its members {others} do not"
            )

    @property
    def default_calibration(self) -> Calibration:
        """What serves until there is something to learn from; a mix of medians is a median."""
        return Calibration(scale=1.0, minutes_slope=0.0) if self.members else Calibration()

    @property
    def default_update(self) -> MarketUpdate:
        """What serves until there are past lines; who has heard the line already, keeps it."""
        return MarketUpdate(own_share=1.0) if self.rests_on_line else MarketUpdate()

    def forecast(
        self,
        features: pl.DataFrame,
        models: TrainedModels,
        known: Mapping[str, Forecast] | None = None,
        lines: BaseLines | None = None,
    ) -> Forecast:
        """Predict every feature row; a row's numbers do not depend on its company.

        Args:
            features: the frame that `build_features` returns, of any number of rows.
            models: what was learned before the date.
            known: forecasts of members already made for the same rows and lines, not to be made
                again.
            lines: the base lines of the system's market, aligned with the rows; None if the
                market has no lines.
        """
        known = known or {}
        members = {
            m.system_id: known.get(m.system_id) or m.forecast(features, models, known, lines)
            for m in self.members
        }
        calibration = models.calibrations.get(self.system_id, self.default_calibration)
        level = self.estimate(features, models, members)
        centre = calibration.centre(features, level)
        spread = calibration.spread(features, centre, models.prior)
        trust = confidence(features, centre, spread)
        if lines is None:
            return Forecast(centre, spread, WITHOUT_LINE * trust if self.rests_on_line else trust)
        if self.rests_on_line:
            trust = np.where(np.isnan(lines.base), WITHOUT_LINE, 1.0) * trust
        update = models.market_updates.get(self.system_id, self.default_update)
        return Forecast(centre, spread, trust, *with_line(centre, spread, lines, update))


def column(features: pl.DataFrame, name: str, missing: float = np.nan) -> Floats:
    """A feature as an array, with `missing` where it is not known."""
    values = features.get_column(name).to_numpy()
    return values if np.isnan(missing) else np.where(np.isnan(values), missing, values)


def minutes_term(features: pl.DataFrame) -> Floats:
    """Minutes relative to a starter's thirty: min(minutes_ewm, 36) / 30 - 1; 0 where not known."""
    return np.minimum(column(features, "minutes_ewm", 30.0), 36.0) / 30.0 - 1.0


def spread_terms(features: pl.DataFrame, centre: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """The four terms that a spread is made of: 1, sqrt(centre), volatility, minutes_sd_10.

    Volatility is the player's standard deviation of points this season, shrunk to the one that is
    typical at his level (about 1.5 times the root of the points).
    """
    root = np.sqrt(centre)
    typical = 0.7 + 1.5 * root
    own = column(features, "points_sd_season")
    games = np.where(np.isnan(own), 0.0, column(features, "games_season", 0.0))
    own = np.where(np.isnan(own), 0.0, own)
    volatility = (games * own + VOLATILITY_GAMES * typical) / (games + VOLATILITY_GAMES)
    return np.ones_like(root), root, volatility, column(features, "minutes_sd_10", 6.0)


def shrink_to_prior(features: pl.DataFrame, level: Floats, prior: LeaguePrior) -> Floats:
    """Mix a player's own level with the league prior, by the games he has played."""
    games = np.where(np.isnan(level), 0.0, column(features, "games", 0.0))
    own = np.where(np.isnan(level), 0.0, level)
    return (games * own + PRIOR_GAMES * prior.points) / (games + PRIOR_GAMES)


def confidence(features: pl.DataFrame, centre: Floats, spread: Floats) -> Floats:
    """How far to trust a forecast, 0..1: evidence (games known) times relative precision."""
    games = column(features, "games", 0.0)
    return games / (games + EVIDENCE_GAMES) * (centre / (centre + spread))
