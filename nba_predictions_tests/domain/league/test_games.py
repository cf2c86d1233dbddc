import doctest
from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_predictions.domain.league import games
from nba_predictions.domain.league.games import (
    TEAM_ALIASES,
    TEAM_NAMES,
    eastern_date,
    end_of_eastern_day,
    make_game_id,
    season_of,
    start_of_eastern_day,
    team_abbreviation,
)

_dates = st.dates(min_value=date(1970, 1, 1), max_value=date(2099, 12, 31))


def test_examples_in_docstrings() -> None:
    result = doctest.testmod(games)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    ("away", "home"),
    [("PHI", "PHI"), ("PHI", "dal"), ("", "DAL"), ("PHI_", "DAL"), ("PHI", "DAL\n"), ("PHI", "D")],
)
def test_no_game_id(away: str, home: str) -> None:
    with pytest.raises(ValueError, match="no game can be made of"):
        make_game_id(date(2026, 1, 1), away, home)


@given(_dates)
def test_game_id_carries_its_date(day: date) -> None:
    assert make_game_id(day, "PHI", "DAL") == f"{day.isoformat().replace('-', '')}_PHI_DAL"


def test_thirty_teams() -> None:
    assert len(set(TEAM_NAMES.values())) == 30
    assert set(TEAM_ALIASES.values()) <= set(TEAM_NAMES.values())
    assert not set(TEAM_ALIASES) & set(TEAM_NAMES.values())


@pytest.mark.parametrize(
    ("team", "abbreviation"),
    [
        ("Los Angeles Clippers", "LAC"),
        ("LA Clippers", "LAC"),
        ("LAC", "LAC"),
        ("SEA", "SEA"),
        ("PHO", "PHX"),
        ("GS", "GSW"),
        ("Clippers", None),
        ("lac", None),
        ("", None),
        ("LAC\n", None),
    ],
)
def test_team_abbreviation(team: str, abbreviation: str | None) -> None:
    assert team_abbreviation(team) == abbreviation


@pytest.mark.parametrize(
    ("day", "season"),
    [
        (date(2024, 10, 22), "2024-25"),
        (date(2025, 4, 13), "2024-25"),
        (date(2025, 7, 31), "2024-25"),
        (date(2025, 8, 1), "2025-26"),
        (date(1999, 12, 31), "1999-00"),
    ],
)
def test_season_of(day: date, season: str) -> None:
    assert season_of(day) == season


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        # Winter: five hours behind UTC. Summer time: four.
        (datetime(2025, 1, 11, 0, 10, tzinfo=timezone.utc), date(2025, 1, 10)),
        (datetime(2025, 1, 11, 4, 59, tzinfo=timezone.utc), date(2025, 1, 10)),
        (datetime(2025, 1, 11, 5, 0, tzinfo=timezone.utc), date(2025, 1, 11)),
        (datetime(2024, 10, 23, 3, 59, tzinfo=timezone.utc), date(2024, 10, 22)),
        (datetime(2024, 10, 23, 4, 0, tzinfo=timezone.utc), date(2024, 10, 23)),
    ],
)
def test_eastern_date(moment: datetime, day: date) -> None:
    assert eastern_date(moment) == day


def test_a_naive_time_has_no_eastern_date() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        eastern_date(datetime(2025, 1, 1))  # noqa: DTZ001


@given(_dates)
def test_an_eastern_day_holds_its_moments(day: date) -> None:
    start, end = start_of_eastern_day(day), end_of_eastern_day(day)
    assert eastern_date(start) == day
    assert eastern_date(end - timedelta(microseconds=1)) == day
    assert eastern_date(start - timedelta(microseconds=1)) == day - timedelta(days=1)
    assert eastern_date(end) == day + timedelta(days=1)
    # With the change of the clocks a day has 23 or 25 hours.
    assert end - start in {timedelta(hours=h) for h in (23, 24, 25)}
