"""A night with two registered markets. Rebounds has only its entry and one system of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg
import polars as pl
import pytest

from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.domain.market import FIVE_LINES
from nba_predictions.report.night import NightReport, gather_night
from nba_predictions.report.page import render_page
from nba_predictions_tests.conftest import GAME_DATE
from nba_predictions_tests.e2e.pipeline import (
    BOOKKEEPING,
    FramesLeague,
    Pipeline,
    check_results,
    two_game_league,
)
from nba_predictions_tests.second_market import REBOUNDS, REBOUNDS_AVERAGE, register

NIGHT = GAME_DATE.isoformat()
OF_REBOUNDS = pl.col("market") == REBOUNDS.name


@dataclass(frozen=True)
class TwoMarkets:
    """A date predicted, published and graded with both markets."""

    pipeline: Pipeline
    league: FramesLeague
    predicted: dg.ExecuteInProcessResult
    published: dg.ExecuteInProcessResult
    graded: dg.ExecuteInProcessResult
    report: NightReport

    @property
    def rebounds(self) -> pl.DataFrame:
        return self.pipeline.table().filter(OF_REBOUNDS)


@pytest.fixture(scope="module")
def night(
    tmp_path_factory: pytest.TempPathFactory, undisturbed: pl.DataFrame
) -> Iterator[TwoMarkets]:
    """Register the market after the night of points alone was predicted."""
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        league = two_game_league()
        pipeline = Pipeline.build(tmp_path_factory.mktemp("both"), league)
        predicted = pipeline.predict()
        published = pipeline.publish(pipeline.tick()[0])
        graded = pipeline.run("grade_predictions", NIGHT)
        report = gather_night(GAME_DATE, pipeline.batches, pipeline.warehouse)
        assert report is not None
        yield TwoMarkets(pipeline, league, predicted, published, graded, report)


def test_every_step_succeeds_and_every_check_passes(night: TwoMarkets) -> None:
    assert night.predicted.success
    assert night.published.success
    assert night.graded.success
    for result in (night.predicted, night.graded):
        failed = [c.check_name for c in check_results(result).values() if not c.passed]
        # The small league has a week of history, with fewer games than the calendar.
        assert set(failed) <= {"no_game_is_missing"}
    assert night.pipeline.audit().verdict is Verdict.COMPLETE
    assert night.pipeline.staging_files() == []


def test_rebounds_have_a_row_per_tested_line(night: TwoMarkets) -> None:
    assert set(night.rebounds["system_id"]) == {REBOUNDS_AVERAGE.system_id}
    with_line = night.rebounds.filter(pl.col("base_line").is_not_null())
    quoted = night.league.lines.filter(OF_REBOUNDS)["player_lookup"].unique()
    assert 0 < with_line["player_lookup"].n_unique() <= len(quoted)
    for (_,), rows in with_line.group_by("player_lookup"):
        offsets = rows["points_line"] - rows["base_line"]
        assert sorted(offsets) == list(FIVE_LINES)
    without = night.rebounds.filter(pl.col("base_line").is_null())
    assert without["player_lookup"].is_unique().all()
    assert set(without["recommendation"]) == {"NO_LINE"}


def test_base_lines_are_those_of_the_market(night: TwoMarkets) -> None:
    by_market = (
        night.pipeline.table().group_by("market").agg(pl.col("base_line").cast(float).mean())
    )
    base_lines = dict(by_market.iter_rows())
    assert 0 < base_lines["rebounds"] < base_lines["points"] / 2


def test_points_are_as_without_the_second_market(
    night: TwoMarkets, undisturbed: pl.DataFrame
) -> None:
    points = night.pipeline.table().filter(~OF_REBOUNDS)
    assert points.drop(BOOKKEEPING).equals(undisturbed.drop(BOOKKEEPING))


def test_prediction_ids_of_both_markets_are_distinct(night: TwoMarkets) -> None:
    assert night.pipeline.table()["prediction_id"].is_unique().all()


def test_the_message_names_both_markets_and_counts_all_rows(night: TwoMarkets) -> None:
    (sent,) = night.pipeline.messages()
    assert sent.message.markets == ("points", "rebounds")
    assert sent.message.record_count == night.pipeline.table().height


def test_rebounds_are_graded_with_the_sum_of_the_box_score(night: TwoMarkets) -> None:
    results = night.pipeline.table("prediction_results").filter(
        OF_REBOUNDS & (pl.col("outcome") != "VOID")
    )
    boxes = night.league.box_scores(GAME_DATE).select(
        "player_lookup", (pl.col("oreb") + pl.col("dreb")).alias("caught")
    )
    graded = results.join(boxes, on="player_lookup")
    assert graded.height == results.height > 0
    assert graded["actual_points"].cast(pl.Int64).to_list() == graded["caught"].to_list()


def test_the_report_shows_the_system_of_the_second_market(night: TwoMarkets) -> None:
    page = render_page(night.report)
    assert REBOUNDS_AVERAGE.system_id in page
    assert REBOUNDS.name in page


def test_a_second_run_changes_nothing(night: TwoMarkets) -> None:
    before = night.pipeline.table()
    assert night.pipeline.predict().success
    after = night.pipeline.table()
    assert after.drop(BOOKKEEPING).equals(before.drop(BOOKKEEPING))
