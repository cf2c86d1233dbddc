"""The sensor that retries an unfinished night of the current date, whatever stopped it.

A run may fail for a reason that passes: another program holds the warehouse, a disk is full, a file
is replaced. `predict_waiting_nights` retries nights that a gate blocks.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import dagster as dg

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import CLEANED_UP, BatchState
from nba_predictions.domain.clock import from_machine, utc_now
from nba_predictions.domain.league.games import eastern_date
from nba_predictions.domain.policies.input_gates import deadline
from nba_predictions.inputs.port import LeagueSource
from nba_predictions.logs import milestone
from nba_predictions.nightly.current_batch import newest_batch, read_snapshot
from nba_predictions.orchestration.assets.ingestion import League
from nba_predictions.orchestration.assets.staging import Batches
from nba_predictions.orchestration.jobs import nightly_predictions, refresh_predictions
from nba_predictions.orchestration.run_tags import PARTITION_TAG, RETRY_TAG
from nba_predictions.orchestration.sensors.gate_retry import first_tipoff, gate_failures

#: A night is retried this many times. With the pauses, that takes about six hours.
MAX_RETRIES = 10
#: The pause after a failed run. It doubles with each retry, up to the longest pause.
FIRST_PAUSE = timedelta(minutes=2)
LONGEST_PAUSE = timedelta(hours=1)
#: The newest runs of a date that are read.
_MAX_RUNS = 50

_JOBS = (nightly_predictions, refresh_predictions)


@dataclass(frozen=True)
class FailedNight:
    """The newest run of a date, which failed, and how often the date was retried before it."""

    game_date: date
    run_id: str
    job: str
    ended_at: datetime
    retries: int

    @property
    def next_attempt(self) -> datetime:
        return self.ended_at + min(FIRST_PAUSE * 2**self.retries, LONGEST_PAUSE)


@dg.sensor(
    jobs=list(_JOBS),
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Retries the night of the current date with growing pauses while its last run is "
    "a failed one, until the first tip-off. It leaves complete nights and nights that a gate "
    "blocks alone.",
)
def retry_unfinished_night(
    context: dg.SensorEvaluationContext, batches: Batches, league: League
) -> dg.SensorResult | dg.SkipReason:
    """Retry the night of the current date if its newest run failed and it is not complete."""
    now = utc_now()
    today = eastern_date(now)
    night = _failed_night(context.instance, today)
    if night is None:
        return dg.SkipReason(f"the newest run of {today} did not fail")
    if is_complete(batches, today):
        return dg.SkipReason(f"{today} is complete")
    if _waits_for_inputs(context.instance, batches, night):
        return dg.SkipReason(f"gates block {today}; predict_waiting_nights retries it")
    if night.retries >= MAX_RETRIES:
        if context.cursor != night.run_id:
            _log_abandoned(night)
            context.update_cursor(night.run_id)
        return dg.SkipReason(f"{today} was retried {night.retries} times; it is not retried again")
    if now < night.next_attempt:
        return dg.SkipReason(f"{today} is retried at {night.next_attempt:%H:%M:%S} UTC")
    if now >= deadline(today, _tipoff(context.instance, night, league)):
        return dg.SkipReason(f"the games of {today} have begun; it is not retried")
    attempt = str(night.retries + 1)
    key = today.isoformat()
    # Dagster launches a run key once. The key names the failed run: a number of attempts would
    # repeat after old runs are deleted.
    request = dg.RunRequest(
        run_key=f"{key}:{night.run_id}",
        job_name=night.job,
        partition_key=key,
        tags={RETRY_TAG: attempt},
    )
    return dg.SensorResult(run_requests=[request])


def is_complete(batches: BatchStore, game_date: date) -> bool:
    """Return whether everything that was staged for a date is merged and cleaned up."""
    batch = newest_batch(batches, game_date)
    if batch is None or batch.state not in CLEANED_UP:
        return False
    return not read_snapshot(batches, batch.batch_id).changed_since_merge


def _waits_for_inputs(
    instance: dg.DagsterInstance, batches: BatchStore, night: FailedNight
) -> bool:
    """Return whether `predict_waiting_nights` retries a night."""
    has_batch = any(b.state is not BatchState.FAILED for b in batches.of_date(night.game_date))
    is_nightly = night.job == nightly_predictions.name
    return is_nightly and not has_batch and bool(gate_failures(instance, night.run_id))


def _failed_night(instance: dg.DagsterInstance, game_date: date) -> FailedNight | None:
    """Return the newest run of a date if it failed; None if it is active or was canceled."""
    records = _runs(instance, game_date)
    newest = next(iter(records), None)
    if newest is None or newest.dagster_run.status is not dg.DagsterRunStatus.FAILURE:
        return None
    retries = 0
    for record in records:
        if record.dagster_run.status is dg.DagsterRunStatus.SUCCESS:
            break
        retries += RETRY_TAG in record.dagster_run.tags
    ended = newest.end_time or newest.create_timestamp.timestamp()
    return FailedNight(
        game_date=game_date,
        run_id=newest.dagster_run.run_id,
        job=newest.dagster_run.job_name,
        ended_at=from_machine(ended),
        retries=retries,
    )


def _runs(instance: dg.DagsterInstance, game_date: date) -> Sequence[dg.RunRecord]:
    """Return the runs that predict a date, newest first."""
    records = [
        record
        for job in _JOBS
        for record in instance.get_run_records(
            dg.RunsFilter(job_name=job.name, tags={PARTITION_TAG: game_date.isoformat()}),
            limit=_MAX_RUNS,
        )
    ]
    return sorted(records, key=lambda record: record.storage_id, reverse=True)


def _tipoff(
    instance: dg.DagsterInstance, night: FailedNight, league: LeagueSource
) -> datetime | None:
    """Return the first tip-off of a date; None if it is unknown.

    A run that failed before its gates did not store the schedule.
    """
    known = first_tipoff(instance, night.run_id)
    if known is not None:
        return known
    try:
        first = league.schedule(night.game_date)["tipoff"].min()
    except Exception as error:
        # The input may be what the night failed for. The latest usual tip-off is used then.
        logging.getLogger(__name__).warning("the schedule cannot be read: %s", error)
        return None
    return first if isinstance(first, datetime) else None


def _log_abandoned(night: FailedNight) -> None:
    milestone(
        "night_not_retried",
        f"{night.game_date} failed {night.retries} retries and is not retried again; fix the cause "
        f"and run `nba-predictions repair --game-date {night.game_date}`",
        severity=logging.ERROR,
        game_date=night.game_date,
        run_id=night.run_id,
        retries=night.retries,
    )
