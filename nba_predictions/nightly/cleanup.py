"""Drop the staging of a batch after its rows are counted in the target table."""

import logging
from dataclasses import dataclass

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import ROWS_IN_TARGET, Batch, BatchState
from nba_predictions.domain.batches.lease import Lease
from nba_predictions.domain.batches.ledger import Cleaned, LedgerEntry, LedgerEvent
from nba_predictions.domain.batches.reconciliation import TargetCounts
from nba_predictions.domain.batches.snapshot import BatchSnapshot
from nba_predictions.domain.errors import CleanupRefusedError
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.logs import milestone
from nba_predictions.nightly.current_batch import close, log_context, read_snapshot
from nba_predictions.nightly.leases import date_lease
from nba_predictions.nightly.staging import earlier_attempts
from nba_predictions.warehouse.port import Warehouse


@dataclass(frozen=True)
class CleanupReport:
    """How many staging tables were dropped, and the rows counted in the target before that."""

    batch_id: str
    tables_dropped: int
    rows_in_target: int


def clean_up(
    batch: Batch,
    store: BatchStore,
    warehouse: Warehouse,
    *,
    run_id: str,
    wait_seconds: float | None = None,
) -> CleanupReport:
    """Drop the staging of a batch, once its rows are counted in the target.

    The cleanup checks the evidence itself: it reads the merge entry of the ledger and counts the
    target again. Under the lease of the date, no player is replayed between the count and the drop.

    Raises:
        CleanupRefusedError: something does not agree, and nothing was dropped.
        LeaseLostError: another worker of the date did not finish in time.
    """
    with date_lease(batch.game_date, store, run_id=run_id, wait_seconds=wait_seconds) as lease:
        return _clean_up(batch.batch_id, store, warehouse, run_id, lease)


def _clean_up(
    batch_id: str, store: BatchStore, warehouse: Warehouse, run_id: str, lease: Lease
) -> CleanupReport:
    # As in a merge: whatever is recorded from now on is later than the ledger entry.
    began = store.next_sequence(lease.game_date)
    snapshot = read_snapshot(store, batch_id)
    batch = snapshot.batch
    target = warehouse.count(PREDICTIONS, batch.game_date, batch_id)
    objections = _objections(snapshot, target)
    if objections:
        _refuse(batch, objections, store, run_id)
    unrecorded = _unrecorded_staging(snapshot, warehouse, lease)
    dropped = warehouse.drop_staging(snapshot.merged_staging)
    if unrecorded:
        warehouse.drop_staging(unrecorded)
    if batch.state is BatchState.MERGED:
        counts = Cleaned(tables_dropped=dropped, rows_in_target=target.batch_rows)
        entry = LedgerEntry(LedgerEvent.CLEANED, store.now(), run_id, counts, began)
        store.append(batch_id, entry, lease)
        store.move(batch_id, BatchState.CLEANED)
        if not batch.announce:
            close(store, batch_id)
    milestone(
        "cleanup_done",
        f"{dropped} staging tables dropped, {target.batch_rows} rows counted in the target",
        tables_dropped=dropped,
        rows_in_target=target.batch_rows,
        **log_context(batch, run_id),
    )
    return CleanupReport(batch_id, dropped, target.batch_rows)


def _unrecorded_staging(snapshot: BatchSnapshot, warehouse: Warehouse, lease: Lease) -> list[str]:
    """Return the staging of earlier attempts that no completion names.

    A worker that was killed after it staged a player leaves it. A later attempt recorded the
    player, so no completion can name it.
    """
    batch_id = snapshot.batch.batch_id
    leftover = warehouse.leftover_staging([batch_id]).get(batch_id, set())
    return earlier_attempts(leftover, snapshot.staging_tables, before=lease.token)


def _refuse(batch: Batch, objections: list[str], store: BatchStore, run_id: str) -> None:
    details = {"objections": objections}
    entry = LedgerEntry(LedgerEvent.CLEANUP_REFUSED, store.now(), run_id, details)
    store.append(batch.batch_id, entry)
    milestone(
        "cleanup_refused",
        "; ".join(objections),
        severity=logging.ERROR,
        objections=objections,
        **log_context(batch, run_id),
    )
    raise CleanupRefusedError(
        f"the staging of {batch.batch_id} is kept: {'; '.join(objections)}. Fix the cause, "
        f"materialize player_prop_predictions again, then clean up"
    )


def _objections(snapshot: BatchSnapshot, target: TargetCounts) -> list[str]:
    """Return why staging must be kept; empty if the target is known to hold every row."""
    batch, progress = snapshot.batch, snapshot.progress
    objections = []
    if batch.state not in ROWS_IN_TARGET:
        objections.append(f"the batch is {batch.state.value}, not merged")
    merged = snapshot.last(LedgerEvent.MERGED)
    if merged is None or snapshot.reconciliation is None:
        objections.append("the ledger has no merge of this batch")
    else:
        objections += snapshot.reconciliation.merge_problems()
        later = sum(c.sequence > merged.sequence for c in snapshot.completions)
        if later:
            objections.append(f"{later} players were staged after the merge")
    recorded = sum(c.rows for c in snapshot.completions)
    if target.batch_rows != recorded:
        objections.append(
            f"completions recorded {recorded} rows, the target holds {target.batch_rows}"
        )
    if target.duplicate_keys:
        objections.append(f"{target.duplicate_keys} keys are duplicated in the target")
    if not progress.may_be_published:
        objections.append(progress.below_threshold)
    return objections
