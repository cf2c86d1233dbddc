"""Fixtures with pipelines on a small league, each with its own home."""

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
    """Return the folder of trained models, shared so that equal inputs are trained once."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def make_pipeline(tmp_path: Path, league: FramesLeague, models_in: Path) -> MakePipeline:
    """Return a function that builds a pipeline with a new home."""

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
    """Return the table after a night without faults."""
    home = tmp_path_factory.mktemp("undisturbed")
    pipeline = Pipeline.build(home, league, models_in=models_in)
    assert pipeline.predict().success
    return pipeline.table()


@pytest.fixture
def stored_instance(tmp_path: Path) -> dg.DagsterInstance:
    """Return an instance that stores its runs on disk, as in production."""
    folder = tmp_path / "dagster"
    folder.mkdir()
    return dg.DagsterInstance.local_temp(str(folder))
