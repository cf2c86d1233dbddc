"""Consolidate a batch by one MERGE, and clean up its staging when the evidence allows."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import (
    CLEANED_UP,
    MERGED,
    Batch,
    BatchState,
    BatchStatus,
    Completion,
    Lease,
    LedgerEntry,
)
from nba_predictions.domain.batches.reconciliation import (
    MergeCounts,
    Reconciliation,
    TargetCounts,
    last_entry,
    pending_staging,
    predicted_players,
    reconcile,
)
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import BatchStateError, CleanupRefusedError
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.logs import milestone
from nba_predictions.nightly.current_batch import batch_progress, current_batch, log_fields
from nba_predictions.nightly.leases import date_lease
from nba_predictions.warehouse.port import Warehouse


@dataclass(frozen=True)
class Consolidation:
    """The outcome of a consolidation: its numbers, and how long the MERGE took."""

    batch_id: str
    reconciliation: Reconciliation
    merge_seconds: float


def consolidate(
    batch: Batch,
    store: BatchStore,
    warehouse: Warehouse,
    *,
    run_id: str,
    lease_wait_seconds: float | None = None,
) -> Consolidation:
    """MERGE all staging of a batch under the lease of its date, and reconcile.

    The batch becomes `consolidated` only when every number agrees; otherwise it stays `staged`, its
    staging untouched, with the numbers in its ledger. Consolidating again is harmless; a batch that
    is past it is `staged` again when players were replayed into it since.

    Raises:
        BatchStateError: the batch is still being staged, or was given up.
        LeaseLostError: another consolidation of the date did not end in time.
    """
    with date_lease(batch, store, run_id=run_id, wait_seconds=lease_wait_seconds) as lease:
        return _consolidate(batch.batch_id, store, warehouse, run_id, lease)


def _consolidate(
    batch_id: str, store: BatchStore, warehouse: Warehouse, run_id: str, lease: Lease
) -> Consolidation:
    # The merge is entered with the time before anything was read: what a replay records while it
    # goes on is later than the merge, and so is merged again, never taken for merged.
    began = store.now()
    batch = store.get(batch_id)
    which = log_fields(batch, run_id)
    completions = store.completions(batch.batch_id)
    ledger = store.ledger(batch.batch_id)
    pending = pending_staging(completions, ledger)
    merged = last_entry(ledger, "merged")
    if batch.state in MERGED and merged and all(c.recorded_at < merged.at for c in completions):
        milestone("consolidation_found", "this batch is consolidated already", **which)
        return Consolidation(batch.batch_id, Reconciliation.from_numbers(merged.counts), 0.0)
    if batch.state in CLEANED_UP:
        for state in (BatchState.STAGING, BatchState.STAGED):
            store.move(batch.batch_id, state, "players were replayed")
        store.append(batch.batch_id, LedgerEntry("reopened", store.now(), run_id), lease)
        batch = store.get(batch.batch_id)
    if batch.state not in (BatchState.STAGED, BatchState.CONSOLIDATED):
        raise BatchStateError(
            f"{batch.batch_id} is {batch.state.value}"
            + (f" ({batch.reason})" if batch.reason else "")
            + "; only a staged batch can be consolidated. Materialize staged_predictions first"
        )

    names = [c.staging_table for c in pending if c.staging_table]
    milestone("consolidation_started", f"lease token {lease.token}", token=lease.token, **which)
    there = warehouse.staging_there(names)
    milestone(
        "staging_found",
        f"{len(there)} of {len(names)} staging tables found",
        severity=logging.INFO if len(there) == len(names) else logging.ERROR,
        expected=len(names),
        found=len(there),
        missing=sorted(set(names) - there)[:20],
        **which,
    )
    started = time.perf_counter()
    counts = MergeCounts(0, 0, 0, 0, 0, 0)
    merged_at = utc_now()
    if there:
        counts = warehouse.merge(PREDICTIONS, batch.game_date, names, merged_at)
    seconds = time.perf_counter() - started
    milestone(
        "merge_executed",
        f"{counts.inserted} inserted, {counts.updated} updated, {counts.superseded} superseded",
        rows=counts.affected,
        inserted=counts.inserted,
        updated=counts.updated,
        superseded=counts.superseded,
        ms=round(seconds * 1000, 1),
        **which,
    )
    target = warehouse.count(PREDICTIONS, batch.game_date, batch.batch_id)
    numbers = reconcile(batch, completions, pending, counts, target)
    leaving = _rows_of_skipped(batch, warehouse, completions, numbers)
    rest = replace(numbers, batch_rows_in_target=numbers.batch_rows_in_target - leaving)
    if not rest.merge_problems() and _speaks_for_its_date(batch, store):
        keep = predicted_players(completions, store.dead_letters(batch.batch_id))
        retired = warehouse.retire(PREDICTIONS, batch.game_date, sorted(keep), merged_at)
        if retired:
            milestone(
                "rows_retired",
                f"{retired} rows of players whom this batch does not predict are taken out",
                rows=retired,
                **which,
            )
            target = warehouse.count(PREDICTIONS, batch.game_date, batch.batch_id)
            numbers = reconcile(batch, completions, pending, counts, target, retired)
    problems = numbers.merge_problems()
    milestone(
        "reconciliation",
        "; ".join(problems) or f"{numbers.merged} rows merged, every number agrees",
        severity=logging.ERROR if problems else logging.INFO,
        agrees=not problems,
        **numbers.numbers(),
        **which,
    )
    entry = LedgerEntry("merged", began, run_id, numbers.numbers())
    store.append(batch.batch_id, entry, lease)
    if not problems:
        store.move(batch.batch_id, BatchState.CONSOLIDATED)
    return Consolidation(batch.batch_id, numbers, seconds)


def _rows_of_skipped(
    batch: Batch,
    warehouse: Warehouse,
    completions: Sequence[Completion],
    numbers: Reconciliation,
) -> int:
    """Count the rows that this batch itself wrote of players who are skipped by now."""
    if numbers.batch_rows_in_target <= numbers.batch_rows_expected:
        return 0
    skipped = {c.player_lookup for c in completions if not c.rows}
    found = warehouse.query(
        "rows_by_player", PREDICTIONS, partition=batch.game_date, batch_id=batch.batch_id
    )
    return sum(row["row_count"] for row in found.to_pylist() if row["player_lookup"] in skipped)


def _speaks_for_its_date(batch: Batch, store: BatchStore) -> bool:
    """Return whether a batch may take out what it does not predict.

    Below its threshold too little is known of its players, and a date without games may be one of
    which the schedule was not to be had.
    """
    status = batch_progress(batch, store).status
    if status not in (BatchStatus.SUCCESS, BatchStatus.PARTIAL):
        return False
    return current_batch(store, batch.game_date).batch_id == batch.batch_id


@dataclass(frozen=True)
class Cleanup:
    """What was dropped, and the rows of the batch that were counted in the target before."""

    batch_id: str
    tables_dropped: int
    rows_in_target: int


def clean_up(
    batch: Batch,
    store: BatchStore,
    warehouse: Warehouse,
    *,
    run_id: str,
    lease_wait_seconds: float | None = None,
) -> Cleanup:
    """Drop the staging of a batch, once its rows have been counted in the target.

    It trusts no scheduler and no check: it reads the ledger's merge entry, and counts again. It
    holds the lease of the date, so that nobody is replayed between the count and the drop.

    Raises:
        CleanupRefusedError: with all that does not agree; nothing was dropped.
        LeaseLostError: another worker of the date did not end in time.
    """
    with date_lease(batch, store, run_id=run_id, wait_seconds=lease_wait_seconds) as lease:
        return _clean_up(batch.batch_id, store, warehouse, run_id, lease)


def _clean_up(
    batch_id: str, store: BatchStore, warehouse: Warehouse, run_id: str, lease: Lease
) -> Cleanup:
    # As in a merge: whatever is recorded from here on was not there to be cleaned up.
    began = store.now()
    batch = store.get(batch_id)
    which = log_fields(batch, run_id)
    completions = store.completions(batch.batch_id)
    target = warehouse.count(PREDICTIONS, batch.game_date, batch.batch_id)
    objections = _objections(batch, store, completions, target)
    if objections:
        store.append(
            batch.batch_id,
            LedgerEntry("cleanup_refused", store.now(), run_id, {"objections": objections}),
        )
        milestone(
            "cleanup_refused",
            "; ".join(objections),
            severity=logging.ERROR,
            objections=objections,
            **which,
        )
        raise CleanupRefusedError(
            f"staging of {batch.batch_id} stays: {'; '.join(objections)}. Mend the cause, "
            f"materialize player_prop_predictions again, then clean up"
        )
    dropped = warehouse.drop_staging([c.staging_table for c in completions if c.staging_table])
    report = Cleanup(batch.batch_id, dropped, target.batch_rows)
    if batch.state is BatchState.CONSOLIDATED:
        counts = {"tables_dropped": dropped, "rows_in_target": target.batch_rows}
        store.append(batch.batch_id, LedgerEntry("cleaned", began, run_id, counts), lease)
        store.move(batch.batch_id, BatchState.CLEANED)
    milestone(
        "cleanup_done",
        f"{dropped} staging tables dropped, {target.batch_rows} rows counted in the target",
        tables_dropped=dropped,
        rows_in_target=target.batch_rows,
        **which,
    )
    return report


def _objections(
    batch: Batch, store: BatchStore, completions: Sequence[Completion], target: TargetCounts
) -> list[str]:
    objections = []
    merged = last_entry(store.ledger(batch.batch_id), "merged")
    if batch.state not in MERGED:
        objections.append(f"the batch is {batch.state.value}, not consolidated")
    if merged is None:
        objections.append("the ledger has no merge of this batch")
    else:
        objections += Reconciliation.from_numbers(merged.counts).merge_problems()
        later = sum(c.recorded_at > merged.at for c in completions)
        if later:
            objections.append(f"{later} players were staged after the merge")
    recorded = sum(c.rows for c in completions)
    if target.batch_rows != recorded:
        objections.append(
            f"completions recorded {recorded} rows, the target holds {target.batch_rows}"
        )
    if target.duplicate_keys:
        objections.append(f"{target.duplicate_keys} keys stand twice in the target")
    done = batch_progress(batch, store)
    if not done.may_go_out:
        objections.append(
            f"{done.accounted} of {done.expected} players are accounted for, below the threshold "
            f"of {done.threshold:.0%}"
        )
    return objections
