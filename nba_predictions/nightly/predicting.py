"""One player's rows from his features and the trained models."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from nba_predictions.domain.betting.predictions import PlayerForecast, prediction_rows
from nba_predictions.domain.betting.slate import SlatePlayer
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import PermanentPredictionError
from nba_predictions.domain.market import POINTS
from nba_predictions.nightly.staging import PredictPlayer
from nba_predictions.systems.distribution import over_probability, push_probability
from nba_predictions.systems.line_update import BaseLines, implied_center
from nba_predictions.systems.registry import predict_all, registered_systems
from nba_predictions.systems.trained_models import TrainedModels


def player_predictor(
    batch_id: str, features: pl.DataFrame, models: TrainedModels, features_as_of: datetime | None
) -> PredictPlayer:
    """Return the function that predicts one player of a batch.

    It raises PermanentPredictionError for a player who has no features.
    """
    position = {lookup: at for at, lookup in enumerate(features["player_lookup"])}
    versions = {s.system_id: f"{s.version}+{models.version}" for s in registered_systems()}

    def predict(player: SlatePlayer) -> list[dict[str, Any]]:
        at = position.get(player.player_lookup)
        if at is None:
            raise PermanentPredictionError(
                f"{player.player_lookup} is on the slate but has no features; materialize "
                f"player_features of {player.game_date} again"
            )
        lines = _lines_of(player)
        by_market = {} if lines is None else {POINTS.name: lines}
        forecasts = [
            PlayerForecast(
                system_id,
                versions[system_id],
                float(forecast.mean[0]),
                float(forecast.spread[0]),
                float(forecast.confidence[0]),
                float(forecast.line_mean[0]),
                float(forecast.line_spread[0]),
                None if lines is None else float(implied_center(lines, forecast.line_spread)[0]),
            )
            for system_id, forecast in predict_all(features.slice(at, 1), models, by_market).items()
        ]
        return prediction_rows(
            player,
            forecasts,
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
    """Return for each player a hash of all that his rows are made of.

    These are his entry on the slate, his features, the models by name, and the time of the newest
    fact. The same inputs give the same rows, and so the same fingerprint.
    """
    described = {row["player_lookup"]: row for row in features.iter_rows(named=True)}
    found = {}
    for player in players:
        inputs = [
            asdict(player),
            {name: _rounded(v) for name, v in described.get(player.player_lookup, {}).items()},
            models,
            features_as_of,
        ]
        text = json.dumps(inputs, default=str, sort_keys=True)
        found[player.player_lookup] = hashlib.sha256(text.encode()).hexdigest()[:16]
    return found


def _rounded(value: Any) -> Any:
    """Return a value without the digits that depend on the order in which numbers were added."""
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, list):
        return [_rounded(v) for v in value]
    return value


def _lines_of(player: SlatePlayer) -> BaseLines | None:
    """What the books say of a player; None where they say nothing."""
    if player.base_line is None:
        return None
    fair = np.nan if player.fair_over is None else player.fair_over
    return BaseLines(np.array([float(player.base_line)]), np.array([fair]))


def _line_probabilities(
    mean: float, spread: float, lines: list[float]
) -> list[tuple[float, float]]:
    at = np.asarray(lines)
    over = over_probability(mean, spread, at)
    whole = at == np.floor(at)
    push = push_probability(mean, spread, at) if whole.any() else np.zeros_like(over)
    return list(zip(over.tolist(), push.tolist(), strict=True))
