"""Which of several rows for one fact counts, at which moment, and what is done with the others."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_predictions.domain.errors import SourceDataError
from nba_predictions.inputs import files
from nba_predictions.inputs.box_scores import PlayerKeys
from nba_predictions.inputs.files import FilesSource
from nba_predictions.inputs.parsing import FILE, OBSERVED, ROW, RawTable
from nba_predictions.inputs.row_rules import newest, split_replaced
from nba_predictions_tests.inputs.test_files import (
    DAY,
    dropped_of,
    error_of,
    log_row,
    rejected_of,
    write,
)


def moment(hour: int) -> datetime:
    return datetime(2025, 1, 9, hour, tzinfo=timezone.utc)


def seen(hour: int | None, **changes: object) -> dict[str, Any]:
    """Return a row that was known from an hour of 9 January on."""
    return log_row(**changes) | {OBSERVED: "" if hour is None else f"2025-01-09T{hour:02d}:00:00Z"}


def assists(source: FilesSource) -> list[int]:
    return source.game_logs(DAY)["ast"].to_list()


# --- order


def test_the_row_with_the_latest_moment_counts_in_any_order(tmp_path: Path) -> None:
    for order in itertools.permutations([seen(5, AST="5"), seen(9, AST="9"), seen(None, AST="1")]):
        source = write(tmp_path, player_game_logs=list(order))
        assert assists(source) == [9]
        assert sum(a.superseded for a in source.accounts(DAY)) == 2


def test_without_moments_the_later_file_by_number_counts(tmp_path: Path) -> None:
    names = ("", "_2", "_9", "_10", "_10_again")
    for n, name in enumerate(names):
        write(tmp_path, **{f"player_game_logs{name}": [log_row(AST=str(n))]})
        assert assists(FilesSource(tmp_path)) == [n]


def test_a_moment_may_have_an_offset_and_fractions_of_a_second(tmp_path: Path) -> None:
    rows = [
        log_row(AST="2") | {OBSERVED: "2025-01-09T03:00:00.25-05:00"},
        log_row(AST="1") | {OBSERVED: "2025-01-09T08:00:00.125Z"},
    ]
    source = write(tmp_path, player_game_logs=rows)
    assert assists(source) == [2]
    observed = datetime(2025, 1, 9, 8, 0, 0, 250_000, tzinfo=timezone.utc)
    assert source.game_logs(DAY)[OBSERVED].to_list() == [observed]


def test_a_moment_without_an_offset_is_invalid(tmp_path: Path) -> None:
    rows = [log_row(GAME_DATE="2025-01-06"), log_row() | {OBSERVED: "2025-01-09T03:00:00"}]
    message = rejected_of(write(tmp_path, player_game_logs=rows))
    assert message.startswith("player_game_logs.csv, row 2, column observed_at: ")


def test_a_player_with_two_teams_on_a_date_counts_for_the_newer_one(tmp_path: Path) -> None:
    other = log_row(TEAM_ABBREVIATION="NYK", MATCHUP="NYK vs. SAS")
    source = write(tmp_path, player_game_logs=[log_row(), other])
    assert source.game_logs(DAY)["team"].to_list() == ["NYK"]


def test_corrections_are_described_by_the_file_that_makes_them(tmp_path: Path) -> None:
    first = [log_row(PLAYER_ID=str(n), PLAYER_NAME=f"P {'abcdef'[n]}") for n in range(6)]
    second = [row | {"AST": "3", "BLK": "1"} for row in first[:5]] + first[5:]
    source = write(tmp_path, player_game_logs=first, player_game_logs_again=second)
    old, new = source.accounts(DAY)
    assert (old.rows, old.used, old.superseded, old.dropped) == (6, 0, 5, {"duplicate": 1})
    assert (new.rows, new.used, new.superseded, new.dropped) == (6, 6, 0, {})
    assert old.note == ""
    change = "2025-01-08, AST 0 -> 3, BLK 0 -> 1"
    shown = "; ".join(f"PLAYER_ID {n}, {change}" for n in range(3))
    assert new.note == f"5 rows corrected: {shown}; ..."


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 2), st.none() | st.integers(0, 5)), max_size=12
    )
)
def test_the_newest_row_of_each_key_is_kept_once(
    facts: list[tuple[int, int, int | None]],
) -> None:
    rows = pl.DataFrame(
        [(k, v, None if h is None else moment(h), "f", n) for n, (k, v, h) in enumerate(facts)],
        {
            "key": pl.Int64,
            "value": pl.Int64,
            OBSERVED: pl.Datetime("us", "UTC"),
            FILE: pl.String,
            ROW: pl.Int64,
        },
        orient="row",
    )
    kept, replaced = newest(rows, ["key"])
    differ, same = split_replaced(kept, replaced)
    assert kept.height + replaced.height == rows.height
    assert differ.height + same.height == replaced.height
    expected: dict[int, tuple[tuple[int, int], int]] = {}
    for n, (key, value, hour) in enumerate(facts):
        age = (-1 if hour is None else hour, n)
        if key not in expected or age > expected[key][0]:
            expected[key] = (age, value)
    assert dict(kept.select("key", "value").iter_rows()) == {
        key: value for key, (_, value) in expected.items()
    }
    assert kept[ROW].is_sorted()


def test_a_player_who_did_not_play_after_all_does_not_count(tmp_path: Path) -> None:
    absent = log_row(MIN="", FGM="", PTS="")
    source = write(tmp_path, player_game_logs=[log_row()], player_game_logs_again=[absent])
    assert source.game_logs(DAY).is_empty()
    assert dropped_of(source, "did_not_play") == 1
    old, new = source.accounts(DAY)
    assert old.superseded == 1
    assert "MIN 36.0 -> empty" in new.note
    source = write(tmp_path, player_game_logs=[absent], player_game_logs_again=[log_row()])
    assert source.game_logs(DAY).height == 1


# --- moments


def test_a_view_knows_no_later_fact(tmp_path: Path) -> None:
    rows = [seen(5, AST="5"), seen(9, AST="9"), seen(7, PLAYER_ID="2", PLAYER_NAME="A B")]
    source = write(tmp_path, player_game_logs=rows)
    assert source.known_at(moment(4)).game_logs(DAY).is_empty()
    assert assists(source.known_at(moment(5))) == [5]
    assert sorted(assists(source.known_at(moment(8)))) == [0, 5]
    assert sorted(assists(source.known_at(moment(9)))) == [0, 9]
    assert sorted(assists(source)) == [0, 9]
    view = source.known_at(moment(8))
    assert dropped_of(view, "not_yet_known") == 1
    assert view.known_at(moment(9)).game_logs(DAY).equals(source.game_logs(DAY))


def test_the_source_itself_does_not_know_the_future(tmp_path: Path) -> None:
    tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
    rows = [log_row(), log_row(AST="9") | {OBSERVED: tomorrow.isoformat()}]
    source = write(tmp_path, player_game_logs=rows)
    assert assists(source) == [0]
    assert assists(source.known_at(tomorrow)) == [9]


def test_more_moments_than_are_kept_have_the_right_facts(tmp_path: Path) -> None:
    source = write(tmp_path, player_game_logs=[seen(n, AST=str(n)) for n in range(20)])
    for hour in (*range(20), *range(19, -1, -1)):
        assert assists(source.known_at(moment(hour))) == [hour]


def test_the_home_team_on_a_neutral_court_is_the_one_known_at_the_moment(tmp_path: Path) -> None:
    rows = [
        log_row(),
        log_row(TEAM_ABBREVIATION="ATL", MATCHUP="ATL @ DAL", PLAYER_ID="2", PLAYER_NAME="A B"),
    ]
    game = {"game_date": "2025-01-08", "away_team": "DAL", "home_team": "ATL"}
    schedule = [game | {OBSERVED: "2025-01-09T09:00:00Z"}]
    source = write(tmp_path, player_game_logs=rows, schedule=schedule)
    early, late = source.known_at(moment(8)), source.known_at(moment(9))
    for _ in range(2):
        assert set(early.game_logs(DAY)["game_id"]) == {"20250108_ATL_DAL"}
        assert set(late.game_logs(DAY)["game_id"]) == {"20250108_DAL_ATL"}


def test_views_and_threads_share_one_read_of_each_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    real: Callable[..., RawTable] = files.read_table

    def counting(path: Path, columns: list[str]) -> RawTable:
        read.append(path.name)
        return real(path, columns)

    monkeypatch.setattr(files, "read_table", counting)
    rows = [seen(n, AST=str(n)) for n in range(8)]
    source = write(tmp_path, player_game_logs=rows, player_game_logs_2=[log_row()])
    heights: list[list[int]] = []
    threads = [
        threading.Thread(target=lambda n=n: heights.append(assists(source.known_at(moment(n)))))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(heights) == [[n] for n in range(8)]
    assert sorted(read) == ["player_game_logs.csv", "player_game_logs_2.csv"]


# --- player keys


def test_a_rename_that_becomes_known_later_does_not_change_an_earlier_moment(
    tmp_path: Path,
) -> None:
    rows = [
        seen(1, GAME_DATE="2025-01-06"),
        seen(9, GAME_DATE="2025-01-06", PLAYER_NAME="Luka Dončić II"),
    ]
    source = write(tmp_path, player_game_logs=rows)
    for hour, key in ((8, "lukadoncic"), (9, "lukadoncicii")):
        logs = source.known_at(moment(hour)).game_logs(DAY)
        assert logs["player_lookup"].to_list() == [key]


@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.integers(1, 9), st.sampled_from(["ab", "cd", "ef"])),
        max_size=12,
        unique_by=lambda fact: fact[:2],
    ),
    st.integers(1, 10),
)
def test_each_player_has_one_key_and_each_key_one_player(
    games: list[tuple[int, int, str]], day: int
) -> None:
    logs = pl.DataFrame(
        sorted((date(2025, 1, d), player, name) for player, d, name in games),
        {"game_date": pl.Date, "player_id": pl.Int64, "player_lookup": pl.String},
        orient="row",
    )
    keys = PlayerKeys.of(logs)
    keyed = keys.applied(logs, date(2025, 1, day))
    pairs = keyed.select("player_id", "player_lookup").unique()
    assert not pairs["player_id"].is_duplicated().any()
    assert not pairs["player_lookup"].is_duplicated().any()
    # The keys of a date depend only on the players of the days before.
    past = logs.filter(pl.col("game_date") < date(2025, 1, day))
    alone = PlayerKeys.of(past).applied(past, date(2025, 1, day))
    assert keyed.filter(pl.col("game_date") < date(2025, 1, day)).equals(alone)


# --- kinds of games and seasons


@pytest.mark.parametrize(
    ("ids", "reason"),
    [
        ({"SEASON_ID": "12024", "GAME_ID": ""}, "preseason"),
        ({"SEASON_ID": "32024", "GAME_ID": ""}, "all_star"),
        ({"SEASON_ID": "", "GAME_ID": "0012400001"}, "preseason"),
        ({"SEASON_ID": "", "GAME_ID": "32400001"}, "all_star"),
        ({"SEASON_ID": "12024", "GAME_ID": "12400001"}, "preseason"),
    ],
)
def test_preseason_and_all_star_games_are_dropped(
    tmp_path: Path, ids: dict[str, str], reason: str
) -> None:
    rows = [log_row(), log_row(GAME_DATE="2025-01-09", **ids)]
    source = write(tmp_path, player_game_logs=rows)
    assert source.game_logs(DAY).height == 1
    assert dropped_of(source, reason) == 1


def test_all_star_games_without_ids_are_known_by_their_teams(tmp_path: Path) -> None:
    rows = [
        log_row(),
        log_row(GAME_DATE="2025-01-09", TEAM_ABBREVIATION="WST", MATCHUP="WST @ EST"),
    ]
    frame = pl.DataFrame(rows).drop("SEASON_ID", "GAME_ID")
    frame.write_csv(tmp_path / "player_game_logs.csv")
    source = FilesSource(tmp_path)
    assert source.game_logs(DAY)["team"].to_list() == ["DAL"]
    assert dropped_of(source, "all_star") == 1


@pytest.mark.parametrize(
    "ids",
    [
        {"SEASON_ID": "42024", "GAME_ID": "0042400101"},
        {"SEASON_ID": "52024", "GAME_ID": "52400101"},
        {"SEASON_ID": "62024", "GAME_ID": "0062400001"},
        {"SEASON_ID": "22024", "GAME_ID": "0062400001"},
        {"SEASON_ID": "", "GAME_ID": ""},
        {"SEASON_ID": "22024", "GAME_ID": "401705000"},
        {"SEASON_ID": "22024", "GAME_ID": "a7-x"},
    ],
)
def test_other_games_and_games_of_unknown_kind_count(tmp_path: Path, ids: dict[str, str]) -> None:
    source = write(tmp_path, player_game_logs=[log_row(**ids)])
    assert source.game_logs(DAY)["season"].to_list() == ["2024-25"]


@pytest.mark.parametrize(
    ("changes", "column", "problem"),
    [
        ({"SEASON_ID": "42024"}, "GAME_ID", "is of a game of kind 2, but SEASON_ID of kind 4"),
        ({"GAME_ID": "0012400001"}, "GAME_ID", "kind 1, but SEASON_ID of kind 2"),
        ({"SEASON_ID": "32024"}, "GAME_ID", "kind 2, but SEASON_ID of kind 3"),
        ({"SEASON_ID": "22025"}, "SEASON_ID", "is not in the season 2025-26"),
        ({"GAME_ID": "0022500001"}, "GAME_ID", "is not in the season 2025-26"),
        ({"season": "2023-24"}, "season", "is not in the season 2023-24"),
        ({"season": "2024-26"}, "season", "is not a season"),
        ({"SEASON_ID": "72024"}, "SEASON_ID", "is not a season's id"),
        ({"PTS": "26"}, "PTS", "26 is not 2 FGM + FG3M + FTM = 25"),
        ({"REB": "4", "OREB": "1", "DREB": "2"}, "REB", "4 is not OREB + DREB = 3"),
        ({"REB": "many"}, "REB", "'many' is not a whole number"),
    ],
)
def test_contradictory_ids_and_numbers_are_rejected(
    tmp_path: Path, changes: dict[str, str], column: str, problem: str
) -> None:
    good = log_row(GAME_DATE="2025-01-06") | {"season": "", "REB": ""}
    source = write(tmp_path, player_game_logs=[good, good | log_row() | changes])
    message = rejected_of(source)
    assert message.startswith(f"player_game_logs.csv, row 2, column {column}: ")
    assert problem in message


@pytest.mark.parametrize(
    ("day", "season", "valid"),
    [
        ("2024-06-30", "22024", False),
        ("2024-07-01", "22024", True),
        ("2025-10-31", "22024", True),
        ("2025-11-01", "22024", False),
        ("2020-10-11", "42019", True),
    ],
)
def test_a_season_lasts_from_july_to_october_of_the_next_year(
    tmp_path: Path, day: str, season: str, valid: bool
) -> None:
    rows = [log_row(), log_row(GAME_DATE=day, SEASON_ID=season, GAME_ID="")]
    source = write(tmp_path, player_game_logs=rows)
    assert source.game_logs(date(2026, 1, 1)).height == 1 + valid


# --- the limit of invalid rows


def invalid_and_valid(invalid: int, valid: int) -> list[dict[str, Any]]:
    return [
        log_row(PLAYER_ID=str(n), PLAYER_NAME=f"P {'abcdefghij'[n % 10]}", GAME_DATE=f"{day}")
        | ({"AST": "x"} if n < invalid else {})
        for n, day in zip(
            range(invalid + valid), itertools.cycle(["2025-01-06", "2025-01-08"]), strict=False
        )
    ]


def test_five_invalid_rows_are_always_tolerated(tmp_path: Path) -> None:
    source = write(tmp_path, player_game_logs=invalid_and_valid(5, 4))
    assert source.game_logs(DAY).height == 4
    (account,) = source.accounts(DAY)
    assert [row.row for row in account.rejected] == [1, 2, 3, 4, 5]


def test_more_invalid_rows_than_the_limit_stop_the_run(tmp_path: Path) -> None:
    rows = invalid_and_valid(6, 100)
    message = error_of(write(tmp_path, player_game_logs=rows))
    assert message.startswith("player_game_logs.csv, row 1, column AST: 'x' is not a whole number")
    assert "6 of 106 rows of player_game_logs are invalid, and the limit is 5" in message
    assert "NBA_PREDICTIONS_MAX_REJECTED_SHARE=0.02" in message
    assert "player_game_logs.csv, row 2, column AST" in message
    assert FilesSource(tmp_path, 0.06).game_logs(DAY).height == 100


@pytest.mark.parametrize("number", [2, 6])
def test_a_file_whose_rows_are_all_invalid_stops_the_run_if_it_is_large(
    tmp_path: Path, number: int
) -> None:
    source = write(
        tmp_path,
        player_game_logs=invalid_and_valid(0, 1000),
        player_game_logs_2=invalid_and_valid(number, 0),
    )
    if number == 2:
        assert source.game_logs(DAY).height == 1000
    else:
        assert "all 6 rows of player_game_logs_2.csv are invalid" in error_of(source)


def test_an_input_that_the_slate_needs_stops_the_run_if_all_its_rows_are_invalid(
    tmp_path: Path,
) -> None:
    source = write(tmp_path, player_game_logs=invalid_and_valid(1, 0))
    assert "all 1 rows of player_game_logs.csv are invalid" in error_of(source)


def test_other_kinds_of_input_are_not_affected_by_invalid_rows(tmp_path: Path) -> None:
    games = [{"game_date": "2025-01-10", "away_team": "BOS", "home_team": "NYK"}]
    source = write(tmp_path, player_game_logs=invalid_and_valid(9, 0), schedule=games)
    assert source.schedule(DAY).height == 1
    with pytest.raises(SourceDataError):
        source.accounts(DAY)


def test_blank_rows_are_dropped_and_counted(tmp_path: Path) -> None:
    source = write(tmp_path, player_game_logs=[log_row()])
    with (tmp_path / "player_game_logs.csv").open("a") as file:
        file.write("\n" + "," * (len(log_row()) - 1) + "\n")
    assert source.game_logs(DAY).height == 1
    (account,) = source.accounts(DAY)
    assert (account.rows, account.used, account.dropped) == (3, 1, {"blank": 2})
