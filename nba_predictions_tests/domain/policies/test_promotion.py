from datetime import date, timedelta

import pytest

from nba_predictions.domain.policies.promotion import (
    MIN_DATES,
    MIN_PLAYER_GAMES,
    DateComparison,
    decide,
)


def nights(*differences: float, players: int = 100) -> list[DateComparison]:
    """Mean differences (challenger minus current model) on consecutive dates."""
    start = date(2026, 1, 5)
    return [
        DateComparison(start + timedelta(days=n), players, players * d)
        for n, d in enumerate(differences)
    ]


def test_a_smaller_error_is_promoted() -> None:
    decision = decide(nights(-0.2, 0.1, -0.1, 0.0, -0.1))
    assert decision.promote
    assert decision.difference == pytest.approx(-0.06)
    assert "0.0600 points smaller on 500 player-games of 5 dates" in decision.reason


def test_a_larger_error_keeps_the_current_model() -> None:
    decision = decide(nights(0.2, -0.1, 0.1, 0.0, 0.1))
    assert not decision.promote
    assert "larger" in decision.reason


def test_a_tie_keeps_the_current_model() -> None:
    decision = decide(nights(0.0, 0.0, 0.0, 0.0, 0.0))
    assert not decision.promote
    assert "the same" in decision.reason


def test_players_count_and_not_dates() -> None:
    few_and_bad = nights(2.0, players=10)
    many_and_good = nights(*[-0.1] * 5, players=200)
    assert decide([*few_and_bad, *many_and_good]).promote


@pytest.mark.parametrize(
    "compared",
    [
        [],
        nights(*[-1.0] * (MIN_DATES - 1), players=1_000),
        nights(*[-1.0] * MIN_DATES, players=MIN_PLAYER_GAMES // MIN_DATES - 1),
        nights(*[-1.0] * MIN_DATES, players=0),
    ],
)
def test_too_few_games_keep_the_current_model(compared: list[DateComparison]) -> None:
    decision = decide(compared)
    assert (decision.promote, decision.difference) == (False, None)
    assert "too few to compare" in decision.reason
