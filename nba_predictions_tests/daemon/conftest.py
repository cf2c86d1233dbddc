"""Homes for a real daemon. They share their input files and the models of the week."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from nba_predictions_tests.daemon.tree import Home, new_home, rows_of, undisturbed_nights
from nba_predictions_tests.e2e.pipeline import Pipeline

MakeHome = Callable[..., Home]


@pytest.fixture(scope="session")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Return a pipeline that predicted each date without faults."""
    return undisturbed_nights(tmp_path_factory.mktemp("daemon"))


@pytest.fixture(scope="session")
def undisturbed(nights: Pipeline) -> dict[date, Any]:
    """Return the rows of each date after nights without faults."""
    return rows_of(nights)


@pytest.fixture
def make_home(tmp_path: Path, nights: Pipeline) -> MakeHome:
    """Return a function that creates a home with trained models and variables of its daemon."""
    return partial(new_home, tmp_path / "home", nights)
