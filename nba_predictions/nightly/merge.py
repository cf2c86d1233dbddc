"""Merge the staging of a batch into the target table with one MERGE, and reconcile the counts."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import (
    CLEANED_UP,
    ROWS_IN_TARGET,
    Batch,
    BatchState,
    BatchStatus,
)
from nba_predictions.domain.batches.lease import Lease
from nba_predictions.domain.batches.ledger import LedgerEntry, LedgerEvent, Merged
from nba_predictions.domain.batches.reconciliation import (
    NOTHING_MERGED,
    MergeCounts,
    Reconciliation,
    TargetCounts,
    reconcile,
)
from nba_predictions.domain.batches.snapshot import BatchSnapshot
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import BatchStateError
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.logs import milestone
from nba_predictions.nightly.current_batch import (
    current_batch,
    games_by_player,
    log_context,
    read_snapshot,
    refuse_superseded,
)
from nba_predictions.nightly.leases import LEASE_TTL, date_lease
from nba_predictions.warehouse.port import Warehouse


@dataclass(frozen=True)
class MergeReport:
    """The numbers of a merge, and how long the MERGE statement took in seconds."""

    batch_id: str
    reconciliation: Reconciliation
    merge_seconds: float


def merge_batch(
    batch: Batch,
    store: BatchStore,
    warehouse: Warehouse,
    *,
    run_id: str,
    wait_seconds: float | None = None,
) -> MergeReport:
    """Merge all staging of a batch under the lease of its date, and reconcile.

    The batch moves to `BatchState.MERGED` only if every number agrees. Otherwise it stays `staged`,
    its staging is kept, and the ledger has the numbers. Merging again is harmless. If players were
    replayed after the batch was finished, the merge reopens it first.

    Raises:
        BatchStateError: the batch is still being staged, was abandoned, or a later batch of the
            date was merged.
        LeaseLostError: another worker of the date did not finish in time.
        WarehouseLockedError: another process holds the warehouse.
    """
    if batch.state not in ROWS_IN_TARGET:
        # A worker that cannot write must not acquire the lease of one that can.
        warehouse.check_writable()
    with date_lease(batch.game_date, store, run_id=run_id, wait_seconds=wait_seconds) as lease:
        # The ledger entry gets a number from before anything is read: whatever a replay records
        # while the merge runs is later than the entry, so the next merge reads it.
        work = _Merge(store, warehouse, lease, run_id, store.next_sequence(batch.game_date))
        snapshot = read_snapshot(store, batch.batch_id)
        done_before = _merged_before(snapshot)
        if done_before is not None:
            milestone(
                "consolidation_found",
                "this batch is merged already",
                **log_context(batch, run_id),
            )
            return MergeReport(batch.batch_id, done_before, 0.0)
        refuse_superseded(batch, store)
        snapshot = _ensure_mergeable(snapshot, work)
        milestone(
            "consolidation_started",
            f"lease token {lease.token}",
            token=lease.token,
            **log_context(batch, run_id),
        )
        return _merge_and_reconcile(snapshot, work)


@dataclass(frozen=True)
class _Merge:
    """What the steps of one merge share.

    `began` is the sequence number with which the merge began. What has a higher one may not have
    been read.
    """

    store: BatchStore
    warehouse: Warehouse
    lease: Lease
    run_id: str
    began: int

    def append(self, batch: Batch, event: LedgerEvent, **content: Any) -> None:
        entry = LedgerEntry(event, self.store.now(), self.run_id, **content)
        self.store.append(batch.batch_id, entry, self.lease)


def _merged_before(snapshot: BatchSnapshot) -> Reconciliation | None:
    """Return the numbers of the last merge if it read everything that is recorded."""
    merged = snapshot.last(LedgerEvent.MERGED)
    if merged is None or snapshot.batch.state not in ROWS_IN_TARGET:
        return None
    if any(c.sequence > merged.sequence for c in snapshot.completions):
        return None
    return snapshot.reconciliation


def _ensure_mergeable(snapshot: BatchSnapshot, work: _Merge) -> BatchSnapshot:
    """Reopen a cleaned-up batch into which players were replayed; refuse one not fully staged."""
    batch, store = snapshot.batch, work.store
    if batch.state in CLEANED_UP:
        for state in (BatchState.STAGING, BatchState.STAGED):
            store.move(batch.batch_id, state, "players were replayed")
        work.append(batch, LedgerEvent.REOPENED)
        batch = store.get(batch.batch_id)
    if batch.state not in (BatchState.STAGED, BatchState.MERGED):
        raise BatchStateError(
            f"{batch.batch_id} is {batch.state.value}"
            + (f" ({batch.reason})" if batch.reason else "")
            + "; only a staged batch can be merged. Materialize staged_predictions first"
        )
    return replace(snapshot, batch=batch)


def _merge_and_reconcile(snapshot: BatchSnapshot, work: _Merge) -> MergeReport:
    batch, run_id = snapshot.batch, work.run_id
    tables = [c.staging_table for c in snapshot.pending_staging if c.staging_table]
    counts, seconds = _execute_merge(batch, tables, work)
    if counts.distinct_keys and not counts.affected:
        # The MERGE changes nothing if a worker with a later lease has written the date.
        work.store.renew_lease(work.lease, LEASE_TTL)
    target = work.warehouse.count(PREDICTIONS, batch.game_date, batch.batch_id)
    numbers = reconcile(batch, snapshot.completions, snapshot.pending_staging, counts, target)
    numbers = _retire_unpredicted_players(snapshot, work, numbers)
    problems = numbers.merge_problems()
    milestone(
        "reconciliation",
        "; ".join(problems) or f"{numbers.merged} rows merged, every number agrees",
        severity=logging.ERROR if problems else logging.INFO,
        agrees=not problems,
        **numbers.numbers(),
        **log_context(batch, run_id),
    )
    payload = Merged(numbers, tuple(sorted(tables)))
    work.append(batch, LedgerEvent.MERGED, payload=payload, sequence=work.began)
    if not problems:
        work.store.move(batch.batch_id, BatchState.MERGED)
    return MergeReport(batch.batch_id, numbers, seconds)


def _execute_merge(batch: Batch, tables: Sequence[str], work: _Merge) -> tuple[MergeCounts, float]:
    """Run the MERGE over the staging tables that exist; return its counts and seconds."""
    warehouse, run_id = work.warehouse, work.run_id
    existing = warehouse.existing_staging(tables)
    milestone(
        "staging_found",
        f"{len(existing)} of {len(tables)} staging tables found",
        severity=logging.INFO if len(existing) == len(tables) else logging.ERROR,
        expected=len(tables),
        found=len(existing),
        missing=sorted(set(tables) - existing)[:20],
        **log_context(batch, run_id),
    )
    started = time.perf_counter()
    counts = NOTHING_MERGED
    if existing:
        counts = warehouse.merge(PREDICTIONS, batch.game_date, tables, utc_now(), work.lease.token)
    seconds = time.perf_counter() - started
    milestone(
        "merge_executed",
        f"{counts.inserted} inserted, {counts.updated} updated, {counts.superseded} superseded",
        rows=counts.affected,
        inserted=counts.inserted,
        updated=counts.updated,
        superseded=counts.superseded,
        ms=round(seconds * 1000, 1),
        **log_context(batch, run_id),
    )
    return counts, seconds


def _retire_unpredicted_players(
    snapshot: BatchSnapshot, work: _Merge, numbers: Reconciliation
) -> Reconciliation:
    """Remove rows of players that the batch does not predict; return the numbers afterwards.

    Nothing is removed if the merge has problems other than rows of skipped players.
    """
    batch, store, warehouse = snapshot.batch, work.store, work.warehouse
    # Read again: a straggler may have dead-lettered a player during the MERGE. Failed players keep
    # the rows of an earlier batch.
    snapshot = replace(snapshot, dead_letters=store.dead_letters(batch.batch_id))
    removable = _rows_of_skipped_players(snapshot, warehouse, numbers)
    without = replace(numbers, batch_rows_in_target=numbers.batch_rows_in_target - removable)
    if without.merge_problems() or not _may_retire_players(snapshot, store):
        return numbers
    kept = snapshot.predicted_players | _players_of_begun_games(batch, warehouse)
    retired = warehouse.retire(PREDICTIONS, batch.game_date, sorted(kept), work.lease.token)
    if not retired:
        return numbers
    milestone(
        "rows_retired",
        f"{retired} rows of players that this batch does not predict were removed",
        rows=retired,
        **log_context(batch, work.run_id),
    )
    target = warehouse.count(PREDICTIONS, batch.game_date, batch.batch_id)
    return _with_target(numbers, target, retired)


def _players_of_begun_games(batch: Batch, warehouse: Warehouse) -> set[str]:
    """Return the players with rows, of an earlier batch, for games that the batch leaves alone."""
    if not batch.begun:
        return set()
    games = games_by_player(warehouse, batch.game_date)
    return {player for player, game_id in games.items() if game_id in batch.begun}


def _with_target(numbers: Reconciliation, target: TargetCounts, retired: int) -> Reconciliation:
    return replace(
        numbers,
        batch_rows_in_target=target.batch_rows,
        duplicate_keys_in_target=target.duplicate_keys,
        checksum=target.checksum,
        retired=retired,
    )


def _rows_of_skipped_players(
    snapshot: BatchSnapshot, warehouse: Warehouse, numbers: Reconciliation
) -> int:
    """Count the rows that this batch wrote before for players who are skipped now."""
    if numbers.batch_rows_in_target <= numbers.batch_rows_expected:
        return 0
    batch = snapshot.batch
    skipped = {c.player_lookup for c in snapshot.skipped}
    rows_by_player = warehouse.query(
        "rows_by_player", PREDICTIONS, partition=batch.game_date, batch_id=batch.batch_id
    )
    return sum(
        row["row_count"] for row in rows_by_player.to_pylist() if row["player_lookup"] in skipped
    )


def _may_retire_players(snapshot: BatchSnapshot, store: BatchStore) -> bool:
    """Return whether the batch knows enough to remove rows of players that it does not predict.

    Below its threshold it knows too few of its players. A date without games may be one whose
    schedule was not available. A superseded batch must not remove rows of its successor.
    """
    if snapshot.progress.status not in (BatchStatus.SUCCESS, BatchStatus.PARTIAL):
        return False
    batch = snapshot.batch
    return current_batch(store, batch.game_date).batch_id == batch.batch_id
