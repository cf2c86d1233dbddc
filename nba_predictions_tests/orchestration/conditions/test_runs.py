"""The conditions of failed runs: the newest unresolved failure of each job and partition."""

from __future__ import annotations

from datetime import date, datetime, timezone
from pathlib import Path

import dagster as dg
import pytest

from nba_predictions.domain.batches.batch import Batch, BatchState
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import SourceDataError
from nba_predictions.domain.policies.alerting import Kind, Severity
from nba_predictions_tests.alerts.toys import DATE, GRADING, JOB, REPOSITORY, Toy
from nba_predictions_tests.dagster_internals import RemoteJobOrigin

GAME_DATE = date.fromisoformat(DATE)
PUBLISH = "publish_phase5_completion"


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return Toy.in_folder(tmp_path)


def batch(toy: Toy, state: BatchState) -> Batch:
    made = Batch("batch_1", GAME_DATE, state, 10, 1, "f", utc_now(), "r", "test")
    assert toy.store.create(made)
    return made


def run(
    toy: Toy,
    status: dg.DagsterRunStatus,
    job: str = JOB,
    assets: set[str] | None = None,
    partition: str | None = DATE,
) -> str:
    """Record a run with a status."""
    selection = frozenset(dg.AssetKey(a) for a in assets) if assets else None
    added = toy.instance.add_run(
        dg.DagsterRun(
            job_name=job,
            status=status,
            tags={"dagster/partition": partition} if partition else {},
            asset_selection=selection,
            remote_job_origin=RemoteJobOrigin(REPOSITORY, job),
        )
    )
    return added.run_id


FAILURE, SUCCESS = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS


def test_a_failed_run_is_reported_with_its_date_steps_error_and_run(toy: Toy) -> None:
    toy.fails = True
    failed = toy.run()
    (condition,) = toy.runs()
    assert condition.kind is Kind.FAILED_RUN
    assert condition.title == f"{JOB} failed for {DATE}"
    assert condition.severity is Severity.ERROR
    assert (condition.game_date, condition.run_id) == (GAME_DATE, failed.run_id)
    assert condition.facts == {
        "job": JOB,
        "failed_steps": "predictions",
        "error": "ZeroDivisionError: no forecast for lukadoncic",
    }


def test_the_error_is_the_one_that_the_step_raised_and_not_its_cause(
    toy: Toy,
) -> None:
    toy.error = SourceDataError("lines.csv: cannot be read; check the file")
    toy.error.__cause__ = PermissionError("denied")
    toy.fails = True
    toy.run()
    (condition,) = toy.runs()
    error = "SourceDataError: lines.csv: cannot be read; check the file"
    assert condition.facts["error"] == error


def test_a_failure_is_resolved_by_a_later_run_of_the_same_partition(toy: Toy) -> None:
    toy.fails = True
    toy.run()
    toy.fails = False
    toy.run(date="2026-01-14")
    assert len(toy.runs()) == 1
    toy.run()
    assert toy.runs() == []


def test_several_failures_of_a_partition_are_one_condition_of_the_newest_run(toy: Toy) -> None:
    toy.fails = True
    toy.run()
    newest = toy.run()
    toy.run(date="2026-01-14")
    conditions = toy.runs()
    assert len(conditions) == 2
    assert {c.run_id for c in conditions if c.game_date == GAME_DATE} == {newest.run_id}


def test_a_failure_stays_the_same_condition_while_it_is_retried(toy: Toy) -> None:
    toy.fails = True
    toy.run()
    before = toy.runs()
    run(toy, dg.DagsterRunStatus.STARTED)
    assert toy.runs() == before


def test_a_run_that_only_a_failed_check_stopped_is_not_reported(toy: Toy) -> None:
    toy.passes = False
    assert not toy.run().success
    assert len(toy.checks()) == 1
    assert toy.runs() == []


def test_a_failure_is_resolved_when_the_night_is_published(toy: Toy) -> None:
    run(toy, FAILURE)
    made = batch(toy, BatchState.CLEANED)
    assert len(toy.runs()) == 1
    toy.store.move(made.batch_id, BatchState.PUBLISHED)
    assert toy.runs() == []
    # Publication does not resolve a failed grading run, in any job.
    run(toy, FAILURE, job="grade_predictions")
    run(toy, FAILURE, job="__ASSET_JOB", assets={"prediction_results"})
    assert len(toy.runs()) == 2


def test_an_earlier_publication_does_not_resolve_a_failure(toy: Toy) -> None:
    made = batch(toy, BatchState.CLEANED)
    toy.store.move(made.batch_id, BatchState.PUBLISHED)
    toy.fails = True
    toy.run()
    assert len(toy.runs()) == 1


