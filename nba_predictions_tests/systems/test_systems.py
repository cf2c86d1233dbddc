"""The forecasts of the systems: directions, missing features, independence of rows, calibration."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_predictions.domain.market import Market
from nba_predictions.features.build import (
    FEATURES,
    KEYS,
    SIMILAR,
    build_features,
    market_features,
)
from nba_predictions.systems.base import Calibration, Forecast, LeaguePrior
from nba_predictions.systems.ensemble import learn_weights, shift_weights_to_best
from nba_predictions.systems.gradient_boosting import DIRECTIONS
from nba_predictions.systems.line_update import BaseLines
from nba_predictions.systems.registry import predict_all
from nba_predictions.systems.system import System
from nba_predictions.systems.trained_models import TrainedModels
from nba_predictions.training.fitting import DEFAULT_WEIGHTS, train
from nba_predictions_tests.systems.league import play_league, slate_of
from nba_predictions_tests.systems.registered import BY_ID, POINTS_IDS, SYSTEM_IDS

HISTORY = play_league(3, dates=90)
LAST: date = HISTORY["game_date"][-1]
UNTRAINED = TrainedModels(
    "2024-01-01", {"points": LeaguePrior(4.0, 5.0)}, {}, DEFAULT_WEIGHTS, None
)


@pytest.fixture(scope="module")
def models() -> TrainedModels:
    return train(HISTORY, LAST)


@pytest.fixture(scope="module")
def features() -> pl.DataFrame:
    return build_features(HISTORY, slate_of(HISTORY, LAST))


def player(**known: float) -> pl.DataFrame:
    """Return an established starter, average in every feature that is not given."""
    usual = dict.fromkeys((*FEATURES, *SIMILAR, *market_features()), 1.0) | {
        "games": 150.0,
        "games_season": 40.0,
        **{name: 18.0 for name in FEATURES if name.startswith("points_")},
        **{name: 32.0 for name in FEATURES if name.startswith("minutes_")},
        "points_per_minute": 0.56,
        "points_sd_season": 6.5,
        "points_sd_10": 6.5,
        "minutes_sd_10": 5.0,
        "minutes_trend": 0.0,
        "fga_ewm": 14.0,
        "fg3a_ewm": 5.0,
        "fta_ewm": 4.0,
        "two_rate": 1.06,
        "three_rate": 1.08,
        "free_throw_rate": 0.8,
        "days_since_last": 2.0,
        "back_to_back": 0.0,
        "games_since_return": 20.0,
        "games_with_team": 60.0,
        "is_home": 0.0,
        "similar_surplus": 0.0,
        "similar_games": 20.0,
    }
    assert set(known) <= set(usual), set(known) - set(usual)
    return pl.DataFrame({name: [value] for name, value in (usual | known).items()})


def center(system_id: str, features: pl.DataFrame) -> float:
    return float(BY_ID[system_id].forecast(features, UNTRAINED).mean[0])


@pytest.mark.parametrize(
    ("system_id", "lower", "higher"),
    [
        ("moving_average", {"is_home": 0.0}, {"is_home": 1.0}),
        ("moving_average", {"rest_days": 1.0}, {"rest_days": 3.0}),
        ("moving_average", {"back_to_back": 1.0, "rest_days": 0.0}, {}),
        ("moving_average", {"back_to_back": 1.0}, {"back_to_back": 0.0}),
        ("moving_average", {"days_since_last": 30.0}, {"days_since_last": 3.0}),
        ("moving_average", {"games_since_return": 1.0}, {"games_since_return": 10.0}),
        ("moving_average", {"games_since_return": 2.0}, {"games_since_return": 3.0}),
        ("moving_average", {"games_with_team": 0.0}, {"games_with_team": 30.0}),
        ("moving_average", {"games_with_team": 2.0}, {"games_with_team": 3.0}),
        ("moving_average", {}, {"opponent_points_allowed": 1.05}),
        ("moving_average", {"opponent_points_allowed": 0.95}, {}),
        ("moving_average", {}, {"opponent_pace": 1.03}),
        ("moving_average", {}, {"team_pace": 1.03}),
        ("moving_average", {}, {"lineup_points_last": 0.8}),
        ("moving_average", {}, {"minutes_last_5": 36.0}),
        ("moving_average", {"minutes_last_1": 20.0}, {}),
        ("moving_average", {}, {"points_ewm": 20.0}),
        ("zone_matchup", {}, {"opponent_twos_allowed": 1.1}),
        ("zone_matchup", {}, {"opponent_threes_allowed": 1.1}),
        ("zone_matchup", {}, {"opponent_free_throws_allowed": 1.1}),
        ("zone_matchup", {"opponent_twos_allowed": 0.9}, {}),
        ("zone_matchup", {}, {"fga_ewm": 16.0}),
        ("similarity", {}, {"similar_surplus": 4.0}),
        ("similarity", {"similar_surplus": -4.0}, {}),
        ("similarity", {}, {"points_ewm": 20.0}),
        ("ensemble", {"opponent_points_allowed": 0.95}, {"opponent_points_allowed": 1.05}),
        ("ensemble", {}, {"minutes_last_5": 36.0}),
    ],
)
def test_each_adjustment_has_the_right_direction(
    system_id: str, lower: dict[str, float], higher: dict[str, float]
) -> None:
    assert center(system_id, player(**lower)) < center(system_id, player(**higher))


@pytest.mark.parametrize("system_id", POINTS_IDS)
def test_more_minutes_give_more_points(system_id: str) -> None:
    minutes = [n for n in FEATURES if n.startswith("minutes_") and n not in _SPREAD_OF_MINUTES]
    fewer = player(**dict.fromkeys(minutes, 24.0))
    assert center(system_id, fewer) <= center(system_id, player())
    # The default calibration uses minutes for every system, because the median nears the mean.
    if not BY_ID[system_id].members:
        assert center(system_id, fewer) < center(system_id, player())


_SPREAD_OF_MINUTES = ("minutes_sd_10", "minutes_trend")


@pytest.mark.parametrize("name", DIRECTIONS)
def test_trees_never_move_against_a_direction(
    name: str, models: TrainedModels, features: pl.DataFrame
) -> None:
    """This holds for every player and every size of the change."""
    before = BY_ID["xgboost"].forecast(features, models).mean
    for change in (0.02, 0.1, 1.0, 10.0):
        moved = features.with_columns(pl.col(name) + change)
        after = BY_ID["xgboost"].forecast(moved, models).mean
        assert (DIRECTIONS[name] * (after - before) >= 0).all()


def test_trees_use_the_important_features(models: TrainedModels, features: pl.DataFrame) -> None:
    before = BY_ID["xgboost"].forecast(features, models).mean
    for names, change in (
        (("points_ewm", "points_last_10", "points_season", "points_from_attempts"), 4.0),
        (("minutes_ewm", "minutes_last_5", "minutes_last_10", "minutes_season"), 5.0),
        (("opponent_points_allowed", "opponent_twos_allowed", "opponent_threes_allowed"), 0.1),
    ):
        moved = features.with_columns(pl.col(names) + change)
        assert (BY_ID["xgboost"].forecast(moved, models).mean - before).mean() > 0, names


def test_a_newcomer_is_neither_traded_nor_back_from_an_absence() -> None:
    settled = player(games=2.0)
    rookie = player(games=2.0, games_with_team=2.0, games_since_return=2.0)
    traded = player(games=9.0, games_with_team=2.0, games_since_return=9.0)
    assert center("moving_average", rookie) == center("moving_average", settled)
    assert center("moving_average", traded) < center("moving_average", player(games=9.0))


def test_a_zone_without_attempts_does_not_matter() -> None:
    big_man = {"fg3a_ewm": 0.0, "three_rate": 0.0}
    one = center("zone_matchup", player(**big_man))
    assert center("zone_matchup", player(**big_man, opponent_threes_allowed=1.2)) == one


@pytest.mark.parametrize("trained", [False, True])
def test_an_unknown_player_gets_the_league_prior(
    trained: bool, models: TrainedModels, features: pl.DataFrame
) -> None:
    used = models if trained else UNTRAINED
    slate = slate_of(HISTORY, LAST).head(1)
    unknown_player = slate.with_columns(
        player_lookup=pl.lit("unknown"),
        team=pl.lit(None, pl.String),
        opponent=pl.lit(None, pl.String),
        is_home=pl.lit(None, pl.Boolean),
    )
    unknown = predict_all(build_features(HISTORY, unknown_player), used)
    known = predict_all(features, used)
    for system_id, forecast in unknown.items():
        assert forecast.confidence[0] == 0.0
        prior = used.prior(BY_ID[system_id].market)
        assert forecast.spread[0] >= prior.sd
        # The trees were not trained on such players, and combinations contain the trees.
        if system_id != "xgboost" and not BY_ID[system_id].members:
            assert forecast.mean[0] <= prior.median
        assert (known[system_id].confidence > 0).all()


def test_an_unknown_team_counts_as_average_context() -> None:
    slate = slate_of(HISTORY, LAST)
    without_team = slate.with_columns(
        team=pl.lit(None, pl.String),
        opponent=pl.lit(None, pl.String),
        is_home=pl.lit(None, pl.Boolean),
    )
    for forecast in predict_all(build_features(HISTORY, without_team), UNTRAINED).values():
        assert len(forecast) == slate.height  # a Forecast refuses values that are not finite
    context = [n for n in FEATURES if n.startswith(("opponent_", "lineup_")) or n == "team_pace"]
    nulls = player().with_columns(pl.lit(None, pl.Float64).alias(n) for n in context)
    assert center("moving_average", nulls) == center("moving_average", player())
    assert center("zone_matchup", nulls) == center("zone_matchup", player())


@settings(max_examples=60, deadline=None)
@given(gaps=st.sets(st.sampled_from((*FEATURES, *SIMILAR)), max_size=30))
def test_every_combination_of_missing_features_has_a_forecast(
    gaps: set[str], models: TrainedModels
) -> None:
    row = player().with_columns(pl.lit(None, pl.Float64).alias(n) for n in gaps)
    for used in (UNTRAINED, models):
        assert tuple(predict_all(row, used)) == SYSTEM_IDS


def test_the_forecast_of_a_row_does_not_depend_on_other_rows(
    models: TrainedModels, features: pl.DataFrame
) -> None:
    together = predict_all(features, models)
    many = predict_all(pl.concat([features] * 20), models)
    for i in range(features.height):
        for system_id, alone in predict_all(features[i], models).items():
            for field in ("mean", "spread", "confidence"):
                value = getattr(alone, field)[0]
                assert value == getattr(together[system_id], field)[i]
                assert value == getattr(many[system_id], field)[i + 7 * features.height]


def test_predict_all_gives_the_forecast_of_each_system(
    models: TrainedModels, features: pl.DataFrame
) -> None:
    together = predict_all(features, models)
    assert tuple(together) == SYSTEM_IDS
    for system in BY_ID.values():
        alone = system.forecast(features, models)
        assert (alone.mean == together[system.system_id].mean).all()
        assert (alone.spread == together[system.system_id].spread).all()


def test_members_are_computed_once(models: TrainedModels, features: pl.DataFrame) -> None:
    calls = []

    def counted(
        frame: pl.DataFrame, models: TrainedModels, members: object
    ) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        calls.append(frame.height)
        return np.full(frame.height, 3.0)

    member = System("member", "1", counted)
    both = System("both", "1", lambda f, m, members: members["member"].mean, (member,))
    known = {"member": member.forecast(features, models)}
    both.forecast(features, models, known)
    assert calls == [features.height]


def test_the_ensemble_is_between_its_members(models: TrainedModels, features: pl.DataFrame) -> None:
    forecasts = predict_all(features, models)
    members = np.stack([forecasts[m.system_id].mean for m in BY_ID["ensemble"].members])
    assert (forecasts["ensemble"].mean >= members.min(axis=0) - 1e-9).all()
    assert (forecasts["ensemble"].mean <= members.max(axis=0) + 1e-9).all()


def test_evidence_narrows_the_spread_and_raises_confidence() -> None:
    system = BY_ID["moving_average"]
    spreads, confidences = [], []
    for games in (1.0, 5.0, 30.0, 200.0):
        forecast = system.forecast(player(games=games, points_ewm=18.0), UNTRAINED)
        spreads.append(float(forecast.spread[0] / np.sqrt(forecast.mean[0])))
        confidences.append(float(forecast.confidence[0]))
    assert spreads == sorted(spreads, reverse=True)
    assert confidences == sorted(confidences)
    volatile = system.forecast(player(points_sd_season=10.0), UNTRAINED)
    assert volatile.spread[0] > system.forecast(player(), UNTRAINED).spread[0]


def test_calibration_moves_the_center() -> None:
    system = BY_ID["similarity"]
    half = replace(UNTRAINED, calibrations={"similarity": Calibration(0.5, 0.0)})
    full = replace(UNTRAINED, calibrations={"similarity": Calibration(1.0, 0.0)})
    low, high = system.forecast(player(), half).mean, system.forecast(player(), full).mean
    assert low[0] == pytest.approx(high[0] / 2)


@pytest.mark.parametrize(
    ("mean", "spread", "confidence", "words"),
    [
        ([np.nan], [1.0], [0.5], "mean is nan in row 0"),
        ([-0.1], [1.0], [0.5], "mean is -0.1"),
        ([1.0, 2.0], [1.0, 0.0], [0.5, 0.5], "above zero"),
        ([1.0], [np.inf], [0.5], "spread is inf"),
        ([1.0], [1.0], [55.0], "confidence is 55.0"),
        ([1.0], [1.0, 2.0], [0.5], "shape"),
    ],
)
def test_a_forecast_refuses_invalid_values(
    mean: list[float], spread: list[float], confidence: list[float], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        Forecast(np.array(mean), np.array(spread), np.array(confidence))


def test_a_forecast_refuses_other_types_than_float64() -> None:
    with pytest.raises(ValueError, match="float32"):
        Forecast(np.ones(1), np.ones(1, dtype=np.float32), np.ones(1))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_weights_are_never_worse_than_the_best_member(seed: int) -> None:
    random = np.random.default_rng(seed)
    points = random.gamma(2, 6, 300)
    centers = {
        name: points + random.normal(random.normal(0, 1), random.uniform(1, 8), 300)
        for name in ("a", "b", "c", "d")
    }
    weights = learn_weights(centers, points)
    assert list(weights) == ["a", "b", "c", "d"]
    assert sum(weights.values()) == pytest.approx(1.0)
    assert min(weights.values()) >= 0
    blend = sum(w * centers[name] for name, w in weights.items())
    least = min(float(np.abs(points - c).mean()) for c in centers.values())
    assert float(np.abs(points - blend).mean()) <= least + 1e-9


def test_weights_find_a_known_mix() -> None:
    random = np.random.default_rng(5)
    a, b, c = (random.normal(15, 5, 3000) for _ in range(3))
    weights = learn_weights({"a": a, "b": b, "c": c}, 0.3 * a + 0.7 * b)
    assert weights == {"a": 0.3, "b": 0.7, "c": 0.0}


@given(st.lists(st.integers(0, 100), min_size=3, max_size=3))
def test_weights_shifted_to_the_best_member_are_valid(cuts: list[int]) -> None:
    a, b, c = sorted(cuts)
    found = {"p": a / 100, "q": (b - a) / 100, "r": (c - b) / 100, "s": (100 - c) / 100}
    shifted = shift_weights_to_best(found, "r")
    assert list(shifted) == list(found)
    assert sum(shifted.values()) == pytest.approx(1.0)
    assert all(weight >= 0 for weight in shifted.values())
    assert shifted["r"] >= found["r"] - 1e-9
    assert all(shifted[name] == pytest.approx(found[name] / 2, abs=0.006) for name in "pqs")


def test_weights_cannot_be_learned_without_rows() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        learn_weights({"a": np.zeros(0)}, np.zeros(0))


def test_features_have_the_keys_of_the_slate(features: pl.DataFrame) -> None:
    assert features.columns == [*KEYS, *FEATURES, *SIMILAR, *market_features()]
    assert features["game_date"].unique().to_list() == [LAST]


def test_each_system_gets_the_lines_of_its_own_market(
    models: TrainedModels, features: pl.DataFrame
) -> None:
    rebounds = Market("rebounds", "rebounds")
    features = features.with_columns(rebounds_sd_season="points_sd_season")
    points = BY_ID["moving_average"]
    other = replace(points, system_id="rebounds_average", market=rebounds)
    lines = BaseLines(np.full(features.height, 20.5), np.full(features.height, np.nan))
    for market, seen_by in ((points.market, points), (rebounds, other)):
        forecasts = predict_all(features, models, {market.name: lines}, (points, other))
        for system in (points, other):
            forecast = forecasts[system.system_id]
            assert (forecast.line_mean != forecast.mean).any() == (system is seen_by)


def test_a_combination_of_two_markets_is_refused() -> None:
    member = replace(BY_ID["similarity"], market=Market("rebounds", "rebounds"))
    with pytest.raises(ValueError, match=r"blend predicts points, but its members .*similarity"):
        System("blend", "1", member.estimate, (member,))
