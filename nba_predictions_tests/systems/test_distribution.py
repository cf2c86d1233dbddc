"""Probabilities of whole results."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_predictions.systems.distribution import (
    cumulative,
    normal_cdf,
    over_probability,
    push_probability,
)

MEANS = st.floats(0, 45)
SPREADS = st.floats(0.5, 15)
LINES = st.integers(-4, 140).map(lambda half: half / 2)


def test_probabilities_by_hand() -> None:
    # 19.5 is half a point below 20, where the step from 19 to 20 points is.
    assert over_probability(20.0, 6.0, 19.5) == pytest.approx(1 - float(normal_cdf(-0.5 / 6)))
    assert over_probability(19.5, 6.0, 19.5) == pytest.approx(0.5)
    assert push_probability(20.0, 6.0, 20.0) == pytest.approx(0.06642, abs=1e-4)
    assert push_probability(20.0, 6.0, 20.5) == 0.0


def test_normal_cdf_against_known_values() -> None:
    z = np.array([-8.0, -1.96, 0.0, 1.0, 1.6448536269514722])
    known = [6.220960574271786e-16, 0.024997895148220435, 0.5, 0.8413447460685429, 0.95]
    assert normal_cdf(z) == pytest.approx(known, rel=1e-12)


def test_no_result_is_below_zero() -> None:
    assert cumulative(1.0, 5.0, -1) == 0.0
    assert over_probability(1.0, 5.0, -0.5) == 1.0
    # All mass below one half is at zero.
    assert push_probability(1.0, 5.0, 0.0) == pytest.approx(float(normal_cdf(-0.1)))


@settings(max_examples=200)
@given(MEANS, SPREADS, LINES)
def test_over_push_and_under_sum_to_one(mean: float, spread: float, line: float) -> None:
    over = over_probability(mean, spread, line)
    push = push_probability(mean, spread, line)
    under = cumulative(mean, spread, np.ceil(line) - 1)
    assert over + push + under == pytest.approx(1.0, abs=1e-12)
    assert min(over, push, under) >= 0
    if line != np.floor(line):
        assert push == 0


@settings(max_examples=200)
@given(MEANS, MEANS, SPREADS, LINES, LINES)
def test_probabilities_are_monotone(
    a: float, b: float, spread: float, line: float, other: float
) -> None:
    low, high = sorted((a, b))
    assert over_probability(low, spread, line) <= over_probability(high, spread, line)
    low, high = sorted((line, other))
    assert over_probability(a, spread, low) >= over_probability(a, spread, high)


@settings(max_examples=50)
@given(MEANS, SPREADS)
def test_push_probabilities_of_all_results_sum_to_one(mean: float, spread: float) -> None:
    points = np.arange(0, 200)
    assert push_probability(mean, spread, points).sum() == pytest.approx(1.0)


def test_arguments_are_broadcast() -> None:
    means, lines = np.array([10.0, 20.0]), np.array([9.5, 10.5, 11.5])
    grid = over_probability(means[:, None], 6.0, lines[None, :])
    assert grid.shape == (2, 3)
    assert grid[1, 2] == over_probability(20.0, 6.0, 11.5)


@pytest.mark.parametrize(
    ("mean", "spread", "line", "words"),
    [
        (np.nan, 5.0, 10.5, "mean"),
        (10.0, np.inf, 10.5, "spread"),
        (10.0, 0.0, 10.5, "above zero"),
        (10.0, 5.0, np.nan, "value"),
    ],
)
def test_invalid_distributions_are_refused(
    mean: float, spread: float, line: float, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        cumulative(mean, spread, line)
