"""What a person does with the Dagster UI: look at a page, tick, type, click."""

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

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
#: Set where these tests must not be skipped, as in continuous integration.
NEEDED = "NBA_PREDICTIONS_TESTS_NEED_BROWSER"
#: The folder for pictures of the pages; without it none are taken.
SCREENSHOTS = "NBA_PREDICTIONS_SCREENSHOTS"
#: How long a page may take to show what is there, and a run to end, on a busy machine.
PAGE_SECONDS, RUN_SECONDS = 60, 240
_OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
_LOCATION = "/locations/nba_predictions.definitions"


def find_browser() -> str:
    """Return the browser; without one skip the test, or fail it where a browser is needed."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        missing = f"none of {', '.join(BROWSERS)} is on the PATH; `apt-get install chromium`"
        if os.environ.get(NEEDED):
            pytest.fail(f"{missing} ({NEEDED} is set)")
        pytest.skip(missing)
    return found


@contextmanager
def browser_page(profile: Path) -> Iterator[Page]:
    """A page of a browser that has never been used before."""
    executable = find_browser()
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=executable,
            headless=True,
            args=list(_OPTIONS),
            viewport={"width": 1440, "height": 900},
        )
        context.set_default_timeout(1000 * PAGE_SECONDS)
        expect.set_options(timeout=1000 * PAGE_SECONDS)
        yield context.pages[0]
        context.close()


@dataclass(frozen=True)
class Screen:
    """The pages of one Dagster."""

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
        """Tick assets in the list of their group."""
        for asset in assets:
            # The box itself is not drawn; what is seen, and clicked, is its label.
            self.page.get_by_test_id(f"checkbox-{asset}").locator("xpath=..").click()

    def shows(
        self,
        text: str | re.Pattern[str],
        within: Locator | None = None,
        seconds: float = PAGE_SECONDS,
    ) -> Locator:
        """Wait until a text is to be seen; return where."""
        found = (within or self.page.locator("body")).get_by_text(text).locator("visible=true")
        expect(found.first).to_be_visible(timeout=1000 * seconds)
        return found.first

    def button(self, label: str, within: Locator | None = None) -> Locator:
        """The button that is labelled so; its icon has a name too, which does not count."""
        buttons = (within or self.page.locator("body")).get_by_role("button")
        return buttons.filter(has_text=re.compile(f"^{label}$"))

    def ask_to_materialize(self) -> Locator:
        """Click the button that materializes what the page is about; return the dialog."""
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
        # The dialog begins with the last ninety days.
        self.button("Show all partitions", dialog).click()
        dialog.get_by_placeholder("ex:").fill(game_date)
        self.page.keyboard.press("Tab")
        return self.launch(dialog)

    def launch(self, dialog: Locator) -> str:
        """Click on Launch, then on View, and return the end that the run's page shows."""
        self.button("Launch 1 run", dialog).click()
        self.shows("Launched run")
        self.page.get_by_text("View", exact=True).click()
        self.page.wait_for_url("**/runs/*")
        ends = self.page.get_by_text(re.compile("^(Success|Failure)$")).first
        expect(ends).to_be_visible(timeout=1000 * RUN_SECONDS)
        return ends.inner_text()

    def open_check(self, asset: str, name: str) -> None:
        self.open_asset(asset, "Checks")
        self.shows(re.compile(f"^{name}$")).click()
        self.shows("Latest execution")

    def graph(self) -> Locator:
        """The drawing of the assets."""
        return self.page.locator("svg:has(foreignObject)")

    def latest_result(self) -> Locator:
        """How the check whose page this is ended last."""
        under = self.page.get_by_text("Evaluation result", exact=True)
        return under.locator("xpath=following::*[normalize-space(text())][1]")

    def open_partition(self, asset: str, partition: str) -> None:
        self.open_asset(asset, "Partitions")
        self.page.get_by_placeholder("Filter by name").fill(partition)
        self.shows(re.compile(f"^{re.escape(partition)}$")).click()

    def picture(self, name: str) -> None:
        """Take a picture for the documentation, when somebody asked for them."""
        folder = os.environ.get(SCREENSHOTS)
        if folder:
            # Notices of what was launched stay as long as the mouse is on them.
            self.page.mouse.move(700, 10)
            expect(self.page.get_by_text("Launched run")).to_have_count(0)
            self.page.wait_for_load_state("networkidle")
            self.page.screenshot(path=Path(folder) / f"{name}.png", animations="disabled")
