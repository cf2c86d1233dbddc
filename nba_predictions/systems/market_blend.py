"""Combine the ensemble with the books' line.

This is the only system that uses the line. Its center is the ensemble's center updated by the line,
with a share learned from past lines. Without a line it is the ensemble's center, with a lower
confidence.
"""

import polars as pl

from nba_predictions.systems.base import Floats, Forecasts
from nba_predictions.systems.ensemble import ENSEMBLE
from nba_predictions.systems.system import System
from nba_predictions.systems.trained_models import TrainedModels


def estimate(features: pl.DataFrame, models: TrainedModels, members: Forecasts) -> Floats:
    """Return the ensemble's center, updated by the line if there is one."""
    return members[ENSEMBLE.system_id].line_mean


MARKET_BLEND = System("market_blend", "1", estimate, (ENSEMBLE,), rests_on_line=True)
