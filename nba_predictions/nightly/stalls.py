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
    percent,
)
from nba_predictions.domain.batches.ledger import LedgerEntry, LedgerEvent
from nba_predictions.domain.batches.snapshot import BatchSnapshot
from nba_predictions.domain.batches.verdict import STALL_WINDOW
from nba_predictions.domain.errors import BatchStateError
from nba_predictions.logs import milestone
from nba_predictions.nightly.current_batch import (
    close,
    current_batch,
    log_context,
    read_snapshot,
)

#: A run that dies leaves its batch in one of these states. A cleaned-up batch is unfinished only if
#: players were replayed or skipped after its merge.
_LEFT_BEHIND = RESUMABLE | {BatchState.MERGED, BatchState.CLEANED}
#: How many cleaned-up batches that are not to be published one call reads. An earlier version
#: closed none of them, and the tick of a sensor must end within a minute.
_MAX_QUIET = 20


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
    for _, _, stall in _examined(store, now):
        if stall is not None:
            yield stall


def settle_stalls(store: BatchStore, *, run_id: str, now: datetime | None = None) -> list[Stall]:
    """Find the silent batches, and record and log each stall once.

    A batch whose staging was interrupted becomes `stalled` if enough players are accounted for.
    Otherwise it becomes `failed`, and the next run of the same slate resumes it. A batch that is
    finished and not to be published becomes `closed`.
    """
    now = now or store.now()
    stalls = []
    for batch, snapshot, stall in _examined(store, now):
        if stall is None:
            if _is_finished(batch, snapshot, now):
                close(store, batch.batch_id)
            continue
        if stall.batch.state in BEING_STAGED and not _move(store, stall):
            continue
        if not stall.recorded:
            _record(store, stall, run_id)
        stalls.append(stall)
    return stalls


def _examined(
    store: BatchStore, now: datetime
) -> Iterator[tuple[Batch, BatchSnapshot | None, Stall | None]]:
    """Yield each batch that may be unfinished, with its snapshot and its stall, if any."""
    for batch in _left_behind(store):
        snapshot = _current_snapshot(store, batch)
        yield batch, snapshot, _stall(batch, snapshot, now) if snapshot else None


def _left_behind(store: BatchStore) -> list[Batch]:
    """Return the batches that may be unfinished.

    Of those that are cleaned up and not to be published, only the newest are returned.
    """
    found = store.in_states(_LEFT_BEHIND)
    quiet = [b for b in found if b.state is BatchState.CLEANED and not b.announce]
    later = {b.batch_id for b in sorted(quiet, key=_cleaned_at, reverse=True)[_MAX_QUIET:]}
    return [batch for batch in found if batch.batch_id not in later]


def _current_snapshot(store: BatchStore, batch: Batch) -> BatchSnapshot | None:
    """Read a batch, unless a later batch of its date has superseded it."""
    if current_batch(store, batch.game_date).batch_id != batch.batch_id:
        return None
    return read_snapshot(store, batch.batch_id)


def _stall(batch: Batch, snapshot: BatchSnapshot, now: datetime) -> Stall | None:
    if batch.state is BatchState.CLEANED and not snapshot.changed_since_merge:
        return None
    since = snapshot.last_progress()
    if now - since <= STALL_WINDOW:
        return None
    last = snapshot.last(LedgerEvent.STALLED)
    recorded = last is not None and last.sequence > snapshot.last_sequence()
    return Stall(batch, since, now - since, snapshot.progress, recorded)


def _is_finished(batch: Batch, snapshot: BatchSnapshot | None, now: datetime) -> bool:
    """Return whether a batch can be closed. A cleanup closes its own batch.

    This is for what a cleanup left when it died, for batches of an earlier version, and for batches
    that were reopened and did not change. A replay may be about to begin in a batch that was
    reopened within the stall window.
    """
    if batch.state is not BatchState.CLEANED or batch.announce:
        return False
    if snapshot is not None and snapshot.changed_since_merge:
        return False
    return now - _cleaned_at(batch) > STALL_WINDOW


def _cleaned_at(batch: Batch) -> datetime:
    return batch.times.get(BatchState.CLEANED.value, batch.created_at)


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
        f"{batch.state.value}; {stall.progress.completion_pct}% of its players are accounted for "
        f"(completion threshold {percent(stall.progress.threshold)}); " + next_step,
        severity=logging.ERROR,
        **log_context(batch, run_id),
        **details,
    )
