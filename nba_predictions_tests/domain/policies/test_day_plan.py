"""The plan of a day with live sources: waves, refreshes, closing lines and grading."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_predictions.domain.betting.slate import Game
from nba_predictions.domain.league.games import EASTERN, eastern_date
from nba_predictions.domain.policies.day_plan import (
    CLOSING_LEAD,
    POLLS,
    WAVE_LEAD,
    dates_to_grade,
    due_refreshes,
    missing_results,
    waves,
)

DAY = date(2026, 11, 25)
#: Daylight saving ended on this day: it has 25 hours. The other one has 23.
LONG_DAY, SHORT_DAY = date(2026, 11, 1), date(2027, 3, 14)


def eastern(clock: str, day: date = DAY) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), EASTERN).astimezone(timezone.utc)


def games(*tipoffs: str | None, day: date = DAY) -> list[Game]:
    return [
        Game(f"game{number}", day, "BOS", "NYK", None if at is None else eastern(at, day))
        for number, at in enumerate(tipoffs)
    ]


def due(clock: str, *tipoffs: str | None, polls: int = 2, day: date = DAY) -> dict[str, int]:
    """Return the keys that are due, with the number of games whose lines are asked for."""
    found = due_refreshes(day, games(*tipoffs, day=day), eastern(clock, day), polls)
    return {action.key: len(action.lines_of) for action in found}


def test_games_with_nearly_the_same_tipoff_are_one_wave() -> None:
    found = waves(DAY, games("19:40", "19:30", "19:45", "22:00", None))
    assert [(w.tipoff, w.games) for w in found] == [
        (eastern("19:00"), ("game4",)),
        (eastern("19:30"), ("game1", "game0", "game2")),
        (eastern("22:00"), ("game3",)),
    ]


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        ("11:00", {}),
        ("12:30", {"12:30": 0}),
        ("12:59", {"12:30": 0}),
        ("13:00", {}),
        ("18:14", {}),
        ("18:15", {"wave 19:00": 2}),
        ("18:54", {"wave 19:00": 2}),
        ("18:56", {}),
        ("20:59", {}),
        ("21:15", {"wave 22:00": 1}),
        ("22:00", {}),
        ("23:59", {}),
    ],
)
def test_each_wave_is_refreshed_before_its_tipoff(clock: str, expected: dict[str, int]) -> None:
    assert due(clock, "19:00", "19:00", "22:00") == expected


def test_a_game_at_noon_is_refreshed_in_the_morning_and_not_afterward() -> None:
    assert due("11:15", "12:00") == {"wave 12:00": 1}
    assert due("12:30", "12:00") == {}


def test_closing_lines_and_more_refreshes_ask_for_lines_if_there_are_polls_for_them() -> None:
    assert due("18:55", "19:00", polls=2) == {}
    assert due("18:55", "19:00", polls=3) == {"closing 19:00": 1}
    assert due("16:30", "19:00", polls=3) == {"16:30": 0}
    assert due("16:30", "19:00", polls=4) == {"16:30": 1}
    assert due("12:30", "19:00", polls=5) == {"12:30": 1}
    assert due("10:00", "19:00", polls=5) == {}
    assert due("10:00", "19:00", polls=8) == {"10:00": 1}
    (closing,) = due_refreshes(DAY, games("19:00"), eastern("18:57"), 3)
    assert closing.closing


@pytest.mark.parametrize("day", [DAY, LONG_DAY, SHORT_DAY])
@settings(max_examples=20, deadline=None)
@given(
    tipoffs=st.lists(st.times(time(11), time(23)).map(lambda t: f"{t:%H:%M}"), max_size=15),
    polls=st.integers(1, 8),
)
def test_a_day_asks_for_the_lines_of_a_game_at_most_as_often_as_the_setting_says(
    day: date, tipoffs: list[str], polls: int
) -> None:
    asked: dict[str, int] = {}
    seen = set()
    moment = eastern("00:00", day)
    while eastern_date(moment) == day:
        for action in due_refreshes(day, games(*tipoffs, day=day), moment, polls):
            if action.key not in seen:
                seen.add(action.key)
                for game in action.lines_of:
                    asked[game] = asked.get(game, 0) + 1
        moment += timedelta(minutes=1)
    # The first prediction asks for all games.
    assert max(asked.values(), default=0) <= polls - 1
    if polls > 1:
        assert set(asked) == {game.game_id for game in games(*tipoffs, day=day)}


@given(st.lists(st.integers(0, 720), min_size=1))
def test_no_game_is_refreshed_after_its_tipoff(minutes: list[int]) -> None:
    utc = [eastern("11:00") + timedelta(minutes=later) for later in minutes]
    slate = [Game(str(n), DAY, "BOS", "NYK", tipoff) for n, tipoff in enumerate(utc)]
    for wave in waves(DAY, slate):
        inside = [tipoff for n, tipoff in enumerate(utc) if str(n) in wave.games]
        assert wave.tipoff == min(inside)
    for tipoff in utc:
        for action in due_refreshes(DAY, slate, tipoff, len(POLLS)):
            assert all(utc[int(game)] > tipoff - CLOSING_LEAD for game in action.lines_of)


def test_the_lead_of_a_wave_is_before_that_of_closing_lines() -> None:
    assert WAVE_LEAD > CLOSING_LEAD > timedelta()


def test_yesterday_is_graded_from_six_in_the_morning_and_corrections_for_a_week() -> None:
    before, after = eastern("05:59"), eastern("06:00")
    assert dates_to_grade(DAY, after) == [DAY - timedelta(days=d) for d in range(1, 8)]
    assert dates_to_grade(DAY, before) == [DAY - timedelta(days=d) for d in range(2, 9)]


def test_a_game_needs_players_of_both_teams() -> None:
    slate = games("19:00", "20:00")
    players = {("game0", "BOS"): 9, ("game0", "NYK"): 8, ("game1", "BOS"): 9}
    assert missing_results(slate, players) == ["game1"]
