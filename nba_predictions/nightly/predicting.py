"""Predict one player: from features and trained models to the rows to stage."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from nba_predictions.domain.betting.predictions import PlayerForecast, prediction_rows
from nba_predictions.domain.betting.slate import PlayerMarket, SlatePlayer
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import PermanentPredictionError
from nba_predictions.nightly.staging import PredictPlayer
from nba_predictions.systems.base import Forecast
from nba_predictions.systems.distribution import over_probability, push_probability
from nba_predictions.systems.line_update import BaseLines, implied_center
from nba_predictions.systems.registry import predict_all, registered_systems
from nba_predictions.systems.system import System
from nba_predictions.systems.trained_models import TrainedModels


def player_predictor(
    batch_id: str, features: pl.DataFrame, models: TrainedModels, features_as_of: datetime | None
) -> PredictPlayer:
    """Return the function that predicts one player of a batch in all markets.

    The function raises PermanentPredictionError for a player without features.
    """
    row_of = {lookup: row for row, lookup in enumerate(features["player_lookup"])}
    systems = {s.system_id: s for s in registered_systems()}

    def predict(player: SlatePlayer) -> list[dict[str, Any]]:
        row = row_of.get(player.player_lookup)
        if row is None:
            raise PermanentPredictionError(
                f"{player.player_lookup} is on the slate but has no features; materialize "
                f"player_features of {player.game_date} again"
            )
        lines = {m.name: _base_lines(m) for m in player.markets if m.base_line is not None}
        forecasts = predict_all(features.slice(row, 1), models, lines)
        return prediction_rows(
            player,
            [
                _player_forecast(systems[system_id], models, forecast, lines)
                for system_id, forecast in forecasts.items()
            ],
            _line_probabilities,
            batch_id=batch_id,
            features_as_of=features_as_of,
            staged_at=utc_now(),
        )

    return predict


def input_fingerprints(
    players: Iterable[SlatePlayer],
    features: pl.DataFrame,
    models: str,
    features_as_of: datetime | None,
) -> dict[str, str]:
    """Return for each player a hash of everything that the player's rows depend on.

    These are the entry on the slate, the features, the name of the models, and the time of the
    newest fact. The same inputs give the same rows, and the same fingerprint.
    """
    by_player = {row["player_lookup"]: row for row in features.iter_rows(named=True)}
    fingerprints = {}
    for player in players:
        inputs = [
            player.hashed_values(),
            {name: _rounded(v) for name, v in by_player.get(player.player_lookup, {}).items()},
            models,
            features_as_of,
        ]
        text = json.dumps(inputs, default=str, sort_keys=True)
        fingerprints[player.player_lookup] = hashlib.sha256(text.encode()).hexdigest()[:16]
    return fingerprints


def _rounded(value: Any) -> Any:
    """Return a value without the digits that depend on the order of summation."""
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, list):
        return [_rounded(v) for v in value]
    return value


def _player_forecast(
    system: System, models: TrainedModels, forecast: Forecast, lines: Mapping[str, BaseLines]
) -> PlayerForecast:
    """Return the forecast of one system for one player, with the center that the books imply."""
    own = lines.get(system.market.name)
    return PlayerForecast(
        system.system_id,
        f"{system.version}+{models.version}",
        system.market.name,
        float(forecast.mean[0]),
        float(forecast.spread[0]),
        float(forecast.confidence[0]),
        float(forecast.line_mean[0]),
        float(forecast.line_spread[0]),
        None if own is None else float(implied_center(own, forecast.line_spread)[0]),
    )


def _base_lines(market: PlayerMarket) -> BaseLines:
    """Return the base line of one market of a player as arrays of one element."""
    fair = np.nan if market.fair_over is None else market.fair_over
    return BaseLines(np.array([float(market.base_line or 0)]), np.array([fair]))


def _line_probabilities(
    mean: float, spread: float, lines: list[float]
) -> list[tuple[float, float]]:
    values = np.asarray(lines)
    over = over_probability(mean, spread, values)
    is_whole = values == np.floor(values)
    push = push_probability(mean, spread, values) if is_whole.any() else np.zeros_like(over)
    return list(zip(over.tolist(), push.tolist(), strict=True))
