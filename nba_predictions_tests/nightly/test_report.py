"""The report of a complete, graded, failed or empty night, as a page, as text and by command."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from nba_predictions import cli
from nba_predictions.batch_store.sqlite_store import SQLiteBatchStore
from nba_predictions.domain.batches.batch import Batch
from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.inputs.port import GAME_LOGS
from nba_predictions.messaging.outbox import OutboxPublisher
from nba_predictions.nightly.audit import audit_night
from nba_predictions.nightly.grading import grade_date
from nba_predictions.report.night import (
    NightReport,
    furthest_from_line,
    gather_night,
    line_coverage,
    phases,
)
from nba_predictions.report.page import render_page
from nba_predictions.report.terminal import WIDTH_WITHOUT_TERMINAL, print_night
from nba_predictions.warehouse.duckdb_warehouse import DuckDBWarehouse
from nba_predictions_tests.examples import GAME_DATE, NOON, SECOND, batch, rows_of, slate_player
from nba_predictions_tests.nightly.conftest import ROWS, SLATE, Night, failing
from nba_predictions_tests.report import frames


def gathered(night: Night) -> NightReport:
    found = gather_night(GAME_DATE, night.store, night.warehouse)
    assert found is not None
    return found


def text_of(report: NightReport) -> str:
    console = Console(file=io.StringIO(), width=WIDTH_WITHOUT_TERMINAL)
    print_night(report, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def grade(night: Night) -> None:
    boxes = [("lukadoncic", 33, 35.0), ("paulgeorge", 21, 30.0)]
    names = ("player_lookup", "points", "minutes")
    rows = [dict(zip(names, box, strict=True)) for box in boxes]
    frame = pl.DataFrame(rows, schema=GAME_LOGS)
    assert grade_date(GAME_DATE, frame, night.store, night.warehouse, run_id="grader") is not None


class Reading(HTMLParser):
    """The words, images and external references of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.images: list[str] = []
        self.fetched: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name in ("src", "href", "srcset", "action", "data"):
                (
                    self.images
                    if (value or "").startswith("data:image/png;base64,")
                    else self.fetched
                ).append(value or "")

    def handle_data(self, data: str) -> None:
        self.words.append(" ".join(data.split()))


# --------------------------------------------------------------------------------- a complete night


def test_the_page_has_the_numbers_of_the_audit(night: Night) -> None:
    night.published()
    page = Reading(render_page(gathered(night)))
    audit = audit_night(GAME_DATE, night.store, night.warehouse)
    assert audit.batch is not None
    assert "COMPLETE" in page.words
    assert audit.batch.batch_id in page.words
    for fact in audit.facts:
        assert fact in page.words
    for step in audit.steps:
        place = page.words.index(step.name)
        shown = [word for word in page.words[place + 1 :] if word][:2]
        assert shown == [str(step.count), step.unit]
    assert "All numbers agree." in page.words
    assert "injury_report: OUT" in page.words
    assert "No player failed." in page.words


def test_the_page_makes_no_network_requests(night: Night) -> None:
    night.published()
    grade(night)
    html = render_page(gathered(night))
    page = Reading(html)
    assert page.fetched == []
    assert len(page.images) == 6
    assert page.tags & {"script", "link", "iframe", "object", "base", "form"} == set()
    assert re.search(r"https?:|url\(|@import", html) is None
    # The policy makes a browser refuse every request.
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in html


def test_the_report_groups_rows_by_system_and_line(night: Night) -> None:
    night.published()
    report = gathered(night)
    assert report.by_line["row_count"].sum() == ROWS
    lines = report.by_line.filter(pl.col("system_id") == "ensemble")["line_offset"].to_list()
    assert lines == [None, -2.0, -1.0, 0.0, 1.0, 2.0]
    assert len(report.at_base) == 5 * 3
    assert line_coverage(report.at_base).select("line_source", "players").rows() == [
        ("none", 1),
        ("sportsbook", 2),
    ]
    assert [p.name for p in report.phases] == [
        *("predict and stage", "merge and reconcile", "check and clean up", "publish")
    ]


def test_the_text_has_the_content_of_the_page(night: Night) -> None:
    night.published()
    text = text_of(gathered(night))
    assert text.splitlines()[0].split() == ["Predictions", "for", str(GAME_DATE), "COMPLETE"]
    assert re.search(r"rows staged +55 +55 +yes", text)
    assert re.search(r"joelembiid +injury_report: OUT", text)
    assert "Failed players: none" in text
    assert "Not graded yet." in text


