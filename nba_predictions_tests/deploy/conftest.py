"""One PostgreSQL server for all, and a database of its own for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import dagster as dg
import pytest

from nba_predictions_tests.deploy.containers import DEPLOY
from nba_predictions_tests.deploy.postgres import Database, Server, running_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture
def database(postgres: Server) -> Database:
    return postgres.create_database()


@pytest.fixture
def dagster_home(tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DAGSTER_HOME as the image has it, with its own database."""
    home = tmp_path / "dagster"
    home.mkdir()
    shutil.copy(DEPLOY / "dagster.yaml", home)
    monkeypatch.setenv("DAGSTER_COMPUTE_LOGS", str(tmp_path / "compute_logs"))
    for name, value in database.environment.items():
        monkeypatch.setenv(name, value)
    return home


OpenInstance = Callable[[], dg.DagsterInstance]


@pytest.fixture
def open_instance(dagster_home: Path) -> Iterator[OpenInstance]:
    """Open the deployed instance again, as another process does."""
    with ExitStack() as opened:
        yield lambda: opened.enter_context(dg.DagsterInstance.from_config(str(dagster_home)))
