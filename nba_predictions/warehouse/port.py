"""What the pipeline asks of a warehouse."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

import pyarrow as pa

from nba_predictions.domain.batches.reconciliation import MergeCounts, TargetCounts
from nba_predictions.domain.tables import Table

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class StagingTable:
    """A staging table that is there: its name, to be remembered, and how many rows it holds."""

    name: str
    rows: int


class Warehouse(Protocol):
    """Stage, merge, count, drop, query. Every call opens what it needs and leaves nothing open."""

    @property
    def stagings_at_once(self) -> int:
        """How many staging tables are best written at the same time from one process."""
        ...

    def where(self, table: Table) -> str:
        """Return where people find a table."""
        ...

    def set_up(self) -> list[str]:
        """Create the place where the tables live, once, by somebody who is allowed to.

        Safe to repeat. Return what was made, in words.
        """
        ...

    def prepare(self) -> list[str]:
        """Create the tables, and add columns that the definitions have and the tables lack.

        Safe to repeat. Return what was made, in words.
        """
        ...

    def stage(self, table: Table, batch_id: str, name: str, rows: Rows) -> StagingTable:
        """Write the rows as the staging table `name` of the batch, all of them or none.

        A staging table that was there under the same name is replaced.

        Raises:
            SchemaMismatchError: a column or value does not fit; nothing was written.
        """
        ...

    def staging_there(self, names: Sequence[str]) -> set[str]:
        """Return those of the named staging tables that exist."""
        ...

    def merge(
        self, table: Table, partition: date, staging: Sequence[str], merged_at: datetime
    ) -> MergeCounts:
        """MERGE the named staging tables into the table in one statement, all or nothing.

        Tables that do not exist are left out and show in the counts; with none at all nothing is
        merged.

        Raises:
            SchemaMismatchError: a staging table has a column that the table does not know, or a row
                of another date; nothing was written.
        """
        ...

    def retire(
        self, table: Table, partition: date, players: Sequence[str], before: datetime
    ) -> int:
        """Remove a date's rows of all but the named players, in one statement; return how many.

        Rows that were merged at `before` or later stay, whosever they are: a worker that was paused
        beyond its lease takes nothing from its successor.
        """
        ...

    def count(self, table: Table, partition: date, batch_id: str) -> TargetCounts:
        """Count the rows of a batch, and the duplicate keys of its date, in the table itself."""
        ...

    def remove_duplicates(self, table: Table, partition: date) -> int:
        """Leave the newest row of each key of a date, in one statement; return how many went."""
        ...

    def leftover_staging(self, batch_ids: Collection[str]) -> dict[str, set[str]]:
        """Return, by batch, the names of all that lies in its staging, recorded or half-written.

        Batches of which nothing lies there are left out; all are where staging expires by itself.
        """
        ...

    def drop_staging(self, names: Sequence[str]) -> int:
        """Drop the named staging tables; return how many were there."""
        ...

    def query(self, name: str, table: Table, **parameters: object) -> pa.Table:
        """Run `sql/{name}.sql` on the table with the given query parameters."""
        ...
