"""Find and read the batch of a date."""

from contextlib import suppress
from dataclasses import replace
from datetime import date
from typing import Any

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import (
    ROWS_IN_TARGET,
    Batch,
    BatchState,
    Progress,
    percent,
    progress,
)
from nba_predictions.domain.batches.ledger import LedgerEntry, LedgerEvent
from nba_predictions.domain.batches.snapshot import BatchSnapshot
from nba_predictions.domain.errors import BatchStateError
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.logs import milestone
from nba_predictions.warehouse.port import Warehouse


def current_batch(store: BatchStore, game_date: date) -> Batch:
    """Return the newest batch of a date that was not abandoned.

    Raises:
        BatchStateError: the date has no batch.
    """
    batch = newest_batch(store, game_date)
    if batch is None:
        raise BatchStateError(
            f"game_date {game_date} has no batch; materialize staged_predictions first"
        )
    return batch


def newest_batch(store: BatchStore, game_date: date) -> Batch | None:
    """Return the newest batch that was not abandoned, else the newest, else None."""
    batches = store.of_date(game_date)
    not_failed = (b for b in batches if b.state is not BatchState.FAILED)
    return next(not_failed, next(iter(batches), None))


def read_snapshot(store: BatchStore, batch_id: str) -> BatchSnapshot:
    """Read everything that a store holds about a batch.

    The ledger is read last, so that staging which another worker merges and drops while this reads
    is not mistaken for lost.
    """
    return BatchSnapshot(
        batch=store.get(batch_id),
        completions=store.completions(batch_id),
        dead_letters=store.dead_letters(batch_id),
        ledger=store.ledger(batch_id),
    )


def batch_progress(batch: Batch, store: BatchStore) -> Progress:
    """Return the progress of a batch, counted by the store without reading every player."""
    return progress(batch, store.tally(batch.batch_id))


def close(store: BatchStore, batch_id: str) -> bool:
    """Close a cleaned-up batch; return False if it is to be published or in another state."""
    try:
        return store.move(batch_id, BatchState.CLOSED)
    except BatchStateError:
        return False


def reopen(store: BatchStore, batch: Batch, reason: str) -> Batch:
    """Return a batch whose new completions the sensors see: a closed batch is `cleaned` again."""
    if batch.state is not BatchState.CLOSED:
        return batch
    store.move(batch.batch_id, BatchState.CLEANED, reason)
    return store.get(batch.batch_id)


def set_announce(store: BatchStore, batch_id: str, announce: bool, *, run_id: str) -> bool:
    """Turn the completion message of a batch on or off; return whether that is a change.

    A closed batch that is to be published is reopened.
    """
    while True:
        batch = store.get(batch_id)
        if batch.announce is announce:
            return False
        if announce and batch.state is BatchState.CLOSED:
            # A sensor may close it again before it is revised, and another worker may reopen it.
            with suppress(BatchStateError):
                reopen(store, batch, "it is to be published")
            continue
        # The revision fails if another worker changed the batch after it was read.
        if store.revise(batch, replace(batch, announce=announce)):
            details = {"announce": announce}
            entry = LedgerEntry(LedgerEvent.ANNOUNCE_CHANGED, store.now(), run_id, details)
            store.append(batch_id, entry)
            return True


def set_threshold(store: BatchStore, batch_id: str, threshold: float, *, run_id: str) -> bool:
    """Change the completion threshold of a batch; return whether that is a change."""
    while True:
        batch = store.get(batch_id)
        if batch.completion_threshold == threshold:
            return False
        # The revision fails if another worker changed the batch after it was read.
        if store.revise(batch, replace(batch, completion_threshold=threshold)):
            details = {"from": batch.completion_threshold, "to": threshold}
            entry = LedgerEntry(LedgerEvent.THRESHOLD_CHANGED, store.now(), run_id, details)
            store.append(batch_id, entry)
            milestone(
                "threshold_changed",
                f"the completion threshold of {batch_id} is now {percent(threshold)}, before "
                f"{percent(batch.completion_threshold)}",
                before=batch.completion_threshold,
                now=threshold,
                **log_context(batch, run_id),
            )
            return True


def refuse_superseded(batch: Batch, store: BatchStore) -> None:
    """Refuse a batch whose rows belong to a later batch of its date.

    A run that was paused while another one merged newer predictions has such a batch.

    Raises:
        BatchStateError: names the later batch. Nothing was written.
    """
    for other in store.of_date(batch.game_date):
        if other.sequence > batch.sequence and other.state in ROWS_IN_TARGET:
            raise BatchStateError(
                f"{batch.batch_id} was superseded by {other.batch_id}, which is "
                f"{other.state.value}; nothing was written"
            )


def games_by_player(warehouse: Warehouse, game_date: date) -> dict[str, str]:
    """Return the game_id of the rows of each player in the target table."""
    rows = warehouse.query("games_by_player", PREDICTIONS, partition=game_date).to_pylist()
    return {row["player_lookup"]: row["game_id"] for row in rows}


def log_context(batch: Batch, run_id: str) -> dict[str, Any]:
    """Return the fields that every milestone of a batch carries."""
    return {"batch_id": batch.batch_id, "game_date": batch.game_date, "run_id": run_id}
