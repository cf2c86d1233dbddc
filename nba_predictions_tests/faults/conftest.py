"""Fixtures with the Google Cloud backends behind fault-injecting proxies."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.cloud.pubsub_v1 import SubscriberClient

from nba_predictions.batch_store.firestore_store import FirestoreBatchStore
from nba_predictions.messaging.pubsub import PubSubPublisher
from nba_predictions.nightly import leases
from nba_predictions.warehouse.bigquery_warehouse import BigQueryWarehouse
from nba_predictions_tests.faults.grpc_proxy import GrpcProxy
from nba_predictions_tests.faults.http_proxy import HttpProxy
from nba_predictions_tests.faults.script import Script
from nba_predictions_tests.faults.strikes import SHORT_LEASE
from nba_predictions_tests.nights import MOVED, embedded_scene, whole_night
from nba_predictions_tests.standins import StandIn
from nba_predictions_tests.standins.fixtures import temporary_warehouse
from nba_predictions_tests.subscription import Subscription


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limit retries to one second, so that a permanent fault becomes an error soon."""
    monkeypatch.setattr("nba_predictions.google_cloud.PERSIST_SECONDS", 1.0)
    monkeypatch.setattr("nba_predictions.messaging.pubsub.PUBLISH_SECONDS", 1.0)


@dataclass(frozen=True)
class Firestore:
    """A store behind a proxy that follows `script`, and an unrelated store, `other`."""

    store: FirestoreBatchStore
    other: FirestoreBatchStore
    script: Script


@pytest.fixture
def firestore(firestore_standin: StandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[Firestore]:
    with GrpcProxy(firestore_standin.address) as proxy:
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", proxy.address)
        one, other = (FirestoreBatchStore("test-project", uuid.uuid4().hex) for _ in range(2))
        yield Firestore(one, other, proxy.script)


@dataclass(frozen=True)
class BigQuery:
    """A prepared warehouse behind a proxy."""

    warehouse: BigQueryWarehouse
    script: Script


@pytest.fixture
def bigquery(bigquery_standin: StandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[BigQuery]:
    with HttpProxy(f"http://{bigquery_standin.address}") as proxy:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", proxy.url)
        with temporary_warehouse() as warehouse:
            yield BigQuery(warehouse, proxy.script)


@dataclass(frozen=True)
class PubSub:
    """A publisher behind a proxy, and a deduplicating subscriber that is not."""

    publisher: PubSubPublisher
    subscription: Subscription
    script: Script


@pytest.fixture
def pubsub(
    pubsub_standin: StandIn,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[PubSub]:
    topic = f"topic-{uuid.uuid4().hex}"
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub_standin.address)
    with GrpcProxy(pubsub_standin.address) as proxy, SubscriberClient() as subscriber:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", proxy.address)
        publisher = PubSubPublisher("test-project", topic)
        publisher.prepare()
        subscription = Subscription(subscriber, "test-project", topic, tmp_path / "seen.sqlite")
        yield PubSub(publisher, subscription, proxy.script)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return the table of a night without faults."""
    scene = embedded_scene(tmp_path_factory.mktemp("undisturbed"))
    whole_night(scene.home.open(), "run_0")
    return scene.table()


@pytest.fixture(scope="session")
def undisturbed_after_a_move(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return the table of a night without faults whose line has moved."""
    scene = embedded_scene(tmp_path_factory.mktemp("moved"))
    whole_night(scene.home.open(), "run_0", MOVED)
    return scene.table()


@pytest.fixture
def short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the lease of a dead worker expire soon."""
    monkeypatch.setattr(leases, "LEASE_TTL", SHORT_LEASE)
