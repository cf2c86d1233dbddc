"""Fixtures of the whole suite: the folder of real data, a home, input files; and its summary."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from nba_predictions_tests.leagues import small_league, write_files

# Nothing that a test breaks may alert the people of the user who runs the tests.
os.environ.pop("NBA_PREDICTIONS_ALERT_URLS", None)

#: A date of the simulated season, a week in.
GAME_DATE = date(2025, 10, 28)

pytest_plugins = [
    "nba_predictions_tests.standins.fixtures",
    "nba_predictions_tests.backends",
    "nba_predictions_tests.nights",
    "nba_predictions_tests.live",
    "nba_predictions_tests.alerts.receiver",
]

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data_dir() -> Path:
    """Return the folder of real games and lines; skip the test if it does not exist."""
    named = os.environ.get("NBA_PREDICTIONS_TEST_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}; set NBA_PREDICTIONS_TEST_DATA to run this")
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Set only the home in the environment; return its path."""
    for variable in ("PROFILE", "SOURCE", "DATA", "COMPLETION_THRESHOLD", "GATES", "UI_URL"):
        monkeypatch.delenv(f"NBA_PREDICTIONS_{variable}", raising=False)
    monkeypatch.setenv("NBA_PREDICTIONS_HOME", str(tmp_path / "home"))
    # Set first, so that monkeypatch removes what the command line sets later.
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.delenv("DAGSTER_HOME")
    yield tmp_path / "home"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "files"
    league = small_league()
    write_files(league, folder, ["2025-26"], logs_before=GAME_DATE, dates={GAME_DATE})
    monkeypatch.setenv("NBA_PREDICTIONS_SOURCE", "files")
    monkeypatch.setenv("NBA_PREDICTIONS_DATA", str(folder))
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests of the daemon, which take minutes, so that no worker ends with them."""
    items.sort(key=lambda item: "daemon" not in item.path.parts)


_standin_limits_of_workers: list[str] = []


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send the stand-ins of a pytest-xdist worker to the main process."""
    from nba_predictions_tests.standins.fixtures import standin_limits

    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["standins"] = standin_limits()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Collect the stand-ins of a pytest-xdist worker. Most workers send the same lines."""
    lines = getattr(node, "workeroutput", {}).get("standins", [])
    _standin_limits_of_workers.extend(
        line for line in lines if line not in _standin_limits_of_workers
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print which stand-ins replaced Google Cloud and what they cannot show."""
    # This module is a pytest plugin. A top-level import would prevent pytest's assertion rewriting.
    from nba_predictions_tests.standins.fixtures import standin_limits

    lines = standin_limits() or _standin_limits_of_workers
    if lines:
        terminalreporter.section("stand-ins for Google Cloud")
        for line in lines:
            terminalreporter.write_line(line)
