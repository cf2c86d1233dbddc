"""The checks of a night on their own: all of a date with a job, or a single one as from the UI."""

from __future__ import annotations

import dagster as dg
import duckdb
import pytest

from nba_predictions.orchestration.dagster_internals import check_records_of_partition
from nba_predictions.orchestration.run_tags import PARTITION_TAG
from nba_predictions_tests.e2e.pipeline import (
    GAME_DATE,
    QUIET,
    Pipeline,
    check_results,
    errors,
)

NIGHT = GAME_DATE.isoformat()
PREDICTIONS = dg.AssetKey("player_prop_predictions")
NAMES = {
    *("merged_rows_match_staged", "no_duplicate_keys", "batch_is_complete", "the_night_is_whole"),
}


def newest_result(pipeline: Pipeline, name: str) -> tuple[str, str]:
    (record, *_) = check_records_of_partition(
        pipeline.instance, dg.AssetCheckKey(PREDICTIONS, name), NIGHT, limit=1
    )
    return record.run_id, record.status.value


def test_the_job_evaluates_the_checks_of_a_past_date_and_changes_nothing(
    pipeline: Pipeline,
) -> None:
    assert pipeline.predict().success
    (request,) = pipeline.tick()
    assert pipeline.publish(request).success
    ledger = pipeline.ledger()
    good = pipeline.run("check_night", NIGHT)
    assert good.success
    assert {name: check.passed for name, check in check_results(good).items()} == dict.fromkeys(
        NAMES, True
    )
    with duckdb.connect(str(pipeline.home / "warehouse.duckdb")) as connection:
        connection.execute("DELETE FROM player_prop_predictions WHERE system_id = 'ensemble'")
    bad = pipeline.run("check_night", NIGHT)
    assert bad.success
    failed = {name for name, check in check_results(bad).items() if not check.passed}
    assert failed == {"merged_rows_match_staged", "the_night_is_whole"}
    assert newest_result(pipeline, "merged_rows_match_staged") == (bad.run_id, "FAILED")
    assert newest_result(pipeline, "no_duplicate_keys") == (bad.run_id, "SUCCEEDED")
    assert pipeline.ledger() == ledger


def test_the_job_of_a_date_without_a_batch_says_so(pipeline: Pipeline) -> None:
    result = pipeline.run("check_night", NIGHT)
    assert not result.success
    (error,) = errors(result)
    assert f"{NIGHT} has no batch" in error


@pytest.mark.parametrize("name", ["no_duplicate_keys", "batch_is_complete"])
def test_one_check_of_several_is_executed_alone(pipeline: Pipeline, name: str) -> None:
    assert pipeline.predict().success
    job = pipeline.definitions.resolve_implicit_global_asset_job_def()
    alone = job.get_subset(
        asset_selection=set(), asset_check_selection={dg.AssetCheckKey(PREDICTIONS, name)}
    )
    result = alone.execute_in_process(
        instance=pipeline.instance, run_config=QUIET, tags={PARTITION_TAG: NIGHT}
    )
    assert result.success
    assert set(check_results(result)) == {name}
    assert not result.get_asset_materialization_events()
