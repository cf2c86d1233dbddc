"""Fixtures with the backends that the contract suites run against.

A new backend is one more parameter of `backend` and a fixture with its name for each port. These
fixtures also provide what a suite needs beyond the port: reading a table or a topic, and an
unreachable address.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from google.cloud.pubsub_v1 import SubscriberClient

from nba_predictions.batch_store.firestore_store import FirestoreBatchStore
from nba_predictions.batch_store.port import BatchStore
from nba_predictions.batch_store.sqlite_store import SQLiteBatchStore
from nba_predictions.domain.messages.completion import CompletionMessage
from nba_predictions.domain.messages.dead_letter import DeadLetterMessage
from nba_predictions.domain.tables import Table
from nba_predictions.messaging.outbox import OutboxPublisher
from nba_predictions.messaging.port import Publisher, topic_of
from nba_predictions.messaging.pubsub import PubSubPublisher
from nba_predictions.warehouse.bigquery_warehouse import exact
from nba_predictions.warehouse.duckdb_warehouse import DuckDBWarehouse
from nba_predictions.warehouse.port import Warehouse
from nba_predictions_tests.standins import StandIn
from nba_predictions_tests.standins.fixtures import temporary_warehouse
from nba_predictions_tests.subscription import Subscription


@dataclass(frozen=True)
class WarehouseBackend:
    """A prepared warehouse. `rows` reads a table, `insert_again` duplicates all its rows."""

    warehouse: Warehouse
    rows: Callable[[Table], list[dict[str, Any]]]
    insert_again: Callable[[Table], None]


@dataclass(frozen=True)
class BrokerBackend:
    """`connect` opens a new publisher. `messages` and `dead_letters` are the messages that a
    deduplicating subscriber receives, in order. `unreachable` returns a publisher and the address
    that it cannot reach."""

    connect: Callable[[], Publisher]
    messages: Callable[[], list[tuple[dict[str, str], CompletionMessage]]]
    dead_letters: Callable[[], list[DeadLetterMessage]]
    unreachable: Callable[[], tuple[Publisher, str]]


@pytest.fixture(params=["embedded", "google_cloud"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def warehouse_backend(backend: str, request: pytest.FixtureRequest) -> WarehouseBackend:
    found: WarehouseBackend = request.getfixturevalue(f"{backend}_warehouse")
    return found


@pytest.fixture
def google_cloud_warehouse(
    bigquery_standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> Iterator[WarehouseBackend]:
    for name, value in bigquery_standin.environment.items():
        monkeypatch.setenv(name, value)
    with temporary_warehouse() as warehouse:

        def run(sql: str, table: Table) -> Any:
            client = warehouse.client
            return client.query_and_wait(sql.format(f"`{warehouse.full_name(table)}`"))

        def rows(table: Table) -> list[dict[str, Any]]:
            found = run("SELECT * FROM {}", table).to_arrow()
            return [dict(row) for row in exact(found, table).to_pylist()]

        def insert_again(table: Table) -> None:
            run("INSERT INTO {0} SELECT * FROM {0}", table)

        yield WarehouseBackend(warehouse, rows, insert_again)


@pytest.fixture
def embedded_warehouse(tmp_path: Path) -> WarehouseBackend:
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
def open_store(backend: str, request: pytest.FixtureRequest) -> Callable[[], BatchStore]:
    """Return a function that opens a new connection to the store, as another worker would."""
    connect: Callable[[], BatchStore] = request.getfixturevalue(f"open_{backend}_store")
    return connect


@pytest.fixture
def open_embedded_store(tmp_path: Path) -> Callable[[], BatchStore]:
    def connect() -> BatchStore:
        store = SQLiteBatchStore(tmp_path / "batches.sqlite")
        store.prepare()
        return store

    return connect


@pytest.fixture
def open_google_cloud_store(
    firestore_standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], BatchStore]:
    namespace = uuid.uuid4().hex
    for name, value in firestore_standin.environment.items():
        monkeypatch.setenv(name, value)

    def connect() -> BatchStore:
        store = FirestoreBatchStore("test-project", namespace)
        store.prepare()
        return store

    return connect


@pytest.fixture
def store(open_store: Callable[[], BatchStore]) -> BatchStore:
    return open_store()


@pytest.fixture
def broker(backend: str, request: pytest.FixtureRequest) -> BrokerBackend:
    found: BrokerBackend = request.getfixturevalue(f"{backend}_broker")
    return found


@pytest.fixture
def google_cloud_broker(
    pubsub_standin: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[BrokerBackend]:
    for name, value in pubsub_standin.environment.items():
        monkeypatch.setenv(name, value)
    topic = f"topic-{uuid.uuid4().hex}"

    def connect() -> Publisher:
        publisher = PubSubPublisher("test-project", topic)
        publisher.prepare()
        return publisher

    def unreachable() -> tuple[Publisher, str]:
        return PubSubPublisher("test-project", f"{topic}-missing"), f"{topic}-missing"

    connect()
    with SubscriberClient() as subscriber:
        completions, dead_letters = (
            Subscription(subscriber, "test-project", f"{topic}{suffix}", tmp_path / f"seen{suffix}")
            for suffix in ("", "-dead-letters")
        )

        def messages() -> list[tuple[dict[str, str], CompletionMessage]]:
            return [
                (dict(sent.attributes), CompletionMessage.model_validate_json(sent.data))
                for sent in completions.read()
            ]

        def letters() -> list[DeadLetterMessage]:
            return [DeadLetterMessage.model_validate_json(m.data) for m in dead_letters.read()]

        yield BrokerBackend(connect, messages, letters, unreachable)


@pytest.fixture
def embedded_broker(tmp_path: Path) -> BrokerBackend:
    path = tmp_path / "outbox.sqlite"

    def connect() -> Publisher:
        publisher = OutboxPublisher(path)
        publisher.prepare()
        return publisher

    def unreachable() -> tuple[Publisher, str]:
        blocking_file = tmp_path / "file"
        blocking_file.write_text("not a folder")
        unreachable_path = blocking_file / "outbox.sqlite"
        return OutboxPublisher(unreachable_path), str(unreachable_path)

    def messages() -> list[tuple[dict[str, str], CompletionMessage]]:
        return [(sent.attributes, sent.message) for sent in OutboxPublisher(path).read()]

    def letters() -> list[DeadLetterMessage]:
        topic = topic_of(DeadLetterMessage, OutboxPublisher(path).topic)
        with closing(sqlite3.connect(path)) as connection:
            rows = connection.execute(
                "SELECT data FROM outbox WHERE topic = ? ORDER BY position", (topic,)
            ).fetchall()
        return [DeadLetterMessage.model_validate_json(data) for (data,) in rows]

    return BrokerBackend(connect, messages, letters, unreachable)
