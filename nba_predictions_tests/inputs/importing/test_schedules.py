"""Schedules: the NBA's files with their traps, and tables."""

from __future__ import annotations

from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from nba_predictions.inputs.files import FilesSource
from nba_predictions_tests.inputs.importing.payloads import (
    GAME_ID,
    as_csv,
    dicts_of,
    imported,
    league_schedule,
    rows_of,
    schedule_game,
    scoreboard,
)

TIPOFF = datetime(2025, 1, 11, 0, 30, tzinfo=timezone.utc)


def test_only_the_utc_field_is_utc(tmp_path: Path) -> None:
    outcomes = imported(tmp_path, schedule=league_schedule(), board=scoreboard())
    assert dicts_of(outcomes["schedule"]) == [
        {
            "game_date": date(2025, 1, 10),
            "away_team": "LAL",
            "home_team": "BOS",
            "tipoff": TIPOFF,
            "GAME_ID": GAME_ID,
            "SEASON_ID": 22024,
            "observed_at": datetime(2025, 1, 9, 10, 11, 2, 112000, tzinfo=timezone.utc),
        }
    ]
    assert rows_of(outcomes["board"]).equals(rows_of(outcomes["schedule"]))
    games = FilesSource(tmp_path / "league").schedule(date(2025, 1, 10))
    assert games["tipoff"].to_list() == [TIPOFF]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"game_id": "0012400001"}, "preseason"),
        ({"game_id": "0032400001"}, "all_star"),
        ({"game_id": "0092400001"}, "other_game"),
        ({"postponedStatus": "Y"}, "postponed"),
        ({"gameStatusText": "PPD"}, "postponed"),
        ({"homeTeam": {"teamId": 0, "teamTricode": ""}}, "teams_undecided"),
        ({"awayTeam": {"teamId": 0, "teamTricode": None}}, "teams_undecided"),
        ({"awayTeam": None}, "teams_undecided"),
        ({"homeTeam": {"teamId": 50013, "teamTricode": "SEM"}}, "teams_undecided"),
    ],
)
def test_games_that_do_not_count_are_dropped_and_counted(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    schedule = league_schedule(schedule_game(), schedule_game(**changes))
    outcome = imported(tmp_path, schedule=schedule)["schedule"]
    assert (outcome.rows, outcome.dropped) == (1, {reason: 1})


@pytest.mark.parametrize("game_id", ["0042400101", "0052400101", "0062400001"])
def test_playoffs_play_in_and_the_cup_final_count(tmp_path: Path, game_id: str) -> None:
    outcome = imported(tmp_path, schedule=league_schedule(schedule_game(game_id)))["schedule"]
    assert outcome.rows == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"gameStatusText": "TBD"},
        {"gameDateTimeUTC": None},
        {"gameDateTimeUTC": "2025-01-10T05:00:00Z"},
        {"gameDateTimeUTC": ""},
    ],
)
def test_a_tipoff_that_is_not_decided_is_empty(tmp_path: Path, changes: dict[str, Any]) -> None:
    schedule = league_schedule(schedule_game(**changes))
    assert dicts_of(imported(tmp_path, schedule=schedule)["schedule"])[0]["tipoff"] is None


def test_a_day_without_games_is_an_answer(tmp_path: Path) -> None:
    board = scoreboard()
    board["scoreboard"]["games"] = []
    outcome = imported(tmp_path, board=board)["board"]
    assert (outcome.error, outcome.rows, outcome.output) == ("", 0, None)


def test_a_table_of_games_is_a_schedule(tmp_path: Path) -> None:
    rows = [
        {"game_date": "2025-01-10", "away_team": "Los Angeles Lakers", "home_team": "BOS"},
        {"game_date": "2025-01-12", "away_team": "NY", "home_team": "LA Clippers"},
    ]
    games = dicts_of(imported(tmp_path, schedule=as_csv(rows))["schedule"])
    assert [(g["away_team"], g["home_team"]) for g in games] == [("LAL", "BOS"), ("NYK", "LAC")]


def test_an_imported_schedule_can_be_imported_again(tmp_path: Path) -> None:
    first = imported(tmp_path, schedule=league_schedule())["schedule"]
    assert first.output is not None
    again = imported(tmp_path, schedule=first.output.read_bytes())["schedule"]
    assert again.output == first.output
