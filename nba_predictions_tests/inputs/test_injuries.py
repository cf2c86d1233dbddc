"""The injury report of the file source: names, statuses, times, and the newest report."""

from __future__ import annotations

import doctest
from datetime import date, datetime, timezone
from pathlib import Path

import polars as pl
import pytest

from nba_predictions.inputs import injuries
from nba_predictions.inputs.account import InputAccount
from nba_predictions.inputs.files import FilesSource
from nba_predictions_tests.inputs.test_files import DAY, Row, log_row, write
from nba_predictions_tests.inputs.test_lines import game_row


def test_examples_in_docstrings() -> None:
    result = doctest.testmod(injuries)
    assert result.attempted > 0
    assert result.failed == 0


def entry(player: str = "Trae Young", status: str = "Out", **changes: object) -> Row:
    return {"game_date": "2025-01-10", "player": player, "status": status, **changes}


def reports(folder: Path, **files: list[Row]) -> FilesSource:
    return write(folder, player_game_logs=[log_row()], schedule=[game_row()], **files)


def statuses(source: FilesSource, day: date = DAY) -> dict[str, str]:
    return dict(source.injuries(day).select("player_lookup", "status").iter_rows())


def accounts(source: FilesSource) -> dict[str, InputAccount]:
    return {a.path: a for a in source.accounts(DAY) if a.kind == "injuries"}


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("out", "OUT"),
        ("Out For Season", "OUT"),
        ("Inactive", "OUT"),
        ("Suspended", "OUT"),
        ("Doubtful", "DOUBTFUL"),
        ("Day-To-Day", "QUESTIONABLE"),
        ("GTD", "QUESTIONABLE"),
        ("Game Time Decision", "QUESTIONABLE"),
        ("Probable", "PROBABLE"),
        ("Active", "AVAILABLE"),
    ],
)
def test_a_status_has_several_words(tmp_path: Path, text: str, status: str) -> None:
    assert statuses(reports(tmp_path, injuries=[entry(status=text)])) == {"traeyoung": status}


@pytest.mark.parametrize("name", ["Young Jr., Trae", "Young, Trae, Jr.", "Trae Young Jr."])
def test_a_report_may_write_the_last_name_first(tmp_path: Path, name: str) -> None:
    assert statuses(reports(tmp_path, injuries=[entry(name)])) == {"traeyoungjr": "OUT"}


@pytest.mark.parametrize(
    ("name", "hour", "minute"),
    [
        ("injuries_0900", 9, 0),
        ("injuries_17_30", 17, 30),
        ("injuries_2025-01-10_05PM", 17, 0),
        ("injuries_2025-01-10_05_30PM", 17, 30),
        ("injuries_2025-01-10_12_00AM", 0, 0),
        ("injuries_20250110_1145", 11, 45),
        ("injuries_20250110T173000", 17, 30),
        ("injuries_2025-01-10_17-30-00", 17, 30),
        ("injuries-2025-01-10-9am", 9, 0),
        ("injuries_report_2025-01-10_05PM", 17, 0),
    ],
)
def test_the_name_of_a_file_gives_the_eastern_time(
    tmp_path: Path, name: str, hour: int, minute: int
) -> None:
    source = reports(tmp_path, **{name: [entry()]})
    # US Eastern time is 5 hours behind UTC in January.
    observed = datetime(2025, 1, 10, hour + 5, minute, tzinfo=timezone.utc)
    assert source.injuries(DAY)["observed_at"].to_list() == [observed]


@pytest.mark.parametrize(
    "name",
    [
        *("injuries", "injuries_2025", "injuries_2025-26", "injuries_24-25", "injuries_22-23"),
        *("injuries_2025-01-10", "injuries_2", "injuries_ab12cd34", "injuries_9961"),
        *("injuries_13PM", "injuries_20251310_0900"),
    ],
)
def test_other_names_of_files_give_no_time(tmp_path: Path, name: str) -> None:
    source = reports(tmp_path, **{name: [entry()]})
    assert source.injuries(DAY)["observed_at"].to_list() == [None]


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2025-01-10T22:30:00Z", 22),
        ("2025-01-10 17:30", 22),
        ("01/10/25 05:30 PM", 22),
        ("05:30 PM", 22),
        ("05:30 PM ET", 22),
        ("17:30", 22),
    ],
)
def test_the_time_of_a_report_may_be_a_column(tmp_path: Path, text: str, hour: int) -> None:
    source = reports(tmp_path, injuries_0900=[entry(report_time=text)])
    observed = datetime(2025, 1, 10, hour, 30, tzinfo=timezone.utc)
    assert source.injuries(DAY)["observed_at"].to_list() == [observed]


