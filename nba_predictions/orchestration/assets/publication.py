"""The hand-over to the phases downstream."""

import dagster as dg

from nba_predictions.domain.batches.reconciliation import last_entry
from nba_predictions.messaging.port import Publisher
from nba_predictions.nightly.current_batch import current_batch
from nba_predictions.nightly.publication import publish_completion
from nba_predictions.orchestration.assets.merge import staging_cleanup
from nba_predictions.orchestration.assets.staging import Batches
from nba_predictions.orchestration.partitions import game_date_of, game_dates


@dg.asset(
    deps=[staging_cleanup],
    partitions_def=game_dates,
    group_name="publication",
    kinds={"pubsub"},
    owners=["team:data-engineering"],
)
def phase5_completion(
    context: dg.AssetExecutionContext,
    batches: Batches,
    publisher: dg.ResourceParam[Publisher],
) -> dg.MaterializeResult:
    """ "Phase 5 complete": one message per batch, recorded once the broker has acknowledged it.

    If it fails, the predictions are in the table all the same; only the message is not out. The
    sensor `publish_cleaned_batches` tries again with growing pauses.
    """
    batch = current_batch(batches, game_date_of(context.partition_key))
    message_id = publish_completion(batch, batches, publisher, run_id=context.run.run_id)
    published = last_entry(batches.ledger(batch.batch_id), "published")
    sent = published.counts.get("message", {}) if published else {}
    return dg.MaterializeResult(
        metadata={
            "batch_id": batch.batch_id,
            "message_id": message_id,
            "message": dg.MetadataValue.json(sent),
        }
    )
