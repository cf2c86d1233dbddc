"""The completion message to the downstream phases."""

import dagster as dg

from nba_predictions.messaging.port import Publisher
from nba_predictions.nightly.current_batch import current_batch
from nba_predictions.nightly.publication import publish_completion
from nba_predictions.orchestration.assets.merge import staging_cleanup
from nba_predictions.orchestration.assets.staging import Batches
from nba_predictions.orchestration.partitions import asset_of_date, game_date_of


@asset_of_date("publication", {"pubsub"}, deps=[staging_cleanup])
def phase5_completion(
    context: dg.AssetExecutionContext, batches: Batches, publisher: dg.ResourceParam[Publisher]
) -> dg.MaterializeResult:
    """ "Phase 5 complete": one message per batch, recorded once the broker acknowledges it.

    If it fails, the predictions are still in the table; only the message is not published. The
    sensor `publish_cleaned_batches` retries with growing pauses.
    """
    batch = current_batch(batches, game_date_of(context.partition_key))
    sent = publish_completion(batch, batches, publisher, run_id=context.run.run_id)
    return dg.MaterializeResult(
        metadata={
            "batch_id": batch.batch_id,
            "message_id": sent.message_id,
            "message": dg.MetadataValue.json(dict(sent.message)),
        }
    )
