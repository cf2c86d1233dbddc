"""The list of all prediction systems. To add one: a module with an `estimate`, and a line here."""

from collections.abc import Mapping, Sequence

import polars as pl

from nba_predictions.systems.base import Forecast
from nba_predictions.systems.ensemble import ENSEMBLE, MEMBERS
from nba_predictions.systems.line_update import BaseLines
from nba_predictions.systems.market_blend import MARKET_BLEND
from nba_predictions.systems.system import System
from nba_predictions.systems.trained_models import TrainedModels

#: In the order of tables and reports. A combination comes after its members.
SYSTEMS: tuple[System, ...] = (*MEMBERS, ENSEMBLE, MARKET_BLEND)


def registered_systems() -> tuple[System, ...]:
    """Return all registered systems. Call this; do not import `SYSTEMS` by name."""
    return SYSTEMS


def predict_all(
    features: pl.DataFrame,
    models: TrainedModels,
    lines: Mapping[str, BaseLines] | None = None,
    systems: Sequence[System] | None = None,
) -> dict[str, Forecast]:
    """Return every system's forecast for the same feature rows, each computed once.

    Args:
        features: the frame that `build_features` returns, for a slate or for one player.
        models: what was learned before the date.
        lines: base lines by name of the market, aligned with the rows. A system gets the lines of
            its own market, or none if its market is not listed. Lines change `line_mean` and
            `line_spread` of all systems, and `mean` only of those that rest on the line.
        systems: the systems to use, members before their combination; all by default.

    Returns:
        system_id to forecast, in the order of the systems.
    """
    forecasts: dict[str, Forecast] = {}
    for system in registered_systems() if systems is None else systems:
        own_lines = (lines or {}).get(system.market.name)
        forecasts[system.system_id] = system.forecast(features, models, forecasts, own_lines)
    return forecasts
