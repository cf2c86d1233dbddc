"""Gradient-boosted trees on all features (system `xgboost`).

The trees minimize squared errors of points to the power of 0.7. On that scale points are nearly
symmetric, so the mean is the median, and squared errors find it with less noise than absolute
errors (the best factor on the first half of 2024-25 is 1.00 to 1.01).
"""

from typing import Final

import numpy as np
import polars as pl
import xgboost as xgb

from nba_predictions.domain.market import POINTS
from nba_predictions.features.build import FEATURES
from nba_predictions.systems.base import Floats, Forecasts, column, shrink_to_prior
from nba_predictions.systems.system import System
from nba_predictions.systems.trained_models import TrainedModels

#: Below this many rows no trees are grown.
FEWEST_ROWS: Final = 300
ROUNDS: Final = 80
POWER: Final = 0.7

#: Directions that are known beforehand. No forecast moves against them. Averages over few games
#: have no direction next to a longer average, because a good last game can be luck.
DIRECTIONS: Final = {
    **dict.fromkeys(("points_ewm", "points_from_attempts", "points_per_minute", "minutes_ewm"), 1),
    **dict.fromkeys(("opponent_points_allowed", "opponent_twos_allowed"), 1),
    **dict.fromkeys(("opponent_threes_allowed", "opponent_free_throws_allowed"), 1),
    **dict.fromkeys(("opponent_pace", "team_pace", "rest_days", "is_home"), 1),
    "back_to_back": -1,
}

#: Chosen by training on 2021-24 and comparing on the first half of 2024-25. They are on a plateau:
#: neighboring values differ by as little as seeds do (0.003 points). Four trees per round, each on
#: half of the rows, reduce the influence of one random draw. One thread, because the order of
#: summation, and with it the last digits, depends on the number of threads, and because two threads
#: on a busy machine wait for each other ten times longer than one works.
PARAMETERS: Final[dict[str, object]] = {
    "objective": "reg:squarederror",
    "tree_method": "hist",
    "max_bin": 128,
    "max_depth": 5,
    "eta": 0.12,
    "num_parallel_tree": 4,
    "subsample": 0.5,
    "colsample_bytree": 0.3,
    "monotone_constraints": tuple(DIRECTIONS.get(name, 0) for name in FEATURES),
    "seed": 20211019,
    "nthread": 1,
}
#: Minimum rows of a leaf in a large league.
LEAST_LEAF: Final = 100.0


def fit(frame: pl.DataFrame) -> bytes | None:
    """Train on a training frame (FEATURES and `points`); None with fewer than FEWEST_ROWS rows.

    Returns:
        the booster in xgboost's own binary JSON; the same frame gives the same bytes.
    """
    if frame.height < FEWEST_ROWS:
        return None
    target = frame["points"].to_numpy().astype(np.float64) ** POWER
    data = xgb.QuantileDMatrix(matrix(frame), target, max_bin=PARAMETERS["max_bin"], nthread=1)
    # In a small league a leaf needs a share of the rows instead.
    child = min(LEAST_LEAF, frame.height / 200)
    booster = xgb.train({**PARAMETERS, "min_child_weight": child}, data, ROUNDS)
    return bytes(booster.save_raw("ubj"))


def matrix(features: pl.DataFrame) -> Floats:
    """Return FEATURES as a float64 matrix [rows, features], NaN where not known."""
    # Column by column, because a query over a frame of one row costs more than its prediction.
    return np.stack([features.get_column(name).to_numpy() for name in FEATURES], axis=1)


def estimate(features: pl.DataFrame, models: TrainedModels, members: Forecasts) -> Floats:
    """Return the trees' level of points, or without trees the shrunk average of the player."""
    if models.booster is None:
        return shrink_to_prior(features, column(features, "points_ewm"), models.prior(POINTS))
    level = models.booster.inplace_predict(matrix(features)).astype(np.float64)
    return np.maximum(level, 0.0) ** (1.0 / POWER)


XGBOOST = System("xgboost", "2", estimate, is_median=True)
