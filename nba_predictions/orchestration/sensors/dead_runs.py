"""The sensor that completes what Dagster does with runs that were cut off.

Dagster's run monitoring finds a started run whose process is gone, but it gives a run three minutes
to start. Its retries are not certain: when the daemon reads that a run failed, it does not retry
the run if the new state of the run is not stored yet, or if the code server does not answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg

from nba_predictions.domain.clock import machine_now
from nba_predictions.orchestration.run_launcher import why_run_is_gone
from nba_predictions.orchestration.run_tags import (
    AUTO_RETRY_TAG,
    FAILURE_REASON_TAG,
    MAX_RETRIES_TAG,
    REMINDERS_TAG,
    RETRY_NUMBER_TAG,
)

#: Dagster retries a run within this time after it failed.
RETRIED_WITHIN = timedelta(seconds=60)
_LOOKED_BACK = timedelta(days=1)
#: How often Dagster is reminded of one run. It may have another reason not to retry it.
_MOST_REMINDERS = 10


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Ends runs that were cut off while they were starting, so that they are retried, and "
        "reminds Dagster of runs that were cut off and not retried."
    ),
)
def end_dead_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """End starting runs whose process is gone. On Kubernetes, run monitoring ends such runs."""
    instance = context.instance
    ended = []
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTING])):
        reason = why_run_is_gone(instance, run)
        current = instance.get_run_by_id(run.run_id)
        if reason and current is not None and current.status is run.status:
            instance.report_run_failed(run, f"The run was cut off while it was starting: {reason}.")
            ended.append(run.run_id)
    reminded = list(_remind_of_retries(instance))
    did = [
        f"{what} {', '.join(ids)}" for what, ids in (("ended", ended), ("retried", reminded)) if ids
    ]
    return dg.SkipReason("; ".join(did) or "no run is dead")


def _remind_of_retries(instance: dg.DagsterInstance) -> Iterator[str]:
    """Report the failure of each run again that was cut off and not retried. Yield their ids.

    Dagster retries a run once, however often its failure is reported.
    """
    now = machine_now()
    failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=now - _LOOKED_BACK)
    for record in instance.get_run_records(failed):
        run = record.dagster_run
        reminders = int(run.tags.get(REMINDERS_TAG, 0))
        if (
            _should_be_retried(instance, run)
            and reminders < _MOST_REMINDERS
            and now.timestamp() - (record.end_time or 0) > RETRIED_WITHIN.total_seconds()
        ):
            instance.add_run_tags(run.run_id, {REMINDERS_TAG: str(reminders + 1)})
            instance.report_run_failed(run, "The run was cut off, and Dagster did not retry it.")
            yield run.run_id


def _should_be_retried(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Return whether a failed run was cut off and has no retry, although it may have one.

    Dagster cannot retry a run of the command line, which has no origin.
    """
    most = int(run.tags.get(MAX_RETRIES_TAG, instance.run_retries_max_retries))
    return (
        run.remote_job_origin is not None
        and run.tags.get(FAILURE_REASON_TAG) != "STEP_FAILURE"
        and AUTO_RETRY_TAG not in run.tags
        and int(run.tags.get(RETRY_NUMBER_TAG, 0)) < most
    )
