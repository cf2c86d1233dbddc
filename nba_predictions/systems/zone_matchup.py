"""Predict from the zones in which the player scores and what this opponent concedes there.

Box scores have three zones: two-pointers, three-pointers and free throws. In each zone the level is
the player's recent attempts times their long-run points per attempt. The points that the opponent
concedes there, relative to the league, scale it. The three shares were measured on 2021-24.
"""

import numpy as np
import polars as pl

from nba_predictions.domain.market import POINTS
from nba_predictions.systems.base import Floats, Forecasts, column, shrink_to_prior
from nba_predictions.systems.system import System
from nba_predictions.systems.trained_models import TrainedModels

#: Share of the opponent's relative concession that applies to a player, per zone.
TWOS, THREES, FREE_THROWS = 0.95, 0.70, 0.55


def estimate(features: pl.DataFrame, models: TrainedModels, members: Forecasts) -> Floats:
    """Return the sum over the zones of the player's level times the opponent's concession."""
    threes_tried = column(features, "fg3a_ewm")
    twos = (column(features, "fga_ewm") - threes_tried) * column(features, "two_rate", 0.0)
    threes = threes_tried * column(features, "three_rate", 0.0)
    free_throws = column(features, "fta_ewm") * column(features, "free_throw_rate", 0.0)

    def matchup(zone: str, share: float) -> Floats:
        return 1.0 + share * (column(features, f"opponent_{zone}_allowed", 1.0) - 1.0)

    level = (
        twos * matchup("twos", TWOS)
        + threes * matchup("threes", THREES)
        + free_throws * matchup("free_throws", FREE_THROWS)
    )
    return np.maximum(shrink_to_prior(features, level, models.prior(POINTS)), 0.0)


ZONE_MATCHUP = System("zone_matchup", "1", estimate)
