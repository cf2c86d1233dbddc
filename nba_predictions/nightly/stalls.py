"""Batches whose run has died, or hangs: found by the silence of the batch store."""

from __future__ import annotations

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
    LedgerEntry,
    Progress,
    last_progress,
    progress,
    tally,
)
from nba_predictions.domain.batches.reconciliation import changed_since_merge
from nba_predictions.domain.batches.verdict import STALL_WINDOW
from nba_predictions.domain.errors import BatchStateError
from nba_predictions.logs import milestone
from nba_predictions.nightly.current_batch import current_batch, log_fields

_S = BatchState
#: What a run leaves behind that dies before the end of its night; a cleaned batch only with players
#: who were replayed or skipped since it was merged.
_LEFT = RESUMABLE | {_S.CONSOLIDATED, _S.CLEANED}


@dataclass(frozen=True)
class Stall:
    """A batch without progress, since when and for how long, and how far it is."""

    batch: Batch
    since: datetime
    idle: timedelta
    done: Progress
    #: Whether this silence is in the ledger already.
    told: bool

    @property
    def may_be_finished(self) -> bool:
        """Whether its threshold lets it go out with what is there."""
        return self.done.may_go_out


def silent_batches(store: BatchStore, now: datetime) -> Iterator[Stall]:
    """Find the unfinished batches that recorded nothing for the stall window; change nothing."""
    for batch in store.in_states(_LEFT):
        if current_batch(store, batch.game_date).batch_id != batch.batch_id:
            continue
        ledger = store.ledger(batch.batch_id)
        letters = store.dead_letters(batch.batch_id)
        completions = store.completions(batch.batch_id)
        if batch.state is _S.CLEANED and not changed_since_merge(completions, ledger):
            continue
        at = last_progress(batch, completions, letters, ledger)
        if now - at > STALL_WINDOW:
            told = any(entry.event == "stalled" and entry.at > at for entry in ledger)
            done = progress(batch, tally(completions, letters))
            yield Stall(batch, at, now - at, done, told)


def settle_stalls(store: BatchStore, *, run_id: str, now: datetime | None = None) -> list[Stall]:
    """Find batches that recorded nothing for the stall window, and say so once for each stall.

    One whose staging broke off becomes `stalled` when enough players are accounted for; otherwise
    it becomes `failed`, and the next run of the same slate takes it up where it was left.
    """
    stalls = []
    for stall in silent_batches(store, now or store.now()):
        if stall.batch.state in BEING_STAGED and not _move(store, stall):
            continue
        if not stall.told:
            _tell(store, stall, run_id)
        stalls.append(stall)
    return stalls


def _move(store: BatchStore, stall: Stall) -> bool:
    """Change the state of a batch whose staging broke off; False when its run moved it first."""
    batch = stall.batch
    to = _S.STALLED if stall.may_be_finished else _S.FAILED
    reason = f"stalled: nothing was recorded for {_minutes(stall.idle)} minutes"
    try:
        store.move(batch.batch_id, to, reason)
    except BatchStateError:
        return False
    return True


def _tell(store: BatchStore, stall: Stall, run_id: str) -> None:
    batch = stall.batch
    counts = {
        "state": batch.state.value,
        "idle_seconds": int(stall.idle.total_seconds()),
        "completion_pct": stall.done.completion_pct,
        "may_be_finished": stall.may_be_finished,
    }
    store.append(batch.batch_id, LedgerEntry("stalled", store.now(), run_id, counts))
    milestone(
        "batch_stalled",
        f"{batch.batch_id} recorded nothing for {_minutes(stall.idle)} minutes while it was "
        f"{batch.state.value}, {stall.done.completion_pct}% of its players are accounted for; "
        + ("finishing it with them" if stall.may_be_finished else "the next run takes it up"),
        severity=logging.ERROR,
        **log_fields(batch, run_id),
        **counts,
    )


def _minutes(idle: timedelta) -> int:
    return int(idle.total_seconds() // 60)
