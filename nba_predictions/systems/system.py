"""The type of a prediction system: how it estimates a level, and how that becomes a forecast."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from nba_predictions.domain.market import POINTS, Market
from nba_predictions.systems.base import Calibration, Floats, Forecast, Forecasts, confidence
from nba_predictions.systems.line_update import BaseLines, LineUpdate, with_line
from nba_predictions.systems.trained_models import TrainedModels

#: Factor on the confidence of a system that rests on the line, in rows without a line.
WITHOUT_LINE = 0.7

#: (features, models, forecasts of the members) -> level of the statistic per feature row
Estimate = Callable[[pl.DataFrame, TrainedModels, Forecasts], Floats]


@dataclass(frozen=True)
class System:
    """A named, versioned way to predict one market.

    Attributes:
        version: raised when the formula changes.
        estimate: the level of the statistic per feature row, >= 0 and finite. It is a pure function
            of the features, the trained models and the forecasts of `members`.
        members: systems of the same market whose forecasts `estimate` combines.
        is_median: the estimate is a median already. Calibration moves other estimates there.
        rests_on_line: the estimate uses the members' `line_mean`. Without a line the system has a
            lower confidence.

    Raises:
        ValueError: a member predicts another market.
    """

    system_id: str
    version: str
    estimate: Estimate
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
        """The calibration before there are games to learn from. A mix of medians is a median."""
        return Calibration(scale=1.0, minutes_slope=0.0) if self.members else Calibration()

    @property
    def default_update(self) -> LineUpdate:
        """The line update before there are past lines to learn from."""
        return LineUpdate(own_share=1.0) if self.rests_on_line else LineUpdate()

    def forecast(
        self,
        features: pl.DataFrame,
        models: TrainedModels,
        known: Forecasts | None = None,
        lines: BaseLines | None = None,
    ) -> Forecast:
        """Predict every feature row. The result of a row does not depend on the other rows.

        `known` are forecasts of members that exist already for the same rows and lines. `lines` are
        those of the system's market, aligned with the rows; None if the market has none.
        """
        known = known or {}
        members = {
            m.system_id: known.get(m.system_id) or m.forecast(features, models, known, lines)
            for m in self.members
        }
        calibration = models.calibrations.get(self.system_id, self.default_calibration)
        level = self.estimate(features, models, members)
        center = calibration.center(features, level)
        prior, statistic = models.prior(self.market), self.market.statistic
        spread = calibration.spread(features, center, prior, statistic)
        trust = confidence(features, center, spread)
        if lines is None:
            return Forecast(center, spread, WITHOUT_LINE * trust if self.rests_on_line else trust)
        if self.rests_on_line:
            trust = np.where(np.isnan(lines.base), WITHOUT_LINE, 1.0) * trust
        update = models.line_updates.get(self.system_id, self.default_update)
        return Forecast(center, spread, trust, *with_line(center, spread, lines, update))
