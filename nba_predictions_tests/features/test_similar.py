"""Similar games equal the result of a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_predictions.features.similar import BEST, FEWEST, Situations, similar_games


def situations(random: np.random.Generator, games: int) -> Situations:
    opponent = random.normal(1, 0.04, games)
    opponent[random.random(games) < 0.1] = np.nan
    return Situations(
        opponent=opponent,
        rest=random.integers(0, 5, games).astype(float),
        home=random.integers(0, 2, games).astype(float),
        form=random.normal(1, 0.2, games),
        expected=random.normal(15, 2, games),
        points=random.integers(0, 40, games).astype(float),
    )


def similarity_of(a: float, b: float, scale: float) -> float:
    return 0.5 if np.isnan(a) or np.isnan(b) else max(0.0, 1 - abs(a - b) / scale)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 60))
def test_similar_games_match_a_loop(seed: int, games: int) -> None:
    all_games = situations(np.random.default_rng(seed), games)
    last = games - 1
    found = similar_games(all_games, np.array([0] * games), np.arange(games), np.array([last]))
    weighed = []
    for i in reversed(range(last)):
        weight = (
            40 * similarity_of(all_games.opponent[i], all_games.opponent[last], 0.10)
            + 30 * similarity_of(all_games.rest[i], all_games.rest[last], 3)
            + 15 * similarity_of(all_games.home[i], all_games.home[last], 1)
            + 15 * similarity_of(all_games.form[i], all_games.form[last], 0.4)
        )
        weighed.append((weight, all_games.points[i] - all_games.expected[i]))
    best = [(w, s) for w, s in sorted(weighed, key=lambda g: -g[0])[:BEST] if w > 0]
    if len(best) < FEWEST:
        assert np.isnan(found["similar_surplus"][0])
        assert np.isnan(found["similar_games"][0])
        return
    mean = sum(w * s for w, s in best) / sum(w for w, _ in best)
    assert found["similar_games"][0] == len(best)
    assert found["similar_surplus"][0] == pytest.approx(mean)
    variance = sum(w * (s - mean) ** 2 for w, s in best) / sum(w for w, _ in best)
    assert found["similar_sd"][0] == pytest.approx(variance**0.5)


def test_no_rows_give_empty_results() -> None:
    all_games = situations(np.random.default_rng(1), 3)
    none = np.zeros(0, dtype=np.int64)
    found = similar_games(all_games, np.zeros(3, dtype=np.int64), np.arange(3), none)
    assert {len(v) for v in found.values()} == {0}
