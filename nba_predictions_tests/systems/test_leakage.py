"""No input of a forecast may come from the predicted game or from later games."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from nba_predictions.features.build import build_features, training_features
from nba_predictions.inputs.port import GAME_LOGS
from nba_predictions.systems.registry import predict_all
from nba_predictions.systems.trained_models import TrainedModels
from nba_predictions.training import fitting
from nba_predictions.training.fitting import train
from nba_predictions_tests.systems.league import play_league, slate_of
from nba_predictions_tests.systems.registered import POINTS_IDS, SYSTEM_IDS, outcomes_for

HISTORY = play_league(21, dates=110)
DATES: list[date] = HISTORY["game_date"].unique().sort().to_list()
CUTOFF = DATES[80]
#: The columns that describe what a player did in a game.
OUTCOME = tuple(c for c, dtype in GAME_LOGS.items() if dtype == pl.Int64 or c == "minutes")


def later_games(history: pl.DataFrame) -> pl.DataFrame:
    return training_features(history).filter(
        (pl.col("game_date") >= CUTOFF) & (pl.col("games") >= 10)
    )


@pytest.fixture(scope="module")
def models() -> TrainedModels:
    return train(HISTORY, CUTOFF)


@pytest.fixture(scope="module")
def permuted() -> pl.DataFrame:
    """The same games with all outcomes permuted at random."""
    order = np.random.default_rng(4).permutation(HISTORY.height)
    return HISTORY.with_columns(HISTORY.select(OUTCOME)[order.tolist()])


def test_no_system_predicts_random_outcomes(permuted: pl.DataFrame) -> None:
    """A system that predicts these well uses the outcomes themselves."""
    games = later_games(permuted)
    for system_id, forecast in predict_all(games, train(permuted, CUTOFF)).items():
        outcomes = outcomes_for(system_id, games)
        constant = float(np.abs(outcomes - np.median(outcomes)).mean())
        assert float(np.abs(outcomes - forecast.mean).mean()) > 0.97 * constant, system_id
        assert abs(np.corrcoef(outcomes, forecast.mean)[0, 1]) < 0.12, system_id


def test_every_system_predicts_the_real_outcomes(models: TrainedModels) -> None:
    """This shows that the test above can fail."""
    games = later_games(HISTORY)
    forecasts = predict_all(games, models)
    for system_id in POINTS_IDS:
        outcomes, mean = outcomes_for(system_id, games), forecasts[system_id].mean
        constant = float(np.abs(outcomes - np.median(outcomes)).mean())
        assert float(np.abs(outcomes - mean).mean()) < 0.9 * constant, system_id
        assert np.corrcoef(outcomes, mean)[0, 1] > 0.4, system_id


@pytest.mark.parametrize("shift", [0, 1, 30])
def test_a_different_future_changes_no_forecast(models: TrainedModels, shift: int) -> None:
    """From the night on, all games are later and have other outcomes."""
    night = DATES[-10]
    coming = pl.col("game_date") >= night
    moved = HISTORY.with_columns(
        pl.when(coming)
        .then(pl.col("game_date") + timedelta(days=shift))
        .otherwise("game_date")
        .alias("game_date"),
        *(pl.when(coming).then(pl.col(c).reverse()).otherwise(c).alias(c) for c in OUTCOME),
    )
    slate = slate_of(HISTORY, night)
    before = predict_all(build_features(HISTORY, slate), models)
    after = predict_all(build_features(moved, slate), models)
    for system_id in SYSTEM_IDS:
        assert (before[system_id].mean == after[system_id].mean).all()
        assert (before[system_id].spread == after[system_id].spread).all()


def test_a_different_day_before_changes_every_forecast(models: TrainedModels) -> None:
    """This shows that the test above can fail."""
    night = DATES[-10]
    eve = HISTORY.filter(pl.col("game_date") < night)["game_date"].max()
    great = {"points": 60, "fgm": 25, "fga": 40, "ftm": 10, "fta": 10}
    great |= {c: 9 for c in OUTCOME if c not in (*great, "minutes", "fg3m", "fg3a")}
    changed = HISTORY.with_columns(
        pl.when(pl.col("game_date") == eve).then(n).otherwise(c).alias(c) for c, n in great.items()
    )
    slate = slate_of(HISTORY, night)
    before = predict_all(build_features(HISTORY, slate), models)
    after = predict_all(build_features(changed, slate), models)
    for system_id in SYSTEM_IDS:
        assert (before[system_id].mean != after[system_id].mean).any()


def test_the_training_data_ends_before_the_cutoff(models: TrainedModels) -> None:
    assert models.card["trained_through"] < models.card["cutoff"] == CUTOFF.isoformat()
    assert models.card["held_out_from"] < models.card["trained_through"]


def test_an_error_far_below_the_line_is_reported_as_a_leak() -> None:
    good = {"lines": 900.0, "absolute_error_with_line": 5.0, "absolute_error_of_line": 5.2}
    leaky = good | {"absolute_error_with_line": 4.2}
    few = leaky | {"lines": 40.0}
    scores = {"good": good, "leaky": leaky, "few": few, "no_lines": {}}
    assert fitting._too_good(scores) == ["leaky"]


def test_the_card_names_suspected_leaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that miss by 30 points make every system look as if it knew the result."""
    wild = HISTORY.select(
        "game_date",
        "player_lookup",
        market=pl.lit("points"),
        base_line=pl.col("points") + 30.5,
        fair_over=pl.lit(None, pl.Float64),
    )
    monkeypatch.setattr(fitting, "TOO_GOOD_LINES", 50)
    assert train(HISTORY, CUTOFF, wild).card["suspected_leaks"] == [*POINTS_IDS]
