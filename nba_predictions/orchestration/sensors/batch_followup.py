"""The sensors that publish finished batches, and finish or abandon stalled batches.

They read the batch store, not the event log, so they find a batch however it came into its state.
https://docs.dagster.io/guides/automate/sensors
"""

from datetime import timedelta

import dagster as dg

from nba_predictions.domain.batches.batch import Batch
from nba_predictions.domain.clock import machine_now
from nba_predictions.nightly.publication import unpublished_batches
from nba_predictions.nightly.stalls import settle_stalls
from nba_predictions.orchestration.assets.staging import Batches
from nba_predictions.orchestration.jobs import finish_batch, publish_phase5_completion
from nba_predictions.orchestration.run_tags import BATCH_TAG

#: A run that has not ended after this time counts as dead, and another attempt follows.
RUN_TIMEOUT = timedelta(minutes=10)
#: The wait between two attempts at a batch doubles each time, up to this time.
LONGEST_BACKOFF = timedelta(minutes=30)


@dg.sensor(
    job=publish_phase5_completion,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Publishes every cleaned batch, and retries until the broker acknowledges the "
    "message.",
)
def publish_cleaned_batches(
    context: dg.SensorEvaluationContext, batches: Batches
) -> dg.SensorResult | dg.SkipReason:
    requests = _requests(context, unpublished_batches(batches), publish_phase5_completion.name)
    if not requests:
        return dg.SkipReason(
            "nothing to publish: no batch is waiting, or its next attempt is not due yet"
        )
    return dg.SensorResult(run_requests=requests)


@dg.sensor(
    job=finish_batch,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Finds batches without progress. Finishes those that reach the completion "
    "threshold, and abandons the others.",
)
def settle_stalled_batches(
    context: dg.SensorEvaluationContext, batches: Batches
) -> dg.SensorResult | dg.SkipReason:
    """Finish or abandon batches whose run died or hangs.

    If the same slate runs again, it resumes an abandoned batch.
    """
    stalls = settle_stalls(batches, run_id="settle_stalled_batches")
    to_finish = [stall.batch for stall in stalls if stall.may_be_finished]
    requests = _requests(context, to_finish, finish_batch.name)
    if not requests:
        return dg.SkipReason(
            f"{len(stalls)} batches without progress, none to finish now"
            if stalls
            else "every batch is done or has recent progress"
        )
    return dg.SensorResult(run_requests=requests)


def _requests(
    context: dg.SensorEvaluationContext, batches: list[Batch], job: str
) -> list[dg.RunRequest]:
    requests = (_request(context, batch, job) for batch in batches)
    return [request for request in requests if request is not None]


def _request(context: dg.SensorEvaluationContext, batch: Batch, job: str) -> dg.RunRequest | None:
    """Return a request for the next attempt at a batch, None if it is too early for one."""
    records = context.instance.get_run_records(
        dg.RunsFilter(tags={BATCH_TAG: batch.batch_id}, job_name=job)
    )
    newest = max(records, key=lambda record: record.storage_id, default=None)
    if newest is not None:
        is_running = any(not record.dagster_run.is_finished for record in records)
        # The exponent is bounded because a timedelta cannot hold large powers.
        backoff = timedelta(seconds=30) * 2 ** min(len(records) - 1, 10)
        wait = RUN_TIMEOUT if is_running else min(backoff, LONGEST_BACKOFF)
        if machine_now() - newest.create_timestamp < wait:
            return None
    # Dagster launches a run key once. The key names the attempt before this one: a number of
    # attempts would repeat after old runs are deleted.
    previous = newest.dagster_run.run_id if newest else "first"
    return dg.RunRequest(
        run_key=f"{batch.batch_id}:{previous}",
        partition_key=batch.game_date.isoformat(),
        tags={BATCH_TAG: batch.batch_id},
    )


FOLLOWUP_SENSORS = [publish_cleaned_batches, settle_stalled_batches]
