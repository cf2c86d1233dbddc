"""What every step of a night asks of the batch store."""

from __future__ import annotations

from datetime import date

from nba_predictions.batches.port import BatchStore
from nba_predictions.domain.batch import Batch, BatchState, Progress, progress
from nba_predictions.domain.errors import BatchStateError


def current_batch(store: BatchStore, game_date: date) -> Batch:
    """Return the newest batch of a date that was not given up.

    Raises:
        BatchStateError: the date has no batch.
    """
    batches = store.of_date(game_date)
    if not batches:
        raise BatchStateError(
            f"game_date {game_date} has no batch; materialize staged_predictions first"
        )
    return next((b for b in batches if b.state is not BatchState.FAILED), batches[0])


def batch_progress(batch: Batch, store: BatchStore) -> Progress:
    """Count a batch from its documents."""
    return progress(batch, store.completions(batch.batch_id), store.dead_letters(batch.batch_id))
