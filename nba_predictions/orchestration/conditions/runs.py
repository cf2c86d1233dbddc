"""Runs that failed and were not made good, and runs that do not end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

import dagster as dg

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.verdict import some_of
from nba_predictions.domain.policies.alerting import WATCHED, Condition, Kind, Severity
from nba_predictions.nightly.batch_conditions import published_after
from nba_predictions.nightly.publication import unpublished
from nba_predictions.orchestration.jobs import publish_phase5_completion
from nba_predictions.orchestration.partitions import date_in
from nba_predictions.orchestration.run_tags import BATCH_TAG, PARTITION_TAG
from nba_predictions.orchestration.step_errors import raised

_R = dg.DagsterRunStatus
#: A run that has not ended after this long hangs: a night takes minutes.
HANGS_AFTER = timedelta(hours=1)
#: A run may wait for this long in the queue: a backfill has many.
QUEUED_AT_MOST = timedelta(hours=12)
#: Of one job no more failures than this are looked at; the newest are.
_MOST_RUNS = 1000
#: Among so many later runs of a partition is looked for the one that made a failure good.
_LATER_RUNS = 50
_GRADING = frozenset({"prediction_results", "system_performance"})
_CHECK_FAILED = "DagsterAssetCheckFailedError"

#: The assets of each job, by its name; none of a job of ops.
Jobs = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class _Attempt:
    """What makes two runs attempts at the same."""

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
        """Return whether this does all that the other was to do, as whichever job."""
        same = self.job == other.job if not other.assets else other.assets <= self.assets
        return same and self.partition == other.partition

    def told_as(self, jobs: Jobs) -> str:
        """Return the name of the job, or the assets that were launched alone."""
        whole = not self.assets or self.assets == jobs.get(self.job)
        return self.job if whole else some_of(sorted(self.assets))


def failed_runs(
    instance: dg.DagsterInstance, jobs: Jobs, store: BatchStore, now: datetime
) -> list[Condition]:
    """Return the newest failed run of each job and partition that nothing has made good since.

    It is made good by later runs that succeeded with all its assets, or when the date was published
    after it. What another alert says is not said twice: a run that only a failed check has
    stopped, and an attempt at publishing a batch that is told of as unpublished.
    """
    waiting = {batch.game_date for batch in unpublished(store)}
    conditions = []
    for job in sorted(jobs):
        newest: dict[_Attempt, dg.RunRecord] = {}
        for record in instance.get_run_records(
            dg.RunsFilter(
                job_name=job, statuses=[_R.FAILURE, _R.CANCELED], updated_after=now - WATCHED
            ),
            limit=_MOST_RUNS,
        ):
            newest.setdefault(_Attempt.of(record.dagster_run, jobs), record)
        for attempt, record in newest.items():
            game_date = date_in(attempt.partition)
            if now - _ended(record) >= WATCHED:
                continue
            if job == publish_phase5_completion.name and game_date in waiting:
                continue
            if _made_good(instance, jobs, store, attempt, record):
                continue
            errors = _errors(instance, record.dagster_run.run_id)
            if errors and all(name == _CHECK_FAILED for _, name, _ in errors):
                continue
            conditions.append(_failure(attempt, attempt.told_as(jobs), record, errors))
    return [*conditions, *_hanging(instance, jobs, now)]


def _ended(record: dg.RunRecord) -> datetime:
    if record.end_time is not None:
        return datetime.fromtimestamp(record.end_time, timezone.utc)
    # A run that is marked as failed before it started has no end of its own.
    return _utc(record.update_timestamp)


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _made_good(
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
            # Some storages know the second only; which came later is in their numbers.
            created_after=_utc(record.create_timestamp) - timedelta(seconds=1),
        ),
        limit=_LATER_RUNS,
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
    """Return step, class and message of what each failed step of a run died of."""
    found = []
    records = instance.get_records_for_run(
        run_id, of_type=dg.DagsterEventType.STEP_FAILURE, limit=20
    ).records
    for record in records:
        event = record.event_log_entry.dagster_event
        if event is None:
            continue
        error = raised(event.step_failure_data.error)
        name = (error.cls_name or "") if error else ""
        said = error.message.strip() if error else ""
        # Which module a class is from is of no use to who is told.
        before, _, message = said.partition(": ")
        if before.rpartition(".")[2] == name:
            said = f"{name}: {message}"
        found.append((str(event.step_key), name, said))
    return found


def _failure(
    attempt: _Attempt,
    name: str,
    record: dg.RunRecord,
    errors: Sequence[tuple[str, str, str]],
) -> Condition:
    run = record.dagster_run
    since = _ended(record)
    canceled = run.status is _R.CANCELED
    game_date = date_in(attempt.partition)
    facts: dict[str, object] = {"job": attempt.job}
    if errors:
        facts["failed_steps"] = ", ".join(dict.fromkeys(step for step, _, _ in errors))[:300]
        facts["error"] = errors[0][2][:500]
    elif not canceled:
        facts["error"] = "no step failed; the run itself did, or its process died"
    return Condition(
        key=f"run:{attempt.job}:{','.join(sorted(attempt.assets))}:{attempt.partition or ''}",
        kind=Kind.FAILED_RUN,
        severity=Severity.WARNING if canceled else Severity.ERROR,
        title=f"{name} {'was canceled' if canceled else 'failed'}"
        + (f" for {attempt.partition}" if attempt.partition else ""),
        since=since,
        watched_until=since + WATCHED,
        to_do=f"nba-predictions audit --game-date {game_date}; mend the cause, and run it again"
        if game_date
        else "mend the cause, and run it again",
        game_date=game_date,
        batch_id=run.tags.get(BATCH_TAG),
        run_id=run.run_id,
        facts=facts,
    )


def _hanging(instance: dg.DagsterInstance, jobs: Jobs, now: datetime) -> Iterator[Condition]:
    limits = {
        **dict.fromkeys((_R.STARTING, _R.STARTED, _R.CANCELING), HANGS_AFTER),
        _R.QUEUED: QUEUED_AT_MOST,
    }
    for record in instance.get_run_records(
        dg.RunsFilter(statuses=list(limits), created_before=now - HANGS_AFTER), limit=_MOST_RUNS
    ):
        run = record.dagster_run
        if run.job_name not in jobs:
            # An instance may have pipelines of others.
            continue
        since = _utc(record.create_timestamp)
        if record.start_time is not None:
            since = datetime.fromtimestamp(record.start_time, timezone.utc)
        if now - since < limits[run.status]:
            continue
        partition = run.tags.get(PARTITION_TAG)
        game_date: date | None = date_in(partition)
        yield Condition(
            key=f"hangs:{run.run_id}",
            kind=Kind.FAILED_RUN,
            severity=Severity.ERROR,
            title=f"a run of {run.job_name} does not end"
            + (f", for {partition}" if partition else ""),
            since=since,
            to_do="look whether it works; terminate it in the Dagster UI, and run it again",
            game_date=game_date,
            batch_id=run.tags.get(BATCH_TAG),
            run_id=run.run_id,
            facts={
                "status": run.status.value,
                "hours": round((now - since).total_seconds() / 3600, 1),
            },
        )
