"""The embedded warehouse: one DuckDB file, and a folder of Parquet files for staging.

Only one process at a time can write to a DuckDB file, and only while no other process reads it.
Queries open the file read-only and create nothing. Staging does not need the file: the rows of each
player are a separate Parquet file, which is sealed (`durable_files`). A file that is unfinished,
damaged or of another staging table counts as missing.
"""

from __future__ import annotations

import io
import logging
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import sqlglot

from nba_predictions.domain.batches.reconciliation import MergeCounts, TargetCounts
from nba_predictions.domain.errors import DamagedFileError, WarehouseLockedError
from nba_predictions.domain.tables import TABLES, Column, StoredColumn, Table
from nba_predictions.durable_files import SealedFolder
from nba_predictions.logs import milestone
from nba_predictions.sql import (
    add_column_statement,
    backfill_literal,
    columns_to_backfill,
    count_staged_statement,
    create_table_statement,
    merge_statement,
    query_statement,
    remove_duplicates_statement,
    select_with_nulls,
    staged_projection,
)
from nba_predictions.warehouse.arrow import to_arrow
from nba_predictions.warehouse.duckdb_connection import open_file
from nba_predictions.warehouse.port import MigratedTable, Rows, StagingTable

#: How long a query of a run waits for a process that writes to the file.
READ_WAIT_SECONDS = 60.0
#: How long a write waits for other processes. The steps of a night wait longer, and say so
#: (nightly/warehouse_lock.py).
WRITE_WAIT_SECONDS = 10.0
#: How long `prepare` and `check_writable` wait, so that they do not report a merge of another run.
#: The merge creates what a locked file still lacks.
PREPARE_WAIT_SECONDS = 2.0

# The file excludes other processes, but not other threads. Two concurrent merges would not see each
# other's rows, and would insert the same key twice.
_merging = threading.Lock()


@cache
def translate(bigquery_sql: str) -> str:
    # Ignore the warnings that DuckDB has no partitions and clusters.
    (translated,) = sqlglot.transpile(
        bigquery_sql, read="bigquery", write="duckdb", unsupported_level=sqlglot.ErrorLevel.IGNORE
    )
    return str(translated)


def _stored_columns(connection: duckdb.DuckDBPyConnection, table: Table) -> dict[str, StoredColumn]:
    """Return the columns of a table; empty if it does not exist."""
    query = (
        "SELECT column_name, data_type, NOT is_nullable FROM duckdb_columns() "
        "WHERE database_name = current_database() AND table_name = ?"
    )
    rows = connection.execute(query, [table.name]).fetchall()
    return {name: StoredColumn(kind, bool(required)) for name, kind, required in rows}


@cache
def _defined_columns(table: Table) -> dict[str, StoredColumn]:
    """Return the columns of a table as its DDL creates them."""
    with duckdb.connect(":memory:") as connection:
        connection.execute(translate(create_table_statement(table, table.name)))
        return _stored_columns(connection, table)


def _lacking(table: Table, stored: Mapping[str, StoredColumn]) -> list[Column] | None:
    """Return the columns that a stored table lacks; None if it does not exist."""
    return [c for c in table.columns if c.name not in stored] if stored else None


def _check_batch(path: Path, parquet: bytes) -> None:
    """Check that a staging file without a seal has the rows of the batch of its folder."""
    schema = pq.read_schema(pa.BufferReader(parquet))
    if "batch_id" not in schema.names:
        raise DamagedFileError(f"{path} is damaged: it has no column batch_id")
    batches = pq.read_table(pa.BufferReader(parquet), columns=["batch_id"])["batch_id"]
    if set(batches.to_pylist()) - {path.parent.name}:
        raise DamagedFileError(f"{path} is damaged: it has rows of another batch")