# ----------------------------------------------------------------------------------- a graded night


def test_a_graded_night_compares_its_errors_with_those_of_the_line(night: Night) -> None:
    night.published()
    grade(night)
    graded = gathered(night).graded
    assert graded is not None
    ensemble = graded.by_system.filter(pl.col("system_id") == "ensemble").row(0, named=True)
    assert (ensemble["player_games"], ensemble["did_not_play"], ensemble["with_line"]) == (2, 1, 2)
    # Both are predicted 21.37; they scored 33 and 21, over lines of 31.5 and 22.5.
    assert ensemble["mean_absolute_error"] == pytest.approx((11.63 + 0.37) / 2)
    assert ensemble["error_of_line"] == pytest.approx((1.5 + 1.5) / 2)
    assert ensemble["calls"] == 0
    assert ensemble["hit_rate"] is None
    assert graded.by_date["game_date"].unique().to_list() == [GAME_DATE]
    assert set(graded.buckets["row_count"]) == {10}
    page = Reading(render_page(gathered(night)))
    assert "Results" in page.words
    place = page.words.index("ensemble", page.words.index("error of line"))
    shown = [word for word in page.words[place:] if word][:11]
    assert shown == ["ensemble", "2", "1", "6", "-5.63", "2", "6", "1.5", "0", "0", "-"]
    assert not any(word.startswith("Not graded yet") for word in page.words)


# ------------------------------------------------------------------------------------ failed nights


def test_a_merge_that_lost_rows_is_reported_with_every_problem(night: Night) -> None:
    staged = night.staged()
    night.staging(staged)[0].unlink()
    night.merge_batch(staged)
    report = gathered(night)
    assert report.reconciliation is not None
    problems = report.reconciliation.merge_problems()
    assert problems
    page, text = Reading(render_page(report)), text_of(report)
    assert "STAGED_NOT_MERGED" in page.words
    for problem in problems:
        assert problem in page.words
        assert problem in text
    assert "NO" in page.words


def test_a_night_without_a_merge_says_so_in_each_section(night: Night) -> None:
    night.staged()
    page, text = Reading(render_page(gathered(night))), text_of(gathered(night))
    for sentence in ("Nothing is merged yet.", "The table has no rows of this batch."):
        assert sentence in page.words
        assert sentence in text
    assert page.images == []


def test_an_error_message_is_escaped_in_the_page(night: Night) -> None:
    opened = night.open(threshold=0.5)
    error = RuntimeError("<script>alert(1)</script> [bold red]& more[/]")
    night.stage(opened, predict=failing(opened, "paulgeorge", error=error))
    night.close(opened)
    report = gathered(night)
    assert set(report.failed) == {"paulgeorge"}
    page, text = Reading(render_page(report)), text_of(report)
    assert f"RuntimeError: {error}" in page.words
    assert "script" not in page.tags
    assert f"RuntimeError: {error}" in text
    assert f"nba-predictions replay --batch {opened.batch_id}" in page.words


def test_a_player_who_was_replayed_is_not_listed_as_failed(night: Night) -> None:
    opened = night.open()
    night.stage(opened, predict=failing(opened, "paulgeorge"))
    night.stage(opened, [p for p in SLATE.players if p.player_lookup == "paulgeorge"])
    assert gathered(night).failed == {}


def test_a_date_without_a_batch_has_no_report(night: Night) -> None:
    assert gather_night(GAME_DATE, night.store, night.warehouse) is None
    night.published()
    assert gather_night(GAME_DATE + timedelta(days=1), night.store, night.warehouse) is None
    assert gather_night(GAME_DATE, night.store, night.warehouse, "batch_no_such") is None


# ---------------------------------------------------------------------------------------- durations


def entered(**seconds: float) -> Batch:
    return replace(batch(), times={state: NOON + s * SECOND for state, s in seconds.items()})


def test_a_phase_lasts_from_one_state_to_the_next() -> None:
    done = entered(created=0, staging=1, staged=9, consolidated=10.5, cleaned=11, published=41)
    assert [(p.name, p.seconds) for p in phases(done)] == [
        ("predict and stage", 8.0),
        ("merge and reconcile", 1.5),
        ("check and clean up", 0.5),
        ("publish", 30.0),
    ]


