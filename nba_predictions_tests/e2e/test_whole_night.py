"""Nights without faults, and dates without games or players."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from nba_predictions.domain.batches.batch import BatchState, BatchStatus
from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.domain.policies.input_gates import GATES
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.orchestration.run_tags import BATCH_TAG
from nba_predictions_tests.e2e.conftest import MakePipeline
from nba_predictions_tests.e2e.pipeline import (
    GAME_DATE,
    NO_GAMES_DATE,
    SYSTEMS,
    FramesLeague,
    Pipeline,
    check_results,
    errors,
    facts,
)

NIGHT = GAME_DATE.isoformat()


@dataclass(frozen=True)
class TwoNights:
    """The same date predicted and published twice, with the state after each step."""

    pipeline: Pipeline
    first: dg.ExecuteInProcessResult
    first_table: pl.DataFrame
    first_staging: list[str]
    first_state: BatchState
    first_requests: list[dg.RunRequest]
    published: dg.ExecuteInProcessResult
    state_when_published: BatchState
    second_requests: list[dg.RunRequest]
    second: dg.ExecuteInProcessResult


@pytest.fixture(scope="module")
def nights(
    tmp_path_factory: pytest.TempPathFactory, league: FramesLeague, models_in: Path
) -> TwoNights:
    home = tmp_path_factory.mktemp("two_nights")
    pipeline = Pipeline.build(home, league, models_in=models_in)
    first = pipeline.predict()
    table, staging = pipeline.table(), pipeline.staging_files()
    state = pipeline.batch().state
    requests = pipeline.tick()
    published = pipeline.publish(requests[0])
    state_when_published = pipeline.batch().state
    second_requests = pipeline.tick()
    second = pipeline.predict()
    for request in pipeline.tick():
        pipeline.publish(request)
    return TwoNights(
        pipeline,
        first,
        table,
        staging,
        state,
        requests,
        published,
        state_when_published,
        second_requests,
        second,
    )


def test_every_asset_of_the_night_is_materialized(nights: TwoNights) -> None:
    assert nights.first.success
    materialized = {
        event.asset_key.to_user_string()
        for event in nights.first.get_asset_materialization_events()
        if event.asset_key is not None and event.partition == NIGHT
    }
    assert materialized == {
        "fetched_inputs",
        "game_logs",
        "schedule",
        "prop_lines",
        "injuries",
        "slate",
        "player_features",
        "prediction_models",
        "staged_predictions",
        "player_prop_predictions",
        "staging_cleanup",
    }


#: The size limit of the plots of one event, which keeps the event log of a season small.
MAX_PLOT_CHARACTERS = 60_000


def metadata_of(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    """Return the metadata of an asset's materialization of the date."""
    (found,) = (
        event.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey(asset) and event.partition == NIGHT
    )
    return {name: value.value for name, value in found.items()}


def plots_in(metadata: Mapping[str, Any]) -> list[str]:
    """Return the names of the entries that are plots; check that they are small PNGs."""
    start, end = "](data:image/png;base64,", ")"
    plots = {k: v for k, v in metadata.items() if isinstance(v, str) and start in v}
    assert sum(map(len, plots.values())) < MAX_PLOT_CHARACTERS
    for value in plots.values():
        png = base64.b64decode(value.partition(start)[2].removesuffix(end), validate=True)
        assert png.startswith(b"\x89PNG")
    return list(plots)


def test_materializations_have_counts_tables_and_plots(nights: TwoNights) -> None:
    rows = len(nights.first_table)
    night = metadata_of(nights.first, "player_prop_predictions")
    assert night["dagster/partition_row_count"] == rows == night["batch_rows_in_target"]
    assert f"| rows staged | {rows} | {rows} | yes |" in night["reconciliation"]
    assert all(f"| {system} | -2 |" in night["by_system_and_line"] for system in SYSTEMS)
    assert plots_in(night) == ["distributions"]

    staged = metadata_of(nights.first, "staged_predictions")
    players = nights.first_table["player_lookup"].n_unique()
    assert staged["player_partitions_of_date"] == players
    assert staged["player_partitions_of_all_dates"] == players
    assert staged["dead_letters"] == "none"

    slate = metadata_of(nights.first, "slate")
    assert slate["with_line"] + slate["without_line"] == slate["players"] == players
    assert "| injury_report: OUT |" in slate["skips"]
    assert slate["by_game"].count("\n") == 1 + slate["games"]

    assert "| missing |" in metadata_of(nights.first, "player_features")["missing_values"]
    assert "| zone_matchup |" in metadata_of(nights.first, "prediction_models")["by_system"]
    logs = metadata_of(nights.first, "game_logs")
    assert logs["newest"] < NIGHT
    assert logs["dagster/row_count"] > logs["players"] > 0
    assert metadata_of(nights.first, "schedule")["games"] == slate["games"]

    published = metadata_of(nights.published, "phase5_completion")
    assert published["message"]["record_count"] == rows
    assert published["message"]["execution_id"] == published["batch_id"]


