"""The registered systems and what tests need to know about them, so that a new system fits in."""

from __future__ import annotations

import numpy as np
import polars as pl

from nba_predictions.domain.market import POINTS
from nba_predictions.systems.base import Floats
from nba_predictions.systems.registry import registered_systems

SYSTEMS = registered_systems()
SYSTEM_IDS = tuple(system.system_id for system in SYSTEMS)
BY_ID = {system.system_id: system for system in SYSTEMS}
#: The systems of the points market.
POINTS_IDS = tuple(system.system_id for system in SYSTEMS if system.market == POINTS)


def outcomes_for(system_id: str, frame: pl.DataFrame) -> Floats:
    """Return the outcomes in the market of a system, from a frame of `training_features`."""
    return frame[BY_ID[system_id].market.statistic].to_numpy().astype(np.float64)
