"""The backends that the contract suites run against.

A backend is one more param of `backend`, and one more branch in the three fixtures: what a suite
needs beyond the port (reading a table, reading a topic, an unreachable place) is asked of these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from nba_predictions.batches.port import BatchStore
from nba_predictions.batches.sqlite_store import SQLiteBatchStore
from nba_predictions.domain.completion_message import CompletionMessage
from nba_predictions.domain.tables import Table
from nba_predictions.messaging.outbox import OutboxPublisher
from nba_predictions.messaging.port import Publisher
from nba_predictions.warehouse.duckdb_warehouse import DuckDBWarehouse
from nba_predictions.warehouse.port import Warehouse


@dataclass(frozen=True)
class WarehouseBackend:
    """A prepared warehouse; `rows` reads a whole table; `insert` writes rows past the MERGE."""

    warehouse: Warehouse
    rows: Callable[[Table], list[dict[str, Any]]]
    insert_again: Callable[[Table], None]


@dataclass(frozen=True)
class BrokerBackend:
    """`connect` opens a publisher anew; `messages` are those that a subscriber gets, in order."""

    connect: Callable[[], Publisher]
    messages: Callable[[], list[tuple[dict[str, str], CompletionMessage]]]
    unreachable: Callable[[], tuple[Publisher, str]]


@pytest.fixture(params=["embedded"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def warehouse_backend(backend: str, tmp_path: Path) -> WarehouseBackend:
    assert backend == "embedded"
    path = tmp_path / "warehouse.duckdb"
    warehouse = DuckDBWarehouse(path, tmp_path / "staging")
    warehouse.prepare()

    def rows(table: Table) -> list[dict[str, Any]]:
        with duckdb.connect(str(path)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            found = connection.sql(f"SELECT * FROM {table.name} ORDER BY ALL").to_arrow_table()
        return [dict(row) for row in found.to_pylist()]

    def insert_again(table: Table) -> None:
        with duckdb.connect(str(path)) as connection:
            connection.execute(f"INSERT INTO {table.name} SELECT * FROM {table.name}")

    return WarehouseBackend(warehouse, rows, insert_again)


@pytest.fixture
def open_store(backend: str, tmp_path: Path) -> Callable[[], BatchStore]:
    """Opens the same store anew, as another worker would."""
    assert backend == "embedded"

    def connect() -> BatchStore:
        store = SQLiteBatchStore(tmp_path / "batches.sqlite")
        store.prepare()
        return store

    return connect


@pytest.fixture
def store(open_store: Callable[[], BatchStore]) -> BatchStore:
    return open_store()


@pytest.fixture
def broker(backend: str, tmp_path: Path) -> BrokerBackend:
    assert backend == "embedded"
    path = tmp_path / "outbox.sqlite"

    def connect() -> Publisher:
        publisher = OutboxPublisher(path)
        publisher.prepare()
        return publisher

    def unreachable() -> tuple[Publisher, str]:
        in_the_way = tmp_path / "file"
        in_the_way.write_text("no folder")
        return OutboxPublisher(in_the_way / "outbox.sqlite"), str(in_the_way / "outbox.sqlite")

    def messages() -> list[tuple[dict[str, str], CompletionMessage]]:
        return [(sent.attributes, sent.message) for sent in OutboxPublisher(path).read()]

    return BrokerBackend(connect, messages, unreachable)