def test_events_of_players_have_only_small_metadata(nights: TwoNights) -> None:
    events = [
        event.materialization
        for event in nights.first.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey("player_staging")
    ]
    assert events
    assert {name for event in events for name in event.metadata} == {"batch_id", "rows"}


def test_all_checks_pass_except_for_missing_past_games_and_all_of_the_night_block(
    nights: TwoNights,
) -> None:
    results = check_results(nights.first)
    batch_checks = {"merged_rows_match_staged", "no_duplicate_keys", "batch_is_complete"}
    assert set(results) == batch_checks | set(GATES) | {"services_answer"}
    not_passed = {name for name, result in results.items() if not result.passed}
    assert not_passed == {"no_game_is_missing"}
    assert results["no_game_is_missing"].severity is dg.AssetCheckSeverity.WARN
    assert {name for name, result in results.items() if not result.blocking} == {"services_answer"}


def test_each_system_has_five_rows_per_player_with_a_line_and_one_without(
    nights: TwoNights, league: FramesLeague
) -> None:
    rows = nights.first_table
    quoted = set(league.lines["player_lookup"]) - set(league.report["player_lookup"])
    players = set(rows["player_lookup"])
    assert quoted
    assert quoted < players
    assert len(players) == nights.pipeline.batch().expected_players - 1  # one is reported OUT
    per_player = dict(rows.group_by("player_lookup").len().iter_rows())
    assert per_player == {p: len(SYSTEMS) * (5 if p in quoted else 1) for p in players}
    assert set(rows["system_id"]) == set(SYSTEMS)


def test_each_player_has_five_different_tested_lines(nights: TwoNights) -> None:
    with_line = nights.first_table.filter(pl.col("base_line").is_not_null())
    offsets = (
        with_line.with_columns(offset=(pl.col("points_line") - pl.col("base_line")).cast(float))
        .group_by("player_lookup", "system_id")
        .agg(pl.col("offset").sort())
    )
    assert offsets["offset"].to_list() == [[-2.0, -1.0, 0.0, 1.0, 2.0]] * len(offsets)


def test_business_keys_are_unique_and_lines_are_exact_decimals(nights: TwoNights) -> None:
    rows = nights.pipeline.table()
    assert not rows.select(PREDICTIONS.key).is_duplicated().any()
    assert rows.schema["points_line"] == pl.Decimal(5, 1)
    assert rows.schema["base_line"] == pl.Decimal(5, 1)
    assert rows["prediction_id"].n_unique() == len(rows)


def test_staging_is_empty_and_the_batch_is_cleaned_up(nights: TwoNights) -> None:
    assert nights.first_staging == []
    assert nights.first_state is BatchState.CLEANED


def test_the_sensor_requests_one_publishing_run_with_partition_and_batch(
    nights: TwoNights,
) -> None:
    (request,) = nights.first_requests
    assert request.partition_key == NIGHT
    assert request.tags[BATCH_TAG] == nights.first_table["batch_id"][0]


def test_publishing_sends_one_message_and_then_the_sensor_skips(nights: TwoNights) -> None:
    assert nights.published.success
    assert nights.state_when_published is BatchState.PUBLISHED
    assert nights.second_requests == []
    message = nights.pipeline.messages()[0]
    assert message.message.status is BatchStatus.SUCCESS
    assert message.message.record_count == len(nights.first_table)
    assert message.message.records_failed == 0
    assert message.dedup_id == nights.first_table["batch_id"][0]


def test_every_predicted_player_has_a_materialized_partition(nights: TwoNights) -> None:
    predicted = {f"{NIGHT}:{player}" for player in nights.first_table["player_lookup"]}
    assert nights.pipeline.materialized_players() == predicted
    registered = nights.pipeline.instance.get_dynamic_partitions("player_nights")
    assert set(registered) == predicted


