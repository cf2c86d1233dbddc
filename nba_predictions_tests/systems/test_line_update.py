"""How a line changes a forecast, and how training learns it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_predictions.domain.market import registered_markets
from nba_predictions.features.build import build_features
from nba_predictions.systems.base import Forecast, LeaguePrior
from nba_predictions.systems.distribution import over_probability
from nba_predictions.systems.line_update import BaseLines, LineUpdate, implied_center, with_line
from nba_predictions.systems.registry import predict_all
from nba_predictions.systems.trained_models import TrainedModels
from nba_predictions.training.fingerprint import training_fingerprint
from nba_predictions.training.fitting import DEFAULT_WEIGHTS, train
from nba_predictions.training.line_update_fit import LinedRows, fit_update
from nba_predictions.training.past_lines import PAST_LINES
from nba_predictions.training.scoring import calibration_error, line_metrics, log_loss
from nba_predictions_tests.systems.league import play_league, slate_of
from nba_predictions_tests.systems.registered import BY_ID, SYSTEM_IDS

HISTORY = play_league(11, dates=100)
DATES: list[date] = HISTORY["game_date"].unique().sort().to_list()
CUTOFF = DATES[80]
UNTRAINED = TrainedModels(
    "2024-01-01", {"points": LeaguePrior(4.0, 5.0)}, {}, DEFAULT_WEIGHTS, None
)
FEATURES_OF_LAST = build_features(HISTORY, slate_of(HISTORY, DATES[-1]))


def at(*base: float, fair: float = np.nan) -> BaseLines:
    return BaseLines(np.array(base), np.full(len(base), fair))


def games(rows: int, *, own: float, bias: float = 0.0, seed: int = 1) -> LinedRows:
    """Return games whose median is the line plus a share of the forecast's distance from it."""
    random = np.random.default_rng(seed)
    line = random.integers(6, 30, rows) + 0.5
    spread = 1.0 + 1.2 * np.sqrt(line)
    center = line + random.normal(0, 2.0, rows)
    truth = line + bias * spread + own * (center - line)
    points = np.maximum(np.rint(random.normal(truth, spread)), 0.0)
    return LinedRows(center, spread, at(*line), points)


def test_an_update_by_hand() -> None:
    center, spread = with_line(
        np.array([24.5]), np.array([6.0]), at(20.5), LineUpdate(-0.05, 0.25, 1.1)
    )
    assert center[0] == pytest.approx(20.5 - 0.3 + 1.0)
    assert spread[0] == pytest.approx(6.6)


def test_without_a_line_nothing_changes() -> None:
    center, spread = np.array([24.5, 8.0]), np.array([6.0, 4.0])
    moved, wider = with_line(center, spread, at(np.nan, 7.5), LineUpdate(0.1, 0.5, 2.0))
    assert (moved[0], wider[0]) == (24.5, 6.0)
    assert (moved[1], wider[1]) == (pytest.approx(8.15), 8.0)


@pytest.mark.parametrize("fair", [0.42, 0.5, 0.58])
def test_the_implied_center_has_the_probability_of_the_prices(fair: float) -> None:
    spread = np.array([6.0])
    center = implied_center(at(20.5, fair=fair), spread)
    assert over_probability(center, spread, 20.5)[0] == pytest.approx(fair)


def test_an_extreme_price_moves_the_center_only_to_a_limit() -> None:
    spread = np.array([6.0])
    assert implied_center(at(20.5, fair=0.999), spread) == implied_center(
        at(20.5, fair=0.7), spread
    )


@settings(max_examples=50)
@given(st.floats(0, 45), st.floats(1, 12), st.integers(1, 90).map(lambda n: n / 2), st.floats(0, 1))
def test_the_updated_center_is_between_line_and_forecast(
    center: float, spread: float, line: float, share: float
) -> None:
    moved, _ = with_line(
        np.array([center]), np.array([spread]), at(line), LineUpdate(own_share=share)
    )
    assert min(center, line) - 1e-9 <= moved[0] <= max(center, line) + 1e-9


@pytest.mark.parametrize("own", [0.0, 0.3, 0.8])
def test_the_share_of_an_informed_system_is_learned(own: float) -> None:
    found = fit_update(games(20_000, own=own))
    assert found.own_share == pytest.approx(own, abs=0.06)
    assert found.bias == pytest.approx(0.0, abs=0.03)
    assert found.stretch == pytest.approx(1.0, abs=0.05)


def test_the_bias_of_lines_that_are_too_high_is_learned() -> None:
    assert fit_update(games(20_000, own=0.1, bias=-0.15)).bias == pytest.approx(-0.15, abs=0.03)


def test_a_spread_that_is_too_narrow_is_stretched() -> None:
    rows = games(20_000, own=0.1)
    assert fit_update(replace(rows, spread=rows.spread / 1.5)).stretch == pytest.approx(1.5, 0.08)


def test_few_lines_change_the_defaults_little_and_no_lines_not_at_all() -> None:
    default = LineUpdate()
    assert fit_update(games(0, own=0.9)) == default
    shares = [fit_update(games(n, own=0.9)).own_share for n in (50, 500, 5_000)]
    assert default.own_share < shares[0] < shares[1] < shares[2]
    assert shares[0] < 0.3