@pytest.mark.parametrize("order", [("0900", "1700"), ("1700", "0900")])
def test_the_newer_report_of_a_day_counts(tmp_path: Path, order: tuple[str, str]) -> None:
    by_hour = {"0900": "Questionable", "1700": "Out"}
    files = {f"injuries_{hour}": [entry(status=by_hour[hour])] for hour in order}
    source = reports(tmp_path, **files)
    assert statuses(source) == {"traeyoung": "OUT"}
    found = accounts(source)
    assert (found["injuries_0900.csv"].superseded, found["injuries_0900.csv"].used) == (1, 0)
    noon = source.known_at(datetime(2025, 1, 10, 17, tzinfo=timezone.utc))
    assert statuses(noon) == {"traeyoung": "QUESTIONABLE"}


def test_a_newer_report_is_complete_for_the_teams_that_it_names(tmp_path: Path) -> None:
    source = reports(
        tmp_path,
        injuries_0900=[
            entry("Trae Young", team="ATL"),
            entry("Luka Doncic", team="Dallas Mavericks"),
            entry("Some Guard"),
        ],
        injuries_1700=[entry("Clint Capela", team="Atlanta Hawks"), entry("Another One")],
    )
    assert set(statuses(source)) == {"clintcapela", "lukadoncic", "someguard", "anotherone"}


def test_a_report_of_unknown_time_never_replaces_one_with_a_time(tmp_path: Path) -> None:
    source = reports(
        tmp_path, injuries_0900=[entry(status="Out")], injuries_final=[entry(status="Available")]
    )
    assert statuses(source) == {"traeyoung": "OUT"}


@pytest.mark.parametrize("team", ["", "ATL"])
def test_a_report_from_after_the_tipoff_is_dropped(tmp_path: Path, team: str) -> None:
    source = reports(
        tmp_path,
        injuries_1700=[entry(status="Out", team=team)],
        injuries_2000=[entry(status="Available", team=team)],
    )
    assert statuses(source) == {"traeyoung": "OUT"}
    assert accounts(source)["injuries_2000.csv"].dropped == {"after_tipoff": 1}


def test_while_games_have_begun_the_rows_without_a_team_are_in_order_of_time(
    tmp_path: Path,
) -> None:
    late_game = game_row(home_team="LAL", away_team="BOS", tipoff="2025-01-11T03:10:00Z")
    source = write(
        tmp_path,
        player_game_logs=[log_row()],
        schedule=[game_row(), late_game],
        injuries_2000=[entry(status="Available")],
        injuries_1700=[entry(status="Out")],
        injuries_0900=[entry(status="Questionable")],
    )
    assert source.injuries(DAY)["status"].to_list() == ["OUT", "AVAILABLE"]


def test_the_report_is_made_on_the_day_of_its_newest_row(tmp_path: Path) -> None:
    row = entry(observed_at="2025-01-10T02:30:00Z")
    source = reports(tmp_path, injuries=[row])
    assert source.provenance(DAY).injuries_made_on == date(2025, 1, 9)
    newer = entry("Luka Doncic", observed_at="2025-01-10T20:30:00Z")
    both = reports(tmp_path, injuries=[row, newer])
    assert both.provenance(DAY).injuries_made_on == DAY


def test_a_report_without_dates_applies_from_its_day_on(tmp_path: Path) -> None:
    row = entry(game_date="", observed_at="2025-01-11T15:00:00Z")
    source = reports(tmp_path, injuries=[row])
    assert [len(statuses(source, date(2025, 1, day))) for day in (10, 11, 12)] == [0, 1, 1]


def test_an_unknown_team_is_rejected(tmp_path: Path) -> None:
    source = reports(tmp_path, injuries=[entry(team="Nowhere"), entry("A B", team="")])
    assert statuses(source) == {"ab": "OUT"}
    (rejected,) = accounts(source)["injuries.csv"].rejected
    assert (rejected.row, rejected.column) == (1, "team")


def test_the_order_of_rows_decides_without_times(tmp_path: Path) -> None:
    source = reports(tmp_path, injuries=[entry(status="Out"), entry(status="Probable")])
    assert statuses(source) == {"traeyoung": "PROBABLE"}
    assert pl.Series(source.injuries(DAY)["team"]).to_list() == [None]


def test_an_identical_row_is_a_duplicate(tmp_path: Path) -> None:
    source = reports(tmp_path, injuries=[entry(), entry()])
    found = accounts(source)["injuries.csv"]
    assert (found.used, found.superseded, found.dropped) == (1, 0, {"duplicate": 1})
