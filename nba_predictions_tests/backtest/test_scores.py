"""Scores of errors, probabilities and bets, with standard errors."""

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_predictions.backtest import scores
from nba_predictions.domain.betting.predictions import recommend
from nba_predictions.systems.base import Floats
from nba_predictions.training.scoring import central_shares


def floats(*values: float) -> Floats:
    return np.array(values, dtype=np.float64)


def dates(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def test_a_mean_of_independent_rows_has_the_usual_standard_error() -> None:
    found = scores.clustered_mean(floats(1, 2, 3, 6), dates(1, 2, 3, 4))
    assert found.value == 3.0
    assert found.error == pytest.approx(np.std([1, 2, 3, 6], ddof=1) / 2)


def test_repeated_rows_of_a_date_do_not_lower_the_standard_error() -> None:
    once = scores.clustered_mean(floats(1, 2, 6), dates(1, 2, 3))
    often = scores.clustered_mean(np.repeat(floats(1, 2, 6), 50), np.repeat(dates(1, 2, 3), 50))
    assert often.value == pytest.approx(once.value)
    assert often.error == pytest.approx(once.error)


def test_one_date_has_no_standard_error() -> None:
    assert math.isnan(scores.clustered_mean(floats(1, 2), dates(7, 7)).error)


def test_a_mean_without_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        scores.clustered_mean(floats(), dates())


def test_errors_by_hand() -> None:
    found = scores.errors(floats(10, 20), floats(13, 16), dates(1, 2))
    assert (found.rows, found.absolute.value, found.bias.value) == (2, 3.5, -0.5)
    assert found.rmse == pytest.approx(math.sqrt((9 + 16) / 2))


def test_the_bias_is_forecast_minus_outcome() -> None:
    assert scores.errors(floats(10), floats(12), dates(1)).bias.value == 2.0


def test_the_better_forecast_has_a_difference_below_zero() -> None:
    points, good, bad = floats(10, 20), floats(11, 19), floats(15, 15)
    assert scores.paired_difference(points, good, bad, dates(1, 2)).value == -4.0
    assert scores.paired_difference(points, bad, good, dates(1, 2)).value == 4.0


def test_a_paired_difference_has_a_smaller_standard_error() -> None:
    random = np.random.default_rng(0)
    points, nights = random.normal(15, 8, 400), np.arange(400)
    ours, theirs = np.full(400, 15.0), np.full(400, 15.2)
    difference = scores.paired_difference(points, ours, theirs, nights)
    alone = scores.errors(points, ours, nights).absolute
    assert difference.error < alone.error / 10


def test_outcomes_at_the_center_are_in_both_ranges() -> None:
    mean = floats(12, 15, 20)
    assert central_shares(mean, mean, floats(5, 5, 5)) == (1.0, 1.0)


def test_outcomes_far_from_the_center_are_in_no_range() -> None:
    assert central_shares(floats(60, 55), floats(12, 12), floats(5, 5)) == (0.0, 0.0)


def test_the_scores_of_a_coin_flip() -> None:
    found = scores.probabilities(
        np.full(4, 0.5), np.array([True, False, True, False]), dates(1, 1, 2, 2)
    )
    assert found.log_loss.value == pytest.approx(math.log(2))
    assert found.brier.value == 0.25
    assert found.calibration_error == 0.0


def test_probabilities_by_hand() -> None:
    found = scores.probabilities(floats(0.8, 0.6), np.array([True, False]), dates(1, 2))
    assert found.log_loss.value == pytest.approx(-(math.log(0.8) + math.log(0.4)) / 2)
    assert found.brier.value == pytest.approx((0.04 + 0.36) / 2)
    assert found.hits.value == 0.5
    # Each has its own bin: |0.8 - 1| and |0.6 - 0|.
    assert found.calibration_error == pytest.approx(0.4)


def test_a_wrong_certainty_has_a_large_but_finite_log_loss() -> None:
    found = scores.probabilities(floats(1.0), np.array([False]), dates(1))
    assert math.isfinite(found.log_loss.value)
    assert found.log_loss.value > 20


def test_the_probability_of_an_over_excludes_pushes() -> None:
    assert scores.decided(floats(0.45), floats(0.10)) == pytest.approx([0.5])
    assert scores.decided(floats(0.6), floats(0.0)) == pytest.approx([0.6])


def test_reliability_assigns_each_probability_to_its_bin_and_1_to_the_last() -> None:
    chance = floats(0.05, 0.15, 0.15, 1.0)
    bins = list(scores.reliability(chance, np.array([0, 1, 0, 1], dtype=bool), dates(1, 1, 2, 2)))
    assert [(b.low, b.high, b.rows) for b in bins] == [(0, 0.1, 1), (0.1, 0.2, 2), (0.9, 1, 1)]
    assert [b.observed.value for b in bins] == [0.0, 0.5, 1.0]


def by_edge(
    *, over: Floats, line: Floats, points: Floats, push: Floats | None = None
) -> dict[str, scores.Bets]:
    nights = np.arange(len(line), dtype=np.int64)
    none = np.zeros(len(line))
    found = scores.bets(over, none if push is None else push, line, points, nights)
    return {bet.edge: bet for bet in found}


def test_a_bet_is_on_the_more_probable_side() -> None:
    found = by_edge(over=floats(0.7, 0.3), line=floats(20.5, 20.5), points=floats(25, 25))
    bet = found["recommended"]
    assert (bet.bets, bet.pushes) == (2, 0)
    assert bet.hits is not None
    assert bet.profit is not None
    assert bet.hits.value == 0.5
    assert bet.profit.value == pytest.approx((100 / 110 - 1) / 2)


def test_a_push_returns_the_stake() -> None:
    bet = by_edge(over=floats(0.7), line=floats(20.0), points=floats(20))["recommended"]
    assert (bet.bets, bet.pushes, bet.hits) == (1, 1, None)
    assert bet.profit is not None
    assert bet.profit.value == 0.0


def test_each_bet_is_in_one_range_of_edges() -> None:
    # -110 breaks even at 0.5238.
    over = floats(0.50, 0.53, 0.54, 0.56, 0.60, 0.30)
    found = by_edge(over=over, line=np.full(6, 9.5), points=np.full(6, 12.0))
    counts = {name: bet.bets for name, bet in found.items()}
    assert counts == {
        **{"below 0%": 1, "0 to 1%": 1, "1 to 3%": 1, "3 to 6%": 1, "6 to 10%": 1, "from 10%": 1},
        "recommended": 4,
    }


def test_at_a_line_of_zero_nothing_is_recommended() -> None:
    assert by_edge(over=floats(0.9), line=floats(0.0), points=floats(4))["recommended"].bets == 0


@given(st.floats(0.5001, 0.999), st.floats(0.0, 0.3))
def test_recommended_bets_are_those_of_the_night(chance: float, push: float) -> None:
    over = chance * (1 - push)
    bet = by_edge(over=floats(over), push=floats(push), line=floats(20.0), points=floats(30))[
        "recommended"
    ]
    assert bet.bets == (recommend(Decimal("20.0"), over, push) in ("OVER", "UNDER"))