def test_a_phase_that_has_not_ended_since_the_replay_is_omitted() -> None:
    replayed = entered(
        created=0, staging=100, staged=104, consolidated=10, cleaned=11, published=12
    )
    assert [(p.name, p.seconds) for p in phases(replayed)] == [("predict and stage", 4.0)]
    assert phases(entered(created=0, staging=1)) == []


def test_the_largest_differences_from_the_line_are_listed_regardless_of_sign() -> None:
    found = furthest_from_line(frames.at_base(60))
    gaps = [abs(gap) for gap in found["difference"]]
    assert len(gaps) == 10
    assert gaps == sorted(gaps, reverse=True)
    assert min(found["difference"]) < 0 < max(found["difference"])
    assert furthest_from_line(frames.at_base(0)).is_empty()


# --------------------------------------------------------------------------------------- by command


@pytest.fixture
def of_home(home: Path) -> Night:
    """A night in the home that the command line works on."""
    home.mkdir()
    night = Night(
        SQLiteBatchStore(home / "batches.sqlite"),
        DuckDBWarehouse(home / "warehouse.duckdb", home / "staging"),
        OutboxPublisher(home / "outbox.sqlite"),
    )
    night.warehouse.prepare()
    night.published()
    return night


DATE = GAME_DATE.isoformat()


def test_the_command_prints_the_report(of_home: Night, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert cli.main(["report", "--game-date", DATE]) == 0
    output = capsys.readouterr().out
    assert output.startswith(f"Predictions for {DATE}  COMPLETE\n")
    assert max(map(len, output.splitlines())) <= WIDTH_WITHOUT_TERMINAL


def test_the_command_prints_the_path_of_the_page(
    of_home: Night, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = tmp_path / "new" / "folder" / "night.html"
    for options, path in (
        (["--html"], home / "reports" / f"{DATE}.html"),
        (["--html", str(named)], named),
    ):
        capsys.readouterr()
        assert cli.main(["report", "--game-date", DATE, *options]) == 0
        assert capsys.readouterr().out == f"{path.resolve()}\n"
        assert path.read_text("utf-8").startswith("<!DOCTYPE html>")
        assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert cli.main(["report", "--game-date", DATE, "--html", "-"]) == 0
    assert capsys.readouterr().out.startswith("<!DOCTYPE html>")


def test_a_date_without_a_batch_exits_with_1_and_names_the_command(
    of_home: Night, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert cli.main(["report", "--game-date", "2026-01-02", "--html"]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert "2026-01-02 has no report, because it has no batch in " in output.err
    assert "nba-predictions run --game-date 2026-01-02" in output.err
    assert cli.main(["report", "--game-date", DATE, "--batch", "batch_no_such"]) == 1
    assert "it has no batch batch_no_such in " in capsys.readouterr().err


def test_a_page_that_cannot_be_written_is_reported_and_leaves_no_file(
    of_home: Night, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no folder", "utf-8")
    (tmp_path / "taken").mkdir()
    for path in (tmp_path / "file" / "night.html", tmp_path / "taken", Path()):
        assert cli.main(["report", "--game-date", DATE, "--html", str(path)]) == 2
        output = capsys.readouterr().err
        assert f"the report cannot be written to {path}: " in output
        assert "name another file with --html FILE" in output
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_file()) == ["file"]


def test_a_report_changes_nothing(of_home: Night, capsys: pytest.CaptureFixture[str]) -> None:
    before = (of_home.rows(), of_home.events(of_home.store.of_date(GAME_DATE)[0]))
    assert cli.main(["report", "--game-date", DATE]) == 0
    assert (of_home.rows(), of_home.events(of_home.store.of_date(GAME_DATE)[0])) == before


def test_rows_of_another_batch_are_not_in_the_report(night: Night) -> None:
    first = night.published()
    only = slate_player("lukadoncic", "31.5")
    other = rows_of(only, "batch_other", mean=30.0)
    staged = night.warehouse.stage(PREDICTIONS, "batch_other", "lukadoncic", other)
    night.warehouse.merge(PREDICTIONS, GAME_DATE, [staged.name], NOON, first.sequence * 2)
    report = gathered(night)
    assert report.batch.batch_id == first.batch_id
    assert report.by_line["row_count"].sum() == ROWS - 25
    assert report.audit.verdict is Verdict.ROWS_MISSING
