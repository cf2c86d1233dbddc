"""The ensemble and the books' line together: the best single number where there is a line.

The only system that looks at the line. Its centre is that of the ensemble once the line is known,
with the share of each learned from past lines; without a line it is the ensemble, trusted less.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import polars as pl

from nba_predictions.systems.base import Floats, Forecast, System
from nba_predictions.systems.ensemble import ENSEMBLE

if TYPE_CHECKING:
    from nba_predictions.systems.trained_models import TrainedModels


def estimate(
    features: pl.DataFrame, models: TrainedModels, members: Mapping[str, Forecast]
) -> Floats:
    """The ensemble's centre, moved to the line where there is one."""
    return members[ENSEMBLE.system_id].line_mean


MARKET_BLEND = System("market_blend", "1", estimate, (ENSEMBLE,), rests_on_line=True)
