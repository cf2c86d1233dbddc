"""Gradient-boosted trees on all features, trained for the median (system `xgboost`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
import xgboost as xgb

from nba_predictions.features.build import FEATURES
from nba_predictions.systems.base import Floats, Forecast, System, column, shrink_to_prior

if TYPE_CHECKING:
    from nba_predictions.systems.models import TrainedModels

#: Below this many rows no trees are grown.
FEWEST_ROWS: Final = 300
ROUNDS: Final = 130

#: Directions that are known beforehand; no split goes against them. Leaves are medians, set after
#: the splits, so a single forecast may still move the other way, by up to 0.2 points.
DIRECTIONS: Final = {
    **dict.fromkeys(("points_last_1", "points_last_5", "points_last_10", "points_season"), 1),
    **dict.fromkeys(("points_ewm", "points_ewm_slow", "points_from_attempts"), 1),
    **dict.fromkeys(("minutes_last_1", "minutes_last_5", "minutes_last_10", "minutes_ewm"), 1),
    **dict.fromkeys(("points_per_minute", "fga_ewm", "fta_ewm", "versus_opponent", "is_home"), 1),
    **dict.fromkeys(("opponent_points_allowed", "opponent_twos_allowed"), 1),
    **dict.fromkeys(("opponent_threes_allowed", "opponent_free_throws_allowed"), 1),
    **dict.fromkeys(("opponent_pace", "team_pace", "rest_days"), 1),
    "back_to_back": -1,
}

#: Chosen by training on 2021-24 and looking at 2024-25; a plateau, where neighbours differ by as
#: little as seeds do (0.002 points). The number of threads is fixed, because the order of
#: summation, and with it the last digits, depends on it.
PARAMETERS: Final[dict[str, object]] = {
    "objective": "reg:absoluteerror",
    "tree_method": "hist",
    "max_bin": 128,
    "max_depth": 5,
    "eta": 0.08,
    "subsample": 0.5,
    "colsample_bytree": 0.3,
    "min_child_weight": 50,
    "monotone_constraints": tuple(DIRECTIONS.get(name, 0) for name in FEATURES),
    "seed": 20211019,
    "nthread": 1,
}


def fit(frame: pl.DataFrame) -> bytes | None:
    """Train on a training frame (FEATURES and `points`); None with fewer than FEWEST_ROWS rows.

    Returns:
        the booster in xgboost's own binary JSON; the same frame gives the same bytes.
    """
    if frame.height < FEWEST_ROWS:
        return None
    data = xgb.QuantileDMatrix(
        matrix(frame), frame["points"].to_numpy(), max_bin=PARAMETERS["max_bin"], nthread=1
    )
    # A child must keep its share of a small league too.
    child = min(50.0, frame.height / 200)
    booster = xgb.train({**PARAMETERS, "min_child_weight": child}, data, ROUNDS)
    return bytes(booster.save_raw("ubj"))


def load(raw: bytes) -> xgb.Booster:
    """Bring a booster back; it predicts on one thread, since callers work in parallel."""
    booster = xgb.Booster(model_file=bytearray(raw))
    booster.set_param({"nthread": 1})
    return booster


def matrix(features: pl.DataFrame) -> Floats:
    """FEATURES as a float64 matrix [rows, features], NaN where not known."""
    return features.select(FEATURES).to_numpy()


def estimate(
    features: pl.DataFrame, models: TrainedModels, members: Mapping[str, Forecast]
) -> Floats:
    """The trees' median; without trees the player's average shrunk to the league prior."""
    if models.booster is None:
        return shrink_to_prior(features, column(features, "points_ewm"), models.prior)
    return np.maximum(models.booster.inplace_predict(matrix(features)).astype(np.float64), 0.0)


XGBOOST = System("xgboost", "1", estimate, is_median=True)
