"""Where the player scores, times what this opponent concedes there.

Box scores know three zones: two-pointers, three-pointers, free throws. In each, the player's recent
attempts at his long-run points per attempt are his level; the opponent's concession relative to the
league moves it. The three exponents of trust were measured on NBA seasons 2021-24.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from nba_predictions.systems.base import Floats, Forecast, System, column, shrink_to_prior

if TYPE_CHECKING:
    from nba_predictions.systems.trained_models import TrainedModels

#: How much of the opponent's relative concession passes on to a player, per zone.
TWOS, THREES, FREE_THROWS = 0.95, 0.70, 0.55


def estimate(
    features: pl.DataFrame, models: TrainedModels, members: Mapping[str, Forecast]
) -> Floats:
    """Sum over the zones of the player's level times the opponent's concession."""
    threes_tried = column(features, "fg3a_ewm")
    twos = (column(features, "fga_ewm") - threes_tried) * column(features, "two_rate", 0.0)
    threes = threes_tried * column(features, "three_rate", 0.0)
    free_throws = column(features, "fta_ewm") * column(features, "free_throw_rate", 0.0)

    def matchup(zone: str, trust: float) -> Floats:
        return 1.0 + trust * (column(features, f"opponent_{zone}_allowed", 1.0) - 1.0)

    level = (
        twos * matchup("twos", TWOS)
        + threes * matchup("threes", THREES)
        + free_throws * matchup("free_throws", FREE_THROWS)
    )
    return np.maximum(shrink_to_prior(features, level, models.prior), 0.0)


ZONE_MATCHUP = System("zone_matchup", "1", estimate)
