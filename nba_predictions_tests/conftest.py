"""What the whole suite shares: the folder of real data, and small leagues to play with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from nba_predictions_tests.leagues import small_league, write_files

# What tests break is not to be told to the people of whoever runs them, by any process of theirs.
os.environ.pop("NBA_PREDICTIONS_ALERT_URLS", None)

#: A date of the simulated season, a week in.
GAME_DATE = date(2025, 10, 28)

pytest_plugins = [
    "nba_predictions_tests.standins.fixtures",
    "nba_predictions_tests.backends",
    "nba_predictions_tests.nights",
    "nba_predictions_tests.alerts.receiver",
]

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data_dir() -> Path:
    """Real games and lines. They are not part of the project: without them these tests are off."""
    named = os.environ.get("NBA_PREDICTIONS_TEST_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}; set NBA_PREDICTIONS_TEST_DATA to run this")
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An environment in which only the home is set."""
    for variable in ("PROFILE", "SOURCE", "DATA", "COMPLETION_THRESHOLD", "GATES", "UI_URL"):
        monkeypatch.delenv(f"NBA_PREDICTIONS_{variable}", raising=False)
    monkeypatch.setenv("NBA_PREDICTIONS_HOME", str(tmp_path / "home"))
    # Set first, so that what the command line sets is taken back after the test.
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


_told_by_workers: list[str] = []


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a worker of pytest-xdist: hand over what only this process knows."""
    from nba_predictions_tests.standins.fixtures import report

    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["standins"] = report()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker of pytest-xdist has told; all of them tell much the same."""
    told = getattr(node, "workeroutput", {}).get("standins", [])
    _told_by_workers.extend(line for line in told if line not in _told_by_workers)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say plainly what served in the place of Google Cloud, and what that leaves open."""
    # A plugin of this suite: imported above, it could not be rewritten for better messages.
    from nba_predictions_tests.standins.fixtures import report

    lines = report() or _told_by_workers
    if lines:
        terminalreporter.section("stand-ins for Google Cloud")
        for line in lines:
            terminalreporter.write_line(line)
