"""Training with a second market: each system learns from the statistic and lines of its market."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np
import polars as pl
import pytest

from nba_predictions.domain.market import POINTS
from nba_predictions.features.build import training_features
from nba_predictions.systems.line_update import BaseLines, LineUpdate
from nba_predictions.systems.registry import predict_all, registered_systems
from nba_predictions.systems.trained_models import TrainedModels
from nba_predictions.training import fitting
from nba_predictions.training.fingerprint import training_fingerprint
from nba_predictions.training.fitting import train
from nba_predictions.training.scoring import metrics
from nba_predictions_tests.second_market import REBOUNDS, register
from nba_predictions_tests.systems.league import play_league

HISTORY = play_league(11, dates=100)
DATES: list[date] = HISTORY["game_date"].unique().sort().to_list()
CUTOFF = DATES[80]
TOTAL = pl.col("oreb") + pl.col("dreb")


def lines_for(market: str, outcome: pl.Expr, noise: float) -> pl.DataFrame:
    """Base lines near the outcomes: these books know more than any system."""
    off = pl.Series(np.random.default_rng(3).normal(0, noise, HISTORY.height))
    return HISTORY.select(
        "game_date",
        "player_lookup",
        market=pl.lit(market),
        base_line=((outcome + off).floor() + 0.5).clip(0.5),
        fair_over=pl.lit(None, pl.Float64),
    )


POINTS_LINES = lines_for("points", pl.col("points"), 4.0)
ALL_LINES = pl.concat([POINTS_LINES, lines_for("rebounds", TOTAL, 0.8)])


@pytest.fixture(scope="module")
def alone() -> TrainedModels:
    """Models of points only."""
    return train(HISTORY, CUTOFF, POINTS_LINES)


@pytest.fixture(scope="module")
def trained() -> TrainedModels:
    """Models of points and rebounds."""
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        return train(HISTORY, CUTOFF, ALL_LINES)


@pytest.fixture
def models(trained: TrainedModels) -> Iterator[TrainedModels]:
    """Models of points and rebounds, while both markets are registered."""
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        yield trained


def test_everything_learned_about_points_is_unchanged(
    alone: TrainedModels, models: TrainedModels
) -> None:
    assert models.priors["points"] == alone.priors["points"]
    assert models.weights == alone.weights
    assert models.booster_raw == alone.booster_raw
    for name, calibration in alone.calibrations.items():
        assert models.calibrations[name] == calibration
        assert models.line_updates[name] == alone.line_updates[name]
        assert models.card["metrics"][name] == alone.card["metrics"][name]


def test_forecasts_of_points_are_unchanged(alone: TrainedModels, models: TrainedModels) -> None:
    late = training_features(HISTORY).filter(pl.col("game_date") >= CUTOFF)
    lines = {
        "points": BaseLines(np.full(late.height, 11.5), np.full(late.height, 0.52)),
        "rebounds": BaseLines(np.full(late.height, 3.5), np.full(late.height, 0.52)),
    }
    together = predict_all(late, models, lines)
    assert list(together)[-1] == "rebounds_average"
    for name, forecast in predict_all(late, alone, lines, registered_systems()[:-1]).items():
        for values in ("mean", "spread", "confidence", "line_mean", "line_spread"):
            assert (getattr(together[name], values) == getattr(forecast, values)).all()


def test_a_system_is_calibrated_to_the_statistic_of_its_market(models: TrainedModels) -> None:
    prior = models.prior(REBOUNDS)
    assert prior.median == pytest.approx(HISTORY.select(TOTAL).to_series().median(), abs=1.0)
    assert prior.median < models.prior(POINTS).median
    late = training_features(HISTORY).filter(
        (pl.col("game_date") >= CUTOFF) & (pl.col("games") >= 10)
    )
    rebounds = late["rebounds"].to_numpy().astype(np.float64)
    score = metrics(predict_all(late, models)["rebounds_average"], rebounds)
    assert score["mean_absolute_error"] < 2.0
    assert abs(score["bias"]) < 0.5
    assert 0.40 < score["coverage_50"] < 0.60
    assert 0.70 < score["coverage_80"] < 0.90


def test_a_system_learns_from_the_lines_of_its_market(models: TrainedModels) -> None:
    assert models.line_updates["rebounds_average"] != LineUpdate()
    score = models.card["metrics"]["rebounds_average"]
    assert score["lines"] == models.card["metrics"]["ensemble"]["lines"] > 100
    assert score["absolute_error_of_line"] < 1.5
    without = train(HISTORY, CUTOFF, POINTS_LINES)
    assert without.line_updates["rebounds_average"] == LineUpdate()
    assert "lines" not in without.card["metrics"]["rebounds_average"]
    assert without.line_updates["ensemble"] == models.line_updates["ensemble"]
    assert models.card["lines"] == 2 * without.card["lines"]


def test_a_leak_is_reported_for_the_market_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that miss by 30 rebounds make the rebounds system look as if it knew the result."""
    register(monkeypatch)
    monkeypatch.setattr(fitting, "TOO_GOOD_LINES", 50)
    sharp, wild = lines_for("points", pl.col("points"), 1.0), lines_for("rebounds", TOTAL + 30, 1.0)
    assert train(HISTORY, CUTOFF, pl.concat([sharp, wild])).card["suspected_leaks"] == [
        "rebounds_average"
    ]


def test_models_of_two_markets_survive_being_stored(models: TrainedModels) -> None:
    assert set(models.priors) == {"points", "rebounds"}
    assert TrainedModels.from_bytes(models.to_bytes()) == models


def test_the_markets_and_their_columns_and_lines_are_part_of_the_fingerprint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changed = HISTORY.with_columns(dreb=pl.col("dreb") + 1)
    points_only = training_fingerprint(HISTORY, CUTOFF, POINTS_LINES)
    assert training_fingerprint(changed, CUTOFF, POINTS_LINES) == points_only
    register(monkeypatch)
    both = training_fingerprint(HISTORY, CUTOFF, POINTS_LINES)
    assert both != points_only
    assert training_fingerprint(HISTORY, CUTOFF, ALL_LINES) != both
    assert training_fingerprint(changed, CUTOFF, POINTS_LINES) != both
