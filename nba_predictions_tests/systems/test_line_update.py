"""What a line does to a forecast, and how that is learned."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_predictions.features.build import build_features
from nba_predictions.systems.base import Forecast, LeaguePrior
from nba_predictions.systems.distribution import over_probability
from nba_predictions.systems.line_update import BaseLines, LineUpdate, implied_center, with_line
from nba_predictions.systems.registry import SYSTEMS, predict_all
from nba_predictions.systems.trained_models import TrainedModels
from nba_predictions.training.fingerprint import training_fingerprint
from nba_predictions.training.fitting import DEFAULT_WEIGHTS, train
from nba_predictions.training.line_update_fit import LinedRows, fit_update
from nba_predictions.training.past_lines import PAST_LINES
from nba_predictions.training.scoring import calibration_error, line_metrics, log_loss
from nba_predictions_tests.systems.league import play_league, slate_of

HISTORY = play_league(11, dates=100)
DATES: list[date] = HISTORY["game_date"].unique().sort().to_list()
CUTOFF = DATES[80]
UNTRAINED = TrainedModels(
    "2024-01-01", {"points": LeaguePrior(4.0, 5.0)}, {}, DEFAULT_WEIGHTS, None
)
FEATURES_OF_LAST = build_features(HISTORY, slate_of(HISTORY, DATES[-1]))


def at(*base: float, fair: float = np.nan) -> BaseLines:
    return BaseLines(np.array(base), np.full(len(base), fair))


def market(rows: int, *, own: float, bias: float = 0.0, seed: int = 1) -> LinedRows:
    """Games whose median is the line plus a share of what a system sees beside it."""
    random = np.random.default_rng(seed)
    line = random.integers(6, 30, rows) + 0.5
    spread = 1.0 + 1.2 * np.sqrt(line)
    centre = line + random.normal(0, 2.0, rows)
    truth = line + bias * spread + own * (centre - line)
    points = np.maximum(np.rint(random.normal(truth, spread)), 0.0)
    return LinedRows(centre, spread, at(*line), points)


def test_by_hand() -> None:
    centre, spread = with_line(
        np.array([24.5]), np.array([6.0]), at(20.5), LineUpdate(-0.05, 0.25, 1.1)
    )
    assert centre[0] == pytest.approx(20.5 - 0.3 + 1.0)
    assert spread[0] == pytest.approx(6.6)


def test_without_a_line_nothing_changes() -> None:
    centre, spread = np.array([24.5, 8.0]), np.array([6.0, 4.0])
    moved, wider = with_line(centre, spread, at(np.nan, 7.5), LineUpdate(0.1, 0.5, 2.0))
    assert (moved[0], wider[0]) == (24.5, 6.0)
    assert (moved[1], wider[1]) == (pytest.approx(8.15), 8.0)


@pytest.mark.parametrize("fair", [0.42, 0.5, 0.58])
def test_prices_that_lean_move_the_centre_to_their_own_chance(fair: float) -> None:
    spread = np.array([6.0])
    centre = implied_center(at(20.5, fair=fair), spread)
    assert over_probability(centre, spread, 20.5)[0] == pytest.approx(fair)


def test_an_odd_price_moves_the_centre_no_further_than_is_believable() -> None:
    spread = np.array([6.0])
    assert implied_center(at(20.5, fair=0.999), spread) == implied_center(
        at(20.5, fair=0.7), spread
    )


@settings(max_examples=50)
@given(st.floats(0, 45), st.floats(1, 12), st.integers(1, 90).map(lambda n: n / 2), st.floats(0, 1))
def test_the_updated_centre_lies_between_line_and_forecast(
    centre: float, spread: float, line: float, share: float
) -> None:
    moved, _ = with_line(
        np.array([centre]), np.array([spread]), at(line), LineUpdate(own_share=share)
    )
    assert min(centre, line) - 1e-9 <= moved[0] <= max(centre, line) + 1e-9


@pytest.mark.parametrize("own", [0.0, 0.3, 0.8])
def test_the_share_of_a_system_that_knows_something_is_found(own: float) -> None:
    found = fit_update(market(20_000, own=own))
    assert found.own_share == pytest.approx(own, abs=0.06)
    assert found.bias == pytest.approx(0.0, abs=0.03)
    assert found.stretch == pytest.approx(1.0, abs=0.05)


def test_lines_that_lie_too_high_are_found_out() -> None:
    assert fit_update(market(20_000, own=0.1, bias=-0.15)).bias == pytest.approx(-0.15, abs=0.03)


def test_a_spread_that_is_too_narrow_is_stretched() -> None:
    rows = market(20_000, own=0.1)
    assert fit_update(replace(rows, spread=rows.spread / 1.5)).stretch == pytest.approx(1.5, 0.08)


def test_few_lines_are_believed_little_and_none_not_at_all() -> None:
    default = LineUpdate()
    assert fit_update(market(0, own=0.9)) == default
    shares = [fit_update(market(n, own=0.9)).own_share for n in (50, 500, 5_000)]
    assert default.own_share < shares[0] < shares[1] < shares[2]
    assert shares[0] < 0.3


def test_against_a_line_nobody_is_believed_in_reverse() -> None:
    assert fit_update(market(5_000, own=-0.6)).own_share == 0.0


def test_whole_lines_are_learned_from_too() -> None:
    rows = market(20_000, own=0.5)
    whole = replace(rows, lines=BaseLines(rows.lines.base - 0.5, rows.lines.fair_over))
    # The line lies half a point below the median now: 0.5 / about 6 points of spread.
    assert fit_update(whole).bias == pytest.approx(0.045, abs=0.03)
    assert fit_update(whole).own_share == pytest.approx(0.5, abs=0.06)


def test_no_system_but_the_blend_sees_the_line() -> None:
    quoted = at(*[31.5] * FEATURES_OF_LAST.height, fair=0.6)
    with_lines = predict_all(FEATURES_OF_LAST, UNTRAINED, {"points": quoted})
    without = predict_all(FEATURES_OF_LAST, UNTRAINED)
    for system in SYSTEMS:
        same = (with_lines[system.system_id].mean == without[system.system_id].mean).all()
        assert same != system.rests_on_line, system.system_id
        assert (with_lines[system.system_id].line_mean > without[system.system_id].mean).all()


def test_the_blend_is_the_ensemble_once_the_line_is_known() -> None:
    base = [20.5 if i % 2 else np.nan for i in range(FEATURES_OF_LAST.height)]
    forecasts = predict_all(FEATURES_OF_LAST, UNTRAINED, {"points": at(*base)})
    blend, ensemble = forecasts["market_blend"], forecasts["ensemble"]
    assert (blend.mean == ensemble.line_mean).all()
    assert (blend.mean[::2] == ensemble.mean[::2]).all()
    assert blend.line_mean == pytest.approx(blend.mean)
    # Without its line it says the ensemble's number, and is trusted less.
    assert (blend.confidence[::2] < ensemble.confidence[::2]).all()
    alone = predict_all(FEATURES_OF_LAST, UNTRAINED)
    assert (alone["market_blend"].confidence < alone["ensemble"].confidence).all()


def test_alone_or_together_the_same_numbers_with_lines() -> None:
    height = FEATURES_OF_LAST.height
    lines = at(*[3.5 + i for i in range(height)], fair=0.47)
    together = predict_all(FEATURES_OF_LAST, UNTRAINED, {"points": lines})
    for i in range(height):
        alone = predict_all(FEATURES_OF_LAST[i], UNTRAINED, {"points": lines[np.array([i])]})
        for name, forecast in alone.items():
            assert forecast.line_mean[0] == together[name].line_mean[i]
            assert forecast.line_spread[0] == together[name].line_spread[i]


def lines_for(history: pl.DataFrame, seed: int = 3) -> pl.DataFrame:
    """A line near what each player will score: books that know a great deal."""
    random = np.random.default_rng(seed)
    noise = pl.Series(random.normal(0, 4, history.height))
    return history.select(
        "game_date",
        "player_lookup",
        market=pl.lit("points"),
        base_line=((pl.col("points") + noise).floor() + 0.5).clip(0.5),
        fair_over=pl.lit(None, pl.Float64),
    )


@pytest.fixture(scope="module")
def lined() -> TrainedModels:
    return train(HISTORY, CUTOFF, lines_for(HISTORY))


def test_training_learns_from_past_lines_and_says_from_how_many(lined: TrainedModels) -> None:
    assert lined.card["lines"] > 100
    assert lined.card["lines_from"] >= lined.card["held_out_from"]
    assert lined.card["lines_through"] == DATES[79].isoformat()
    assert set(lined.line_updates) == {s.system_id for s in SYSTEMS}
    assert lined.line_updates["ensemble"] != LineUpdate()
    assert lined.line_updates["market_blend"].own_share == 1.0
    score = lined.card["metrics"]["market_blend"]
    assert score["absolute_error_with_line"] < score["mean_absolute_error"] + 0.5
    assert score["log_loss"] > 0
    assert TrainedModels.from_bytes(lined.to_bytes()) == lined


def test_lines_do_not_touch_what_is_learned_of_the_games(lined: TrainedModels) -> None:
    bare = train(HISTORY, CUTOFF)
    assert bare.card["lines"] == 0
    assert bare.card["lines_from"] is None
    assert bare.line_updates["ensemble"] == LineUpdate()
    assert bare.booster_raw == lined.booster_raw
    assert bare.weights == lined.weights
    assert bare.calibrations["xgboost"] == lined.calibrations["xgboost"]


def test_lines_of_the_date_and_later_are_not_looked_at(lined: TrainedModels) -> None:
    lines = lines_for(HISTORY)
    future = pl.col("game_date") >= CUTOFF
    moved = lines.with_columns(base_line=pl.when(future).then(99.5).otherwise("base_line"))
    moved = moved.sample(fraction=1.0, shuffle=True, seed=2)
    assert train(HISTORY, CUTOFF, moved).to_bytes() == lined.to_bytes()
    same = training_fingerprint(HISTORY, CUTOFF, lines)
    assert training_fingerprint(HISTORY, CUTOFF, moved) == same
    assert training_fingerprint(HISTORY, CUTOFF, lines.filter(~future)) == same
    past = lines.with_columns(base_line=pl.when(~future).then(9.5).otherwise("base_line"))
    assert train(HISTORY, CUTOFF, past).line_updates != lined.line_updates
    assert training_fingerprint(HISTORY, CUTOFF, past) != same
    assert training_fingerprint(HISTORY, CUTOFF, None) != same


def test_lines_for_nobody_known_are_no_lines() -> None:
    strangers = lines_for(HISTORY).with_columns(player_lookup=pl.lit("nobody"))
    assert train(HISTORY, DATES[4], strangers).card["lines"] == 0
    assert train(HISTORY, DATES[1], pl.DataFrame(schema=PAST_LINES)).card["lines"] == 0


def test_scores_by_hand() -> None:
    chance, happened = np.array([0.8, 0.8, 0.4, 0.4]), np.array([True, True, False, True])
    expected = -(2 * np.log(0.8) + np.log(0.6) + np.log(0.4)) / 4
    assert log_loss(chance, happened) == pytest.approx(expected)
    # Ten bins of four rows: each row on its own.
    assert calibration_error(chance, happened) == pytest.approx((0.2 + 0.2 + 0.4 + 0.6) / 4)
    ones = np.ones(3)
    forecast = Forecast(20 * ones, 6 * ones, ones)
    found = line_metrics(forecast, at(19.5, 22.0, np.nan), np.array([25.0, 22.0, 10.0]))
    assert found["lines"] == 2
    assert found["absolute_error_with_line"] == pytest.approx((5 + 2) / 2)
    assert found["absolute_error_of_line"] == pytest.approx((5.5 + 0) / 2)
    # The push decides nothing; of the other, the over came.
    assert found["log_loss"] == pytest.approx(-np.log(over_probability(20, 6, 19.5)), abs=1e-4)
    assert found["hit_rate"] == 1.0
    assert line_metrics(forecast, BaseLines.none(3), ones) == {}


def test_good_chances_have_little_calibration_error_and_bad_ones_much() -> None:
    random = np.random.default_rng(2)
    chance = random.uniform(0.3, 0.7, 50_000)
    happened = random.random(50_000) < chance
    assert calibration_error(chance, happened) < 0.01
    assert calibration_error(np.clip(chance + 0.1, 0, 1), happened) == pytest.approx(0.1, abs=0.01)


def test_a_sure_forecast_that_knows_less_than_the_line_is_tamed() -> None:
    """The reason for it all: probabilities of overs that are no worse than a coin."""
    rows = market(4_000, own=0.05, seed=9)
    update = fit_update(market(4_000, own=0.05, seed=8))
    ones = np.ones(len(rows.outcomes))
    alone = Forecast(rows.center, rows.spread, ones)
    known = Forecast(
        rows.center,
        rows.spread,
        ones,
        *with_line(rows.center, rows.spread, rows.lines, update),
    )
    assert line_metrics(alone, rows.lines, rows.outcomes)["log_loss"] > 0.70
    score = line_metrics(known, rows.lines, rows.outcomes)
    assert score["log_loss"] < 0.694
    assert score["calibration_error"] < 0.03
