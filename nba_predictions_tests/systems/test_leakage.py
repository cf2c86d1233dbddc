"""Nothing that a forecast rests on may come from the game that it is about, or from later ones."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from nba_predictions.features.build import build_features, training_features
from nba_predictions.systems.registry import SYSTEMS, predict_all
from nba_predictions.systems.trained_models import TrainedModels
from nba_predictions.training import fitting
from nba_predictions.training.fitting import train
from nba_predictions_tests.systems.league import play_league, slate_of

HISTORY = play_league(21, dates=110)
DATES: list[date] = HISTORY["game_date"].unique().sort().to_list()
CUTOFF = DATES[80]
#: What a player did in a game, as opposed to which game it was.
OUTCOME = ("minutes", "points", "fgm", "fga", "fg3m", "fg3a", "ftm", "fta", "oreb", "tov")
SYSTEM_IDS = [s.system_id for s in SYSTEMS]


def judged_after(history: pl.DataFrame, models: TrainedModels) -> tuple[pl.DataFrame, pl.Series]:
    frame = training_features(history).filter(
        (pl.col("game_date") >= CUTOFF) & (pl.col("games") >= 10)
    )
    return frame, frame["points"]


@pytest.fixture(scope="module")
def models() -> TrainedModels:
    return train(HISTORY, CUTOFF)


@pytest.fixture(scope="module")
def permuted() -> pl.DataFrame:
    """The same games, in which everybody's outcomes were dealt out at random."""
    order = np.random.default_rng(4).permutation(HISTORY.height)
    return HISTORY.with_columns(HISTORY.select(OUTCOME)[order.tolist()])


def test_where_outcomes_are_dealt_at_random_no_system_has_skill(permuted: pl.DataFrame) -> None:
    """A system that still did well here would have seen the outcomes themselves."""
    frame, scored = judged_after(permuted, chance_models := train(permuted, CUTOFF))
    points = scored.to_numpy().astype(np.float64)
    ignorant = float(np.abs(points - np.median(permuted["points"].to_numpy())).mean())
    for system_id, forecast in predict_all(frame, chance_models).items():
        error = float(np.abs(points - forecast.mean).mean())
        assert error > 0.97 * ignorant, system_id
        assert abs(np.corrcoef(points, forecast.mean)[0, 1]) < 0.12, system_id


def test_where_there_is_something_to_know_each_system_knows_it(models: TrainedModels) -> None:
    """So that the test above can fail."""
    frame, scored = judged_after(HISTORY, models)
    points = scored.to_numpy().astype(np.float64)
    ignorant = float(np.abs(points - np.median(points)).mean())
    for system_id, forecast in predict_all(frame, models).items():
        assert float(np.abs(points - forecast.mean).mean()) < 0.9 * ignorant, system_id
        assert np.corrcoef(points, forecast.mean)[0, 1] > 0.4, system_id


@pytest.mark.parametrize("shift", [0, 1, 30])
def test_a_future_that_is_moved_in_time_changes_no_forecast(
    models: TrainedModels, shift: int
) -> None:
    """Everything from the night on comes later, and comes out differently."""
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


def test_the_day_before_does_change_it(models: TrainedModels) -> None:
    """So that the test above can fail."""
    night = DATES[-10]
    eve = HISTORY.filter(pl.col("game_date") < night)["game_date"].max()
    great = {"points": 60, "fgm": 25, "fga": 40, "ftm": 10, "fta": 10}
    changed = HISTORY.with_columns(
        pl.when(pl.col("game_date") == eve).then(n).otherwise(c).alias(c) for c, n in great.items()
    )
    slate = slate_of(HISTORY, night)
    before = predict_all(build_features(HISTORY, slate), models)
    after = predict_all(build_features(changed, slate), models)
    for system_id in SYSTEM_IDS:
        assert (before[system_id].mean != after[system_id].mean).any()


def test_the_model_of_a_date_is_dated_before_it(models: TrainedModels) -> None:
    assert models.card["trained_through"] < models.card["cutoff"] == CUTOFF.isoformat()
    assert models.card["held_out_from"] < models.card["trained_through"]


def test_an_error_far_below_the_books_is_reported_as_a_leak() -> None:
    good = {"lines": 900.0, "absolute_error_with_line": 5.0, "absolute_error_of_line": 5.2}
    leaky = good | {"absolute_error_with_line": 4.2}
    few = leaky | {"lines": 40.0}
    scores = {"good": good, "leaky": leaky, "few": few, "no_lines": {}}
    assert fitting._too_good(scores) == ["leaky"]


def test_the_card_tells_of_systems_that_are_too_good_to_be_true(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Books that miss by 30 points make any system look like one that has seen the result."""
    wild = HISTORY.select(
        "game_date",
        "player_lookup",
        market=pl.lit("points"),
        base_line=pl.col("points") + 30.5,
        fair_over=pl.lit(None, pl.Float64),
    )
    monkeypatch.setattr(fitting, "TOO_GOOD_LINES", 50)
    assert train(HISTORY, CUTOFF, wild).card["suspected_leaks"] == SYSTEM_IDS
