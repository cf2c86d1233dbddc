"""The queue of the runs: time limits, slots, and runs that wait for no other run."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from nba_predictions import cli
from nba_predictions.definitions import defs
from nba_predictions.orchestration.dagster_internals import SubmitRunContext
from nba_predictions.orchestration.run_queue import NightRunCoordinator, queue_tags
from nba_predictions.orchestration.run_tags import MAX_RUNTIME_TAG, PARTITION_TAG, SLOT_TAG
from nba_predictions_tests.alerts.toys import REPOSITORY
from nba_predictions_tests.dagster_internals import RemoteJobOrigin, TagConcurrencyLimitsCounter

DAY = "2026-01-15"
RESCUES = {"publish_phase5_completion", "finish_batch", "grade_predictions"}


@pytest.fixture
def instance(home: Path) -> dg.DagsterInstance:
    """Return the instance that `nba-predictions init` prepares."""
    assert cli.main(["init"]) == 0
    return dg.DagsterInstance.from_config(str(home / "dagster"))


def submitted(instance: dg.DagsterInstance, job: str, day: str = DAY) -> dg.DagsterRun:
    """Submit a run with the tags that a schedule, a sensor or the UI gives it."""
    tags = {**defs.resolve_job_def(job).run_tags, PARTITION_TAG: day}
    origin = RemoteJobOrigin(REPOSITORY, job)
    run = instance.add_run(dg.DagsterRun(job_name=job, tags=tags, remote_job_origin=origin))
    context = SubmitRunContext(run, workspace=None)  # type: ignore[arg-type]
    return instance.run_coordinator.submit_run(context)


def blocked(instance: dg.DagsterInstance, run: dg.DagsterRun, active: list[dg.DagsterRun]) -> bool:
    queue = instance.get_concurrency_config().run_queue_config
    assert queue is not None
    limits = list(queue.tag_concurrency_limits)
    return TagConcurrencyLimitsCounter(limits, active).is_blocked(run)


def test_a_second_run_of_a_date_waits_and_its_rescue_does_not(
    instance: dg.DagsterInstance,
) -> None:
    first = submitted(instance, "nightly_predictions")
    for job in ("nightly_predictions", "refresh_predictions", "replay_players"):
        assert blocked(instance, submitted(instance, job), [first])
    assert not blocked(instance, submitted(instance, "nightly_predictions", "2026-01-16"), [first])
    for job in RESCUES:
        assert not blocked(instance, submitted(instance, job), [first])


def test_hanging_runs_of_other_dates_leave_room_for_a_rescue(instance: dg.DagsterInstance) -> None:
    queue = instance.get_concurrency_config().run_queue_config
    assert queue is not None
    active: list[dg.DagsterRun] = []
    for day in range(1, 32):
        run = submitted(instance, "nightly_predictions", f"2026-01-{day:02}")
        if not blocked(instance, run, active):
            active.append(run)
    assert len(active) < queue.max_concurrent_runs
    assert not blocked(instance, submitted(instance, "finish_batch"), active)


def test_every_run_has_a_time_limit(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBA_PREDICTIONS_MAX_RUN_SECONDS", "1200")
    for job in ("nightly_predictions", "publish_phase5_completion", "maintenance"):
        assert submitted(instance, job).tags[MAX_RUNTIME_TAG] == "1200"
    assert queue_tags({MAX_RUNTIME_TAG: "7200"}, 1200) == {}


def test_dead_runs_are_found_and_retried(instance: dg.DagsterInstance) -> None:
    assert isinstance(instance.run_coordinator, NightRunCoordinator)
    assert instance.run_monitoring_enabled
    assert instance.run_launcher.supports_check_run_worker_health
    assert instance.run_monitoring_max_runtime_seconds == 3600
    assert instance.run_monitoring_max_resume_run_attempts == 0
    assert instance.run_retries_enabled
    assert not instance.run_retries_retry_on_asset_or_op_failure


def test_a_run_is_retried_either_by_dagster_as_a_whole_or_by_its_sensor() -> None:
    for job in ("nightly_predictions", "refresh_predictions", "replay_players"):
        tags = defs.resolve_job_def(job).run_tags
        assert tags["dagster/retry_strategy"] == "ALL_STEPS"
        assert "dagster/max_retries" not in tags
    for job in ("publish_phase5_completion", "finish_batch"):
        assert defs.resolve_job_def(job).run_tags["dagster/max_retries"] == "0"


def test_a_run_without_a_partition_has_no_slot() -> None:
    assert SLOT_TAG not in queue_tags({}, 60)
