"""What the whole suite shares: the folder of real data, and small leagues to play with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest_plugins = [
    "nba_predictions_tests.standins.fixtures",
    "nba_predictions_tests.backends",
    "nba_predictions_tests.nights",
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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say plainly what served in the place of Google Cloud, and what that leaves open."""
    # A plugin of this suite: imported above, it could not be rewritten for better messages.
    from nba_predictions_tests.standins.fixtures import report

    lines = report()
    if lines:
        terminalreporter.section("stand-ins for Google Cloud")
        for line in lines:
            terminalreporter.write_line(line)
