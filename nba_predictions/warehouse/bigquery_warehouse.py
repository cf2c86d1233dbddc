"""The warehouse in BigQuery: one dataset with the target tables, and one for staging.

A Parquet load job writes the rows of each player to a separate staging table. Load jobs are free,
and their quota is per table. A merge first copies the staging tables into one, because a query may
name at most 1,000 tables. It counts the copy, so the counts describe exactly the merged rows.
"""

from __future__ import annotations

import hashlib
import io
import re
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cache, cached_property, partial
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
from google.api_core.exceptions import BadRequest, NotFound
from google.cloud import bigquery
from google.cloud.bigquery.retry import DEFAULT_RETRY

from nba_predictions import google_cloud
from nba_predictions.domain.batches.reconciliation import MergeCounts, TargetCounts
from nba_predictions.domain.batches.verdict import STAGING_KEPT
from nba_predictions.domain.errors import SettingsError
from nba_predictions.domain.tables import TABLES, Column, StoredColumn, Table
from nba_predictions.google_cloud import persist
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
    statement,
)
from nba_predictions.warehouse.arrow import arrow_type, to_arrow
from nba_predictions.warehouse.port import MigratedTable, Rows, StagingTable

#: Load jobs mostly wait, so many run concurrently. The client keeps as many connections open.
MAX_CONCURRENT_LOADS = 32
#: A query may read at most 1,000 tables.
TABLES_PER_QUERY = 900
#: How long a load job or a query may take.
JOB_SECONDS = 600.0


