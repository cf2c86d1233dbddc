"""Drop the staging of batches that were given up, once nobody will look into it any more."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from nba_predictions.batches.port import BatchStore
from nba_predictions.domain.batch import Batch, BatchState, Completion, LedgerEntry
from nba_predictions.domain.errors import LeaseLostError
from nba_predictions.domain.maintenance import expired_staging
from nba_predictions.logs import milestone
from nba_predictions.night.batches import log_fields
from nba_predictions.night.leases import date_lease
from nba_predictions.warehouse.port import Warehouse


@dataclass(frozen=True)
class ExpiredStaging:
    """The staging of one batch that was given up: recorded, and dropped of it."""

    batch_id: str
    tables: int
    rows: int
    dropped: int


def expire_staging(
    store: BatchStore, warehouse: Warehouse, *, run_id: str, now: datetime, dry_run: bool = False
) -> list[ExpiredStaging]:
    """Drop what `expired_staging` names, batch by batch, under the lease of its date.

    The ledger tells it with `staging_expired`, so that an audit knows it from staging that got
    lost. A batch whose date somebody works on is left for the next time.
    """
    found = []
    for batch in store.in_states([BatchState.FAILED]):
        expired = _expired(batch, store, now)
        if not expired:
            continue
        if dry_run:
            there = warehouse.staging_there(_names(expired))
            found.append(_told(batch, expired, dropped=len(there)))
            continue
        try:
            with date_lease(batch, store, run_id=run_id, wait_seconds=0) as lease:
                # Between the first look and the lease a run may have taken the batch up.
                expired = _expired(store.get(batch.batch_id), store, now)
                if not expired:
                    continue
                told = _told(batch, expired, dropped=warehouse.drop_staging(_names(expired)))
                counts = {"tables": told.tables, "rows": told.rows, "dropped": told.dropped}
                entry = LedgerEntry("staging_expired", store.now(), run_id, counts)
                store.append(batch.batch_id, entry, lease)
        except LeaseLostError:
            continue
        milestone(
            "staging_expired",
            f"{told.dropped} staging tables of {batch.batch_id} dropped: it was given up "
            f"({batch.reason}), and its {told.rows} rows were never merged",
            severity=logging.WARNING,
            **log_fields(batch, run_id),
            **counts,
        )
        found.append(told)
    return found


def _expired(batch: Batch, store: BatchStore, now: datetime) -> list[Completion]:
    if batch.state is not BatchState.FAILED:
        return []
    return expired_staging(
        batch,
        store.completions(batch.batch_id),
        store.dead_letters(batch.batch_id),
        store.ledger(batch.batch_id),
        now,
    )


def _names(completions: Sequence[Completion]) -> list[str]:
    return [c.staging_table for c in completions if c.staging_table]


def _told(batch: Batch, expired: Sequence[Completion], *, dropped: int) -> ExpiredStaging:
    return ExpiredStaging(batch.batch_id, len(expired), sum(c.rows for c in expired), dropped)
