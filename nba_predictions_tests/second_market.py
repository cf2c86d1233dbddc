"""A second market for tests: rebounds, with one simple system."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from nba_predictions.domain import market as markets
from nba_predictions.domain.market import POINTS, Market
from nba_predictions.systems import registry
from nba_predictions.systems.base import Floats, Forecasts, column, shrink_to_prior
from nba_predictions.systems.system import System
from nba_predictions.systems.trained_models import TrainedModels

REBOUNDS = Market("rebounds", "rebounds", sum_of=("oreb", "dreb"))


def estimate(features: pl.DataFrame, models: TrainedModels, members: Forecasts) -> Floats:
    """Return the player's weighted average, shrunk to the league prior."""
    level = column(features, "rebounds_ewm")
    return np.maximum(shrink_to_prior(features, level, models.prior(REBOUNDS)), 0.0)


REBOUNDS_AVERAGE = System("rebounds_average", "1", estimate, market=REBOUNDS)


def register(patch: pytest.MonkeyPatch) -> None:
    """Register the market and its system after those of the product."""
    patch.setattr(markets, "MARKETS", (POINTS, REBOUNDS))
    patch.setattr(registry, "SYSTEMS", (*registry.SYSTEMS, REBOUNDS_AVERAGE))
