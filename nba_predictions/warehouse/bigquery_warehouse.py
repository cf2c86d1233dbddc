"""The warehouse in BigQuery: a dataset with the tables, and one beside it for staging.

Each player's rows are a staging table of their own, made by a Parquet load job: load jobs are free,
and count against no table but their own. A merge first gathers the staging tables into one, because
a query may name a thousand tables at most; what it then counts is exactly what it merges.
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
from dataclasses import dataclass, field
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
from nba_predictions.domain.tables import TABLES, Column, Table
from nba_predictions.google_cloud import persist
from nba_predictions.sql import (
    count_staged_statement,
    create_table_statement,
    merge_statement,
    query_statement,
    remove_duplicates_statement,
    staged_projection,
    statement,
)
from nba_predictions.warehouse.arrow import arrow_type, to_arrow
from nba_predictions.warehouse.port import Rows, StagingTable

#: A load job is mostly waiting. As many connections are kept open.
LOADS_AT_ONCE = 32
#: A query may read 1,000 tables.
TABLES_PER_QUERY = 900
#: How long a load job or a query may take.
JOB_SECONDS = 600.0


@dataclass(frozen=True)
class BigQueryWarehouse:
    """`dataset` holds the tables, `{dataset}_staging` what is staged.

    `open_client` is called once; all threads share the client.
    """

    project: str
    location: str
    dataset: str
    open_client: Callable[[], AbstractContextManager[bigquery.Client]] = field(repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def stagings_at_once(self) -> int:
        return LOADS_AT_ONCE

    @property
    def staging_dataset(self) -> str:
        return f"{self.dataset}_staging"

    def where(self, table: Table) -> str:
        return self._target(table)

    def set_up(self) -> list[str]:
        made = []
        for name, expiration in ((self.dataset, None), (self.staging_dataset, STAGING_KEPT)):
            if self._dataset_there(name):
                continue
            dataset = bigquery.Dataset(f"{self.project}.{name}")
            dataset.location = self.location
            if expiration is not None:
                dataset.default_table_expiration_ms = int(expiration.total_seconds() * 1000)
            persist(partial(self.client.create_dataset, dataset, exists_ok=True))
            made.append(f"dataset {self.project}.{name} in {self.location}")
        return made

    def prepare(self) -> list[str]:
        made = []
        for table in TABLES:
            target = self._target(table)
            columns = self._columns_of(target)
            if columns is None:
                self._run(create_table_statement(table, f"`{target}`"))
                made.append(f"table {target}")
                continue
            for column in table.columns:
                if column.name not in columns:
                    # Rows are there that do not have it: whatever it will be, it can be NULL.
                    self._run(
                        f"ALTER TABLE `{target}` "
                        f"ADD COLUMN IF NOT EXISTS {column.name} {column.type} "
                        f"OPTIONS (description = {column.description!r})"
                    )
                    made.append(f"column {target}.{column.name}")
        return made

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
        # A second load of the same player replaces the first, whichever answer was lost.
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

    def staging_there(self, names: Sequence[str]) -> set[str]:
        if not names:
            return set()
        found = self._run(
            f"SELECT table_name FROM `{self._staging}`.INFORMATION_SCHEMA.TABLES "
            "WHERE table_name IN UNNEST(@names)",
            {"names": list(names)},
        )
        return {row["table_name"] for row in found.rows.to_pylist()}

    def merge(
        self, table: Table, partition: date, staging: Sequence[str], merged_at: datetime
    ) -> MergeCounts:
        found = self.staging_there(staging)
        if not found:
            return MergeCounts(0, 0, 0, 0, 0, 0)
        gathered = self._gather(table, found)
        try:
            source = "(" + " UNION ALL ".join(f"SELECT * FROM `{name}`" for name in gathered) + ")"
            (staged,) = self._run(
                count_staged_statement(table, source), {"partition": partition}
            ).rows.to_pylist()
            table.check_partition(partition, staged["rows_of_other_dates"])
            # One statement is one transaction: all of it is in the table, or nothing.
            affected = self._run(
                merge_statement(table, f"`{self._target(table)}`", source),
                {
                    "partition": partition,
                    "merged_at": merged_at,
                    **{f"{name}s": staged[f"{name}s"] for name in table.scope},
                },
            ).affected_rows
        finally:
            self._delete(gathered)
        # The job says how many rows it touched; which of them it wrote the table itself says.
        (written,) = self.query(
            "count_merged", table, partition=partition, merged_at=merged_at
        ).to_pylist()
        return MergeCounts(
            tables_found=len(found),
            rows_staged=staged["rows_staged"],
            distinct_keys=staged["distinct_keys"],
            inserted=written["inserted"],
            updated=written["updated"],
            superseded=max(0, affected - written["inserted"] - written["updated"]),
        )

    def retire(
        self, table: Table, partition: date, players: Sequence[str], before: datetime
    ) -> int:
        return self._run(
            query_statement("retire_rows", table, f"`{self._target(table)}`"),
            {"partition": partition, "players": list(players), "before": before},
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
        # The staging dataset gives every table an expiration: nothing is left for ever.
        return {}

    def drop_staging(self, names: Sequence[str]) -> int:
        there = sorted(self.staging_there(names))
        self._delete([f"{self._staging}.{name}" for name in there])
        return len(there)

    def query(self, name: str, table: Table, **parameters: object) -> pa.Table:
        sql = query_statement(name, table, f"`{self._target(table)}`")
        return exact(self._run(sql, parameters).rows, table)

    def _gather(self, table: Table, names: Collection[str]) -> list[str]:
        """Copy staging tables together, and return the names of the tables that now hold them."""
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
                    # An older staging table may lack a column that was added since: it reads NULL.
                    columns=staged_projection(table, columns),
                    staged=f"`{self._staging}.{prefix}*`",
                    first=some[0],
                    last=some[-1],
                )
                self._run(sql, {"players": some})
                gathered.append(together)
        return gathered

    def _staged_columns(self, table: Table, prefix: str, player: str) -> set[str]:
        """Return the columns of all staging tables of a prefix, and refuse what cannot be merged.

        Tables that were staged by another version of the table definition have another prefix.
        """
        if prefix.endswith(f"__{_fingerprint(table)}__"):
            return {c.name for c in table.staging_columns}
        columns = self._columns_of(f"{self._staging}.{prefix}{player}") or set()
        table.check_columns(sorted(columns))
        return columns

    def _columns_of(self, target: str) -> set[str] | None:
        try:
            return {c.name for c in persist(lambda: self.client.get_table(target)).schema}
        except NotFound:
            if not self._dataset_there(self.dataset):
                raise SettingsError(
                    f"there is no dataset {self.project}.{self.dataset}; "
                    f"run `nba-predictions gcp init` once, or mend NBA_PREDICTIONS_GCP_DATASET"
                ) from None
            return None

    def _dataset_there(self, name: str) -> bool:
        try:
            persist(lambda: self.client.get_dataset(f"{self.project}.{name}"))
        except NotFound:
            return False
        return True

    def _delete(self, tables: Sequence[str]) -> None:
        def delete(name: str) -> None:
            persist(lambda: self.client.delete_table(name, not_found_ok=True))

        with ThreadPoolExecutor(LOADS_AT_ONCE, thread_name_prefix="drop") as pool:
            list(pool.map(delete, tables))

    def _run(self, sql: str, parameters: Mapping[str, Any] | None = None) -> _Result:
        config = bigquery.QueryJobConfig(
            query_parameters=[_parameter(name, value) for name, value in (parameters or {}).items()]
        )

        def run() -> _Result:
            # A poll that fails is made again by the client: the job itself goes on meanwhile.
            retry = DEFAULT_RETRY.with_timeout(google_cloud.PERSIST_SECONDS / 2)
            job = self.client.query(sql, job_config=config, retry=retry, job_retry=None)
            try:
                rows = job.result(timeout=JOB_SECONDS, retry=retry, job_retry=None)
            except BadRequest as error:
                if "serialize access" in str(error):
                    # Another statement wrote the same partition meanwhile.
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
    """What a statement gave: rows of a query, or how many rows a DML statement touched."""

    rows: pa.Table
    affected_rows: int


_PARAMETER_TYPES: Mapping[type, str] = {
    str: "STRING",
    date: "DATE",
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


@cache
def _fingerprint(table: Table) -> str:
    """Return what tells the staging tables of one version of the definition from another's."""
    columns = ",".join(f"{c.name} {c.type} {c.required}" for c in table.staging_columns)
    return hashlib.sha256(columns.encode()).hexdigest()[:8]


def _word(name: str) -> str:
    """Return a name as part of a table's name: letters and digits, and _ for everything else."""
    return re.sub(r"[^0-9A-Za-z]+", "_", name)


def _labels(batch_id: str, rows: Rows) -> dict[str, str]:
    """Return labels as BigQuery takes them: lower case, digits, _ and -, at most 63 characters."""
    labels = {"batch_id": re.sub(r"[^0-9a-z_-]", "_", batch_id.lower())[:63]}
    if rows:
        labels["game_date"] = str(rows[0]["game_date"])
    return labels


def exact(found: pa.Table, table: Table) -> pa.Table:
    """Return the columns of the table in its own types: BigQuery answers with wider decimals."""
    types = {c.name: arrow_type(c) for c in table.columns}
    schema = [f.with_type(types.get(f.name, f.type)) for f in found.schema]
    return found.cast(pa.schema(schema))
