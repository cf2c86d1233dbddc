"""The actions of a person in the Dagster UI: read a page, select, type, click."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect, sync_playwright

from nba_predictions_tests.waiting import CEILING_SECONDS

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
#: If set, a missing browser fails the tests instead of skipping them, for example in CI.
NEEDED = "NBA_PREDICTIONS_TESTS_NEED_BROWSER"
#: The folder for screenshots. Without it, none are taken.
SCREENSHOTS = "NBA_PREDICTIONS_TEST_SCREENSHOTS"
_OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
_LOCATION = "/locations/nba_predictions.definitions"


def find_browser() -> str:
    """Return the browser. Without one, skip the test, or fail it if a browser is required."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        missing = f"none of {', '.join(BROWSERS)} is on the PATH; `apt-get install chromium`"
        if os.environ.get(NEEDED):
            pytest.fail(f"{missing} ({NEEDED} is set)")
        pytest.skip(missing)
    return found


@contextmanager
def browser_page(profile: Path) -> Iterator[Page]:
    """Yield a page of a new browser profile."""
    executable = find_browser()
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=executable,
            headless=True,
            args=list(_OPTIONS),
            viewport={"width": 1440, "height": 900},
        )
        context.set_default_timeout(1000 * CEILING_SECONDS)
        expect.set_options(timeout=1000 * CEILING_SECONDS)
        yield context.pages[0]
        context.close()


@dataclass(frozen=True)
class Screen:
    """The pages of one Dagster UI."""

    page: Page
    address: str

    def open(self, path: str) -> None:
        self.page.goto(self.address + path)

    def open_job(self, job: str) -> None:
        self.open(f"{_LOCATION}/jobs/{job}")

    def open_asset(self, asset: str, tab: str | None = None) -> None:
        self.open(f"/assets/{asset}")
        if tab is not None:
            self.page.get_by_role("tab", name=tab).click()

    def open_group(self, group: str) -> None:
        self.open(f"{_LOCATION}/asset-groups/{group}/list")

    def tick(self, *assets: str) -> None:
        """Select assets in the list of their group."""
        for asset in assets:
            # The checkbox itself is invisible. Its label is visible and clickable.
            self.page.get_by_test_id(f"checkbox-{asset}").locator("xpath=..").click()

    def shows(self, text: str | re.Pattern[str], within: Locator | None = None) -> Locator:
        """Wait until a text is visible; return its locator."""
        matches = (within or self.page.locator("body")).get_by_text(text).locator("visible=true")
        expect(matches.first).to_be_visible()
        return matches.first

    def button(self, label: str, within: Locator | None = None) -> Locator:
        """Return the button with a label, without regard to the name of its icon."""
        buttons = (within or self.page.locator("body")).get_by_role("button")
        return buttons.filter(has_text=re.compile(f"^{label}$"))

    def ask_to_materialize(self) -> Locator:
        """Click the button that materializes the assets of the page; return the dialog."""
        self.button("Materialize( all| selected.*)?…").click()
        return self.page.get_by_role("dialog")

    def materialize_date(self, game_date: str, *, is_first: bool = False) -> str:
        """Materialize the assets of the page for a date, and return how the run ended.

        On a home without staged players, Dagster warns that `player_staging` is upstream and was
        never materialized.
        """
        dialog = self.ask_to_materialize()
        if is_first:
            self.shows("player_staging", dialog)
            self.button("Confirm", dialog).click()
        # The dialog starts with the last ninety days.
        self.button("Show all partitions", dialog).click()
        dialog.get_by_placeholder("ex:").fill(game_date)
        self.page.keyboard.press("Tab")
        return self.launch(dialog)

    def launch(self, dialog: Locator) -> str:
        """Click on Launch and on View, and return the status of the finished run."""
        self.button("Launch 1 run", dialog).click()
        self.shows("Launched run")
        self.page.get_by_text("View", exact=True).click()
        self.page.wait_for_url("**/runs/*")
        status = self.page.get_by_text(re.compile("^(Success|Failure)$")).first
        expect(status).to_be_visible()
        return status.inner_text()

    def open_check(self, asset: str, name: str) -> None:
        self.open_asset(asset, "Checks")
        self.shows(re.compile(f"^{name}$")).click()
        self.shows("Latest execution")

    def graph(self) -> Locator:
        """Return the asset graph."""
        return self.page.locator("svg:has(foreignObject)")

    def latest_result(self) -> Locator:
        """Return the newest result on the page of a check."""
        label = self.page.get_by_text("Evaluation result", exact=True)
        return label.locator("xpath=following::*[normalize-space(text())][1]")

    def open_partition(self, asset: str, partition: str) -> None:
        self.open_asset(asset, "Partitions")
        self.page.get_by_placeholder("Filter by name").fill(partition)
        self.shows(re.compile(f"^{re.escape(partition)}$")).click()

    def picture(self, name: str) -> None:
        """Take a screenshot for the documentation, if the folder is set."""
        folder = os.environ.get(SCREENSHOTS)
        if folder:
            # A notice about a launched run stays while the mouse is on it.
            self.page.mouse.move(700, 10)
            expect(self.page.get_by_text("Launched run")).to_have_count(0)
            self.page.wait_for_load_state("networkidle")
            self.page.screenshot(path=Path(folder) / f"{name}.png", animations="disabled")
