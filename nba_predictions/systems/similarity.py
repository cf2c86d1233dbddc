"""Predict from the player's own past games that are most similar to the coming one.

`features/similar.py` finds up to 20 such games, weighted by similarity of opponent strength (40),
rest (30), venue (15) and form (15). It measures by how much the player exceeded expectation there.
"""

import numpy as np
import polars as pl

from nba_predictions.domain.market import POINTS
from nba_predictions.systems.base import Floats, Forecasts, column, shrink_to_prior
from nba_predictions.systems.system import System
from nba_predictions.systems.trained_models import TrainedModels

#: Games with a surplus of 0 mixed in. The surplus of 20 games is mostly chance (its standard error
#: is 1.4 points): on 2021-24 a tenth to a fifth of it gives the least absolute error.
SHRINKAGE_GAMES = 100.0


def estimate(features: pl.DataFrame, models: TrainedModels, members: Forecasts) -> Floats:
    """Return the player's recent average plus the shrunk surplus of similar games."""
    level = shrink_to_prior(features, column(features, "points_ewm"), models.prior(POINTS))
    games = column(features, "similar_games", 0.0)
    surplus = column(features, "similar_surplus", 0.0)
    return np.maximum(level + games / (games + SHRINKAGE_GAMES) * surplus, 0.0)


SIMILARITY = System("similarity", "1", estimate)
