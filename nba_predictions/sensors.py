"""What is watched: batches that are done and not yet told of."""

from datetime import timedelta

import dagster as dg

from nba_predictions.assets.staging import Batches
from nba_predictions.domain.batch import Batch
from nba_predictions.domain.clock import utc_now
from nba_predictions.jobs import publish_phase5_completion
from nba_predictions.night.publication import unpublished

BATCH_TAG = "nba_predictions/batch_id"
#: A publishing run that has not ended after this long is taken for dead, and followed by another.
PUBLISH_RUN_TIMEOUT = timedelta(minutes=10)
#: Between two attempts at the same batch the sensor waits, twice as long each time, up to this.
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
    requests = [r for batch in unpublished(batches) if (r := _request(context, batch)) is not None]
    if not requests:
        return dg.SkipReason("no cleaned batch waits to be published, or it is being published")
    return dg.SensorResult(run_requests=requests)


def _request(context: dg.SensorEvaluationContext, batch: Batch) -> dg.RunRequest | None:
    runs = context.instance.get_run_records(
        dg.RunsFilter(tags={BATCH_TAG: batch.batch_id}, job_name=publish_phase5_completion.name)
    )
    if runs:
        newest = max(run.create_timestamp for run in runs)
        busy = any(not run.dagster_run.is_finished for run in runs)
        # No power beyond this one is needed, and of a large one no timedelta can be made.
        wait = timedelta(seconds=30) * 2 ** min(len(runs) - 1, 10)
        patience = PUBLISH_RUN_TIMEOUT if busy else min(wait, LONGEST_BACKOFF)
        if utc_now() - newest < patience:
            return None
    # A run_key is launched once, ever: each attempt needs its own.
    return dg.RunRequest(
        run_key=f"{batch.batch_id}:{len(runs)}",
        partition_key=batch.game_date.isoformat(),
        tags={BATCH_TAG: batch.batch_id},
    )
