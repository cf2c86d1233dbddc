"""Destinations of alerts on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nba_predictions_tests.alerts.receiver import Receiver, receiving


@pytest.fixture
def slack() -> Iterator[Receiver]:
    """A destination that is there."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def mail() -> Iterator[Receiver]:
    """A destination that is away."""
    with receiving(up=False) as receiver:
        yield receiver
