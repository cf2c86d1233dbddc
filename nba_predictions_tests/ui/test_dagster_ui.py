"""The Dagster UI of a real server in a browser, as an operator uses it."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import expect

from nba_predictions.batch_store.sqlite_store import SQLiteBatchStore
from nba_predictions.domain.batches.batch import CLEANED_UP
from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.report.night import gather_night
from nba_predictions.report.page import render_page
from nba_predictions.warehouse.duckdb_warehouse import DuckDBWarehouse
from nba_predictions_tests.e2e.pipeline import Pipeline, systems_raising
from nba_predictions_tests.ui.conftest import BROKEN, GREEN, PARTIAL
from nba_predictions_tests.ui.screen import NEEDED, Screen, find_browser

# Dagster closes an event loop of its own while Playwright's is running in this process.
pytestmark = pytest.mark.filterwarnings(
    "ignore:coroutine 'BaseEventLoop.shutdown_asyncgens' was never awaited:RuntimeWarning"
)

#: The sensor ticks every thirty seconds, and the run takes some more.
GROUPS = {
    "ingestion": ("game_logs", "injuries", "prop_lines", "schedule"),
    "features": ("player_features", "slate"),
    "models": ("prediction_models", "models_in_force"),
    "predictions": (
        *("player_prop_predictions", "player_staging", "staged_predictions", "staging_cleanup"),
    ),
    "publication": ("phase5_completion",),
    "grading": ("prediction_results", "system_performance", "calibration", "system_drift"),
}


def rows_by_player(pipeline: Pipeline, game_date: date) -> dict[str, int]:
    """Return the number of rows of each player of the newest batch."""
    batch = pipeline.batch(game_date)
    counted = pipeline.warehouse.query(
        "rows_by_player", PREDICTIONS, partition=game_date, batch_id=batch.batch_id
    )
    return {row["player_lookup"]: row["row_count"] for row in counted.to_pylist()}


@pytest.fixture(scope="module")
def green_night(screen: Screen, pipeline: Pipeline) -> str:
    """Launch a night from the page of its job; return the id of its batch."""
    screen.open_job("nightly_predictions")
    assert screen.materialize_date(GREEN.isoformat(), is_first=True) == "Success"
    screen.shows("No steps have errored")
    screen.picture("night-run")
    return pipeline.batch(GREEN).batch_id


def test_a_night_launched_from_the_page_of_its_job_passes_its_checks(
    screen: Screen, pipeline: Pipeline, green_night: str
) -> None:
    counted = rows_by_player(pipeline, GREEN)
    expected = pipeline.batches.get(green_night).expected_players
    assert len(counted) == expected > 100
    for name in ("batch_is_complete", "merged_rows_match_staged", "no_duplicate_keys"):
        screen.open_check("player_prop_predictions", name)
        screen.shows("Passed")
        screen.shows(GREEN.isoformat())
        screen.shows(green_night)
    screen.open_asset("player_prop_predictions")
    screen.shows(green_night)
    row = screen.page.get_by_role("row").filter(has_text="batch_rows_in_target")
    expect(row).to_contain_text(str(sum(counted.values())))
    screen.shows("Latest check results")
    screen.picture("player-prop-predictions")


def test_the_plot_of_a_materialization_is_shown(screen: Screen, green_night: str) -> None:
    screen.open_asset("player_prop_predictions")
    screen.shows(green_night)
    row = screen.page.get_by_role("row").filter(has_text="distributions")
    row.get_by_text("[Show Markdown]").click()
    plot = screen.page.get_by_role("dialog").locator("img")
    expect(plot).to_be_visible()
    assert plot.evaluate("plot => plot.decode().then(() => plot.naturalWidth)") > 400
    screen.picture("plots-of-a-night")


def test_the_report_is_a_page_without_network_requests(
    screen: Screen, pipeline: Pipeline, green_night: str, tmp_path: Path
) -> None:
    store = SQLiteBatchStore(pipeline.home / "batches.sqlite")
    warehouse = DuckDBWarehouse(pipeline.home / "warehouse.duckdb", pipeline.home / "staging")
    night = gather_night(GREEN, store, warehouse)
    assert night is not None
    path = tmp_path / "night.html"
    path.write_text(render_page(night), "utf-8")
    page = screen.page.context.new_page()
    requested: list[str] = []
    logged: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.on("console", lambda message: logged.append(message.text))
    page.goto(path.as_uri())
    assert green_night in page.inner_text("body")
    assert f"{sum(rows_by_player(pipeline, GREEN).values())}" in page.inner_text("body")
    widths = page.evaluate(
        "Promise.all([...document.images].map(i => i.decode().then(() => i.naturalWidth)))"
    )
    assert len(widths) == 2
    assert min(widths) > 400
    # The browser reports an embedded image as a request.
    assert [url for url in requested if not url.startswith("data:image/png;")] == [path.as_uri()]
    assert logged == []
    # The page does not scroll sideways.
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.close()


def test_the_asset_graph_shows_every_group_and_asset(screen: Screen, green_night: str) -> None:
    screen.open("/asset-groups")
    for group, assets in GROUPS.items():
        entry = screen.page.get_by_role("button").filter(has_text=group)
        entry.locator("xpath=preceding::*[@aria-label='arrow_drop_down'][1]").click()
        for asset in assets:
            screen.shows(asset)
    expanded = ",".join(f"global@global:{group}" for group in GROUPS)
    screen.open(f"/asset-groups?expanded={expanded}")
    # Give the graph more room. It is fitted to the window when it is loaded.
    screen.button("Hide navigation").click()
    screen.page.reload()
    for group, assets in GROUPS.items():
        screen.shows(group, screen.graph())
        for asset in assets:
            # A small node truncates a long name.
            screen.shows(re.compile(f"^({asset}|{asset[:5]}….+)$"), screen.graph())
    screen.picture("asset-graph")


@pytest.mark.parametrize(
    ("asset", "description", "kinds"),
    [
        ("slate", "games", ["Python"]),
        ("player_staging", "One player of one night.", ["Python", "Parquet"]),
    ],
)
def test_the_page_of_an_asset_shows_description_owner_kinds_and_code(
    screen: Screen, asset: str, description: str, kinds: list[str]
) -> None:
    screen.open_asset(asset)
    screen.shows(description)
    screen.shows("data-engineering")
    for kind in kinds:
        screen.shows(kind)
    code = screen.page.get_by_role("link").filter(has_text="in editor")
    expect(code).to_have_attribute(
        "href", re.compile(r"/nba_predictions/orchestration/assets/\w+\.py:\d+")
    )


def test_an_asset_shows_its_freshness_deadline(screen: Screen) -> None:
    screen.open_asset("slate")
    screen.shows(re.compile(r"^Deadline: At 08:00 AM E[SD]T$"))


def test_the_launchpad_of_the_nightly_job_shows_its_configuration_without_an_error(
    screen: Screen,
) -> None:
    screen.open_job("nightly_predictions")
    screen.page.locator("button:has([aria-label=arrow_drop_down])").click()
    screen.page.get_by_role("menuitem").filter(has_text="Open launchpad").click()
    launchpad = screen.page.get_by_role("dialog").filter(has_text="configure assets")
    expect(launchpad).to_contain_text("chunk_size: 100")
    expect(launchpad).to_contain_text("refresh_past: false")
    for text in ("No errors", "No missing config", "No extra config to remove"):
        expect(launchpad).to_contain_text(text)


def test_damaged_staging_fails_the_check_and_is_not_cleaned_up(
    screen: Screen, pipeline: Pipeline
) -> None:
    night = BROKEN.isoformat()
    assert pipeline.materialize_until_staged(night).success
    batch_id = pipeline.batch(BROKEN).batch_id
    lost, *remaining = sorted((pipeline.home / "staging" / batch_id).iterdir())
    lost.unlink()

    screen.open_group("predictions")
    screen.tick("player_prop_predictions", "staging_cleanup")
    assert screen.materialize_date(night) == "Failure"
    screen.shows("Errored (1)")
    screen.shows("Not executed (1)")
    screen.shows("1 blocking asset check failed with ERROR severity")
    screen.shows("Dependencies for step staging_cleanup failed")

    screen.open_check("player_prop_predictions", "merged_rows_match_staged")
    recorded = len(remaining) + 1
    screen.shows(f"{recorded} staging tables were recorded, {len(remaining)} exist")
    screen.shows(batch_id)
    expect(screen.latest_result()).to_have_text("Failed")
    screen.picture("broken-merge")
    screen.open_partition("staging_cleanup", night)
    screen.shows("failed, and did not materialize this asset")

    assert sorted((pipeline.home / "staging" / batch_id).iterdir()) == remaining
    assert set(rows_by_player(pipeline, BROKEN)) == {
        path.stem.partition(".")[0] for path in remaining
    }
    assert pipeline.batch(BROKEN).state not in CLEANED_UP
    assert pipeline.audit(BROKEN).verdict is Verdict.STAGED_NOT_MERGED


def test_a_failed_player_is_missing_until_the_partition_is_launched_and_merged(
    screen: Screen, pipeline: Pipeline
) -> None:
    night = PARTIAL.isoformat()
    player = min(pipeline.league.prop_lines(PARTIAL)["player_lookup"])
    with systems_raising({player}):
        assert pipeline.predict(PARTIAL).success
    batch_id = pipeline.batch(PARTIAL).batch_id
    (letter,) = pipeline.batches.dead_letters(batch_id)
    assert letter.player_lookup == player
    others = rows_by_player(pipeline, PARTIAL)
    assert player not in others

    screen.open_asset("player_staging", "Partitions")
    screen.shows("Missing (1)")
    screen.shows(re.compile(r"^Materialized \(")).click()
    screen.shows(f"{night}:{player}").click()
    screen.picture("player-staging")

    # The page of the partition offers the partition itself.
    dialog = screen.ask_to_materialize()
    screen.shows("1 partition", dialog)
    assert screen.launch(dialog) == "Success"
    screen.shows(f"{night}:{player}")
    screen.open_asset("player_staging", "Partitions")
    screen.shows("Missing (0)")

    screen.open_group("predictions")
    screen.tick("player_prop_predictions", "staging_cleanup")
    assert screen.materialize_date(night) == "Success"
    merged = rows_by_player(pipeline, PARTIAL)
    assert merged.pop(player) > 0
    assert merged == others
    batch = pipeline.batch(PARTIAL)
    assert batch.batch_id == batch_id
    assert batch.state in CLEANED_UP
    assert len(merged) + 1 == batch.expected_players


def test_the_sensor_publishes_the_night_and_the_partition_shows_the_message(
    screen: Screen, pipeline: Pipeline, green_night: str
) -> None:
    screen.open_asset("phase5_completion", "Partitions")
    # An open partition is not refreshed, so it is opened after it is materialized.
    for other in ("Missing", "Materializing"):
        screen.shows(re.compile(rf"^{other} \(")).click()
    screen.shows(GREEN.isoformat()).click()
    screen.shows(green_night)
    (message,) = [m for m in pipeline.messages() if m.message.execution_id == green_night]
    screen.shows(message.message_id)


def test_without_a_browser_these_tests_are_skipped_unless_one_is_required(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv(NEEDED, raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install chromium"):
        find_browser()
    monkeypatch.setenv(NEEDED, "1")
    with pytest.raises(pytest.fail.Exception, match=f"apt-get install chromium.*{NEEDED}"):
        find_browser()
