"""The quality of the systems for points on a real season that was not used for training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nba_predictions.features.build import training_features
from nba_predictions.inputs.files import FilesSource
from nba_predictions.systems.base import Floats, Forecast
from nba_predictions.systems.line_update import BaseLines, with_line
from nba_predictions.systems.registry import predict_all
from nba_predictions.systems.trained_models import TrainedModels
from nba_predictions.training.fitting import train
from nba_predictions.training.line_update_fit import LinedRows, fit_update
from nba_predictions.training.past_lines import past_lines
from nba_predictions.training.scoring import line_metrics, metrics
from nba_predictions_tests.systems.registered import BY_ID, POINTS_IDS

pytestmark = pytest.mark.real_data
CUTOFF = date(2024, 10, 1)


@dataclass(frozen=True)
class Season:
    """2024-25 with models trained on 2021-24, and the lines of its first months."""

    models: TrainedModels
    games: pl.DataFrame
    lines: pl.DataFrame

    def regulars(self, column: str) -> pl.DataFrame:
        return self.games.filter((pl.col(column) >= 10) & (pl.col("minutes_last_10") >= 15))


@pytest.fixture(scope="module")
def season(real_data_dir: Path) -> Season:
    source = FilesSource(real_data_dir)
    history = source.game_logs(date(2025, 6, 1))
    games = training_features(history, similar_since=CUTOFF)
    return Season(
        train(history, CUTOFF),
        games.filter(pl.col("game_date") >= CUTOFF),
        past_lines(
            source, history.filter(pl.col("game_date") < date(2025, 1, 13)), date(2025, 3, 1)
        ),
    )


def points_of(frame: pl.DataFrame) -> Floats:
    return frame["points"].to_numpy().astype(np.float64)


def test_every_system_beats_the_averages_and_the_ensemble_beats_every_system(
    season: Season,
) -> None:
    games = season.regulars("games_season")
    points = points_of(games)
    assert len(points) > 16_000
    forecasts = predict_all(games, season.models)
    scores = {name: metrics(forecasts[name], points) for name in POINTS_IDS}
    error = {name: s["mean_absolute_error"] for name, s in scores.items()}
    average = float(np.abs(points - games["points_season"].to_numpy()).mean())
    assert average == pytest.approx(5.097, abs=0.01)
    assert max(error.values()) < average - 0.05
    assert error["ensemble"] <= min(error.values()) + 0.001
    for name, score in scores.items():
        assert 0.47 < score["coverage_50"] < 0.53, name
        assert 0.77 < score["coverage_80"] < 0.83, name


def test_trees_and_ensemble_miss_by_less_than_4_93(season: Season) -> None:
    games = season.regulars("games")
    points = points_of(games)
    forecasts = predict_all(games, season.models)
    usual = float(np.abs(points - games["points_ewm"].to_numpy()).mean())
    assert usual == pytest.approx(5.035, abs=0.01)
    for name in ("xgboost", "ensemble"):
        assert 4.80 < metrics(forecasts[name], points)["mean_absolute_error"] < 4.93


def at_lines(season: Season) -> tuple[dict[str, Forecast], BaseLines, Floats]:
    """Return every forecast updated by lines, with updates learned from the weeks before."""
    keys = ["game_date", "player_lookup"]
    games = season.games.join(season.lines, on=keys, how="inner", maintain_order="left")
    base = games["base_line"].to_numpy()
    lines = BaseLines(base, games["fair_over"].fill_null(np.nan).to_numpy())
    points, weeks = points_of(games), games["game_date"].dt.truncate("1w").to_numpy()
    forecasts = predict_all(games, season.models)
    updated = {}
    for name in POINTS_IDS:
        system, own = BY_ID[name], forecasts[name]
        mean, spread = own.mean.copy(), own.spread.copy()
        for week in np.unique(weeks):
            past, now = weeks < week, weeks == week
            update = fit_update(
                LinedRows(own.mean[past], own.spread[past], lines[past], points[past]),
                system.default_update,
            )
            mean[now], spread[now] = with_line(own.mean[now], own.spread[now], lines[now], update)
        updated[name] = replace(own, line_mean=mean, line_spread=spread)
    return updated, lines, points


def test_probabilities_at_real_lines_are_calibrated_and_better_than_a_coin_flip(
    season: Season,
) -> None:
    forecasts, lines, points = at_lines(season)
    assert len(points) > 5_900
    scores = {name: line_metrics(f, lines, points) for name, f in forecasts.items()}
    line = scores["ensemble"]["absolute_error_of_line"]
    for name, score in scores.items():
        if name != "market_blend":
            assert score["log_loss"] < 0.6931, name
            assert score["calibration_error"] <= 0.021, name
            # An error far below that of the line suggests a leak.
            assert line - 0.05 < score["absolute_error_with_line"], name
    assert scores["ensemble"]["absolute_error_with_line"] < 5.33
    assert scores["ensemble"]["log_loss"] < 0.693
    # The blend is the ensemble updated by the line.
    blend = float(np.abs(points - forecasts["ensemble"].line_mean).mean())
    assert line - 0.05 < blend <= line
