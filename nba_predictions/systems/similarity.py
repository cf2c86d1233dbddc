"""What the player did in his own past games that most resemble this one.

`features/similar.py` finds them: up to 20 games, weighted by likeness of opponent strength (40),
rest (30), venue (15) and form (15), and says how far above or below expectation he came out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from nba_predictions.systems.base import Floats, Forecast, System, column, shrink_to_prior

if TYPE_CHECKING:
    from nba_predictions.systems.trained_models import TrainedModels

#: Games of "nothing special" mixed in. A surplus of 20 games carries mostly chance (its standard
#: error is 1.4 points), and least absolute error on 2021-24 wants about a tenth to a fifth of it.
SHRINKAGE_GAMES = 100.0


def estimate(
    features: pl.DataFrame, models: TrainedModels, members: Mapping[str, Forecast]
) -> Floats:
    """The player's recent average plus the shrunk surplus of his similar games."""
    level = shrink_to_prior(features, column(features, "points_ewm"), models.prior)
    games = column(features, "similar_games", 0.0)
    surplus = column(features, "similar_surplus", 0.0)
    return np.maximum(level + games / (games + SHRINKAGE_GAMES) * surplus, 0.0)


SIMILARITY = System("similarity", "1", estimate)
