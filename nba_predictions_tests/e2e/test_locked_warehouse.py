"""A night while another program has the warehouse file open: it stages, waits and loses nothing."""

from __future__ import annotations

import threading
from pathlib import Path

import polars as pl
import pytest

from nba_predictions.domain.batches.batch import BatchState
from nba_predictions.nightly import warehouse_lock
from nba_predictions.warehouse import duckdb_warehouse
from nba_predictions_tests.e2e.pipeline import Pipeline, errors, facts
from nba_predictions_tests.waiting import wait_until
from nba_predictions_tests.warehouse.holders import held, let_go


@pytest.fixture
def warehouse_file(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(duckdb_warehouse, "WRITE_WAIT_SECONDS", 0.1)
    pipeline.warehouse.prepare()
    return pipeline.home / "warehouse.duckdb"


@pytest.mark.parametrize("how", ["reads", "writes"])
def test_a_night_stages_everything_and_merges_when_the_file_is_closed(
    pipeline: Pipeline, undisturbed: pl.DataFrame, warehouse_file: Path, how: str
) -> None:
    players = undisturbed["player_lookup"].n_unique()
    with held(warehouse_file, how) as process:

        def release() -> None:
            assert wait_until(lambda: len(pipeline.staging_files()) == players)
            assert wait_until(lambda: pipeline.batch().state is BatchState.STAGED)
            let_go(process)

        helper = threading.Thread(target=release)
        helper.start()
        night = pipeline.predict()
        helper.join()
    assert night.success
    assert facts(pipeline.table()) == facts(undisturbed)
    assert pipeline.staging_files() == []


def test_a_night_that_waited_too_long_names_the_process_and_the_next_run_merges(
    pipeline: Pipeline,
    undisturbed: pl.DataFrame,
    warehouse_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(warehouse_lock, "LOCK_WAIT_SECONDS", 0.0)
    with held(warehouse_file, "reads") as process:
        night = pipeline.predict()
        assert not night.success
        (error,) = errors(night)
        assert f"(PID {process.pid})" in error
        staged = pipeline.staging_files()
        assert len(staged) == undisturbed["player_lookup"].n_unique()
        assert pipeline.batch().state is BatchState.STAGED
    batch_id = pipeline.batch().batch_id
    assert pipeline.predict().success
    assert pipeline.batch().batch_id == batch_id
    assert facts(pipeline.table()) == facts(undisturbed)
