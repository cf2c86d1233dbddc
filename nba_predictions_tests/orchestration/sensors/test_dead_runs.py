"""Which failed runs the sensor `end_dead_runs` reminds Dagster of."""

from __future__ import annotations

from datetime import timedelta
from unittest.mock import patch

import dagster as dg
import pytest

from nba_predictions.domain.clock import utc_now
from nba_predictions.orchestration.sensors.dead_runs import RETRIED_WITHIN, end_dead_runs
from nba_predictions_tests.dagster_internals import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

ORIGIN = RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "r"), "job")
RETRIED = {"dagster/max_retries": "10"}


@pytest.fixture
def instance() -> dg.DagsterInstance:
    return dg.DagsterInstance.ephemeral()


def failed(
    instance: dg.DagsterInstance, tags: dict[str, str], origin: RemoteJobOrigin | None = ORIGIN
) -> dg.DagsterRun:
    run = instance.add_run(dg.DagsterRun(job_name="job", tags=tags, remote_job_origin=origin))
    instance.report_run_failed(run)
    return run


def tick(instance: dg.DagsterInstance, later: timedelta) -> str | None:
    now = utc_now() + later
    with patch("nba_predictions.orchestration.sensors.dead_runs.machine_now", lambda: now):
        result = end_dead_runs(dg.build_sensor_context(instance=instance))
    assert isinstance(result, dg.SkipReason)
    return result.skip_message


def test_a_failure_without_a_retry_is_reported_again(instance: dg.DagsterInstance) -> None:
    run = failed(instance, RETRIED)
    assert tick(instance, timedelta(0)) == "no run is dead"
    assert tick(instance, RETRIED_WITHIN * 2) == f"retried {run.run_id}"
    events = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    assert len(events) == 2


def test_a_run_is_reported_again_only_a_few_times(instance: dg.DagsterInstance) -> None:
    failed(instance, RETRIED)
    ticks = [tick(instance, RETRIED_WITHIN * 2) for _ in range(12)]
    assert ticks.count("no run is dead") == 2


@pytest.mark.parametrize(
    ("tags", "origin"),
    [
        ({**RETRIED, "dagster/auto_retry_run_id": "x"}, ORIGIN),
        ({**RETRIED, "dagster/failure_reason": "STEP_FAILURE"}, ORIGIN),
        ({**RETRIED, "dagster/retry_number": "10"}, ORIGIN),
        ({"dagster/max_retries": "0"}, ORIGIN),
        (RETRIED, None),
    ],
    ids=["retried", "a step failed", "retried often", "retried by a sensor", "of the command line"],
)
def test_a_failure_that_needs_no_retry_is_left_alone(
    instance: dg.DagsterInstance, tags: dict[str, str], origin: RemoteJobOrigin | None
) -> None:
    failed(instance, tags, origin)
    assert tick(instance, RETRIED_WITHIN * 2) == "no run is dead"


def test_an_old_failure_is_left_alone(instance: dg.DagsterInstance) -> None:
    failed(instance, RETRIED)
    assert tick(instance, timedelta(days=2)) == "no run is dead"
