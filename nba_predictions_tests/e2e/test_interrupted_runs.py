"""Killed and failed runs, which the schedule, the sensor or an operator completes."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from nba_predictions.domain.batches.batch import BatchState
from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.domain.clock import machine_now
from nba_predictions.nightly import leases
from nba_predictions.orchestration.sensors import batch_followup as batch_sensors
from nba_predictions.orchestration.sensors.batch_followup import RUN_TIMEOUT
from nba_predictions_tests.e2e.conftest import MakePipeline
from nba_predictions_tests.e2e.pipeline import GAME_DATE, Pipeline, errors, facts
from nba_predictions_tests.faults.strikes import SHORT_LEASE
from nba_predictions_tests.waiting import CEILING_SECONDS


def run_that_dies(home: Path, dagster_home: str, models_in: Path, moment: str) -> None:
    died = subprocess.run(
        [
            *(sys.executable, "-m", "nba_predictions_tests.e2e.dying_run"),
            *(str(home), dagster_home, str(models_in), moment),
        ],
        capture_output=True,
        text=True,
        timeout=CEILING_SECONDS,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr[-2000:]


@pytest.mark.parametrize(
    "moment",
    [
        "after create the batch",
        "after record {player}, staged",
        "before move the batch to staged",
        "after MERGE",
        "after append 'merged' to the ledger",
        "after drop staging",
        "after move the batch to cleaned",
        "after publish the message",
    ],
)
def test_schedule_and_sensor_complete_a_killed_run(
    make_pipeline: MakePipeline,
    stored_instance: dg.DagsterInstance,
    models_in: Path,
    undisturbed: pl.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    monkeypatch.setattr(leases, "LEASE_TTL", SHORT_LEASE)
    pipeline = make_pipeline(instance=stored_instance)
    player = undisturbed["player_lookup"].unique().sort()[15]
    dagster_home = stored_instance.root_directory
    run_that_dies(pipeline.home, dagster_home, models_in, moment.format(player=player))
    died = pipeline.batch()

    later_ticks(monkeypatch)
    for request in pipeline.tick():
        assert pipeline.publish(request).success
    if pipeline.audit().verdict is not Verdict.COMPLETE:
        night = pipeline.predict()
        assert night.success, errors(night)
        for request in pipeline.tick():
            assert pipeline.publish(request).success

    assert pipeline.audit().verdict is Verdict.COMPLETE
    assert pipeline.batch().batch_id == died.batch_id
    assert len(pipeline.batches.of_date(GAME_DATE)) == 1
    assert facts(pipeline.table()) == facts(undisturbed)
    assert [m.dedup_id for m in pipeline.messages()] == [died.batch_id]
    assert pipeline.staging_files() == []
    predicted = {f"{GAME_DATE}:{player}" for player in undisturbed["player_lookup"]}
    assert pipeline.materialized_players() == predicted


def later_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Move the sensor's clock beyond the time for which it waits for a killed run."""
    ahead = RUN_TIMEOUT + timedelta(minutes=1)
    monkeypatch.setattr(batch_sensors, "machine_now", lambda: machine_now() + ahead)


def test_an_interrupted_cleanup_can_be_completed_by_hand(
    pipeline: Pipeline, undisturbed: pl.DataFrame
) -> None:
    def fails_midway(real: Any, names: Any) -> Any:
        real(names[:7])
        raise PermissionError("the folder is read-only")

    with pipeline.warehouse.broken("drop_staging", fails_midway):
        assert not pipeline.predict().success
    assert pipeline.batch().state is BatchState.MERGED
    assert len(pipeline.staging_files()) == 24
    assert pipeline.tick() == []
    assert facts(pipeline.table()) == facts(undisturbed)
    assert pipeline.materialize("staging_cleanup").success
    assert pipeline.staging_files() == []
    assert facts(pipeline.table()) == facts(undisturbed)
    assert len(pipeline.tick()) == 1
