"""The port of the warehouse: what the pipeline needs from it."""

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
    """An existing staging table: its name, which the completion records, and its row count."""

    name: str
    rows: int


@dataclass(frozen=True)
class MigratedTable:
    """The result of migrating one table.

    Attributes:
        table: the table, as `Warehouse.full_name` names it.
        columns: the columns whose values were filled in.
        filled: the number of rows that were filled in; 0 if the table is current.
        rows: the number of rows of the table.
    """

    table: str
    columns: tuple[str, ...]
    filled: int
    rows: int


class Warehouse(Protocol):
    """Staging tables and target tables. A call opens what it needs, and leaves nothing open."""

    @property
    def staging_concurrency(self) -> int:
        """How many staging tables one process should write concurrently."""
        ...

    def full_name(self, table: Table) -> str:
        """Return the full name of a table, for messages and reports."""
        ...

    def set_up(self) -> list[str]:
        """Create the folder or datasets of the tables. It may need more permissions than a run.

        Safe to repeat. Return what was created, in words.
        """
        ...

    def prepare(self) -> list[str]:
        """Create the tables, and add the columns that they lack and that may be NULL.

        Safe to repeat. Return what was created, in words. Nothing is created while another process
        holds the warehouse; `merge` then creates its table.

        Raises:
            SchemaMismatchError: a table of an earlier version lacks a required column, and must be
                migrated first. Nothing was written.
        """
        ...

    def check_writable(self) -> None:
        """Check that no other process keeps this one from writing.

        Raises:
            WarehouseLockedError: one does; the message names it.
        """
        ...

    def migrate(self) -> list[MigratedTable]:
        """Add the missing columns to tables of an earlier version, and fill in the required ones.

        Safe to interrupt and to repeat. Tables that do not exist are omitted.

        Raises:
            SchemaMismatchError: a table lacks a required column without a backfill.
        """
        ...

    def stage(self, table: Table, batch_id: str, name: str, rows: Rows) -> StagingTable:
        """Write the rows as the staging table `name` of the batch, all of them or none.

        An existing staging table of this name is replaced.

        Raises:
            SchemaMismatchError: a column or value does not fit; nothing was written.
        """
        ...

    def existing_staging(self, names: Sequence[str]) -> set[str]:
        """Return those of the named staging tables that exist."""
        ...

    def merge(
        self,
        table: Table,
        partition: date,
        staging: Sequence[str],
        merged_at: datetime,
        write_sequence: int,
    ) -> MergeCounts:
        """MERGE the named staging tables into the table in one statement, all or nothing.

        The rows get `write_sequence`, the fencing token of the worker. If the date has a row with a
        higher one, a worker with a later lease has written it, and the statement changes nothing.

        Staging tables that do not exist are omitted, and the counts show it. If none exists,
        nothing is merged.

        Raises:
            SchemaMismatchError: the table must be migrated first, or a staging table has an unknown
                column or a row of another date. Nothing was written.
            WarehouseLockedError: another process holds the warehouse. Nothing was written.
        """
        ...

    def retire(
        self, table: Table, partition: date, players: Sequence[str], write_sequence: int
    ) -> int:
        """Delete a date's rows of all but the named players in one statement; return their number.

        If the date has a row with a higher `write_sequence`, nothing is deleted.
        """
        ...

    def count(self, table: Table, partition: date, batch_id: str) -> TargetCounts:
        """Count the rows of a batch, and the duplicate keys of its date, in the table itself."""
        ...

    def remove_duplicates(self, table: Table, partition: date) -> int:
        """Keep the newest row of each key of a date in one statement; return the number deleted."""
        ...

    def leftover_staging(self, batch_ids: Collection[str]) -> dict[str, set[str]]:
        """Return by batch the names of all its staging tables, also of unfinished ones.

        Batches without any are omitted.
        """
        ...

    def drop_staging(self, names: Sequence[str]) -> int:
        """Drop the named staging tables; return how many existed."""
        ...

    def query(self, name: str, table: Table, **parameters: object) -> pa.Table:
        """Run `sql/{name}.sql` on the table with the given query parameters.

        It changes and creates nothing. A table that does not exist has no rows.

        Raises:
            WarehouseLockedError: another process holds the warehouse.
        """
        ...
