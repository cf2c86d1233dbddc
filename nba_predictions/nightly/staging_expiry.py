"""Drop staging that has no use any more, once nobody will look into it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import (
    CLEANED_UP,
    Batch,
    BatchState,
    Completion,
    LedgerEntry,
)
from nba_predictions.domain.batches.reconciliation import pending_staging
from nba_predictions.domain.batches.retention import staging_may_expire
from nba_predictions.domain.batches.verdict import STAGING_KEPT
from nba_predictions.domain.errors import LeaseLostError
from nba_predictions.logs import milestone
from nba_predictions.nightly.current_batch import log_fields
from nba_predictions.nightly.leases import date_lease
from nba_predictions.warehouse.port import Warehouse


@dataclass(frozen=True)
class ExpiredStaging:
    """The staging of one batch: tables and rows that were recorded and never merged, and how many
    tables were dropped, with those that nobody had recorded."""

    batch_id: str
    tables: int
    rows: int
    dropped: int


def expire_staging(
    store: BatchStore, warehouse: Warehouse, *, run_id: str, now: datetime, dry_run: bool = False
) -> list[ExpiredStaging]:
    """Drop what `staging_may_expire` allows, batch by batch, under the lease of its date.

    That is all of a batch that was given up, and of a finished one what its clean-up did not know
    of: a player who was staged and never recorded, a file that a killed writer has left.

    The ledger tells it with `staging_expired`, so that an audit knows it from staging that got
    lost. A batch whose date somebody works on is left for the next time.
    """
    old = [
        batch
        for batch in store.in_states([BatchState.FAILED, *CLEANED_UP])
        if now - batch.created_at > STAGING_KEPT
    ]
    left = warehouse.leftover_staging([batch.batch_id for batch in old])
    found = []
    for batch in old:
        unrecorded = left.get(batch.batch_id, set())
        if not unrecorded and batch.state is not BatchState.FAILED:
            continue
        expired = _expired(batch, unrecorded, store, now)
        if expired is None:
            continue
        if dry_run:
            there = warehouse.staging_there(expired.names)
            found.append(expired.told(dropped=len(there)))
            continue
        try:
            with date_lease(batch, store, run_id=run_id, wait_seconds=0) as lease:
                # Between the first look and the lease a run may have taken the batch up.
                expired = _expired(store.get(batch.batch_id), unrecorded, store, now)
                if expired is None:
                    continue
                told = expired.told(dropped=warehouse.drop_staging(expired.names))
                counts = {"tables": told.tables, "rows": told.rows, "dropped": told.dropped}
                entry = LedgerEntry("staging_expired", store.now(), run_id, counts)
                store.append(batch.batch_id, entry, lease)
        except LeaseLostError:
            continue
        milestone(
            "staging_expired",
            f"{told.dropped} staging tables of {batch.batch_id} dropped, which is "
            f"{batch.state.value}; {told.rows} recorded rows of them were never merged",
            severity=logging.WARNING,
            **log_fields(batch, run_id),
            **counts,
        )
        found.append(told)
    return found


@dataclass(frozen=True)
class _Expired:
    """What may be dropped of a batch."""

    batch_id: str
    recorded: Sequence[Completion]
    names: Sequence[str]

    def told(self, *, dropped: int) -> ExpiredStaging:
        rows = sum(c.rows for c in self.recorded)
        return ExpiredStaging(self.batch_id, len(self.recorded), rows, dropped)


def _expired(
    batch: Batch, unrecorded: Collection[str], store: BatchStore, now: datetime
) -> _Expired | None:
    completions = store.completions(batch.batch_id)
    ledger = store.ledger(batch.batch_id)
    letters = store.dead_letters(batch.batch_id)
    if not staging_may_expire(batch, completions, letters, ledger, now):
        return None
    recorded = pending_staging(completions, ledger)
    names = {c.staging_table for c in recorded if c.staging_table} | set(unrecorded)
    return _Expired(batch.batch_id, recorded, sorted(names)) if names else None
