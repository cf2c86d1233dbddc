"""All prediction systems. To add one: a module with one `estimate`, and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from nba_predictions.systems.base import Forecast, System
from nba_predictions.systems.ensemble import ENSEMBLE, MEMBERS

if TYPE_CHECKING:
    from nba_predictions.systems.models import TrainedModels

#: In the order of the tables and reports; a combination comes after what it combines.
SYSTEMS: Final[tuple[System, ...]] = (*MEMBERS, ENSEMBLE)


def predict_all(features: pl.DataFrame, models: TrainedModels) -> dict[str, Forecast]:
    """Every system's forecast for the same feature rows, each computed once.

    Args:
        features: the frame that `build_features` returns, for a slate or for one player.
        models: what was learned before the date.

    Returns:
        system_id to forecast, in the order of SYSTEMS.
    """
    forecasts: dict[str, Forecast] = {}
    for system in SYSTEMS:
        forecasts[system.system_id] = system.forecast(features, models, forecasts)
    return forecasts