def test_assets_that_were_launched_alone_are_reported_by_their_names(toy: Toy) -> None:
    run(toy, FAILURE, job="__ASSET_JOB", assets={"player_staging"}, partition=f"{DATE}:paulgeorge")
    # Version 0.1.0 wrote another separator.
    old = f"{DATE}|lukadoncic"
    run(toy, FAILURE, job="__ASSET_JOB", assets={"player_staging"}, partition=old)
    run(toy, FAILURE, job="__ASSET_JOB", assets={"slate", "schedule"})
    run(toy, SUCCESS, job="__ASSET_JOB", assets={"slate"})
    titles = {c.title for c in toy.runs()}
    assert titles == {
        f"player_staging failed for {DATE}:paulgeorge",
        f"player_staging failed for {DATE}|lukadoncic",
        f"schedule, slate failed for {DATE}",
    }
    assert {c.game_date for c in toy.runs()} == {GAME_DATE}


def test_a_failure_is_resolved_when_all_its_assets_succeed_in_any_job(toy: Toy) -> None:
    run(toy, FAILURE, job="grade_predictions")
    run(toy, SUCCESS, job="__ASSET_JOB", assets={"prediction_results"})
    run(toy, SUCCESS, job="__ASSET_JOB", assets=set(GRADING), partition="2026-01-14")
    assert [c.title for c in toy.runs()] == [f"grade_predictions failed for {DATE}"]
    run(toy, SUCCESS, job="__ASSET_JOB", assets=set(GRADING))
    assert toy.runs() == []


def test_a_failed_job_of_ops_is_resolved_only_by_the_same_job(toy: Toy) -> None:
    run(toy, FAILURE, job="prune", partition=None)
    run(toy, SUCCESS)
    run(toy, SUCCESS, job="prune")
    assert [(c.title, c.game_date) for c in toy.runs()] == [("prune failed", None)]
    run(toy, SUCCESS, job="prune", partition=None)
    assert toy.runs() == []


def test_failed_attempts_to_publish_an_unpublished_batch_are_not_reported(
    toy: Toy,
) -> None:
    run(toy, FAILURE, job=PUBLISH)
    assert len(toy.runs()) == 1
    batch(toy, BatchState.CLEANED)
    assert toy.runs() == []


def test_a_canceled_run_is_a_warning(toy: Toy) -> None:
    run(toy, dg.DagsterRunStatus.CANCELED)
    (condition,) = toy.runs()
    assert condition.severity is Severity.WARNING
    assert condition.title == f"{JOB} was canceled for {DATE}"


def test_a_run_whose_process_died_reports_that_no_step_failed(toy: Toy) -> None:
    started = run(toy, dg.DagsterRunStatus.STARTED)
    found = toy.instance.get_run_by_id(started)
    assert found is not None
    # Run monitoring does this.
    toy.instance.report_run_failed(found, "the run worker exited")
    (condition,) = toy.runs()
    assert condition.facts["error"] == "no step failed: the run itself failed, or its process died"


@pytest.mark.parametrize(
    ("status", "hours", "is_reported"),
    [
        (dg.DagsterRunStatus.STARTED, 0.9, False),
        (dg.DagsterRunStatus.STARTED, 1.1, True),
        (dg.DagsterRunStatus.STARTING, 1.1, True),
        (dg.DagsterRunStatus.CANCELING, 1.1, True),
        (dg.DagsterRunStatus.QUEUED, 11.0, False),
        (dg.DagsterRunStatus.QUEUED, 12.1, True),
        (SUCCESS, 100.0, False),
    ],
)
def test_a_run_that_does_not_finish_is_reported(
    toy: Toy, status: dg.DagsterRunStatus, hours: float, is_reported: bool
) -> None:
    run(toy, status)
    conditions = toy.runs(days_later=hours / 24)
    assert bool(conditions) == is_reported
    assert all(c.title == f"a run of {JOB} does not finish for {DATE}" for c in conditions)


def test_runs_of_another_pipeline_on_the_same_instance_are_not_reported(toy: Toy) -> None:
    run(toy, FAILURE, job="another_pipeline")
    run(toy, dg.DagsterRunStatus.STARTED, job="another_pipeline")
    assert toy.runs(days_later=1) == []


def test_a_failure_is_reported_for_eight_days(toy: Toy) -> None:
    run(toy, FAILURE)
    (condition,) = toy.runs(days_later=7)
    assert condition.since < datetime.now(timezone.utc)
    assert toy.runs(days_later=9) == []


def test_a_run_that_dagster_retries_is_not_reported_until_its_retry_fails(toy: Toy) -> None:
    dead = run(toy, FAILURE)
    assert [condition.run_id for condition in toy.runs()] == [dead]
    toy.instance.add_run_tags(dead, {"dagster/auto_retry_run_id": "retry"})
    assert toy.runs() == []
    retry = run(toy, FAILURE)
    assert [condition.run_id for condition in toy.runs()] == [retry]
