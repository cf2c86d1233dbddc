"""Nights on a small league. What only reads shares a night; what breaks things has its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from nba_predictions_tests.e2e.pipeline import FramesLeague, Pipeline, two_game_league

MakePipeline = Callable[..., Pipeline]


@pytest.fixture(scope="session")
def league() -> FramesLeague:
    return two_game_league()


@pytest.fixture(scope="session")
def models_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder of trained models for all: they are found again by what they were trained on."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def make_pipeline(tmp_path: Path, league: FramesLeague, models_in: Path) -> MakePipeline:
    """Build pipelines, each in a home of its own under the test's folder."""

    def make(name: str = "home", **options: object) -> Pipeline:
        arguments: dict[str, object] = {"league": league, "models_in": models_in, **options}
        return Pipeline.build(tmp_path / name, **arguments)  # type: ignore[arg-type]

    return make


@pytest.fixture
def pipeline(make_pipeline: MakePipeline) -> Pipeline:
    return make_pipeline()


@pytest.fixture(scope="session")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, league: FramesLeague, models_in: Path
) -> pl.DataFrame:
    """The table after a night in which nothing went wrong."""
    home = tmp_path_factory.mktemp("undisturbed")
    pipeline = Pipeline.build(home, league, models_in=models_in)
    assert pipeline.predict().success
    return pipeline.table()


@pytest.fixture
def stored_instance(tmp_path: Path) -> dg.DagsterInstance:
    """An instance that keeps its runs on disk, as in production."""
    folder = tmp_path / "dagster"
    folder.mkdir()
    return dg.DagsterInstance.local_temp(str(folder))
