"""Reconcile a merge exactly: if any number disagrees, staging is kept.

staged rows = distinct keys + collapsed duplicates
distinct keys = rows inserted + rows updated
rows in the target with this batch_id = rows that all completions of the batch recorded
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from nba_predictions.domain.batches.batch import Batch, Completion


@dataclass(frozen=True)
class MergeCounts:
    """What the warehouse reports about one MERGE. All fields count rows, except `tables_found`."""

    tables_found: int
    rows_staged: int
    distinct_keys: int
    inserted: int
    updated: int
    superseded: int

    @property
    def affected(self) -> int:
        return self.inserted + self.updated


#: The counts of a merge that had nothing to do.
NOTHING_MERGED = MergeCounts(0, 0, 0, 0, 0, 0)


@dataclass(frozen=True)
class TargetCounts:
    """What the target table holds: rows of one batch, and duplicate keys of its date.

    `created` of the rows were inserted by the batch's merge; it updated the others. `checksum` is a
    checksum of the values of the batch's rows, None without any rows of the date.
    """

    batch_rows: int
    duplicate_keys: int
    created: int = field(default=0, compare=False)
    last_updated_at: datetime | None = field(default=None, compare=False)
    checksum: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Reconciliation:
    """The numbers of one merge, side by side.

    Attributes:
        players_expected: players on the slate.
        tables_expected: staging tables that completions recorded and no cleanup dropped.
        tables_found: staging tables that the merge read.
        rows_recorded: rows in `tables_expected`, as completions recorded them.
        rows_staged: rows that the merge read.
        distinct_keys: distinct business keys among `rows_staged`.
        inserted: new rows in the target.
        updated: existing rows that the merge replaced.
        superseded: rows removed because their key was not staged again.
        batch_rows_expected: rows that all completions of the batch recorded.
        batch_rows_in_target: rows with this batch_id in the target.
        duplicate_keys_in_target: keys of the date that occur more than once.
        retired: rows removed because the batch does not predict their players.
        checksum: of the rows with this batch_id in the target; None in entries of earlier versions.
    """

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
    retired: int = 0
    checksum: int | None = field(default=None, compare=False)

    @property
    def duplicates_collapsed(self) -> int:
        return self.rows_staged - self.distinct_keys

    @property
    def merged(self) -> int:
        return self.inserted + self.updated

    def merge_problems(self) -> list[str]:
        """Return what disagrees, one sentence each; empty if every number agrees."""
        problems = []
        # After a replay that could stage no player, nothing is pending and all rows are merged.
        nothing_pending = self.tables_expected == 0 and self.batch_rows_expected > 0
        if self.players_expected and not self.merged and not nothing_pending:
            problems.append(
                f"the merge wrote nothing, though {self.players_expected} players are expected"
            )
        if self.tables_found != self.tables_expected:
            problems.append(
                f"{self.tables_expected} staging tables were recorded, {self.tables_found} exist"
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
        numbers = {k: v for k, v in asdict(self).items() if v is not None}
        return {**numbers, "duplicates_collapsed": self.duplicates_collapsed}

    @staticmethod
    def from_numbers(numbers: Mapping[str, Any]) -> Reconciliation:
        """Restore what `numbers` returned, also in an earlier version that had fewer numbers."""
        names = Reconciliation.__dataclass_fields__
        added = ("retired", "checksum")
        known = {name: int(numbers[name]) for name in names if name not in added}
        return Reconciliation(
            **known, retired=int(numbers.get("retired", 0)), checksum=numbers.get("checksum")
        )


def reconcile(
    batch: Batch,
    completions: Sequence[Completion],
    pending: Sequence[Completion],
    merge: MergeCounts,
    target: TargetCounts,
    retired: int = 0,
) -> Reconciliation:
    """Return the recorded numbers next to the staged, merged and counted numbers.

    `pending` are the completions whose staging this merge should read; `completions` are all of
    the batch. They differ after players are replayed into a batch that was merged before.
    """
    return Reconciliation(
        players_expected=batch.expected_players,
        tables_expected=len(pending),
        rows_recorded=sum(c.rows for c in pending),
        **asdict(merge),
        batch_rows_expected=sum(c.rows for c in completions),
        batch_rows_in_target=target.batch_rows,
        duplicate_keys_in_target=target.duplicate_keys,
        retired=retired,
        checksum=target.checksum,
    )
