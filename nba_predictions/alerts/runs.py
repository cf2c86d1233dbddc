"""Runs that failed and were not made good, and runs that do not end."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime, timedelta, timezone

import dagster as dg
from dagster._core.storage.tags import PARTITION_NAME_TAG

from nba_predictions.alerts.batches import published_after
from nba_predictions.batches.port import BatchStore
from nba_predictions.domain.alerts import WATCHED, Condition, Kind, Severity
from nba_predictions.jobs import grade_predictions, publish_phase5_completion
from nba_predictions.night.publication import unpublished
from nba_predictions.partitions import date_in

_R = dg.DagsterRunStatus
#: A run that has not ended after this long hangs: a night takes minutes.
HANGS_AFTER = timedelta(hours=1)
#: A run may wait for this long in the queue: a backfill has many.
QUEUED_AT_MOST = timedelta(hours=12)
#: Of one job no more failures than this are looked at; the newest are.
_MOST_RUNS = 1000
_GRADING = frozenset({"prediction_results", "system_performance"})
_CHECK_FAILED = "DagsterAssetCheckFailedError"

#: What makes two runs attempts at the same: the job, the assets, the partition.
_Attempt = tuple[str, frozenset[str], str | None]


def failed_runs(
    instance: dg.DagsterInstance, jobs: Collection[str], store: BatchStore, now: datetime
) -> list[Condition]:
    """Return the newest failed run of each job and partition that nothing has made good since.

    It is made good by a later run of the same that succeeded, or when the date was published
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
            newest.setdefault(_attempt(record.dagster_run), record)
        for attempt, record in newest.items():
            game_date = date_in(attempt[2])
            if now - _ended(record) >= WATCHED:
                continue
            if job == publish_phase5_completion.name and game_date in waiting:
                continue
            if _made_good(instance, store, attempt, record):
                continue
            errors = _errors(instance, record.dagster_run.run_id)
            if errors and all(name == _CHECK_FAILED for _, name, _ in errors):
                continue
            conditions.append(_failure(attempt, record, errors))
    return [*conditions, *_hanging(instance, now)]


def _attempt(run: dg.DagsterRun) -> _Attempt:
    assets = frozenset(key.to_user_string() for key in run.asset_selection or ())
    return run.job_name, assets, run.tags.get(PARTITION_NAME_TAG)


def _ended(record: dg.RunRecord) -> datetime:
    if record.end_time is not None:
        return datetime.fromtimestamp(record.end_time, timezone.utc)
    # A run that is marked as failed before it started has no end of its own.
    return _utc(record.update_timestamp)


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _made_good(
    instance: dg.DagsterInstance, store: BatchStore, attempt: _Attempt, record: dg.RunRecord
) -> bool:
    job, assets, partition = attempt
    later = instance.get_run_records(
        dg.RunsFilter(
            job_name=job,
            statuses=[_R.SUCCESS],
            tags={PARTITION_NAME_TAG: partition} if partition else {},
            created_after=_utc(record.create_timestamp),
        ),
        limit=50,
    )
    if any(_attempt(other.dagster_run) == attempt for other in later):
        return True
    game_date = date_in(partition)
    grades = job == grade_predictions.name or bool(assets & _GRADING)
    return (
        game_date is not None and not grades and published_after(store, game_date, _ended(record))
    )


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
        error = event.step_failure_data.error
        while error is not None and error.cause is not None:
            error = error.cause
        name = (error.cls_name or "") if error else ""
        found.append((str(event.step_key), name, error.message.strip() if error else ""))
    return found


def _failure(
    attempt: _Attempt, record: dg.RunRecord, errors: Sequence[tuple[str, str, str]]
) -> Condition:
    job, assets, partition = attempt
    run = record.dagster_run
    since = _ended(record)
    canceled = run.status is _R.CANCELED
    game_date = date_in(partition)
    what = ", ".join(sorted(assets)) if assets else job
    facts: dict[str, object] = {"job": job}
    if errors:
        facts["failed_steps"] = ", ".join(dict.fromkeys(step for step, _, _ in errors))[:300]
        facts["error"] = errors[0][2][:500]
    elif not canceled:
        facts["error"] = "no step failed; the run itself did, or its process died"
    return Condition(
        key=f"run:{job}:{','.join(sorted(assets))}:{partition or ''}",
        kind=Kind.FAILED_RUN,
        severity=Severity.WARNING if canceled else Severity.ERROR,
        title=f"{what} {'was canceled' if canceled else 'failed'}"
        + (f" for {partition}" if partition else ""),
        since=since,
        watched_until=since + WATCHED,
        to_do=f"nba-predictions audit --game-date {game_date}; mend the cause, and run it again"
        if game_date
        else "mend the cause, and run it again",
        game_date=game_date,
        batch_id=run.tags.get("nba_predictions/batch_id"),
        run_id=run.run_id,
        facts=facts,
    )


def _hanging(instance: dg.DagsterInstance, now: datetime) -> Iterator[Condition]:
    limits = {
        **dict.fromkeys((_R.STARTING, _R.STARTED, _R.CANCELING), HANGS_AFTER),
        _R.QUEUED: QUEUED_AT_MOST,
    }
    for record in instance.get_run_records(
        dg.RunsFilter(statuses=list(limits), created_before=now - HANGS_AFTER), limit=_MOST_RUNS
    ):
        run = record.dagster_run
        since = _utc(record.create_timestamp)
        if record.start_time is not None:
            since = datetime.fromtimestamp(record.start_time, timezone.utc)
        if now - since < limits[run.status]:
            continue
        partition = run.tags.get(PARTITION_NAME_TAG)
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
            batch_id=run.tags.get("nba_predictions/batch_id"),
            run_id=run.run_id,
            facts={
                "status": run.status.value,
                "hours": round((now - since).total_seconds() / 3600, 1),
            },
        )
