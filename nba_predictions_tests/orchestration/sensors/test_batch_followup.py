"""The requests of the sensors for unpublished and stalled batches, and when they wait."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from nba_predictions.batch_store.sqlite_store import SQLiteBatchStore
from nba_predictions.definitions import defs
from nba_predictions.domain.batches.batch import Batch, BatchState, Completion
from nba_predictions.domain.clock import machine_now, utc_now
from nba_predictions.orchestration.run_config import Mode, fan_out
from nba_predictions.orchestration.sensors import batch_followup as batch_sensors
from nba_predictions.orchestration.sensors.batch_followup import (
    BATCH_TAG,
    LONGEST_BACKOFF,
    RUN_TIMEOUT,
    publish_cleaned_batches,
    settle_stalled_batches,
)
from nba_predictions_tests.examples import ledger_entry

NIGHT = date(2026, 1, 15)
LONG_AGO = datetime(2026, 1, 15, 12, tzinfo=timezone.utc)
JOB = "publish_phase5_completion"


class Followup:
    """A batch store, an instance with runs, and a clock that a test can put ahead."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.store = SQLiteBatchStore(folder / "batches.sqlite")
        self.instance = dg.DagsterInstance.ephemeral()
        self.ahead = timedelta()
        patch.setattr(batch_sensors, "machine_now", lambda: machine_now() + self.ahead)

    def batch(self, batch_id: str, state: BatchState, game_date: date = NIGHT) -> None:
        created = datetime(2026, 1, 15, 12, tzinfo=timezone.utc)
        number = len(self.store.of_date(game_date))
        assert self.store.create(
            Batch(
                batch_id=batch_id,
                game_date=game_date,
                state=state,
                expected_players=10,
                games=1,
                slate_fingerprint="f",
                created_at=created + timedelta(minutes=number),
                run_id="r",
                source="test",
            )
        )

    def run(self, batch_id: str, status: dg.DagsterRunStatus, job: str = JOB) -> str:
        run = dg.DagsterRun(job_name=job, status=status, tags={BATCH_TAG: batch_id})
        self.instance.add_run(run)
        return run.run_id

    def silence(self, batch_id: str) -> None:
        """Move everything that a batch recorded into the past."""
        long_ago = LONG_AGO.isoformat(timespec="microseconds")
        with self.store._transaction() as connection:
            for table, column in (("completions", "recorded_at"), ("batch_times", "at")):
                connection.execute(
                    f"UPDATE {table} SET {column} = ? WHERE batch_id = ?", (long_ago, batch_id)
                )

    def tick(self, sensor: dg.SensorDefinition = publish_cleaned_batches) -> list[dg.RunRequest]:
        resources: dict[str, Any] = {"batches": self.store}
        with dg.build_sensor_context(
            instance=self.instance,
            repository_def=defs.get_repository_def(),
            resources=resources,
        ) as context:
            data = sensor.evaluate_tick(context)
        requests = list(data.run_requests or [])
        assert bool(requests) != bool(data.skip_message)
        return requests


@pytest.fixture
def followup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Followup:
    return Followup(tmp_path, monkeypatch)


FAILURE, STARTED, STARTING = (
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.STARTING,
)


def test_a_cleaned_batch_is_requested_with_its_date_and_id(followup: Followup) -> None:
    followup.batch("batch_a", BatchState.CLEANED)
    (request,) = followup.tick()
    assert request.partition_key == NIGHT.isoformat()
    assert request.tags[BATCH_TAG] == "batch_a"
    assert request.run_key == "batch_a:first"


@pytest.mark.parametrize("state", [s for s in BatchState if s is not BatchState.CLEANED])
def test_a_batch_in_another_state_is_not_requested(followup: Followup, state: BatchState) -> None:
    followup.batch("batch_a", state)
    assert followup.tick() == []


def test_all_unpublished_dates_are_requested_in_one_tick(followup: Followup) -> None:
    days = [NIGHT + timedelta(days=n) for n in range(3)]
    for day in days:
        followup.batch(f"batch_{day}", BatchState.CLEANED, day)
    assert [r.partition_key for r in followup.tick()] == [day.isoformat() for day in days]


def test_only_the_newest_batch_of_a_date_is_requested(followup: Followup) -> None:
    followup.batch("batch_old", BatchState.CLEANED)
    followup.batch("batch_new", BatchState.CLEANED)
    assert [r.tags[BATCH_TAG] for r in followup.tick()] == ["batch_new"]


def test_a_cleaned_batch_waits_while_a_newer_batch_is_unfinished(
    followup: Followup,
) -> None:
    followup.batch("batch_old", BatchState.CLEANED)
    followup.batch("batch_new", BatchState.STAGING)
    assert followup.tick() == []


def test_a_newer_abandoned_batch_does_not_block_the_older_one(followup: Followup) -> None:
    followup.batch("batch_old", BatchState.CLEANED)
    followup.batch("batch_new", BatchState.FAILED)
    assert [r.tags[BATCH_TAG] for r in followup.tick()] == ["batch_old"]


