"""Fixtures with the stand-ins. Each is started once per test run, when a test first needs it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from nba_predictions.orchestration.gcp_resources import PooledBigQueryResource
from nba_predictions.warehouse.bigquery_warehouse import BigQueryWarehouse
from nba_predictions_tests.standins.processes import StandIn, start

_served: list[StandIn] = []


def _serve(service: str) -> Iterator[StandIn]:
    with start(service) as standin:
        _served.append(standin)
        yield standin


@pytest.fixture(scope="session")
def bigquery_standin() -> Iterator[StandIn]:
    yield from _serve("bigquery")


@pytest.fixture(scope="session")
def firestore_standin() -> Iterator[StandIn]:
    yield from _serve("firestore")


@pytest.fixture(scope="session")
def pubsub_standin() -> Iterator[StandIn]:
    yield from _serve("pubsub")


@pytest.fixture(scope="session")
def storage_standin() -> Iterator[StandIn]:
    yield from _serve("storage")


@contextmanager
def temporary_warehouse() -> Iterator[BigQueryWarehouse]:
    """Yield a prepared warehouse with its own datasets at BIGQUERY_EMULATOR_HOST."""
    connection = PooledBigQueryResource(project="test-project", location="US")
    name = f"nba_{uuid.uuid4().hex[:12]}"
    warehouse = BigQueryWarehouse("test-project", "US", name, connection.get_client)
    warehouse.set_up()
    warehouse.prepare()
    yield warehouse
    for dataset in (warehouse.dataset, warehouse.staging_dataset):
        warehouse.client.delete_dataset(dataset, delete_contents=True, not_found_ok=True)


def standin_limits() -> list[str]:
    """Return the stand-ins of this run and the behavior of the real services that each lacks."""
    lines = []
    for standin in _served:
        lines.append(f"{standin.service}: {standin.kind}; it cannot show")
        lines += [f"  - {limit}" for limit in standin.limits] or ["  - (not known)"]
    return lines
