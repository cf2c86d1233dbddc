"""One of each stand-in per test run, started when the first test asks for it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from nba_predictions.warehouse.bigquery_warehouse import BigQueryConnection, BigQueryWarehouse
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


@contextmanager
def temporary_warehouse() -> Iterator[BigQueryWarehouse]:
    """A prepared warehouse with datasets of its own, which are gone with it.

    It is where BIGQUERY_EMULATOR_HOST leads.
    """
    connection = BigQueryConnection(project="test-project", location="US")
    warehouse = BigQueryWarehouse(connection, f"nba_{uuid.uuid4().hex[:12]}")
    warehouse.set_up()
    warehouse.prepare()
    yield warehouse
    with connection.get_client() as client:
        for name in (warehouse.dataset, warehouse.staging_dataset):
            client.delete_dataset(name, delete_contents=True, not_found_ok=True)


def report() -> list[str]:
    """Return which stand-ins served this run, and what of the real services they cannot show."""
    lines = []
    for standin in _served:
        lines.append(f"{standin.service}: {standin.kind}; it cannot show")
        lines += [f"  - {limit}" for limit in standin.limits] or ["  - (not known)"]
    return lines
