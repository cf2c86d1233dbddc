"""Homes for a real daemon. They share their input files and the models of the week."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nba_predictions.inputs.files import FilesSource
from nba_predictions_tests.daemon.tree import DATES, Home, write_inputs
from nba_predictions_tests.e2e.pipeline import Pipeline, facts

MakeHome = Callable[..., Home]


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("daemon") / "files"
    write_inputs(folder)
    return folder


@pytest.fixture(scope="session")
def nights(inputs: Path) -> Pipeline:
    """Return a pipeline that predicted each date without faults."""
    pipeline = Pipeline.build(inputs.parent / "undisturbed", FilesSource(inputs))
    for day in DATES:
        assert pipeline.predict(day).success
    return pipeline


@pytest.fixture(scope="session")
def undisturbed(nights: Pipeline) -> dict[date, Any]:
    """Return the rows of each date after nights without faults."""
    table = nights.table()
    return {day: facts(table.filter(pl.col("game_date") == day)) for day in DATES}


@pytest.fixture
def make_home(tmp_path: Path, inputs: Path, nights: Pipeline) -> MakeHome:
    """Return a function that creates a home with trained models and variables of its daemon."""

    def make(**variables: str) -> Home:
        home = Home(tmp_path / "home", inputs, variables)
        shutil.copytree(nights.home / "models", home.folder / "models")
        home.prepare()
        return home

    return make
