"""Gradient-boosted trees on all features (system `xgboost`).

Trained for least squares of points to the power of 0.7: on that scale points are spread nearly
evenly on both sides, so that the mean, which squares find with less noise than absolute errors do,
is the median (the best factor on the first half of 2024-25 is 1.00 to 1.01).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
import xgboost as xgb

from nba_predictions.features.build import FEATURES
from nba_predictions.systems.base import Floats, Forecast, System, column, shrink_to_prior

if TYPE_CHECKING:
    from nba_predictions.systems.trained_models import TrainedModels

#: Below this many rows no trees are grown.
FEWEST_ROWS: Final = 300
ROUNDS: Final = 80
POWER: Final = 0.7

#: Directions that are known beforehand: no forecast moves against them, whatever the games say.
#: Those of recent averages beside a longer one are left open: a good last game may mean luck.
DIRECTIONS: Final = {
    **dict.fromkeys(("points_ewm", "points_from_attempts", "points_per_minute", "minutes_ewm"), 1),
    **dict.fromkeys(("opponent_points_allowed", "opponent_twos_allowed"), 1),
    **dict.fromkeys(("opponent_threes_allowed", "opponent_free_throws_allowed"), 1),
    **dict.fromkeys(("opponent_pace", "team_pace", "rest_days", "is_home"), 1),
    "back_to_back": -1,
}

#: Chosen by training on 2021-24 and looking at the first half of 2024-25; a plateau, where
#: neighbours differ by as little as seeds do (0.003 points). Four trees a round, each on half of
#: the rows, average out what one draw of rows happens to say. One thread: the order of summation,
#: and with it the last digits, depends on the number, and two wait for each other on a busy machine
#: ten times longer than one works.
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
#: Rows that a leaf keeps at least, of a large league.
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
    # A child must keep its share of a small league too.
    child = min(LEAST_LEAF, frame.height / 200)
    booster = xgb.train({**PARAMETERS, "min_child_weight": child}, data, ROUNDS)
    return bytes(booster.save_raw("ubj"))


def load(raw: bytes) -> xgb.Booster:
    """Bring a booster back; it predicts on one thread, since callers work in parallel."""
    booster = xgb.Booster(model_file=bytearray(raw))
    booster.set_param({"nthread": 1})
    return booster


def matrix(features: pl.DataFrame) -> Floats:
    """FEATURES as a float64 matrix [rows, features], NaN where not known."""
    # Column by column: a query over a frame of one row costs more than its prediction.
    return np.stack([features.get_column(name).to_numpy() for name in FEATURES], axis=1)


def estimate(
    features: pl.DataFrame, models: TrainedModels, members: Mapping[str, Forecast]
) -> Floats:
    """The trees' level of points; without trees the player's average shrunk to the league prior."""
    if models.booster is None:
        return shrink_to_prior(features, column(features, "points_ewm"), models.prior)
    found = models.booster.inplace_predict(matrix(features)).astype(np.float64)
    return np.maximum(found, 0.0) ** (1.0 / POWER)


XGBOOST = System("xgboost", "2", estimate, is_median=True)
