"""One of each stand-in per test run, started when the first test asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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


def report() -> list[str]:
    """Return which stand-ins served this run, and what of the real services they cannot show."""
    lines = []
    for standin in _served:
        lines.append(f"{standin.service}: {standin.kind} at {standin.address}; it cannot show")
        lines += [f"  - {limit}" for limit in standin.limits] or ["  - (not known)"]
    return lines
