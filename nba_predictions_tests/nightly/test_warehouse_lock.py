"""A step that writes while another process holds the warehouse: it waits, and names the process."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest

from nba_predictions.domain.batches.verdict import STALL_WINDOW
from nba_predictions.domain.errors import WarehouseLockedError
from nba_predictions.nightly import warehouse_lock
from nba_predictions.nightly.warehouse_lock import when_writable
from nba_predictions.warehouse import duckdb_warehouse
from nba_predictions.warehouse.duckdb_warehouse import DuckDBWarehouse
from nba_predictions_tests.nightly.conftest import ROWS, Night
from nba_predictions_tests.waiting import wait_until
from nba_predictions_tests.warehouse.holders import held, let_go


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb_warehouse, "WRITE_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(duckdb_warehouse, "PREPARE_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(warehouse_lock, "_POLL_SECONDS", 0.05)


def test_a_merge_waits_for_a_reader_and_names_it(
    night: Night, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = night.open()
    night.stage(batch)
    night.close(batch)
    looks: list[DuckDBWarehouse] = []
    check = DuckDBWarehouse.check_writable

    with held(night.warehouse.path, "reads") as reader, pytest.MonkeyPatch.context() as patch:

        def counted(self: DuckDBWarehouse) -> None:
            looks.append(self)
            check(self)

        patch.setattr(DuckDBWarehouse, "check_writable", counted)

        def release() -> None:
            # The merge looks first, then the step that waits for it.
            assert wait_until(lambda: len(looks) > 1)
            let_go(reader)

        helper = threading.Thread(target=release)
        helper.start()
        report = when_writable(lambda: night.merge_batch(batch), night.warehouse, run_id="run_1")
        helper.join()
    assert report.reconciliation.merge_problems() == []
    assert report.reconciliation.merged == ROWS
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (locked,) = [event for event in events if event["event"] == "warehouse_locked"]
    assert f"(PID {reader.pid})" in locked["holder"]
    assert f"(PID {reader.pid})" in locked["message"]
    assert [event["event"] for event in events if event["event"] == "warehouse_free"]


def test_a_merge_that_waited_long_enough_fails_and_keeps_all_staging(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = night.open()
    staged = [player.staging_table for player in night.stage(batch)]
    night.close(batch)
    monkeypatch.setattr(warehouse_lock, "LOCK_WAIT_SECONDS", 0.2)
    with (
        held(night.warehouse.path, "reads") as reader,
        pytest.raises(WarehouseLockedError, match=rf"\(PID {reader.pid}\).*staged rows are kept"),
    ):
        when_writable(lambda: night.merge_batch(batch), night.warehouse, run_id="run_1")
    assert night.store.lease(batch.game_date) is None
    assert night.warehouse.existing_staging([s for s in staged if s]) == set(staged)
    assert night.merge_batch(batch).reconciliation.merged == ROWS


def test_a_waiting_batch_has_not_stalled() -> None:
    assert timedelta(seconds=warehouse_lock.LOCK_WAIT_SECONDS) < STALL_WINDOW
