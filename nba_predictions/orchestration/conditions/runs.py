"""Find failed runs without a later success, and runs that do not finish."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import dagster as dg

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.verdict import some_of
from nba_predictions.domain.policies.alerting import WATCH_PERIOD, Condition, Kind, Severity
from nba_predictions.nightly.batch_conditions import published_after
from nba_predictions.nightly.publication import unpublished_batches
from nba_predictions.orchestration.jobs import publish_phase5_completion
from nba_predictions.orchestration.partitions import date_in
from nba_predictions.orchestration.run_tags import AUTO_RETRY_TAG, BATCH_TAG, PARTITION_TAG
from nba_predictions.orchestration.step_errors import raised

_R = dg.DagsterRunStatus
_HOUR = timedelta(hours=1)
#: A run that is unfinished after this time hangs. A night takes minutes.
HANGS_AFTER = _HOUR
#: The longest time that a run may be queued. A backfill queues many runs.
MAX_QUEUE_TIME = timedelta(hours=12)
#: The newest failures of one job that are read.
_MAX_FAILURES = 1000
#: How many later runs of a partition to search for one that resolves a failure.
_MAX_LATER_RUNS = 50
_GRADING = frozenset({"prediction_results", "system_performance"})
_CHECK_FAILED = "DagsterAssetCheckFailedError"

#: The assets of each job by its name. A job of ops has none.
Jobs = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class _Attempt:
    """What a run attempted: a partition of some assets, or of a job of ops."""

    job: str
    assets: frozenset[str]
    partition: str | None

    @classmethod
    def of(cls, run: dg.DagsterRun, jobs: Jobs) -> _Attempt:
        assets = jobs.get(run.job_name, frozenset())
        if run.asset_selection is not None:
            assets = frozenset(key.to_user_string() for key in run.asset_selection)
        return cls(run.job_name, assets, run.tags.get(PARTITION_TAG))

    def covers(self, other: _Attempt) -> bool:
        """Return whether a success of this attempt resolves a failure of the other one."""
        same = self.job == other.job if not other.assets else other.assets <= self.assets
        return same and self.partition == other.partition

    def title(self, jobs: Jobs) -> str:
        """Return the name of the job, or the names of assets that were launched alone."""
        is_whole_job = not self.assets or self.assets == jobs.get(self.job)
        return self.job if is_whole_job else some_of(sorted(self.assets))


def failed_runs(
    instance: dg.DagsterInstance, jobs: Jobs, store: BatchStore, now: datetime
) -> list[Condition]:
    """Return the newest unresolved failure of each job and partition, and runs that hang.

    A failure is resolved by a later success with all its assets, or if the date was published after
    it. Failures that have another alert are left out: a run that only a failed check stopped, and
    an attempt to publish a batch that is still unpublished. A run that was cut off is left out
    while Dagster retries it.
    """
    unpublished_dates = {batch.game_date for batch in unpublished_batches(store)}
    conditions = []
    for job in sorted(jobs):
        newest: dict[_Attempt, dg.RunRecord] = {}
        for record in instance.get_run_records(
            dg.RunsFilter(
                job_name=job, statuses=[_R.FAILURE, _R.CANCELED], updated_after=now - WATCH_PERIOD
            ),
            limit=_MAX_FAILURES,
        ):
            newest.setdefault(_Attempt.of(record.dagster_run, jobs), record)
        for attempt, record in newest.items():
            game_date = date_in(attempt.partition)
            if now - _ended(record) >= WATCH_PERIOD:
                continue
            if AUTO_RETRY_TAG in record.dagster_run.tags:
                continue
            if job == publish_phase5_completion.name and game_date in unpublished_dates:
                continue
            if _is_resolved(instance, jobs, store, attempt, record):
                continue
            errors = _errors(instance, record.dagster_run.run_id)
            if errors and all(name == _CHECK_FAILED for _, name, _ in errors):
                continue
            conditions.append(_failure(attempt, attempt.title(jobs), record, errors))
    return [*conditions, *_hanging(instance, jobs, now)]


def _ended(record: dg.RunRecord) -> datetime:
    if record.end_time is not None:
        return datetime.fromtimestamp(record.end_time, timezone.utc)
    # A run that failed before it started has no end time.
    return _utc(record.update_timestamp)


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _is_resolved(
    instance: dg.DagsterInstance,
    jobs: Jobs,
    store: BatchStore,
    attempt: _Attempt,
    record: dg.RunRecord,
) -> bool:
    later = instance.get_run_records(
        dg.RunsFilter(
            job_name=None if attempt.assets else attempt.job,
            statuses=[_R.SUCCESS],
            tags={PARTITION_TAG: attempt.partition} if attempt.partition else {},
            # Some storages round to a second. The storage ids below have the order.
            created_after=_utc(record.create_timestamp) - timedelta(seconds=1),
        ),
        limit=_MAX_LATER_RUNS,
    )
    if any(
        other.storage_id > record.storage_id
        and _Attempt.of(other.dagster_run, jobs).covers(attempt)
        for other in later
    ):
        return True
    game_date = date_in(attempt.partition)
    if game_date is None or attempt.assets & _GRADING:
        return False
    return published_after(store, game_date, _ended(record))


def _errors(instance: dg.DagsterInstance, run_id: str) -> list[tuple[str, str, str]]:
    """Return the step, error class and message of each failed step of a run."""
    errors = []
    records = instance.get_records_for_run(
        run_id, of_type=dg.DagsterEventType.STEP_FAILURE, limit=20
    ).records
    for record in records:
        event = record.event_log_entry.dagster_event
        if event is None:
            continue
        error = raised(event.step_failure_data.error)
        name = (error.cls_name or "") if error else ""
        text = error.message.strip() if error else ""
        # The module of the class does not help the reader of an alert.
        before, _, message = text.partition(": ")
        if before.rpartition(".")[2] == name:
            text = f"{name}: {message}"
        errors.append((str(event.step_key), name, text))
    return errors


def _failure(
    attempt: _Attempt, name: str, record: dg.RunRecord, errors: Sequence[tuple[str, str, str]]
) -> Condition:
    run = record.dagster_run
    since = _ended(record)
    is_canceled = run.status is _R.CANCELED
    game_date = date_in(attempt.partition)
    facts: dict[str, object] = {"job": attempt.job}
    if errors:
        facts["failed_steps"] = ", ".join(dict.fromkeys(step for step, _, _ in errors))[:300]
        facts["error"] = errors[0][2][:500]
    elif not is_canceled:
        facts["error"] = "no step failed: the run itself failed, or its process died"
    return Condition(
        key=f"run:{attempt.job}:{','.join(sorted(attempt.assets))}:{attempt.partition or ''}",
        kind=Kind.FAILED_RUN,
        severity=Severity.WARNING if is_canceled else Severity.ERROR,
        title=f"{name} {'was canceled' if is_canceled else 'failed'}"
        + (f" for {attempt.partition}" if attempt.partition else ""),
        since=since,
        watched_until=since + WATCH_PERIOD,
        to_do=(f"nba-predictions audit --game-date {game_date}; " if game_date else "")
        + "fix the cause, then run it again",
        game_date=game_date,
        batch_id=run.tags.get(BATCH_TAG),
        run_id=run.run_id,
        facts=facts,
    )


def _hanging(instance: dg.DagsterInstance, jobs: Jobs, now: datetime) -> Iterator[Condition]:
    limits = {
        **dict.fromkeys((_R.STARTING, _R.STARTED, _R.CANCELING), HANGS_AFTER),
        _R.QUEUED: MAX_QUEUE_TIME,
    }
    for record in instance.get_run_records(
        dg.RunsFilter(statuses=list(limits), created_before=now - HANGS_AFTER), limit=_MAX_FAILURES
    ):
        run = record.dagster_run
        if run.job_name not in jobs:
            # The instance may have runs of other pipelines.
            continue
        since = _utc(record.create_timestamp)
        if record.start_time is not None:
            since = datetime.fromtimestamp(record.start_time, timezone.utc)
        if now - since < limits[run.status]:
            continue
        partition = run.tags.get(PARTITION_TAG)
        yield Condition(
            key=f"hangs:{run.run_id}",
            kind=Kind.FAILED_RUN,
            severity=Severity.ERROR,
            title=f"a run of {run.job_name} does not finish"
            + (f" for {partition}" if partition else ""),
            since=since,
            to_do="terminate it in the Dagster UI if it makes no progress, then run it again",
            game_date=date_in(partition),
            batch_id=run.tags.get(BATCH_TAG),
            run_id=run.run_id,
            facts={"status": run.status.value, "hours": round((now - since) / _HOUR, 1)},
        )
