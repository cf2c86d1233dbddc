"""Restore the state that version 0.1.0 stored, as a home or as tables of a warehouse."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
from google.cloud import bigquery

from nba_predictions.domain.tables import TABLES
from nba_predictions.warehouse.bigquery_warehouse import BigQueryWarehouse
from nba_predictions.warehouse.duckdb_warehouse import DuckDBWarehouse
from nba_predictions.warehouse.port import Warehouse

STATE = Path(__file__).parent / "version_0_1_0"
INPUT = STATE / "input"
#: The night that was published and graded, without FAILED_PLAYER.
PUBLISHED = date(2025, 10, 28)
FAILED_PLAYER = "zoltanoldcastle"
#: The night whose run was killed.
UNFINISHED = date(2025, 10, 29)
ROWS = 570


def restore_home(home: Path) -> None:
    """Write the home as version 0.1.0 left it."""
    shutil.copytree(STATE / "home", home)
    for name in ("batches", "outbox"):
        connection = sqlite3.connect(home / f"{name}.sqlite")
        connection.executescript((STATE / f"{name}.sql").read_text("utf-8"))
        connection.close()
    restore_tables(DuckDBWarehouse(home / "warehouse.duckdb", home / "staging"))


def restore_tables(warehouse: Warehouse) -> None:
    """Replace the tables of a warehouse by those of version 0.1.0."""
    if isinstance(warehouse, BigQueryWarehouse):
        _restore_bigquery(warehouse)
        return
    assert isinstance(warehouse, DuckDBWarehouse)
    with duckdb.connect(str(warehouse.path)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for table in TABLES:
            connection.execute(f"DROP TABLE IF EXISTS {table.name}")
        connection.execute((STATE / "duckdb.sql").read_text("utf-8"))
        for table in TABLES:
            file = STATE / f"{table.name}.parquet"
            connection.execute(f"INSERT INTO {table.name} SELECT * FROM '{file}'")


def _restore_bigquery(warehouse: BigQueryWarehouse) -> None:
    client = warehouse.client
    dataset = f"{warehouse.project}.{warehouse.dataset}"
    for table in TABLES:
        client.delete_table(f"{dataset}.{table.name}", not_found_ok=True)
    for statement in (STATE / "bigquery.sql").read_text("utf-8").split("\n;\n"):
        client.query_and_wait(statement.format(dataset=dataset))
    for table in TABLES:
        target = f"{dataset}.{table.name}"
        config = bigquery.LoadJobConfig()
        config.source_format = bigquery.SourceFormat.PARQUET
        config.schema = client.get_table(target).schema
        rows = io.BytesIO((STATE / f"{table.name}.parquet").read_bytes())
        client.load_table_from_file(rows, target, job_config=config).result()


def cursors() -> dict[str, str | None]:
    """Return the cursors of the sensors, by sensor."""
    found: dict[str, str | None] = json.loads((STATE / "cursors.json").read_text("utf-8"))
    return found


def dump(path: Path) -> list[Any]:
    """Return the content of a SQLite file as statements."""
    connection = sqlite3.connect(path)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()