def test_a_second_run_creates_a_second_batch_with_the_same_rows(nights: TwoNights) -> None:
    assert nights.second.success
    again = nights.pipeline.table()
    assert facts(again) == facts(nights.first_table)
    assert again["created_at"].to_list() == nights.first_table["created_at"].to_list()
    assert (again["updated_at"] > nights.first_table["updated_at"]).all()
    assert set(again["batch_id"]) & set(nights.first_table["batch_id"]) == set()
    assert again["batch_id"].n_unique() == 1


def test_the_second_batch_sends_a_second_message(nights: TwoNights) -> None:
    sent = [message.dedup_id for message in nights.pipeline.messages()]
    assert sent == [nights.first_table["batch_id"][0], nights.pipeline.batch().batch_id]
    assert len(set(sent)) == 2
    assert nights.pipeline.audit().verdict is Verdict.COMPLETE


def test_grading_gives_one_result_per_prediction_and_a_leaderboard(nights: TwoNights) -> None:
    graded = nights.pipeline.run("grade_predictions", NIGHT)
    assert graded.success
    results = nights.pipeline.table("prediction_results")
    assert set(results["prediction_id"]) == set(nights.first_table["prediction_id"])
    board = metadata_of(graded, "system_performance")
    assert all(f"| {system} |" in board["leaderboard"] for system in SYSTEMS)
    assert plots_in(board) == ["error_by_date"]
    of_date = metadata_of(graded, "prediction_results")
    assert all(f"| {system} |" in of_date["by_system"] for system in SYSTEMS)
    assert plots_in(of_date) == ["error_by_system"]
    assert plots_in(metadata_of(graded, "calibration")) == ["reliability"]
    drift = metadata_of(graded, "system_drift")["drift"]
    assert all(f"| {system} | TOO_FEW |" in drift for system in SYSTEMS)
    checks = check_results(graded)
    assert set(checks) == {
        "services_answer",
        "every_game_has_box_scores",
        "recent_error_is_in_its_band",
    }
    assert all(c.passed and c.severity is dg.AssetCheckSeverity.WARN for c in checks.values())


def test_grading_before_the_games_are_over_fails_with_the_reason(pipeline: Pipeline) -> None:
    assert isinstance(pipeline.league, FramesLeague)
    tonight = replace(
        pipeline.league, logs=pipeline.league.logs.filter(pl.col("game_date") < GAME_DATE)
    )
    pipeline = pipeline.with_league(tonight)
    assert pipeline.predict().success
    graded = pipeline.run("grade_predictions", NIGHT)
    assert not graded.success
    assert f"no box score of {NIGHT} yet" in errors(graded)[0]


def test_a_date_without_games_succeeds_with_the_status_no_data(pipeline: Pipeline) -> None:
    result = pipeline.predict(NO_GAMES_DATE)
    assert result.success
    found = check_results(result)
    # The last game of the small league is weeks before the date.
    assert {name for name, check in found.items() if not check.passed} == {"no_game_is_missing"}
    (request,) = pipeline.tick()
    assert pipeline.publish(request).success
    (message,) = pipeline.messages()
    assert message.message.status is BatchStatus.NO_DATA
    assert message.message.record_count == 0
    assert message.message.game_date == NO_GAMES_DATE
    assert pipeline.audit(NO_GAMES_DATE).verdict is Verdict.COMPLETE


def test_games_without_players_fail(make_pipeline: MakePipeline, league: FramesLeague) -> None:
    playing = [*league.games["away_team"], *league.games["home_team"]]
    without_players = replace(
        league,
        logs=league.logs.filter(~pl.col("team").is_in(playing)),
        lines=league.lines.clear(),
    )
    pipeline = make_pipeline(league=without_players)
    result = pipeline.predict()
    assert not result.success
    check = check_results(result)["batch_is_complete"]
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.ERROR
    assert pipeline.batch().games == 2
    assert pipeline.batch().expected_players == 0
    assert pipeline.tick() == []
    assert pipeline.audit().verdict is not Verdict.COMPLETE


def test_games_with_all_players_out_fail(make_pipeline: MakePipeline, league: FramesLeague) -> None:
    all_players = league.logs.select("player_lookup", "player_name").unique()
    report = all_players.with_columns(
        game_date=pl.lit(GAME_DATE), status=pl.lit("OUT"), reason=pl.lit("Rest")
    )
    report = pl.concat([league.report.clear(), report], how="diagonal")
    pipeline = make_pipeline(league=replace(league, report=report))
    assert not pipeline.predict().success
    assert pipeline.tick() == []
