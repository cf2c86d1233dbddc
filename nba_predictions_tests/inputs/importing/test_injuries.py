"""Injury reports: the PDF of the league, and ESPN."""

from __future__ import annotations

import re
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from nba_predictions.inputs.files import FilesSource
from nba_predictions.inputs.importing.injury_pdf import first_name_first
from nba_predictions_tests.inputs.importing.payloads import (
    dicts_of,
    espn_injuries,
    imported,
    league_game_log,
)
from nba_predictions_tests.inputs.importing.reports import PAGES, TITLES, changed, draw

MADE_AT = datetime(2025, 1, 10, 22, 30, tzinfo=timezone.utc)
DAY = date(2025, 1, 10)


def test_the_report_is_read_by_position(tmp_path: Path) -> None:
    outcome = imported(tmp_path, report=draw())["report"]
    rows = [tuple(row.values()) for row in dicts_of(outcome)]
    knee = "Injury/Illness - Left Knee; Patellar Tendinopathy"
    foot = "Injury/Illness - Right Foot; Stress Reaction"
    assert rows == [
        (DAY, "LAL", "Arlo Lalson Jr.", "OUT", knee, MADE_AT),
        (DAY, "LAL", "Dora Lalson II", "QUESTIONABLE", "G League - Two-Way", MADE_AT),
        (DAY, "BOS", "Benno Bosson", "PROBABLE", foot, MADE_AT),
        (date(2025, 1, 11), "LAC", "D'Ann O'Clip-Per", "AVAILABLE", "Not With Team", MADE_AT),
    ]


def test_teams_that_have_not_reported_are_named(tmp_path: Path) -> None:
    outcome = imported(tmp_path, report=draw())["report"]
    assert outcome.dropped == {"not_yet_submitted": 1}
    assert outcome.notes == ["not yet submitted by PHX 2025-01-11"]


def test_the_source_reads_the_report(tmp_path: Path) -> None:
    imported(tmp_path, report=draw(), logs=league_game_log())
    injuries = FilesSource(tmp_path / "league").injuries(DAY)
    assert dict(zip(injuries["player_lookup"], injuries["status"], strict=True)) == {
        "arlolalsonjr": "OUT",
        "bennobosson": "PROBABLE",
        "doralalsonii": "QUESTIONABLE",
    }


@pytest.mark.parametrize(
    ("masthead", "moment"),
    [
        ("Injury Report: 07/01/25 12:15 AM", datetime(2025, 7, 1, 4, 15, tzinfo=timezone.utc)),
        ("Injury Report: 01/10/25 12:00 PM", datetime(2025, 1, 10, 17, tzinfo=timezone.utc)),
    ],
)
def test_the_masthead_is_us_eastern_time(tmp_path: Path, masthead: str, moment: datetime) -> None:
    rows = dicts_of(imported(tmp_path, report=draw(masthead=masthead))["report"])
    assert {row["observed_at"] for row in rows} == {moment}


@pytest.mark.parametrize(
    ("page", "row", "changes", "problem"),
    [
        (0, 1, {"status": "Suspended"}, "'Suspended' is not one of OUT"),
        (0, 1, {"player": "", "status": ""}, "has no player"),
        (0, 2, {"team": "Bostn Celtics"}, "'Bostn Celtics' is not a team"),
        (0, 0, {"day": "13/40/2025"}, "'13/40/2025' is not a date"),
        (0, 0, {"day": ""}, "the date is missing"),
    ],
)
def test_a_row_that_does_not_fit_refuses_the_report(
    tmp_path: Path, page: int, row: int, changes: dict[str, str], problem: str
) -> None:
    document = draw(changed(PAGES, page, row, **changes))
    error = imported(tmp_path, report=document)["report"].error
    assert error.startswith(f"read as nba_injury_report: page {page + 1}, row {row + 1}: ")
    assert problem in error


def test_another_pdf_or_another_layout_is_refused_with_the_cause(tmp_path: Path) -> None:
    documents: dict[str, Any] = {
        "other": draw(masthead="Something else: 01/10/25 05:30 PM"),
        "date": draw(masthead="Injury Report: 13/40/25 05:30 PM"),
        "titles": draw(titles=[*TITLES[:-1], "Remark"]),
    }
    errors = {name: outcome.error for name, outcome in imported(tmp_path, **documents).items()}
    assert "without the masthead" in errors["other"]
    assert "invalid date" in errors["date"]
    assert "no header with the columns Game Date" in errors["titles"]


def test_a_damaged_report_is_refused(tmp_path: Path) -> None:
    whole = draw()
    kids = re.search(rb"/Kids \[ \d+ 0 R( \d+ 0 R)", whole)
    assert kids is not None
    documents: dict[str, Any] = {
        "cut_off": whole[: len(whole) // 2],
        "nothing": b"%PDF-1.7 nothing",
        "without_a_page": whole[: kids.start(1)] + b" " * len(kids[1]) + whole[kids.end(1) :],
    }
    errors = {name: outcome.error for name, outcome in imported(tmp_path, **documents).items()}
    assert "damaged PDF" in errors["cut_off"]
    assert "damaged PDF" in errors["nothing"] or "no pages" in errors["nothing"]
    assert "page 1 of 1 has no footer 'Page 1 of 1'" in errors["without_a_page"]


def test_names_are_written_first_name_first() -> None:
    assert first_name_first("Payton II, Gary") == "Gary Payton II"
    assert first_name_first("Nene") == "Nene"


def test_espn_has_two_levels_of_injuries(tmp_path: Path) -> None:
    outcome = imported(tmp_path, espn=espn_injuries())["espn"]
    moment = datetime(2025, 1, 10, 21, tzinfo=timezone.utc)
    assert [tuple(row.values()) for row in dicts_of(outcome)] == [
        (DAY, "LAL", "Arlo Lalson Jr.", "OUT", "Knee soreness", moment),
        (DAY, "LAL", "Dora Lalson", "QUESTIONABLE", "Day-To-Day: Knee soreness", moment),
    ]
    assert outcome.dropped == {"active": 1}


def test_a_report_of_espn_without_a_time_has_that_of_its_newest_entry(tmp_path: Path) -> None:
    report = espn_injuries()
    del report["timestamp"]
    rows = dicts_of(imported(tmp_path, espn=report)["espn"])
    assert {row["observed_at"] for row in rows} == {datetime(2025, 1, 10, 15, tzinfo=timezone.utc)}


def test_a_status_of_espn_that_is_not_known_is_set_aside(tmp_path: Path) -> None:
    report = espn_injuries()
    report["injuries"][0]["injuries"][0]["status"] = "Resting"
    outcome = imported(tmp_path, espn=report)["espn"]
    assert outcome.rows == 1
    assert outcome.rejected[0].startswith("injuries[0].injuries[0].status: 'Resting' is not one of")