@pytest.mark.parametrize("status", [STARTING, STARTED])
def test_no_run_is_requested_while_another_publishes(
    followup: Followup, status: dg.DagsterRunStatus
) -> None:
    followup.batch("batch_a", BatchState.CLEANED)
    followup.run("batch_a", status)
    assert followup.tick() == []
    followup.ahead = RUN_TIMEOUT - timedelta(seconds=30)
    assert followup.tick() == []


def test_a_publishing_run_that_does_not_finish_is_followed_by_another(followup: Followup) -> None:
    followup.batch("batch_a", BatchState.CLEANED)
    run_id = followup.run("batch_a", STARTED)
    followup.ahead = RUN_TIMEOUT
    (request,) = followup.tick()
    assert request.run_key == f"batch_a:{run_id}"


@pytest.mark.parametrize(
    ("failures", "wait"),
    [
        (1, timedelta(seconds=30)),
        (2, timedelta(seconds=60)),
        (4, timedelta(minutes=4)),
        (7, LONGEST_BACKOFF),
        (12, LONGEST_BACKOFF),
    ],
)
def test_the_wait_after_failures_doubles_up_to_half_an_hour(
    followup: Followup, failures: int, wait: timedelta
) -> None:
    followup.batch("batch_a", BatchState.CLEANED)
    run_ids = [followup.run("batch_a", FAILURE) for _ in range(failures)]
    followup.ahead = wait - timedelta(seconds=10)
    assert followup.tick() == []
    followup.ahead = wait
    (request,) = followup.tick()
    assert request.run_key == f"batch_a:{run_ids[-1]}"


def test_no_run_key_repeats_after_old_runs_are_deleted(followup: Followup) -> None:
    followup.batch("batch_a", BatchState.CLEANED)
    followup.ahead = LONGEST_BACKOFF
    keys, run_ids = [], []
    for deleted in (0, 0, 1, 0, 2, 0):
        (request,) = followup.tick()
        keys.append(request.run_key)
        run_ids.append(followup.run("batch_a", FAILURE))
        for run_id in run_ids[:deleted]:
            followup.instance.delete_run(run_id)
        del run_ids[:deleted]
    assert len(set(keys)) == len(keys)


def test_a_broker_that_is_down_for_days_does_not_break_the_sensor(followup: Followup) -> None:
    followup.batch("batch_a", BatchState.CLEANED)
    followup.batch("batch_b", BatchState.CLEANED, NIGHT + timedelta(days=1))
    run_ids = [followup.run("batch_a", FAILURE) for _ in range(60)]
    assert [r.tags[BATCH_TAG] for r in followup.tick()] == ["batch_b"]
    followup.ahead = LONGEST_BACKOFF
    assert [r.run_key for r in followup.tick()] == [f"batch_a:{run_ids[-1]}", "batch_b:first"]


def test_runs_of_other_batches_and_jobs_do_not_count(followup: Followup) -> None:
    followup.batch("batch_a", BatchState.CLEANED)
    followup.run("batch_b", FAILURE)
    followup.run("batch_a", STARTED, job="nightly_predictions")
    (request,) = followup.tick()
    assert request.run_key == "batch_a:first"


def test_the_sensor_is_switched_on_and_launches_the_publishing_job() -> None:
    assert publish_cleaned_batches.default_status is dg.DefaultSensorStatus.RUNNING
    assert publish_cleaned_batches.job_name == JOB


# ---------------------------------------------------------------------------------- stalls


def test_a_stalled_batch_above_the_threshold_is_finished(followup: Followup) -> None:
    followup.batch("batch_a", BatchState.STAGING)
    for number in range(9):
        skip = Completion(f"player{number}", 0, utc_now(), "r", skip_reason="OUT")
        followup.store.complete("batch_a", skip)
    staged = Completion("player9", 25, LONG_AGO, "r", staging_table="batch_a/player9")
    followup.store.complete("batch_a", staged)
    followup.silence("batch_a")
    (request,) = followup.tick(settle_stalled_batches)
    assert request.partition_key == NIGHT.isoformat()
    assert request.tags[BATCH_TAG] == "batch_a"
    # The configuration is that of the job.
    assert request.run_config == fan_out(Mode.finish)
    assert followup.store.get("batch_a").state is BatchState.STALLED
    followup.run("batch_a", STARTED, job="finish_batch")
    assert followup.tick(settle_stalled_batches) == []


def test_a_stalled_batch_below_the_threshold_is_abandoned(followup: Followup) -> None:
    followup.batch("batch_a", BatchState.STAGING)
    followup.silence("batch_a")
    assert followup.tick(settle_stalled_batches) == []
    assert followup.store.get("batch_a").state is BatchState.FAILED


def test_a_batch_with_recent_progress_is_unchanged(followup: Followup) -> None:
    followup.batch("batch_a", BatchState.STAGING)
    followup.store.append("batch_a", ledger_entry("resumed", utc_now(), "r"))
    assert followup.tick(settle_stalled_batches) == []
    assert followup.store.get("batch_a").state is BatchState.STAGING


def test_the_stall_sensor_is_switched_on() -> None:
    assert settle_stalled_batches.default_status is dg.DefaultSensorStatus.RUNNING
    assert settle_stalled_batches.job_name == "finish_batch"