def test_the_share_of_a_system_is_never_negative() -> None:
    assert fit_update(games(5_000, own=-0.6)).own_share == 0.0


def test_whole_lines_can_be_learned_from() -> None:
    rows = games(20_000, own=0.5)
    whole = replace(rows, lines=BaseLines(rows.lines.base - 0.5, rows.lines.fair_over))
    # The line is half a point below the median now: 0.5 / about 6 points of spread.
    assert fit_update(whole).bias == pytest.approx(0.045, abs=0.03)
    assert fit_update(whole).own_share == pytest.approx(0.5, abs=0.06)


def test_only_systems_that_rest_on_the_line_use_it_for_their_own_center() -> None:
    quoted = at(*[31.5] * FEATURES_OF_LAST.height, fair=0.6)
    lines = {market.name: quoted for market in registered_markets()}
    with_lines = predict_all(FEATURES_OF_LAST, UNTRAINED, lines)
    without = predict_all(FEATURES_OF_LAST, UNTRAINED)
    for system in BY_ID.values():
        same = (with_lines[system.system_id].mean == without[system.system_id].mean).all()
        assert same != system.rests_on_line, system.system_id
        assert (with_lines[system.system_id].line_mean > without[system.system_id].mean).all()


def test_the_blend_is_the_ensemble_updated_by_the_line() -> None:
    base = [20.5 if i % 2 else np.nan for i in range(FEATURES_OF_LAST.height)]
    forecasts = predict_all(FEATURES_OF_LAST, UNTRAINED, {"points": at(*base)})
    blend, ensemble = forecasts["market_blend"], forecasts["ensemble"]
    assert (blend.mean == ensemble.line_mean).all()
    assert (blend.mean[::2] == ensemble.mean[::2]).all()
    assert blend.line_mean == pytest.approx(blend.mean)
    # Without a line it has the center of the ensemble and a lower confidence.
    assert (blend.confidence[::2] < ensemble.confidence[::2]).all()
    alone = predict_all(FEATURES_OF_LAST, UNTRAINED)
    assert (alone["market_blend"].confidence < alone["ensemble"].confidence).all()


def test_with_lines_the_forecast_of_a_row_does_not_depend_on_other_rows() -> None:
    height = FEATURES_OF_LAST.height
    lines = at(*[3.5 + i for i in range(height)], fair=0.47)
    together = predict_all(FEATURES_OF_LAST, UNTRAINED, {"points": lines})
    for i in range(height):
        alone = predict_all(FEATURES_OF_LAST[i], UNTRAINED, {"points": lines[np.array([i])]})
        for name, forecast in alone.items():
            assert forecast.line_mean[0] == together[name].line_mean[i]
            assert forecast.line_spread[0] == together[name].line_spread[i]


def lines_for(history: pl.DataFrame, seed: int = 3) -> pl.DataFrame:
    """Return lines near the outcomes: these books know more than any system."""
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


def test_training_learns_from_past_lines_and_counts_them(lined: TrainedModels) -> None:
    assert lined.card["lines"] > 100
    assert lined.card["lines_from"] >= lined.card["held_out_from"]
    assert lined.card["lines_through"] == DATES[79].isoformat()
    assert tuple(lined.line_updates) == SYSTEM_IDS
    assert lined.line_updates["ensemble"] != LineUpdate()
    assert lined.line_updates["market_blend"].own_share == 1.0
    score = lined.card["metrics"]["market_blend"]
    assert score["absolute_error_with_line"] < score["mean_absolute_error"] + 0.5
    assert score["log_loss"] > 0
    assert TrainedModels.from_bytes(lined.to_bytes()) == lined


def test_lines_do_not_change_what_is_learned_from_games(lined: TrainedModels) -> None:
    bare = train(HISTORY, CUTOFF)
    assert bare.card["lines"] == 0
    assert bare.card["lines_from"] is None
    assert bare.line_updates["ensemble"] == LineUpdate()
    assert bare.booster_raw == lined.booster_raw
    assert bare.weights == lined.weights
    assert bare.calibrations["xgboost"] == lined.calibrations["xgboost"]


def test_lines_from_the_cutoff_on_are_ignored(lined: TrainedModels) -> None:
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


def test_lines_of_unknown_players_are_ignored() -> None:
    strangers = lines_for(HISTORY).with_columns(player_lookup=pl.lit("unknown"))
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
    # One line pushed. The other was decided, with an over.
    assert found["log_loss"] == pytest.approx(-np.log(over_probability(20, 6, 19.5)), abs=1e-4)
    assert found["hit_rate"] == 1.0
    assert line_metrics(forecast, BaseLines.none(3), ones) == {}


def test_the_calibration_error_of_biased_probabilities_is_their_bias() -> None:
    random = np.random.default_rng(2)
    chance = random.uniform(0.3, 0.7, 50_000)
    happened = random.random(50_000) < chance
    assert calibration_error(chance, happened) < 0.01
    assert calibration_error(np.clip(chance + 0.1, 0, 1), happened) == pytest.approx(0.1, abs=0.01)


def test_an_overconfident_forecast_is_no_worse_than_a_coin_flip_after_the_update() -> None:
    rows = games(4_000, own=0.05, seed=9)
    update = fit_update(games(4_000, own=0.05, seed=8))
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
