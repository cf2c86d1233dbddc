"""What is watched: batches that are done and not yet told of, and batches that a run has left."""

from datetime import timedelta

import dagster as dg

from nba_predictions.domain.batches.batch import Batch
from nba_predictions.domain.clock import utc_now
from nba_predictions.nightly.publication import unpublished
from nba_predictions.nightly.stalls import settle_stalls
from nba_predictions.orchestration.assets.staging import Batches
from nba_predictions.orchestration.jobs import finish_batch, publish_phase5_completion
from nba_predictions.orchestration.run_tags import BATCH_TAG

#: A run that has not ended after this long is taken for dead, and followed by another.
RUN_TIMEOUT = timedelta(minutes=10)
#: Between two attempts at the same batch a sensor waits, twice as long each time, up to this.
LONGEST_BACKOFF = timedelta(minutes=30)


@dg.sensor(
    job=publish_phase5_completion,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Publishes every cleaned batch, and asks again until the broker has it.",
)
def publish_cleaned_batches(
    context: dg.SensorEvaluationContext, batches: Batches
) -> dg.SensorResult | dg.SkipReason:
    """Publish every batch that is consolidated and cleaned, until its broker has acknowledged it.

    It asks the batch store, not the event log: however a batch came to be cleaned, it is found.
    """
    waiting = unpublished(batches)
    requests = _requests(context, waiting, publish_phase5_completion.name)
    if not requests:
        return dg.SkipReason("no cleaned batch waits to be published, or it is being published")
    return dg.SensorResult(run_requests=requests)


@dg.sensor(
    job=finish_batch,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Finds batches without progress, says so, and finishes those that may go out.",
)
def settle_stalled_batches(
    context: dg.SensorEvaluationContext, batches: Batches
) -> dg.SensorResult | dg.SkipReason:
    """Find batches whose run died or hangs; finish those that reach their threshold.

    Of the others the next run of the same slate takes up what was left.
    """
    stalls = settle_stalls(batches, run_id="settle_stalled_batches")
    to_finish = [stall.batch for stall in stalls if stall.may_be_finished]
    requests = _requests(context, to_finish, finish_batch.name)
    if not requests:
        return dg.SkipReason(
            f"{len(stalls)} batches without progress, none of them to be finished now"
            if stalls
            else "every batch is done, or has made progress lately"
        )
    return dg.SensorResult(run_requests=requests)


def _requests(
    context: dg.SensorEvaluationContext, batches: list[Batch], job: str
) -> list[dg.RunRequest]:
    found = (_request(context, batch, job) for batch in batches)
    return [request for request in found if request is not None]


def _request(context: dg.SensorEvaluationContext, batch: Batch, job: str) -> dg.RunRequest | None:
    """Return a request for the next attempt at a batch; None while one is going on, or too soon."""
    runs = context.instance.get_run_records(
        dg.RunsFilter(tags={BATCH_TAG: batch.batch_id}, job_name=job)
    )
    if runs:
        newest = max(run.create_timestamp for run in runs)
        busy = any(not run.dagster_run.is_finished for run in runs)
        # No power beyond this one is needed, and of a large one no timedelta can be made.
        wait = timedelta(seconds=30) * 2 ** min(len(runs) - 1, 10)
        patience = RUN_TIMEOUT if busy else min(wait, LONGEST_BACKOFF)
        if utc_now() - newest < patience:
            return None
    # A run_key is launched once, ever: each attempt needs its own.
    return dg.RunRequest(
        run_key=f"{batch.batch_id}:{len(runs)}",
        partition_key=batch.game_date.isoformat(),
        tags={BATCH_TAG: batch.batch_id},
    )
