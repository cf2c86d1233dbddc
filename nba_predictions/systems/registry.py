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
    """Return every system's forecast by system_id for the same feature rows, each computed once.

    `features` is what `build_features` returns, for a slate or for one player. `lines` are by name
    of the market and aligned with the rows. Lines change `line_mean` and `line_spread` of the
    systems of their market, and `mean` only of those that rest on the line. Of `systems`, all by
    default, members come before their combination.
    """
    forecasts: dict[str, Forecast] = {}
    for system in registered_systems() if systems is None else systems:
        own_lines = (lines or {}).get(system.market.name)
        forecasts[system.system_id] = system.forecast(features, models, forecasts, own_lines)
    return forecasts
