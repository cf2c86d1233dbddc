"""One Dagster and one browser for all tests of the UI. A failure report contains the page."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from playwright.sync_api import Error

from nba_predictions.inputs.files import FilesSource
from nba_predictions_tests.conftest import GAME_DATE
from nba_predictions_tests.e2e.pipeline import Pipeline
from nba_predictions_tests.leagues import small_league, write_files
from nba_predictions_tests.ui.screen import Screen, browser_page, find_browser
from nba_predictions_tests.ui.server import Server, served_ui

#: The date of each night: a complete one, one with a broken merge, and a partial one.
GREEN, BROKEN, PARTIAL = GAME_DATE, date(2025, 10, 27), date(2025, 10, 26)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put these tests first, so that one worker of pytest-xdist runs all of them.

    Other workers take tests from the end of a queue. One worker starts one Dagster and one browser.
    """
    here = Path(__file__).parent
    items.sort(key=lambda item: here not in item.path.parents)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    used: dict[str, Any] = getattr(item, "funcargs", {})
    if report.failed and isinstance(screen := used.get("screen"), Screen):
        try:
            shown = f"{screen.page.url}\n{screen.page.inner_text('body', timeout=2000)[-4000:]}"
        except Error as error:
            shown = str(error)
        report.sections.append(("the text of the page", shown))
    if report.failed and isinstance(server := used.get("server"), Server):
        report.sections.append(("the end of the log of nba-predictions dev", server.end_of_log()))
    return report


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run `nba-predictions dev` on a new home, with three nights of a small league."""
    find_browser()
    folder = tmp_path_factory.mktemp("ui")
    league = small_league()
    nights = {GREEN, BROKEN, PARTIAL}
    write_files(league, folder / "files", ["2025-26"], logs_before=GREEN, dates=nights)
    data = {"NBA_PREDICTIONS_SOURCE": "files", "NBA_PREDICTIONS_DATA": str(folder / "files")}
    with served_ui(folder / "home", data) as running:
        yield running


@pytest.fixture(scope="module")
def screen(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    with browser_page(tmp_path_factory.mktemp("browser")) as page:
        yield Screen(page, server.address)


@pytest.fixture(scope="module")
def pipeline(server: Server) -> Iterator[Pipeline]:
    """Return a pipeline in this process on the same home and instance."""
    with dg.DagsterInstance.from_config(str(server.home / "dagster")) as instance:
        yield Pipeline.build(
            server.home, FilesSource(server.home.parent / "files"), instance=instance
        )
