"""One PostgreSQL server for all tests. Each test has its own database, bucket and DAGSTER_HOME."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import dagster as dg
import pytest
from google.cloud import storage

from nba_predictions_tests.deploy.containers import DEPLOY, configuration, write_instance
from nba_predictions_tests.deploy.postgres import Database, Server, running_server
from nba_predictions_tests.standins import StandIn


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture
def database(postgres: Server) -> Database:
    return postgres.create_database()


@pytest.fixture
def compute_logs(storage_standin: StandIn, monkeypatch: pytest.MonkeyPatch) -> storage.Bucket:
    """Create the bucket of the compute logs and set the variables that lead to it."""
    for name, value in storage_standin.environment.items():
        monkeypatch.setenv(name, value)
    bucket = storage.Client(project="test-project").create_bucket(f"logs-{uuid.uuid4().hex}")
    monkeypatch.setenv("DAGSTER_COMPUTE_LOGS_BUCKET", bucket.name)
    return bucket


@pytest.fixture
def dagster_home(
    tmp_path: Path,
    database: Database,
    compute_logs: storage.Bucket,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Create a DAGSTER_HOME like that of the image, with its own database and bucket."""
    home = tmp_path / "dagster"
    home.mkdir()
    write_instance(configuration(DEPLOY / "dagster.yaml"), home)
    for name, value in database.environment.items():
        monkeypatch.setenv(name, value)
    return home


OpenInstance = Callable[[], dg.DagsterInstance]


@pytest.fixture
def open_instance(dagster_home: Path) -> Iterator[OpenInstance]:
    """Return a function that opens the deployed instance, as another process would."""
    with ExitStack() as opened:
        yield lambda: opened.enter_context(dg.DagsterInstance.from_config(str(dagster_home)))
