"""Find batches whose run died or hangs: they record nothing for longer than the stall window."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import (
    BEING_STAGED,
    RESUMABLE,
    Batch,
    BatchState,
    Progress,
)
from nba_predictions.domain.batches.ledger import LedgerEntry, LedgerEvent, entries_of
from nba_predictions.domain.batches.verdict import STALL_WINDOW
from nba_predictions.domain.errors import BatchStateError
from nba_predictions.logs import milestone
from nba_predictions.nightly.current_batch import current_batch, log_context, read_snapshot

#: A run that dies leaves its batch in one of these states. A cleaned-up batch is unfinished only if
#: players were replayed or skipped after its merge.
_LEFT_BEHIND = RESUMABLE | {BatchState.MERGED, BatchState.CLEANED}


@dataclass(frozen=True)
class Stall:
    """A batch that records nothing, since when, for how long, and how far it got.

    `recorded` is whether the ledger already has an entry about this silence.
    """

    batch: Batch
    since: datetime
    idle: timedelta
    progress: Progress
    recorded: bool

    @property
    def idle_minutes(self) -> int:
        return int(self.idle.total_seconds() // 60)

    @property
    def may_be_finished(self) -> bool:
        """Whether enough players are accounted for to finish the batch without the others."""
        return self.progress.may_be_published


def silent_batches(store: BatchStore, now: datetime) -> Iterator[Stall]:
    """Yield the unfinished batches that recorded nothing for the stall window. Changes nothing."""
    for batch in store.in_states(_LEFT_BEHIND):
        if current_batch(store, batch.game_date).batch_id != batch.batch_id:
            continue
        snapshot = read_snapshot(store, batch.batch_id)
        if batch.state is BatchState.CLEANED and not snapshot.changed_since_merge:
            continue
        since = snapshot.last_progress()
        if now - since > STALL_WINDOW:
            stalls = entries_of(snapshot.ledger, LedgerEvent.STALLED)
            recorded = any(entry.at > since for entry in stalls)
            yield Stall(batch, since, now - since, snapshot.progress, recorded)


def settle_stalls(store: BatchStore, *, run_id: str, now: datetime | None = None) -> list[Stall]:
    """Find the silent batches, and record and log each stall once.

    A batch whose staging was interrupted becomes `stalled` if enough players are accounted for.
    Otherwise it becomes `failed`, and the next run of the same slate resumes it.
    """
    stalls = []
    for stall in silent_batches(store, now or store.now()):
        if stall.batch.state in BEING_STAGED and not _move(store, stall):
            continue
        if not stall.recorded:
            _record(store, stall, run_id)
        stalls.append(stall)
    return stalls


def _move(store: BatchStore, stall: Stall) -> bool:
    """Move an interrupted batch; return False if its own run moved it first."""
    to = BatchState.STALLED if stall.may_be_finished else BatchState.FAILED
    reason = f"stalled: nothing was recorded for {stall.idle_minutes} minutes"
    try:
        store.move(stall.batch.batch_id, to, reason)
    except BatchStateError:
        return False
    return True


def _record(store: BatchStore, stall: Stall, run_id: str) -> None:
    batch = stall.batch
    details = {
        "state": batch.state.value,
        "idle_seconds": int(stall.idle.total_seconds()),
        "completion_pct": stall.progress.completion_pct,
        "may_be_finished": stall.may_be_finished,
    }
    store.append(batch.batch_id, LedgerEntry(LedgerEvent.STALLED, store.now(), run_id, details))
    next_step = (
        "it is finished without the others"
        if stall.may_be_finished
        else "the next run of its date resumes it"
    )
    milestone(
        "batch_stalled",
        f"{batch.batch_id} recorded nothing for {stall.idle_minutes} minutes while it was "
        f"{batch.state.value}; {stall.progress.completion_pct}% of its players are accounted for; "
        + next_step,
        severity=logging.ERROR,
        **log_context(batch, run_id),
        **details,
    )
