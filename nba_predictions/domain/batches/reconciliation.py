"""Exact reconciliation of a merge: every number has to agree, or staging stays.

staged rows = distinct keys + duplicates collapsed
distinct keys = inserted + updated = rows of the target that the merge should have written
rows of the target that carry the batch_id = what all completions of the batch recorded
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from nba_predictions.domain.batches.batch import Batch, Completion, DeadLetter, LedgerEntry


@dataclass(frozen=True)
class MergeCounts:
    """What the warehouse says of one MERGE."""

    tables_found: int
    rows_staged: int
    distinct_keys: int
    inserted: int
    updated: int
    superseded: int

    @property
    def affected(self) -> int:
        return self.inserted + self.updated


@dataclass(frozen=True)
class TargetCounts:
    """What the target table says: rows of a batch, and keys of its date that stand there twice.

    `created` of the rows were new when the batch was merged; all others were there, and updated.
    """

    batch_rows: int
    duplicate_keys: int
    created: int = field(default=0, compare=False)
    last_updated_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Reconciliation:
    """The numbers of one consolidation, side by side."""

    players_expected: int
    tables_expected: int
    tables_found: int
    rows_recorded: int
    rows_staged: int
    distinct_keys: int
    inserted: int
    updated: int
    superseded: int
    batch_rows_expected: int
    batch_rows_in_target: int
    duplicate_keys_in_target: int
    #: Rows that were taken out because the batch does not predict their players.
    retired: int = 0

    @property
    def duplicates_collapsed(self) -> int:
        return self.rows_staged - self.distinct_keys

    @property
    def merged(self) -> int:
        return self.inserted + self.updated

    def merge_problems(self) -> list[str]:
        """Return what does not agree, in words; empty when every number does."""
        problems = []
        # A replay in which nobody could be staged has nothing to merge, and all rows stand already.
        nothing_left = self.tables_expected == 0 and self.batch_rows_expected > 0
        if self.players_expected and not self.merged and not nothing_left:
            problems.append(
                f"the merge wrote nothing, though {self.players_expected} players are expected"
            )
        if self.tables_found != self.tables_expected:
            problems.append(
                f"{self.tables_expected} staging tables were recorded, {self.tables_found} found"
            )
        if self.rows_staged != self.rows_recorded:
            problems.append(
                f"completions recorded {self.rows_recorded} rows, staging holds {self.rows_staged}"
            )
        if self.duplicates_collapsed:
            problems.append(
                f"{self.rows_staged} rows were staged under {self.distinct_keys} distinct keys"
            )
        if self.merged != self.distinct_keys:
            problems.append(
                f"{self.distinct_keys} distinct keys were staged, the merge affected {self.merged}"
            )
        if self.batch_rows_in_target != self.batch_rows_expected:
            problems.append(
                f"the target should hold {self.batch_rows_expected} rows of this batch, "
                f"it holds {self.batch_rows_in_target}"
            )
        return problems

    def numbers(self) -> dict[str, int]:
        """Return all numbers by name, for logs, ledger and metadata."""
        return {**asdict(self), "duplicates_collapsed": self.duplicates_collapsed}

    @staticmethod
    def from_numbers(numbers: Mapping[str, Any]) -> Reconciliation:
        """Read back what `numbers` gave, now or in an earlier version that had fewer of them."""
        names = Reconciliation.__dataclass_fields__
        known = {name: int(numbers[name]) for name in names if name != "retired"}
        return Reconciliation(**known, retired=int(numbers.get("retired", 0)))


def reconcile(
    batch: Batch,
    completions: Sequence[Completion],
    pending: Sequence[Completion],
    merge: MergeCounts,
    target: TargetCounts,
    retired: int = 0,
) -> Reconciliation:
    """Set what was recorded beside what was found, merged, and stands in the target.

    `pending` are the completions whose staging this merge had to take; `completions` all of the
    batch. They differ when players are replayed into a batch that was consolidated before.
    """
    return Reconciliation(
        players_expected=batch.expected_players,
        tables_expected=len(pending),
        tables_found=merge.tables_found,
        rows_recorded=sum(c.rows for c in pending),
        rows_staged=merge.rows_staged,
        distinct_keys=merge.distinct_keys,
        inserted=merge.inserted,
        updated=merge.updated,
        superseded=merge.superseded,
        batch_rows_expected=sum(c.rows for c in completions),
        batch_rows_in_target=target.batch_rows,
        duplicate_keys_in_target=target.duplicate_keys,
        retired=retired,
    )


def pending_staging(
    completions: Sequence[Completion], ledger: Sequence[LedgerEntry]
) -> list[Completion]:
    """Return the completions whose staging has not been cleaned up: what a merge has to find."""
    cleaned = last_time(ledger, "cleaned")
    return [c for c in completions if c.rows > 0 and (cleaned is None or c.recorded_at > cleaned)]


def unmerged_staging(
    completions: Sequence[Completion], ledger: Sequence[LedgerEntry]
) -> list[Completion]:
    """Return the completions whose rows no merge with agreeing numbers has taken yet."""
    changed = changed_since_merge(completions, ledger)
    return [c for c in pending_staging(completions, ledger) if c in changed]


def changed_since_merge(
    completions: Sequence[Completion], ledger: Sequence[LedgerEntry]
) -> list[Completion]:
    """Return the completions that no merge with agreeing numbers has seen yet.

    Besides staged rows these are players who were skipped since, and whose rows have to go.
    """
    merges = (e for e in ledger if e.event == "merged")
    good = [e.at for e in merges if not Reconciliation.from_numbers(e.counts).merge_problems()]
    merged_at = max(good, default=None)
    return [c for c in completions if merged_at is None or c.recorded_at > merged_at]


def predicted_players(
    completions: Sequence[Completion], dead_letters: Sequence[DeadLetter]
) -> set[str]:
    """Return whose rows a date keeps: who has rows, and who failed and may have earlier ones.

    A dead letter of somebody who is done, with rows or skipped, no longer counts.
    """
    done = {c.player_lookup for c in completions}
    failed = {d.player_lookup for d in dead_letters} - done
    return failed | {c.player_lookup for c in completions if c.rows > 0}


def last_entry(ledger: Sequence[LedgerEntry], event: str) -> LedgerEntry | None:
    """Return the newest entry of one event."""
    return max((e for e in ledger if e.event == event), key=lambda e: e.at, default=None)


def last_time(ledger: Sequence[LedgerEntry], event: str) -> datetime | None:
    """Return when an event was last entered."""
    entry = last_entry(ledger, event)
    return entry.at if entry else None