@dataclass(frozen=True)
class BigQueryWarehouse:
    """Target tables in `dataset`, staging tables in `{dataset}_staging`.

    `open_client` is called once; all threads share the client.
    """

    project: str
    location: str
    dataset: str
    open_client: Callable[[], AbstractContextManager[bigquery.Client]] = field(repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def staging_concurrency(self) -> int:
        return MAX_CONCURRENT_LOADS

    @property
    def staging_dataset(self) -> str:
        return f"{self.dataset}_staging"

    def full_name(self, table: Table) -> str:
        return self._target(table)

    def set_up(self) -> list[str]:
        created = []
        for name, expiration in ((self.dataset, None), (self.staging_dataset, STAGING_KEPT)):
            if self._dataset_exists(name):
                continue
            dataset = bigquery.Dataset(f"{self.project}.{name}")
            dataset.location = self.location
            if expiration is not None:
                dataset.default_table_expiration_ms = int(expiration.total_seconds() * 1000)
            persist(partial(self.client.create_dataset, dataset, exists_ok=True))
            created.append(f"dataset {self.project}.{name} in {self.location}")
        return created

    def prepare(self) -> list[str]:
        created = []
        missing = {table: self._missing_columns(table) for table in TABLES}
        for table, columns in missing.items():
            table.check_migrated(self.full_name(table), [c.name for c in columns or ()])
        for table, columns in missing.items():
            target = self._target(table)
            if columns is None:
                self._run(create_table_statement(table, f"`{target}`"))
                created.append(f"table {target}")
            for column in columns or ():
                self._run(_add_described_column(column, f"`{target}`"))
                created.append(f"column {target}.{column.name}")
        return created

    def check_writable(self) -> None:
        """BigQuery has no lock that a reader could hold."""

    def migrate(self) -> list[MigratedTable]:
        migrated = []
        for table in TABLES:
            missing = self._missing_columns(table)
            if missing is None:
                continue
            target = f"`{self._target(table)}`"
            columns = columns_to_backfill(table, [c.name for c in missing])
            filled = 0
            for column in missing:
                if not column.required:
                    self._run(_add_described_column(column, target))
            for column in columns:
                name, value = column.name, backfill_literal(column)
                self._run(_add_described_column(column, target))
                # A worker of the earlier version that still writes gets the same value.
                self._run(f"ALTER TABLE {target} ALTER COLUMN {name} SET DEFAULT {value}")
                filled += self._run(
                    f"UPDATE {target} SET {name} = {value} WHERE {name} IS NULL"
                ).affected_rows
                # The label comes last. It shows that the column is filled in, because BigQuery can
                # neither add a required column to a table nor make an existing column required.
                self._label(table, _filled_label(column))
            (counted,) = self._run(f"SELECT COUNT(*) AS row_count FROM {target}").rows.to_pylist()
            names = tuple(c.name for c in columns)
            migrated.append(
                MigratedTable(self.full_name(table), names, filled, counted["row_count"])
            )
        return migrated

    def stage(self, table: Table, batch_id: str, name: str, rows: Rows) -> StagingTable:
        arrow = to_arrow(table, rows)
        staged = f"{_word(batch_id)}__{_fingerprint(table)}__{_word(name)}"
        buffer = io.BytesIO()
        pq.write_table(arrow, buffer)
        labels = _labels(batch_id, rows)
        properties = {"destinationTableProperties": {"labels": labels}}
        config = cast(
            bigquery.LoadJobConfig, bigquery.LoadJobConfig.from_api_repr({"load": properties})
        )
        config.source_format = bigquery.SourceFormat.PARQUET
        # A second load of the same player replaces the first, also if its response was lost.
        config.write_disposition = bigquery.WriteDisposition.WRITE_TRUNCATE
        config.schema = [_schema_field(c) for c in table.staging_columns]
        config.labels = labels

        def load() -> int:
            buffer.seek(0)
            job = self.client.load_table_from_file(
                buffer, f"{self._staging}.{staged}", job_config=config
            )
            job.result(
                timeout=JOB_SECONDS,
                retry=DEFAULT_RETRY.with_timeout(google_cloud.PERSIST_SECONDS / 2),
            )
            return int(job.output_rows or 0)

        return StagingTable(staged, persist(load))

    def existing_staging(self, names: Sequence[str]) -> set[str]:
        if not names:
            return set()
        found = self._run(
            f"SELECT table_name FROM `{self._staging}`.INFORMATION_SCHEMA.TABLES "
            "WHERE table_name IN UNNEST(@names)",
            {"names": list(names)},
        )
        return {row["table_name"] for row in found.rows.to_pylist()}

    def merge(
        self,
        table: Table,
        partition: date,
        staging: Sequence[str],
        merged_at: datetime,
        write_sequence: int,
    ) -> MergeCounts:
        existing = self.existing_staging(staging)
        if not existing:
            return MergeCounts(0, 0, 0, 0, 0, 0)
        missing = self._missing_columns(table) or ()
        table.check_migrated(self.full_name(table), [c.name for c in missing])
        gathered = self._gather(table, existing)
        try:
            source = "(" + " UNION ALL ".join(f"SELECT * FROM `{name}`" for name in gathered) + ")"
            (staged,) = self._run(
                count_staged_statement(table, source), {"partition": partition}
            ).rows.to_pylist()
            table.check_partition(partition, staged["rows_of_other_dates"])
            # One statement is one transaction: all rows are written, or none.
            duplicates = staged["rows_staged"] != staged["distinct_keys"]
            affected = self._run(
                merge_statement(table, f"`{self._target(table)}`", source, duplicates=duplicates),
                {
                    "partition": partition,
                    "merged_at": merged_at,
                    "write_sequence": write_sequence,
                },
            ).affected_rows
        finally:
            self._delete(gathered)
        # The job reports only the number of affected rows. The table shows which were written.
        (written,) = self.query(
            "count_merged", table, partition=partition, merged_at=merged_at
        ).to_pylist()
        return MergeCounts(
            tables_found=len(existing),
            rows_staged=staged["rows_staged"],
            distinct_keys=staged["distinct_keys"],
            inserted=written["inserted"],
            updated=written["updated"],
            superseded=max(0, affected - written["inserted"] - written["updated"]),
        )

    def retire(
        self, table: Table, partition: date, players: Sequence[str], write_sequence: int
    ) -> int:
        return self._run(
            query_statement("retire_rows", table, f"`{self._target(table)}`"),
            {
                "partition": partition,
                "players": list(players),
                "write_sequence": write_sequence,
            },
        ).affected_rows

    def count(self, table: Table, partition: date, batch_id: str) -> TargetCounts:
        (counts,) = self.query(
            "count_target", table, partition=partition, batch_id=batch_id
        ).to_pylist()
        return TargetCounts(**counts)

    def remove_duplicates(self, table: Table, partition: date) -> int:
        before = self._rows_of_date(table, partition)
        target = f"`{self._target(table)}`"
        self._run(remove_duplicates_statement(table, target), {"partition": partition})
        return before - self._rows_of_date(table, partition)

    def _rows_of_date(self, table: Table, partition: date) -> int:
        (counted,) = self._run(
            f"SELECT COUNT(*) AS row_count FROM `{self._target(table)}` "
            f"WHERE {table.partition_by} = @partition",
            {"partition": partition},
        ).rows.to_pylist()
        return int(counted["row_count"])

    def leftover_staging(self, batch_ids: Collection[str]) -> dict[str, set[str]]:
        prefixes = {f"{_word(batch_id)}__": batch_id for batch_id in batch_ids}
        found = self._run(
            f"SELECT table_name FROM `{self._staging}`.INFORMATION_SCHEMA.TABLES "
            "WHERE CONCAT(SPLIT(table_name, '__')[OFFSET(0)], '__') IN UNNEST(@prefixes)",
            {"prefixes": list(prefixes)},
        )
        leftover: dict[str, set[str]] = defaultdict(set)
        for row in found.rows.to_pylist():
            prefix = row["table_name"].partition("__")[0] + "__"
            leftover[prefixes[prefix]].add(row["table_name"])
        return dict(leftover)

    def drop_staging(self, names: Sequence[str]) -> int:
        existing = sorted(self.existing_staging(names))
        self._delete([f"{self._staging}.{name}" for name in existing])
        return len(existing)

    def query(self, name: str, table: Table, **parameters: object) -> pa.Table:
        def read(source: str) -> pa.Table:
            return exact(self._run(query_statement(name, table, source), parameters).rows, table)

        try:
            return read(f"`{self._target(table)}`")
        except NotFound:
            if self._table(self._target(table)) is not None:
                raise
            return read(select_with_nulls(table.columns, None))

    def _gather(self, table: Table, names: Collection[str]) -> list[str]:
        """Copy staging tables into few tables, and return the names of these."""
        once = uuid.uuid4().hex[:12]
        by_prefix: dict[str, list[str]] = defaultdict(list)
        for name in sorted(names):
            prefix, separator, player = name.rpartition("__")
            by_prefix[prefix + separator].append(player)
        gathered: list[str] = []
        for prefix, players in by_prefix.items():
            columns = self._staged_columns(table, prefix, players[0])
            for start in range(0, len(players), TABLES_PER_QUERY):
                some = players[start : start + TABLES_PER_QUERY]
                together = f"{self._staging}.gathered_{once}_{len(gathered)}"
                sql = statement(
                    "gather_staged",
                    gathered=f"`{together}`",
                    # An older staging table may lack a column that was added since then.
                    columns=staged_projection(table, columns),
                    staged=f"`{self._staging}.{prefix}*`",
                    first=some[0],
                    last=some[-1],
                )
                self._run(sql, {"players": some})
                gathered.append(together)
        return gathered

    def _staged_columns(self, table: Table, prefix: str, player: str) -> set[str]:
        """Return the columns of the staging tables with a prefix, and refuse unknown ones.

        The prefix contains the version of the table definition, so all its tables have equal
        columns.
        """
        if prefix.endswith(f"__{_fingerprint(table)}__"):
            return {c.name for c in table.staging_columns}
        staged = self._table(f"{self._staging}.{prefix}{player}")
        columns = {field.name for field in staged.schema} if staged else set()
        table.check_columns([*sorted(columns), *table.backfilled])
        return columns

    def _missing_columns(self, table: Table) -> list[Column] | None:
        """Return the columns that are missing or not filled in; None if there is no table.

        A column with a backfill is complete if the table was created with it, or has its label.
        """
        found = self._table(self._target(table))
        if found is None:
            return None
        self._check_columns(table, found)
        modes = {field.name: field.mode for field in found.schema}

        def is_complete(column: Column) -> bool:
            if column.backfill is None:
                return column.name in modes
            return modes.get(column.name) == "REQUIRED" or _filled_label(column) in found.labels

        return [c for c in table.columns if not is_complete(c)]

    def _check_columns(self, table: Table, found: bigquery.Table) -> None:
        defined = {c.name: _stored_column(_schema_field(c)) for c in table.columns}
        stored = {field.name: _stored_column(field) for field in found.schema}
        for name in set(table.backfilled) & set(stored):
            # BigQuery cannot make an existing column required. A label shows that it is filled in.
            stored[name] = replace(stored[name], required=defined[name].required)
        for name, column in stored.items():
            # Without a precision, a column has nine decimals and holds every value of the others.
            if column.type == "NUMERIC" and name in defined and "NUMERIC(" in defined[name].type:
                stored[name] = replace(column, type=defined[name].type)
        table.check_stored(self.full_name(table), defined, stored)

    def _label(self, table: Table, label: str) -> None:
        """Set a label of a table."""

        def update() -> None:
            found = self.client.get_table(self._target(table))
            found.labels = {**found.labels, label: "yes"}
            self.client.update_table(found, ["labels"])

        persist(update)

    def _table(self, target: str) -> bigquery.Table | None:
        """Return a table with its schema; None if it does not exist."""
        try:
            return persist(lambda: self.client.get_table(target))
        except NotFound:
            if not self._dataset_exists(self.dataset):
                raise SettingsError(
                    f"there is no dataset {self.project}.{self.dataset}; "
                    f"run `nba-predictions gcp init` once, or correct NBA_PREDICTIONS_GCP_DATASET"
                ) from None
            return None

    def _dataset_exists(self, name: str) -> bool:
        try:
            persist(lambda: self.client.get_dataset(f"{self.project}.{name}"))
        except NotFound:
            return False
        return True

    def _delete(self, tables: Sequence[str]) -> None:
        def delete(name: str) -> None:
            persist(lambda: self.client.delete_table(name, not_found_ok=True))

        with ThreadPoolExecutor(MAX_CONCURRENT_LOADS, thread_name_prefix="drop") as pool:
            list(pool.map(delete, tables))

    def _run(self, sql: str, parameters: Mapping[str, Any] | None = None) -> _Result:
        config = bigquery.QueryJobConfig(
            query_parameters=[_parameter(name, value) for name, value in (parameters or {}).items()]
        )

        def run() -> _Result:
            # The client repeats a poll that fails. The job itself continues.
            retry = DEFAULT_RETRY.with_timeout(google_cloud.PERSIST_SECONDS / 2)
            job = self.client.query(sql, job_config=config, retry=retry, job_retry=None)
            try:
                rows = job.result(timeout=JOB_SECONDS, retry=retry, job_retry=None)
            except BadRequest as error:
                if "serialize access" in str(error):
                    # Another statement wrote the same partition at the same time.
                    raise ConnectionAbortedError(str(error)) from error
                raise
            return _Result(
                rows.to_arrow(create_bqstorage_client=False), job.num_dml_affected_rows or 0
            )

        return persist(run)

    def _target(self, table: Table) -> str:
        return f"{self.project}.{self.dataset}.{table.name}"

    @property
    def _staging(self) -> str:
        return f"{self.project}.{self.staging_dataset}"

    @property
    def client(self) -> bigquery.Client:
        """The client of this process. It stays open."""
        with self._lock:
            return self._connected

    @cached_property
    def _connected(self) -> bigquery.Client:
        with self.open_client() as client:
            return client


@dataclass(frozen=True)
class _Result:
    """The result of a statement: the rows of a query, or the number of rows that DML affected."""

    rows: pa.Table
    affected_rows: int


_PARAMETER_TYPES: Mapping[type, str] = {
    str: "STRING",
    date: "DATE",
    int: "INT64",
    datetime: "TIMESTAMP",
}


def _parameter(
    name: str, value: Any
) -> bigquery.ScalarQueryParameter | bigquery.ArrayQueryParameter:
    if isinstance(value, list):
        return bigquery.ArrayQueryParameter(name, "STRING", value)
    return bigquery.ScalarQueryParameter(name, _PARAMETER_TYPES[type(value)], value)


def _schema_field(column: Column) -> bigquery.SchemaField:
    kind, _, limits = column.type.partition("(")
    field: dict[str, object] = {
        "name": column.name,
        "type": kind,
        "mode": "REQUIRED" if column.required else "NULLABLE",
    }
    if limits:
        field["precision"], field["scale"] = limits.strip(")").split(",")
    return bigquery.SchemaField.from_api_repr(field)


#: The names of types in the API. SQL has others for the same types.
_API_TYPES = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN"}


def _stored_column(field: bigquery.SchemaField) -> StoredColumn:
    kind = _API_TYPES.get(field.field_type, field.field_type)
    if field.precision is not None:
        kind += f"({field.precision}, {field.scale or 0})"
    return StoredColumn(kind, field.mode == "REQUIRED")


def _add_described_column(column: Column, target: str) -> str:
    return f"{add_column_statement(column, target)} OPTIONS (description = {column.description!r})"


def _filled_label(column: Column) -> str:
    """Return the label of a table in which `migrate` has filled in a column."""
    return f"{column.name}_filled_in"


@cache
def _fingerprint(table: Table) -> str:
    """Return a hash of the staging columns, which is part of the names of staging tables."""
    columns = ",".join(f"{c.name} {c.type} {c.required}" for c in table.staging_columns)
    return hashlib.sha256(columns.encode()).hexdigest()[:8]


def _word(name: str) -> str:
    """Return a name as part of a table name: letters and digits, and _ for everything else."""
    return re.sub(r"[^0-9A-Za-z]+", "_", name)


def _labels(batch_id: str, rows: Rows) -> dict[str, str]:
    """Return labels that BigQuery accepts: lower case, digits, _ and -, at most 63 characters."""
    labels = {"batch_id": re.sub(r"[^0-9a-z_-]", "_", batch_id.lower())[:63]}
    if rows:
        labels["game_date"] = str(rows[0]["game_date"])
    return labels


def exact(rows: pa.Table, table: Table) -> pa.Table:
    """Return the rows in the types of the table. BigQuery returns wider decimals."""
    types = {c.name: arrow_type(c) for c in table.columns}
    schema = [f.with_type(types.get(f.name, f.type)) for f in rows.schema]
    return rows.cast(pa.schema(schema))
