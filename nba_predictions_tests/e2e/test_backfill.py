"""Backfills: three dates from the command line, and a night of a backfill from the UI."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from nba_predictions import cli
from nba_predictions.batch_store.sqlite_store import SQLiteBatchStore
from nba_predictions.domain.batches.reconciliation import MergeCounts
from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.domain.errors import SchemaMismatchError
from nba_predictions.domain.tables import Table
from nba_predictions.messaging.outbox import OutboxPublisher
from nba_predictions.nightly.audit import NightAudit, audit_night
from nba_predictions.nightly.current_batch import current_batch
from nba_predictions.nightly.publication import unpublished_batches
from nba_predictions.warehouse.duckdb_warehouse import DuckDBWarehouse
from nba_predictions_tests.conftest import GAME_DATE
from nba_predictions_tests.e2e.pipeline import Pipeline
from nba_predictions_tests.leagues import small_league, write_files

FIRST, SECOND, LAST = (GAME_DATE + timedelta(days=n) for n in range(3))
RANGE = ("backfill", "--from", str(FIRST), "--to", str(LAST))
COUNTS = re.compile(rf"BACKFILL {FIRST} {LAST} dates=3 (done=\d skipped=\d failed=\d) rows=(\d+)")


@pytest.fixture
def season(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write files of three finished dates with two games each. Dagster's events are not stored."""
    league = small_league()
    folder = tmp_path / "files"
    dates = {FIRST, SECOND, LAST}
    write_files(league, folder, ["2025-26"], logs_before=LAST + timedelta(days=1), dates=dates)
    # Training trees takes time and does not matter here.
    monkeypatch.setattr("nba_predictions.systems.gradient_boosting.FEWEST_ROWS", 100_000)
    (schedule,) = folder.glob("schedule*.parquet")
    games = pl.read_parquet(schedule)
    games.group_by("game_date", maintain_order=True).head(2).write_parquet(schedule)
    monkeypatch.setattr(dg.DagsterInstance, "get", dg.DagsterInstance.ephemeral)
    monkeypatch.setenv("NBA_PREDICTIONS_SOURCE", "files")
    monkeypatch.setenv("NBA_PREDICTIONS_DATA", str(folder))


def audit_of(home: Path, game_date: date) -> NightAudit:
    warehouse = DuckDBWarehouse(home / "warehouse.duckdb", home / "staging")
    store = SQLiteBatchStore(home / "batches.sqlite")
    return audit_night(game_date, store, warehouse)


def published_dates(home: Path) -> list[date]:
    return [sent.message.game_date for sent in OutboxPublisher(home / "outbox.sqlite").read()]


@pytest.mark.usefixtures("season")
def test_a_range_is_predicted_resumed_and_published_on_request(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run_range(code: int, *options: str) -> tuple[str, int]:
        assert cli.main([*RANGE, *options]) == code
        match = COUNTS.fullmatch(capsys.readouterr().out.splitlines()[-1])
        assert match is not None
        return match[1], int(match[2])

    real_merge = DuckDBWarehouse.merge

    def merge(self: DuckDBWarehouse, table: Table, partition: date, *rest: Any) -> MergeCounts:
        if partition == SECOND:
            raise SchemaMismatchError("column(s) shot_zone are not in the table")
        return real_merge(self, table, partition, *rest)

    # One date fails, the others do not.
    with monkeypatch.context() as broken:
        broken.setattr(DuckDBWarehouse, "merge", merge)
        assert cli.main(list(RANGE)) == 1
    output = capsys.readouterr()
    assert "done=2 skipped=0 failed=1" in output.out.splitlines()[-1]
    assert "column(s) shot_zone are not in the table" in output.err
    assert output.err.splitlines()[-1].startswith(f"{SECOND} STAGED_NOT_MERGED: ")

    # A second run skips the finished dates. Nothing is published.
    store = SQLiteBatchStore(home / "batches.sqlite")
    before = [current_batch(store, day).batch_id for day in (FIRST, SECOND, LAST)]
    counts, rows = run_range(0)
    assert (counts, rows > 0) == ("done=1 skipped=2 failed=0", True)
    assert [current_batch(store, day).batch_id for day in (FIRST, SECOND, LAST)] == before
    assert published_dates(home) == []
    assert unpublished_batches(store) == []
    audit = audit_of(home, FIRST)
    assert audit.verdict is Verdict.COMPLETE
    assert audit.facts[-1].endswith(f"`nba-predictions publish --batch {before[0]}` publishes it")

    # One batch is published by id, the others with the range. Each is published once.
    for _ in range(2):
        assert cli.main(["publish", "--batch", before[0]]) == 0
    capsys.readouterr()
    assert published_dates(home) == [FIRST]
    assert run_range(0, "--publish", "--grade")[0] == "done=3 skipped=0 failed=0"
    assert run_range(0, "--publish", "--grade") == ("done=0 skipped=3 failed=0", 0)
    assert published_dates(home) == [FIRST, SECOND, LAST]


def test_a_night_of_a_backfill_from_the_ui_is_not_published_until_a_normal_run(
    pipeline: Pipeline,
) -> None:
    night = GAME_DATE.isoformat()
    first = pipeline.run("nightly_predictions", night, {"dagster/backfill": "abcdefgh"})
    assert first.success
    # A re-execution has no backfill tag, but still belongs to the backfill.
    again = {"dagster/root_run_id": first.run_id, "dagster/parent_run_id": first.run_id}
    before = pipeline.batch()
    assert pipeline.run("nightly_predictions", night, again).success
    unpublished = pipeline.batch()
    assert unpublished.batch_id != before.batch_id
    assert (before.announce, unpublished.announce) == (False, False)
    assert pipeline.tick() == []
    assert pipeline.audit().verdict is Verdict.COMPLETE
    assert pipeline.predict().success
    assert pipeline.batch().batch_id != unpublished.batch_id
    (request,) = pipeline.tick()
    assert pipeline.publish(request).success
    assert [sent.message.execution_id for sent in pipeline.messages()] == [
        pipeline.batch().batch_id
    ]