@dataclass(frozen=True)
class DuckDBWarehouse:
    """Tables in the DuckDB file `path`. Staging is in `staging_dir`, in one folder per batch.

    A query waits `read_wait_seconds` for a process that writes to the file.
    """

    path: Path
    staging_dir: Path
    read_wait_seconds: float = READ_WAIT_SECONDS

    @property
    def staging_concurrency(self) -> int:
        # Predicting uses the processor, and writing a small file hardly waits.
        return 2

    def full_name(self, table: Table) -> str:
        return f"table {table.name} of {self.path}"

    def set_up(self) -> list[str]:
        if self.path.parent.is_dir():
            return []
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return [f"folder {self.path.parent}"]

    def prepare(self) -> list[str]:
        self.set_up()
        # A program that reads the file must not stop a run that only stages, and neither must one
        # that writes to it. The merge creates what its table lacks.
        with suppress(WarehouseLockedError):
            if self._is_current():
                return []
            with self._connect(PREPARE_WAIT_SECONDS) as connection:
                return self._create(connection, TABLES)
        return []

    def check_writable(self) -> None:
        with self._connect(PREPARE_WAIT_SECONDS):
            """Opening the file is the check."""

    def _is_current(self) -> bool:
        """Return whether every table exists with every column; refuse one of an earlier version."""
        if not self.path.exists():
            return False
        with closing(self._open(PREPARE_WAIT_SECONDS, read_only=True)) as connection:
            missing = self._missing(connection, TABLES)
        for table, columns in missing.items():
            table.check_migrated(self.full_name(table), [c.name for c in columns or ()])
        return all(columns == [] for columns in missing.values())

    def _missing(
        self, connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]
    ) -> dict[Table, list[Column] | None]:
        """Return the columns that each table lacks, None for a table that does not exist.

        Raises:
            SchemaMismatchError: an existing column differs from its definition.
        """
        missing = {}
        for table in tables:
            stored = _stored_columns(connection, table)
            table.check_stored(self.full_name(table), _defined_columns(table), stored)
            missing[table] = _lacking(table, stored)
        return missing

    def _create(self, connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> list[str]:
        """Create the tables, and add the columns that may be NULL; return what was created."""
        created = []
        missing = self._missing(connection, tables)
        for table, columns in missing.items():
            table.check_migrated(self.full_name(table), [c.name for c in columns or ()])
        for table, columns in missing.items():
            if columns is None:
                connection.execute(translate(create_table_statement(table, table.name)))
                created.append(f"table {table.name}")
            for column in columns or ():
                connection.execute(translate(add_column_statement(column, table.name)))
                created.append(f"column {table.name}.{column.name}")
        return created

    def migrate(self) -> list[MigratedTable]:
        migrated = []
        with _merging, self._connect() as connection:
            for table, missing in self._missing(connection, TABLES).items():
                if missing is None:
                    continue
                columns = columns_to_backfill(table, [c.name for c in missing])
                (rows,) = connection.sql(f"SELECT COUNT(*) FROM {table.name}").fetchall()[0]
                # All columns of a table, or none.
                connection.begin()
                for column in columns:
                    alter = f"ALTER TABLE {table.name} ALTER COLUMN {column.name}"
                    default = f" DEFAULT {backfill_literal(column)}"
                    connection.execute(
                        translate(add_column_statement(column, table.name)) + default
                    )
                    connection.execute(f"{alter} DROP DEFAULT")
                    connection.execute(f"{alter} SET NOT NULL")
                for column in missing:
                    if not column.required:
                        connection.execute(translate(add_column_statement(column, table.name)))
                connection.commit()
                names = tuple(c.name for c in columns)
                migrated.append(
                    MigratedTable(self.full_name(table), names, rows if columns else 0, rows)
                )
        return migrated

    def stage(self, table: Table, batch_id: str, name: str, rows: Rows) -> StagingTable:
        arrow = to_arrow(table, rows)
        content = io.BytesIO()
        pq.write_table(arrow, content)
        self._files.write(self._file(f"{batch_id}/{name}"), content.getvalue())
        return StagingTable(f"{batch_id}/{name}", arrow.num_rows)

    def existing_staging(self, names: Sequence[str]) -> set[str]:
        return {name for name in set(names) if self._is_intact(name)}

    def merge(
        self,
        table: Table,
        partition: date,
        staging: Sequence[str],
        merged_at: datetime,
        write_sequence: int,
    ) -> MergeCounts:
        found = (self._staged(name) for name in dict.fromkeys(staging))
        staged = [rows for rows in found if rows is not None]
        if not staged:
            return MergeCounts(0, 0, 0, 0, 0, 0)
        with _merging, self._connect() as connection:
            self._create(connection, [table])
            # An older staging file may lack a column that was added since then.
            files = pa.concat_tables(staged, promote_options="default")
            table.check_columns([*files.column_names, *table.backfilled])
            connection.register("files", files)
            projection = staged_projection(table, files.column_names)
            connection.execute(
                translate(f"CREATE TEMP TABLE staged AS SELECT {projection} FROM files")
            )
            counted = connection.sql(
                translate(count_staged_statement(table, "staged")),
                params={"partition": partition},
            ).to_arrow_table()
            (counts,) = counted.to_pylist()
            table.check_partition(partition, counts["rows_of_other_dates"])
            # One statement is one transaction: all rows are written, or none.
            duplicates = counts["rows_staged"] != counts["distinct_keys"]
            sql = translate(merge_statement(table, table.name, "staged", duplicates=duplicates))
            stamps = {"partition": partition, "merged_at": merged_at}
            ((affected,),) = connection.execute(
                sql, {**stamps, "write_sequence": write_sequence}
            ).fetchall()
            # RETURNING merge_action would read all columns of the rows of the date.
            count_merged = translate(query_statement("count_merged", table, table.name))
            (written,) = connection.sql(count_merged, params=stamps).to_arrow_table().to_pylist()
        return MergeCounts(
            tables_found=len(staged),
            rows_staged=counts["rows_staged"],
            distinct_keys=counts["distinct_keys"],
            inserted=written["inserted"],
            updated=written["updated"],
            superseded=affected - written["inserted"] - written["updated"],
        )

    def retire(
        self, table: Table, partition: date, players: Sequence[str], write_sequence: int
    ) -> int:
        sql = translate(query_statement("retire_rows", table, table.name))
        with _merging, self._connect() as connection:
            deleted = connection.execute(
                f"{sql} RETURNING 1",
                {
                    "partition": partition,
                    "players": list(players),
                    "write_sequence": write_sequence,
                },
            ).fetchall()
        return len(deleted)

    def count(self, table: Table, partition: date, batch_id: str) -> TargetCounts:
        (counts,) = self.query(
            "count_target", table, partition=partition, batch_id=batch_id
        ).to_pylist()
        return TargetCounts(**counts)

    def remove_duplicates(self, table: Table, partition: date) -> int:
        sql = translate(remove_duplicates_statement(table, table.name))
        with _merging, self._connect() as connection:
            actions = connection.execute(
                f"{sql} RETURNING merge_action", {"partition": partition}
            ).fetchall()
        by_action = Counter(action for (action,) in actions)
        return by_action["DELETE"] - by_action["INSERT"]

    def leftover_staging(self, batch_ids: Collection[str]) -> dict[str, set[str]]:
        leftover = {}
        for batch_id in batch_ids:
            folder = self.staging_dir / batch_id
            names: set[str] = set()
            with suppress(FileNotFoundError):
                names |= {f"{batch_id}/{file.stem}" for file in folder.glob("*.parquet")}
                # An unfinished file is named `.player.once.part`.
                parts = (file.name[1:].rsplit(".", 2)[0] for file in folder.glob(".*.part"))
                names |= {f"{batch_id}/{player}" for player in parts}
            if names:
                leftover[batch_id] = names
        return leftover

    def drop_staging(self, names: Sequence[str]) -> int:
        dropped = 0
        for name in dict.fromkeys(names):
            dropped += self._files.remove(self._file(name))
            # A writer that was killed leaves an unfinished file.
            # Another cleanup may delete the folder while it is listed.
            with suppress(FileNotFoundError):
                for part in self._file(name).parent.glob(f".{Path(name).name}.*.part"):
                    part.unlink(missing_ok=True)
        for folder in {self._file(name).parent for name in names}:
            # A folder with other files stays. Another cleanup may have deleted it already.
            with suppress(OSError):
                folder.rmdir()
        return dropped

    def query(self, name: str, table: Table, **parameters: object) -> pa.Table:
        with closing(self._open_to_read()) as connection:
            sql = query_statement(name, table, self._readable(connection, table))
            # DuckDB rejects a parameter that the statement does not use.
            used = {k: v for k, v in parameters.items() if f"@{k}" in sql}
            return connection.sql(translate(sql), params=used).to_arrow_table()

    @property
    def _files(self) -> SealedFolder:
        return SealedFolder(self.staging_dir)

    def _is_intact(self, name: str) -> bool:
        try:
            self._read(name)
        except (FileNotFoundError, DamagedFileError):
            return False
        return True

    def _staged(self, name: str) -> pa.Table | None:
        """Return the rows of a staging table, None if it is missing; log it if it is damaged."""
        try:
            return pq.read_table(pa.BufferReader(self._read(name)))
        except FileNotFoundError:
            return None
        except DamagedFileError as error:
            milestone(
                "staging_damaged",
                f"{error}; the next run stages it again",
                severity=logging.ERROR,
                staging_table=name,
            )
            return None

    def _read(self, name: str) -> bytes:
        """Return the Parquet file of a staging table.

        Raises:
            FileNotFoundError: it does not exist.
            DamagedFileError: it is damaged, or has the rows of another batch.
        """
        path = self._file(name)
        file = self._files.read(path)
        if not file.sealed:
            _check_batch(path, file.content)
        return file.content

    def _file(self, name: str) -> Path:
        return self.staging_dir / f"{name}.parquet"

    def _readable(self, connection: duckdb.DuckDBPyConnection, table: Table) -> str:
        """Return what a query reads: the table, or a query with what an older file lacks."""
        missing = _lacking(table, _stored_columns(connection, table))
        if missing is None:
            return select_with_nulls(table.columns, None)
        table.check_migrated(self.full_name(table), [c.name for c in missing])
        return select_with_nulls(missing, table.name) if missing else table.name

    def _open_to_read(self) -> duckdb.DuckDBPyConnection:
        """Return a connection that cannot write; an empty database if there is no file."""
        if not self.path.exists():
            return duckdb.connect(":memory:")
        return self._open(self.read_wait_seconds, read_only=True)

    @contextmanager
    def _connect(self, wait_seconds: float | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the file for writing."""
        wait = WRITE_WAIT_SECONDS if wait_seconds is None else wait_seconds
        with closing(self._open(wait, read_only=False)) as connection:
            yield connection

    def _open(self, wait_seconds: float, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        return open_file(self.path, read_only=read_only, wait_seconds=wait_seconds)
