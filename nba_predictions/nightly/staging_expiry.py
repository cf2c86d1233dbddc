"""Drop staging that is no longer needed, after the time in which operators may inspect it."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import CLEANED_UP, Batch, BatchState, Completion
from nba_predictions.domain.batches.ledger import LedgerEntry, LedgerEvent
from nba_predictions.domain.batches.retention import staging_may_expire
from nba_predictions.domain.batches.verdict import STAGING_KEPT
from nba_predictions.domain.errors import LeaseLostError
from nba_predictions.logs import milestone
from nba_predictions.nightly.current_batch import log_context, read_snapshot
from nba_predictions.nightly.leases import date_lease
from nba_predictions.warehouse.port import Warehouse


@dataclass(frozen=True)
class ExpiredStaging:
    """The staging of one batch that maintenance dropped, or would drop.

    `tables` and `rows` were recorded and never merged. `dropped` also counts tables that no
    completion recorded.
    """

    batch_id: str
    tables: int
    rows: int
    dropped: int


def expire_staging(
    store: BatchStore, warehouse: Warehouse, *, run_id: str, now: datetime, dry_run: bool = False
) -> list[ExpiredStaging]:
    """Drop the staging that `staging_may_expire` allows, batch by batch, under each date's lease.

    For an abandoned batch that is all staging. For a finished batch it is what its cleanup did not
    know: a player who was staged and never recorded, or a file of a killed writer. The ledger entry
    `staging_expired` lets an audit tell expired staging from lost staging. If another worker holds
    the lease of the date, the batch is left for the next maintenance.
    """
    old = [
        batch
        for batch in store.in_states([BatchState.FAILED, *CLEANED_UP])
        if now - batch.created_at > STAGING_KEPT
    ]
    leftover = warehouse.leftover_staging([batch.batch_id for batch in old])
    expired = []
    for batch in old:
        unrecorded = leftover.get(batch.batch_id, set())
        if not unrecorded and batch.state is not BatchState.FAILED:
            continue
        found = _expire_batch(batch, unrecorded, store, warehouse, run_id, now, dry_run=dry_run)
        if found is not None:
            expired.append(found)
    return expired


def _expire_batch(
    batch: Batch,
    unrecorded: Collection[str],
    store: BatchStore,
    warehouse: Warehouse,
    run_id: str,
    now: datetime,
    *,
    dry_run: bool,
) -> ExpiredStaging | None:
    droppable = _droppable(batch, unrecorded, store, now)
    if droppable is None:
        return None
    if dry_run:
        return droppable.report(dropped=len(warehouse.existing_staging(droppable.names)))
    try:
        with date_lease(batch.game_date, store, run_id=run_id, wait_seconds=0) as lease:
            # A run may have resumed the batch between the first look and the lease.
            droppable = _droppable(batch, unrecorded, store, now)
            if droppable is None:
                return None
            report = droppable.report(dropped=warehouse.drop_staging(droppable.names))
            details = {k: v for k, v in asdict(report).items() if k != "batch_id"}
            entry = LedgerEntry(LedgerEvent.STAGING_EXPIRED, store.now(), run_id, details)
            store.append(batch.batch_id, entry, lease)
    except LeaseLostError:
        return None
    milestone(
        "staging_expired",
        f"{report.dropped} staging tables of {batch.batch_id}, which is {batch.state.value}, were "
        f"dropped; {report.rows} rows recorded in them were never merged",
        severity=logging.WARNING,
        **log_context(batch, run_id),
        **details,
    )
    return report


@dataclass(frozen=True)
class _Droppable:
    """What may be dropped of a batch."""

    batch_id: str
    recorded: Sequence[Completion]
    names: Sequence[str]

    def report(self, *, dropped: int) -> ExpiredStaging:
        rows = sum(c.rows for c in self.recorded)
        return ExpiredStaging(self.batch_id, len(self.recorded), rows, dropped)


def _droppable(
    batch: Batch, unrecorded: Collection[str], store: BatchStore, now: datetime
) -> _Droppable | None:
    snapshot = read_snapshot(store, batch.batch_id)
    if not staging_may_expire(snapshot, now):
        return None
    pending = snapshot.pending_staging
    names = {c.staging_table for c in pending if c.staging_table} | set(unrecorded)
    return _Droppable(batch.batch_id, pending, sorted(names)) if names else None
