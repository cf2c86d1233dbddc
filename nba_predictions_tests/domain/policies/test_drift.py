from datetime import date, timedelta

import numpy as np
import pytest

from nba_predictions.domain.policies.drift import (
    BAND_DATES,
    MIN_BAND_DATES,
    RECENT_DATES,
    DateErrors,
    Drift,
    judge_drift,
    rolling_errors,
)

START = date(2025, 10, 21)


def nights(*means: float, players: int = 100) -> list[DateErrors]:
    """Return consecutive dates with these mean errors."""
    return [
        DateErrors(START + timedelta(days=n), players, mean * players)
        for n, mean in enumerate(means)
    ]


def usual(dates: int, seed: int = 0, mean: float = 5.0, sd: float = 0.4) -> list[float]:
    return np.random.default_rng(seed).normal(mean, sd, dates).tolist()


def test_an_unchanged_system_stays_in_its_band() -> None:
    finding = judge_drift("ensemble", nights(*usual(80)))
    assert finding.drift is Drift.IN_BAND
    assert not finding.is_alarming
    assert finding.band_low is not None
    assert finding.band_high is not None
    assert finding.recent_error is not None
    assert finding.band_low < finding.recent_error < finding.band_high


def test_larger_recent_errors_are_worse() -> None:
    worse = nights(*usual(60), *usual(RECENT_DATES, seed=1, mean=6.0))
    finding = judge_drift("ensemble", worse)
    assert (finding.drift, finding.is_alarming) == (Drift.WORSE, True)
    assert "WORSE" in finding.sentence()


def test_much_smaller_recent_errors_are_also_drift() -> None:
    better = nights(*usual(60), *usual(RECENT_DATES, seed=1, mean=3.0))
    assert judge_drift("ensemble", better).drift is Drift.BETTER


def test_a_single_bad_night_is_not_drift() -> None:
    assert not judge_drift("ensemble", nights(*usual(60), *usual(13, seed=1), 6.5)).is_alarming


@pytest.mark.parametrize("dates", [0, 1, RECENT_DATES, RECENT_DATES + MIN_BAND_DATES - 1])
def test_small_samples_are_never_alarming(dates: int) -> None:
    means = [5.0] * max(dates - 5, 0) + [50.0] * min(dates, 5)
    finding = judge_drift("ensemble", nights(*means))
    assert finding.drift is Drift.TOO_FEW
    assert not finding.is_alarming
    assert finding.band_low is None
    assert "too few" in finding.sentence()


def test_one_more_date_is_enough() -> None:
    means = usual(MIN_BAND_DATES) + [9.0] * RECENT_DATES
    assert judge_drift("ensemble", nights(*means)).drift is Drift.WORSE


def test_the_recent_dates_do_not_widen_or_move_their_own_band() -> None:
    before = usual(60)
    calm = judge_drift("ensemble", nights(*before, *[5.0] * RECENT_DATES))
    wild = judge_drift("ensemble", nights(*before, *[8.0] * RECENT_DATES))
    assert (calm.band_low, calm.band_high) == (wild.band_low, wild.band_high)


def test_dates_before_the_band_do_not_count() -> None:
    recent = usual(BAND_DATES + RECENT_DATES)
    long_ago = judge_drift("ensemble", nights(*[9.0] * 30, *recent))
    assert long_ago.usual_error == pytest.approx(judge_drift("x", nights(*recent)).usual_error)
    assert long_ago.band_dates == BAND_DATES


def test_fewer_players_make_the_band_wider() -> None:
    before = nights(*usual(60))
    last = START + timedelta(days=100)

    def width(players: int) -> float:
        recent = [
            DateErrors(last + timedelta(days=n), players, 5.0 * players)
            for n in range(RECENT_DATES)
        ]
        finding = judge_drift("ensemble", [*before, *recent])
        assert finding.band_high is not None
        assert finding.band_low is not None
        return finding.band_high - finding.band_low

    assert width(10) > 1.5 * width(100)


def test_the_order_of_dates_and_dates_without_players_do_not_matter() -> None:
    found = nights(*usual(60))
    empty = DateErrors(START + timedelta(days=400), 0, 0.0)
    assert judge_drift("x", [empty, *reversed(found)]) == judge_drift("x", found)


def test_chance_alone_rarely_raises_an_alarm() -> None:
    alarms = sum(judge_drift("x", nights(*usual(74, seed=seed))).is_alarming for seed in range(300))
    assert alarms <= 6


def test_rolling_errors_weigh_players_and_begin_with_a_full_window() -> None:
    found = nights(*[4.0] * RECENT_DATES)
    assert rolling_errors(found[:-1]) == []
    big = DateErrors(START + timedelta(days=RECENT_DATES), 1300, 1300 * 6.0)
    (first, second) = rolling_errors([*found, big])
    assert first == (found[-1].game_date, 4.0)
    # 13 dates of 100 players at 4, one of 1,300 at 6.
    assert (second[0], round(second[1], 9)) == (big.game_date, 5.0)
