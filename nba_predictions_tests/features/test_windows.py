"""Sums over windows equal the result of a plain loop."""

from __future__ import annotations

import statistics

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_predictions.features.windows import Slices, first_of_run, ratio

GROUPS = st.lists(st.lists(st.integers(0, 60), min_size=1, max_size=8), min_size=1, max_size=5)


def test_first_of_run_by_example() -> None:
    group = np.array([1, 1, 1, 2, 2])
    day = np.array([5, 5, 6, 6, 6])
    assert first_of_run(group).tolist() == [0, 0, 0, 3, 3]
    assert first_of_run(group, day).tolist() == [0, 0, 2, 3, 3]
    assert first_of_run(np.array([], dtype=np.int64)).tolist() == []


@settings(max_examples=60)
@given(GROUPS, st.integers(1, 9))
def test_windows_match_a_loop(groups: list[list[int]], games: int) -> None:
    codes = np.concatenate([np.full(len(g), i) for i, g in enumerate(groups)])
    values = np.array([v for g in groups for v in g], dtype=np.int64)
    start = first_of_run(codes)
    past = Slices(start, np.arange(len(values))).last(games)
    mean, sd = past.mean(values), past.sd(values)
    latest = past.latest(values.astype(np.float64))
    row = 0
    for group in groups:
        for i in range(len(group)):
            window = group[max(0, i - games) : i]
            assert past.count[row] == len(window)
            assert past.sum(values)[row] == sum(window)
            if window:
                assert mean[row] == sum(window) / len(window)
                assert latest[row] == window[-1]
            else:
                assert np.isnan(mean[row])
                assert np.isnan(latest[row])
            if len(window) > 1:
                assert abs(sd[row] - statistics.stdev(window)) < 1e-9
            else:
                assert np.isnan(sd[row])
            row += 1


def test_a_ratio_without_a_denominator_is_nan() -> None:
    found = ratio(np.array([1.0, 1.0, 0.0]), np.array([2.0, 0.0, -1.0]))
    assert found[0] == 0.5
    assert np.isnan(found[1:]).all()
