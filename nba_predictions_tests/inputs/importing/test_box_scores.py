"""Box scores: every form of one game gives the same rows."""

from __future__ import annotations

import gzip
import json
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from nba_predictions.inputs.files import FilesSource
from nba_predictions.inputs.importing.formats import FORMATS
from nba_predictions.inputs.importing.values import ConversionError, Node
from nba_predictions_tests.conftest import REPOSITORY
from nba_predictions_tests.inputs.importing.payloads import (
    DAY,
    GAME_ID,
    PLAYERS,
    as_csv,
    as_parquet,
    box_score_v2,
    box_score_v3,
    dicts_of,
    imported,
    league_game_log,
    league_schedule,
    live_box_score,
    log_rows,
    player_game_log,
    player_game_logs,
    result_sets,
    rows_of,
    schedule_game,
)

#: The moment of a document is its own, so the other columns are compared.
MOMENT = ("observed_at",)


def columns_of(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def nested_frame() -> list[dict[str, Any]]:
    """Return the data frame that nba_api makes of boxscoretraditionalv3."""
    game = box_score_v3()["boxScoreTraditional"]
    return [
        {
            "gameId": GAME_ID,
            "teamTricode": game[side]["teamTricode"],
            **{k: v for k, v in player.items() if k != "statistics"},
            **player["statistics"],
        }
        for side in ("awayTeam", "homeTeam")
        for player in game[side]["players"]
    ]


FORMS: dict[str, Any] = {
    "league_game_log": league_game_log(),
    "player_game_logs": player_game_logs(),
    "box_score_v2": box_score_v2(),
    "box_score_v3": box_score_v3(),
    "live_box_score": live_box_score(),
    "list_of_games": [box_score_v3()],
    "list_of_answers": [league_game_log()],
    "live_game_only": live_box_score()["game"],
    "json_in_json": json.dumps(json.dumps(league_game_log())),
    "normalized": {"LeagueGameLog": log_rows()},
    "normalized_v2": {
        "PlayerStats": [
            dict(zip(s["headers"], row, strict=True))
            for s in box_score_v2()["resultSets"][:1]
            for row in s["rowSet"]
        ],
        "TeamStats": [],
    },
    "records": log_rows(),
    "lines_of_json": "\n".join(json.dumps(row) for row in log_rows()),
    "split": {
        "columns": list(log_rows()[0]),
        "index": [0, 1, 2],
        "data": [list(row.values()) for row in log_rows()],
    },
    "columns": {
        name: dict(zip("012", cells, strict=True)) for name, cells in columns_of(log_rows()).items()
    },
    "lists": columns_of(log_rows()),
    "index": {str(i): row for i, row in enumerate(log_rows())},
    "table": {"schema": {"fields": []}, "data": log_rows()},
    "csv": as_csv(log_rows()),
    "csv_with_numbers_as_ids": as_csv(log_rows()).replace(GAME_ID, GAME_ID.lstrip("0")),
    "csv_with_semicolons": as_csv(log_rows()).replace(",", ";"),
    "csv_with_bom": b"\xef\xbb\xbf" + as_csv(log_rows()).encode(),
    "parquet": as_parquet(log_rows()),
    "gzip": gzip.compress(json.dumps(league_game_log()).encode()),
    "nested_frame": as_csv(nested_frame()),
    "dates_as_milliseconds": [row | {"GAME_DATE": 1736467200000} for row in log_rows()],
}


def test_all_forms_of_one_game_give_equal_rows(tmp_path: Path) -> None:
    outcomes = imported(tmp_path, schedule=league_schedule(), **FORMS)
    expected = rows_of(outcomes["league_game_log"]).sort("PLAYER_ID")
    assert expected["MIN"].to_list() == [34, 25, None]
    assert expected["SEASON_ID"].to_list() == [22024] * 3
    for form in FORMS:
        rows = rows_of(outcomes[form], MOMENT).sort("PLAYER_ID")
        assert rows.equals(expected), f"{form}: {rows}"


def test_the_source_reads_the_rows(tmp_path: Path) -> None:
    imported(tmp_path, schedule=league_schedule(), game=live_box_score())
    logs = FilesSource(tmp_path / "league").game_logs(date(2025, 1, 11))
    assert logs["player_name"].to_list() == ["Benno Bosson", "Arlo Lalson Jr."]
    assert logs["points"].to_list() == [13, 23]
    assert logs["is_home"].to_list() == [True, False]
    assert logs["game_date"].to_list() == [date(2025, 1, 10)] * 2


def test_the_moment_is_that_of_the_answer_or_the_option(tmp_path: Path) -> None:
    given = datetime(2025, 1, 11, 12, tzinfo=timezone.utc)
    outcomes = imported(
        tmp_path,
        observed_at=given,
        schedule=league_schedule(),
        with_moment=box_score_v3(),
        # The time of this form has no time zone.
        without_zone=live_box_score(),
        without_moment=league_game_log(),
    )
    stated = datetime(2025, 1, 11, 6, 0, 0, 123000, tzinfo=timezone.utc)
    assert set(rows_of(outcomes["with_moment"])["observed_at"]) == {stated}
    for name in ("without_zone", "without_moment"):
        assert set(rows_of(outcomes[name])["observed_at"]) == {given}


def test_a_game_takes_its_date_from_a_league_game_log_of_the_same_call(tmp_path: Path) -> None:
    outcomes = imported(tmp_path, game=box_score_v3(), log=league_game_log())
    assert rows_of(outcomes["game"], MOMENT).equals(
        rows_of(outcomes["log"]).sort("TEAM_ABBREVIATION", descending=True)
    )


@pytest.mark.parametrize("form", ["box_score_v2", "box_score_v3"])
def test_a_game_without_a_date_says_what_is_missing(tmp_path: Path, form: str) -> None:
    outcome = imported(tmp_path, game=FORMS[form])["game"]
    assert f"the date and the teams of game {GAME_ID} are missing; import the schedule" in (
        outcome.error
    )


def test_on_a_neutral_court_no_team_is_at_home(tmp_path: Path) -> None:
    schedule = league_schedule(schedule_game(isNeutral=True))
    outcomes = imported(tmp_path, game=live_box_score(), schedule=schedule)
    matchups = {row["MATCHUP"] for row in dicts_of(outcomes["game"])}
    assert matchups == {"LAL @ BOS", "BOS @ LAL"}


def test_the_log_of_one_player_takes_the_name_from_another_file(tmp_path: Path) -> None:
    alone = imported(tmp_path, log=player_game_log())["log"]
    assert "the name of the player with PLAYER_ID 9001 is missing" in alone.error
    players = result_sets(
        [{"PERSON_ID": 9001, "DISPLAY_FIRST_LAST": "Arlo Lalson Jr."}], "CommonAllPlayers"
    )
    outcomes = imported(tmp_path, log=player_game_log(), players=players)
    assert outcomes["players"].output is None
    expected = rows_of(imported(tmp_path, game=league_game_log())["game"]).head(1)
    assert rows_of(outcomes["log"]).equals(expected)


def test_a_log_of_teams_is_refused_with_the_cause(tmp_path: Path) -> None:
    rows = [{k: v for k, v in row.items() if not k.startswith("PLAYER")} for row in log_rows()]
    outcome = imported(tmp_path, teams=result_sets(rows, PlayerOrTeam="T"))["teams"]
    assert "statistics of teams" in outcome.error
    assert "player_or_team_abbreviation='P'" in outcome.error


def test_averages_are_refused_with_the_cause(tmp_path: Path) -> None:
    dropped = ("GAME_ID", "GAME_DATE", "MATCHUP")
    rows = [{k: v for k, v in row.items() if k not in dropped} for row in log_rows()]
    outcome = imported(tmp_path, averages=result_sets(rows, "LeagueDashPlayerStats"))["averages"]
    assert "totals or averages over games" in outcome.error


def test_a_game_that_is_not_over_is_refused(tmp_path: Path) -> None:
    game = live_box_score()
    game["game"] |= {"gameStatus": 2, "gameStatusText": "Q3 4:10"}
    assert "the game is not over (status Q3 4:10)" in imported(tmp_path, game=game)["game"].error


def test_a_row_for_a_team_that_does_not_play_is_set_aside(tmp_path: Path) -> None:
    frame = [row | {"teamTricode": "NYK"} for row in nested_frame()[:1]] + nested_frame()[1:]
    outcome = imported(tmp_path, game=frame, schedule=league_schedule())["game"]
    assert outcome.rejected == ["NYK does not play in the game LAL - BOS"]


def test_every_format_is_described() -> None:
    page = (REPOSITORY / "docs" / "importing.md").read_text("utf-8")
    assert {f.name for f in FORMATS if f"`{f.name}`" not in page} == set()


def test_renamed_headers_are_named(tmp_path: Path) -> None:
    rows = [{f"{k}_X": v for k, v in row.items()} for row in log_rows()]
    error = imported(tmp_path, log=result_sets(rows))["log"].error
    assert "it is a table with the columns SEASON_ID_X, PLAYER_ID_X, " in error


@pytest.mark.parametrize("as_data_sets", [False, True])
def test_an_answer_without_rows_is_an_answer(tmp_path: Path, as_data_sets: bool) -> None:
    empty = league_game_log()
    empty["resultSets"][0]["rowSet"] = []
    if as_data_sets:
        empty = {"LeagueGameLog": []}
    outcome = imported(tmp_path, empty=empty)["empty"]
    assert (outcome.error, outcome.rows, outcome.output) == ("", 0, None)
    assert outcome.notes == ["nothing to write"]


def test_preseason_games_keep_their_season_id(tmp_path: Path) -> None:
    game = live_box_score()
    game["game"]["gameId"] = "0012400001"
    outcome = imported(tmp_path, game=game)["game"]
    assert {row["SEASON_ID"] for row in dicts_of(outcome)} == {12024}


def test_few_invalid_rows_are_set_aside_and_many_refuse_the_file(tmp_path: Path) -> None:
    rows = [row | {"PLAYER_ID": row["PLAYER_ID"] + i} for i in range(10) for row in log_rows()]
    rows[3]["PTS"] = "many"
    outcome = imported(tmp_path, some=rows)["some"]
    assert outcome.rejected == ["row 4, column PTS: 'many' is not a whole number"]
    assert outcome.rows == 29
    for row in rows[:9]:
        row["FGM"] = "?"
    error = imported(tmp_path, many=rows)["many"].error
    assert "6 of 30 rows are invalid: row 1, column FGM: '?' is not a whole number" in error


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    rows = [{k: v for k, v in row.items() if k != "BLK"} for row in log_rows()]
    error = imported(tmp_path, log=rows)["log"].error
    assert "read as nba_game_log: the column BLK is missing" in error


def test_the_example_has_a_player_who_did_not_play() -> None:
    assert [player["seconds"] is None for player in PLAYERS] == [False, False, True]
    assert DAY == "2025-01-10"


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("PT25M01.00S", 25),
        ("PT25M30.00S", 26),
        ("PT00M20.00S", 0),
        ("PT12M", 12),
        ("25:29", 25),
        ("25.000000:30", 26),
        (25.51, 26),
        ("34", 34),
        ("", None),
        (None, None),
    ],
)
def test_minutes_are_rounded_as_in_the_league_game_log(
    text: str | float | None, minutes: int | None
) -> None:
    assert Node("minutes", text).minutes() == minutes


@pytest.mark.parametrize("text", ["25:60", "PT-1M", "101", "-1", "x"])
def test_other_playing_times_are_refused(text: str) -> None:
    with pytest.raises(ConversionError, match=r"^minutes: "):
        Node("minutes", text).minutes()
