"""The command `publish`: send the completion message of a batch that was not to be announced."""

from __future__ import annotations

import dagster as dg

from nba_predictions.cli.output import print_steps, print_verdict
from nba_predictions.cli.pipeline import Pipeline
from nba_predictions.domain.batches.batch import CLEANED_UP, Batch
from nba_predictions.domain.errors import BatchStateError
from nba_predictions.nightly.audit import audit_night
from nba_predictions.nightly.current_batch import newest_batch, set_announce
from nba_predictions.settings import Settings


def publish_batch(settings: Settings, batch_id: str) -> int:
    """Publish a batch, and print its night."""
    pipeline = Pipeline(settings)
    batch = pipeline.batches.get(batch_id)
    with dg.DagsterInstance.get() as instance:
        succeeded = announce_and_publish(pipeline, instance, batch)
    audit = audit_night(batch.game_date, pipeline.batches, pipeline.warehouse)
    print_steps(batch.game_date, audit)
    code = print_verdict(batch.game_date, audit)
    return code if succeeded else 1


def announce_and_publish(pipeline: Pipeline, instance: dg.DagsterInstance, batch: Batch) -> bool:
    """Mark a batch as one to announce, and publish it; return whether that succeeded.

    Raises:
        BatchStateError: a newer batch has superseded it, or it is not cleaned up.
    """
    newest = newest_batch(pipeline.batches, batch.game_date)
    if newest is not None and newest.batch_id != batch.batch_id:
        raise BatchStateError(
            f"{batch.batch_id} is superseded by {newest.batch_id}; publish that batch of "
            f"{batch.game_date} instead"
        )
    if batch.state not in CLEANED_UP:
        raise BatchStateError(
            f"{batch.batch_id} is {batch.state.value}, but only a cleaned batch can be published; "
            f"run `nba-predictions repair --game-date {batch.game_date}` first"
        )
    set_announce(pipeline.batches, batch.batch_id, True, run_id="announce")
    return pipeline.publish(batch.game_date, instance)
