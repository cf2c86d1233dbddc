"""Box scores and schedules of ESPN, whose players have other ids than those of the NBA."""

from __future__ import annotations

from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from nba_predictions_tests.inputs.importing.payloads import (
    ESPN_NAMES,
    dicts_of,
    espn_competition,
    espn_scoreboard,
    espn_summary,
    imported,
    league_game_log,
    player_index,
    result_sets,
    rows_of,
)

MOMENT = datetime(2025, 1, 11, 6, tzinfo=timezone.utc)
ROWS = ("GAME_ID", "observed_at")


@pytest.mark.parametrize("names", [ESPN_NAMES, tuple(reversed(ESPN_NAMES))])
def test_a_summary_has_the_rows_of_the_league_game_log(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    outcomes = imported(
        tmp_path,
        observed_at=MOMENT,
        summary=espn_summary(names),
        players=player_index(),
        log=league_game_log(),
    )
    assert set(rows_of(outcomes["summary"])["observed_at"]) == {MOMENT}
    expected = rows_of(outcomes["log"], ROWS).sort("PLAYER_ID")
    assert rows_of(outcomes["summary"], ROWS).sort("PLAYER_ID").equals(expected)


def test_a_player_whom_nobody_knows_is_set_aside_and_not_invented(tmp_path: Path) -> None:
    index = result_sets([{"PERSON_ID": 9002, "DISPLAY_FIRST_LAST": "Benno Bosson"}], "Players")
    outcome = imported(tmp_path, summary=espn_summary(), players=index)["summary"]
    assert [row["PLAYER_ID"] for row in dicts_of(outcome)] == [9002]
    (rejected,) = outcome.rejected
    assert rejected.startswith("boxscore.players[0].statistics[0].athletes[0].athlete.displayName")
    assert "Arlo Lalson Jr. has no PLAYER_ID; import the list of players" in rejected
    # The other one did not play.
    assert outcome.dropped == {"did_not_play": 1}


def test_of_two_players_of_one_name_the_one_of_the_teams_counts(tmp_path: Path) -> None:
    index = player_index()
    index["resultSets"][0]["rowSet"].append([1, "Lalson Jr.", "Arlo", "NYK"])
    outcome = imported(tmp_path, summary=espn_summary(), players=index)["summary"]
    assert [row["PLAYER_ID"] for row in dicts_of(outcome)] == [9001, 9002, 9003]
    index["resultSets"][0]["rowSet"][-1][3] = "LAL"
    outcome = imported(tmp_path, summary=espn_summary(), players=index)["summary"]
    assert "Arlo Lalson Jr. may be PLAYER_ID 1 or 9001" in outcome.rejected[0]


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (
            espn_summary(tuple(name for name in ESPN_NAMES if name != "TO")),
            "boxscore.players[0].statistics[0].names: TO is missing (the names are MIN, PTS, FG,",
        ),
        (espn_summary(completed=False), "the game is not over (status STATUS_SCHEDULED)"),
        (espn_summary(competitors=[]), "header.competitions[0].competitors: a list is not a list"),
        ({"boxscore": {"players": []}}, "header is missing or empty"),
    ],
)
def test_another_layout_is_refused_with_the_cause(
    tmp_path: Path, document: Any, problem: str
) -> None:
    outcome = imported(tmp_path, summary=document, players=player_index())["summary"]
    assert outcome.error.startswith(f"read as espn_box_score: {problem}")


@pytest.mark.parametrize(
    ("stats", "problem"),
    [
        (["34"], "a list is not a list with 14 values"),
        (["34", "23", "9", *["1"] * 11], "FG: '9' is not two counts, as in 8-14"),
        (["x", "23", "9-18", "2-5", "3-4", *["1"] * 9], "MIN: 'x' is not a number"),
    ],
)
def test_statistics_that_do_not_fit_are_set_aside(
    tmp_path: Path, stats: list[str], problem: str
) -> None:
    summary = espn_summary()
    summary["boxscore"]["players"][0]["statistics"][0]["athletes"][0]["stats"] = stats
    outcome = imported(tmp_path, summary=summary, players=player_index())["summary"]
    assert outcome.rows == 2
    assert outcome.rejected[0].endswith(problem)


def test_a_summary_of_the_preseason_is_left_out(tmp_path: Path) -> None:
    summary = espn_summary()
    summary["header"]["season"]["type"] = 1
    outcome = imported(tmp_path, summary=summary)["summary"]
    assert (outcome.rows, outcome.dropped) == (0, {"preseason": 1})


def test_a_scoreboard_is_a_schedule(tmp_path: Path) -> None:
    outcome = imported(tmp_path, observed_at=MOMENT, board=espn_scoreboard())["board"]
    assert dicts_of(outcome) == [
        {
            "game_date": date(2025, 1, 10),
            "away_team": "LAL",
            "home_team": "BOS",
            "tipoff": datetime(2025, 1, 11, 0, 30, tzinfo=timezone.utc),
            "SEASON_ID": 22024,
            "observed_at": MOMENT,
        }
    ]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": {"type": {"name": "STATUS_POSTPONED", "completed": False}}}, "postponed"),
        ({"status": {"type": {"name": "STATUS_CANCELED", "completed": False}}}, "postponed"),
        (
            {
                "competitors": [
                    {"homeAway": side, "team": {"abbreviation": name}}
                    for side, name in (("home", "EAST"), ("away", "WEST"))
                ]
            },
            "teams_undecided",
        ),
    ],
)
def test_games_that_do_not_count_are_dropped_and_counted(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    board = espn_scoreboard(espn_competition(), espn_competition(**changes))
    outcome = imported(tmp_path, board=board)["board"]
    assert (outcome.rows, outcome.dropped) == (1, {reason: 1})


def test_preseason_games_are_dropped(tmp_path: Path) -> None:
    outcome = imported(tmp_path, board=espn_scoreboard(season_type=1))["board"]
    assert (outcome.rows, outcome.dropped) == (0, {"preseason": 1})


def test_a_tip_off_that_is_not_decided_is_empty(tmp_path: Path) -> None:
    board = espn_scoreboard(espn_competition(timeValid=False, date="2025-01-10T17:00Z"))
    (row,) = dicts_of(imported(tmp_path, board=board)["board"])
    assert (row["game_date"], row["tipoff"]) == (date(2025, 1, 10), None)


def test_a_day_without_games_is_an_answer(tmp_path: Path) -> None:
    empty = espn_scoreboard()
    empty["events"] = []
    outcome = imported(tmp_path, empty=empty)["empty"]
    assert (outcome.error, outcome.notes) == ("", ["nothing to write"])


def test_abbreviations_of_espn_are_known(tmp_path: Path) -> None:
    competitors = [
        {"homeAway": side, "team": {"abbreviation": name}}
        for side, name in (("home", "UTAH"), ("away", "GS"))
    ]
    board = espn_scoreboard(espn_competition(competitors=competitors))
    (row,) = dicts_of(imported(tmp_path, board=board)["board"])
    assert (row["away_team"], row["home_team"]) == ("GSW", "UTA")
