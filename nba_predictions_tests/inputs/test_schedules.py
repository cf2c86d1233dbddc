"""The schedule of the file source: games without a tip-off, moved games, and other leagues."""

from __future__ import annotations

from datetime import date, datetime, timezone
from pathlib import Path

import polars as pl
import pytest

from nba_predictions.inputs.account import InputAccount
from nba_predictions.inputs.files import FilesSource
from nba_predictions_tests.inputs.test_files import DAY, Row, log_row, write
from nba_predictions_tests.inputs.test_lines import game_row

TIPOFF = datetime(2025, 1, 11, 0, 10, tzinfo=timezone.utc)


def scheduled(folder: Path, *games: Row) -> FilesSource:
    columns = dict.fromkeys(name for row in games for name in row)
    rows = [{name: row.get(name, "") for name in columns} for row in games]
    return write(folder, player_game_logs=[log_row()], schedule=rows)


def account(source: FilesSource) -> InputAccount:
    (found,) = (a for a in source.accounts(DAY) if a.kind == "schedule")
    return found


@pytest.mark.parametrize("text", ["TBD", "TBA", "Time TBD", "PPD", "", "  "])
def test_a_game_without_a_known_tipoff_is_kept_and_counted(tmp_path: Path, text: str) -> None:
    source = scheduled(tmp_path, game_row(tipoff=text), game_row(game_date="2025-03-01"))
    assert source.schedule(DAY).select("game_id", "tipoff").rows() == [("20250110_DAL_ATL", None)]
    found = account(source)
    assert (found.used, found.rejected) == (1, ())
    assert found.dropped == {"other_dates": 1, "tipoff_not_on_date": 1, "tipoff_unknown": 1}


def test_without_a_column_of_tipoffs_nothing_is_counted(tmp_path: Path) -> None:
    game = {k: v for k, v in game_row().items() if k != "tipoff"}
    source = scheduled(tmp_path, game)
    assert source.schedule(DAY)["tipoff"].to_list() == [None]
    assert account(source).dropped == {}


@pytest.mark.parametrize(
    ("tipoff", "known"),
    [
        ("2025-01-11T00:10:00Z", True),
        ("2025-01-11T05:10:00Z", True),  # 00:10 Eastern, a delayed game
        ("2025-01-11T10:59:00Z", True),  # 05:59 Eastern
        ("2025-01-11T11:01:00Z", False),
        ("2025-01-10T04:59:00Z", False),  # 23:59 Eastern of the day before
    ],
)
def test_a_tipoff_is_on_the_date_or_in_the_night_after(
    tmp_path: Path, tipoff: str, known: bool
) -> None:
    source = scheduled(tmp_path, game_row(tipoff=tipoff))
    assert source.schedule(DAY)["tipoff"].null_count() == (not known)
    assert account(source).dropped == ({} if known else {"tipoff_not_on_date": 1})


@pytest.mark.parametrize("status", ["Postponed", "PPD", "postponed (weather)", "Canceled"])
def test_a_game_that_is_not_played_is_dropped(tmp_path: Path, status: str) -> None:
    other = game_row(home_team="BOS", away_team="LAL", status="Scheduled")
    source = scheduled(tmp_path, game_row(status=status), other)
    assert source.schedule(DAY)["game_id"].to_list() == ["20250110_LAL_BOS"]
    assert account(source).dropped == {"postponed": 1}


def test_the_newest_row_of_a_game_counts(tmp_path: Path) -> None:
    def row(hour: int, **changes: object) -> Row:
        return game_row(observed_at=f"2025-01-10T{hour:02}:00:00Z", **changes)

    source = scheduled(
        tmp_path,
        row(16, tipoff="2025-01-11T00:40:00Z"),
        row(14, status="Postponed"),
        game_row(tipoff="2025-01-11T03:00:00Z"),
    )
    moved = TIPOFF.replace(minute=40)
    assert source.schedule(DAY)["tipoff"].to_list() == [moved]
    assert (account(source).used, account(source).superseded) == (1, 2)
    afternoon = source.known_at(datetime(2025, 1, 10, 15, tzinfo=timezone.utc))
    assert afternoon.schedule(DAY).is_empty()


def test_the_league_id_identifies_a_game_that_moved_to_another_date(tmp_path: Path) -> None:
    source = scheduled(
        tmp_path,
        game_row(GAME_ID="0022400512"),
        game_row(GAME_ID="22400512", game_date="2025-01-12", tipoff="2025-01-13T00:10:00Z"),
    )
    assert source.schedule(DAY).is_empty()
    assert source.schedule(date(2025, 1, 12)).height == 1
    assert account(source).superseded == 1


def test_the_same_game_with_other_venue_counts_once(tmp_path: Path) -> None:
    swapped = game_row(home_team="DAL", away_team="ATL")
    source = scheduled(tmp_path, game_row(), swapped)
    assert source.schedule(DAY)["game_id"].to_list() == ["20250110_ATL_DAL"]


def test_of_two_games_of_a_team_the_newer_one_counts(tmp_path: Path) -> None:
    source = scheduled(tmp_path, game_row(), game_row(home_team="BOS"))
    assert source.schedule(DAY)["game_id"].to_list() == ["20250110_DAL_BOS"]
    assert len(account(source).rejected) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"away_team": "Real Madrid"}, "unknown_team"),
        ({"GAME_ID": "0012400001"}, "preseason"),
        ({"game_id": "12400001"}, "preseason"),
        ({"GAME_ID": "0032400001"}, "all_star"),
        ({"away_team": "Team LeBron"}, "all_star"),
        ({"away_team": "EST", "home_team": "WST"}, "all_star"),
    ],
)
def test_games_of_others_are_dropped(tmp_path: Path, changes: Row, reason: str) -> None:
    other = game_row(away_team="LAL", home_team="BOS", GAME_ID="0022400001", game_id="abc")
    source = scheduled(tmp_path, other, game_row(**changes))
    assert source.schedule(DAY)["game_id"].to_list() == ["20250110_LAL_BOS"]
    assert account(source).dropped == {reason: 1}


def test_a_tipoff_may_be_a_timestamp(tmp_path: Path) -> None:
    write(tmp_path, player_game_logs=[log_row()])
    pl.DataFrame([game_row(tipoff=TIPOFF)]).write_parquet(tmp_path / "schedule.parquet")
    assert FilesSource(tmp_path).schedule(DAY)["tipoff"].to_list() == [TIPOFF]


def test_an_identical_row_is_a_duplicate(tmp_path: Path) -> None:
    source = scheduled(tmp_path, game_row(), game_row())
    found = account(source)
    assert (found.used, found.superseded, found.dropped) == (1, 0, {"duplicate": 1})
