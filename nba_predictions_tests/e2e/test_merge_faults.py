"""Faulty merges: staging is kept and nothing is published until a correct merge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import dagster as dg
import polars as pl
import pytest

from nba_predictions.domain.batches.batch import BatchState
from nba_predictions.domain.batches.reconciliation import MergeCounts
from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.domain.errors import CleanupRefusedError
from nba_predictions_tests.e2e.conftest import MakePipeline
from nba_predictions_tests.e2e.pipeline import (
    SYSTEMS,
    FramesLeague,
    Pipeline,
    check_results,
    errors,
    facts,
)

Fault = Callable[..., Any]
#: Of 31 players, 15 have a line and therefore five keys per system instead of one.
KEYS = 31 * len(SYSTEMS)
ROWS = KEYS + 15 * 4 * len(SYSTEMS)


def loses_a_table(real: Any, table: Any, partition: Any, staging: Any, *stamps: Any) -> Any:
    """Skip one staging table, in the counts as well."""
    return real(table, partition, staging[1:], *stamps)


def loses_rows_silently(real: Any, table: Any, partition: Any, staging: Any, *stamps: Any) -> Any:
    """Lose rows, but return the counts of a correct merge."""
    counts = real(table, partition, staging[1:], *stamps)
    return replace(
        counts, tables_found=31, rows_staged=ROWS, distinct_keys=ROWS, inserted=ROWS, updated=0
    )


def affects_nothing(real: Any, table: Any, partition: Any, staging: Any, *stamps: Any) -> Any:
    """Count all staged rows, but write none."""
    return MergeCounts(len(staging), ROWS, ROWS, 0, 0, 0)


def keeps_one_line_of_five(
    real: Any, table: Any, partition: Any, staging: Any, *stamps: Any
) -> Any:
    """Collapse the tested lines of a player into one key."""
    counts = real(table, partition, staging, *stamps)
    return replace(counts, distinct_keys=KEYS, inserted=KEYS)


def merge_broken(fault: Fault) -> Callable[[Pipeline], Any]:
    return lambda pipeline: pipeline.warehouse.broken("merge", fault)


def staging_not_found(pipeline: Pipeline) -> Any:
    """Hide all staging tables from the merge."""
    return pipeline.warehouse.broken("existing_staging", lambda real, names: set())


@pytest.mark.parametrize(
    ("breaking", "number", "value", "words"),
    [
        (merge_broken(loses_a_table), "tables_found", 30, "31 staging tables were recorded, 30"),
        (merge_broken(loses_rows_silently), "batch_rows_in_target", None, "the target should hold"),
        (merge_broken(affects_nothing), "inserted", 0, "the merge wrote nothing, though 32"),
        (
            merge_broken(keeps_one_line_of_five),
            "duplicates_collapsed",
            ROWS - KEYS,
            f"{KEYS} distinct",
        ),
        (staging_not_found, "tables_found", 0, "the merge wrote nothing, though 32"),
    ],
    ids=[
        "loses a table",
        "loses rows silently",
        "affects zero rows",
        "collapses keys",
        "no tables",
    ],
)
def test_a_faulty_merge_blocks_the_night_and_can_be_repeated(
    pipeline: Pipeline,
    undisturbed: pl.DataFrame,
    breaking: Callable[[Pipeline], Any],
    number: str,
    value: int | None,
    words: str,
) -> None:
    with breaking(pipeline):
        night = pipeline.predict()
    assert not night.success
    check = check_results(night)["merged_rows_match_staged"]
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.ERROR
    assert words in str(check.description)
    assert {"rows_staged", "distinct_keys", "inserted", "updated", "rows_recorded"} <= set(
        check.metadata
    )
    assert check.metadata["batch_rows_expected"].value == ROWS
    shown = check.metadata[number].value
    assert shown == value if value is not None else 0 < int(str(shown)) < ROWS

    batch = pipeline.batch()
    everything = sorted(
        f"{batch.batch_id}/{player}" for player in undisturbed["player_lookup"].unique()
    )
    assert pipeline.staged_players() == everything
    assert batch.state is BatchState.STAGED
    for with_checks in (True, False):
        by_hand = pipeline.materialize("staging_cleanup", with_checks=with_checks)
        assert not by_hand.success
        assert CleanupRefusedError.__name__ in errors(by_hand)[0]
    assert pipeline.staged_players() == everything
    assert pipeline.tick() == []
    assert pipeline.messages() == []
    assert pipeline.audit().verdict is Verdict.STAGED_NOT_MERGED

    again = pipeline.materialize("player_prop_predictions", "staging_cleanup")
    assert again.success
    assert all(check.passed for check in check_results(again).values())
    assert facts(pipeline.table()) == facts(undisturbed)
    assert set(pipeline.table()["batch_id"]) == {batch.batch_id}
    assert pipeline.staging_files() == []
    (request,) = pipeline.tick()
    assert pipeline.publish(request).success
    assert pipeline.audit().verdict is Verdict.COMPLETE


def test_after_a_faulty_merge_the_next_run_resumes_the_batch(
    pipeline: Pipeline, undisturbed: pl.DataFrame
) -> None:
    with pipeline.warehouse.broken("merge", loses_a_table):
        assert not pipeline.predict().success
    broken = pipeline.batch()
    assert pipeline.predict().success
    assert pipeline.batch().batch_id == broken.batch_id
    assert facts(pipeline.table()) == facts(undisturbed)
    assert pipeline.staging_files() == []


def test_a_merge_that_raises_once_is_retried(pipeline: Pipeline, undisturbed: pl.DataFrame) -> None:
    raised: list[bool] = []

    def raises_once(real: Any, *arguments: Any) -> Any:
        if not raised:
            raised.append(True)
            raise ConnectionError("the warehouse is unreachable")
        return real(*arguments)

    with pipeline.warehouse.broken("merge", raises_once):
        night = pipeline.predict()
    assert raised
    assert night.success
    assert facts(pipeline.table()) == facts(undisturbed)
    assert pipeline.batch().state is BatchState.CLEANED


def test_rows_that_disappear_after_the_merge_prevent_the_cleanup(
    pipeline: Pipeline, undisturbed: pl.DataFrame
) -> None:
    """The cleanup counts the rows in the target table and does not rely on the ledger."""
    assert pipeline.materialize_until_staged().success
    assert pipeline.materialize("player_prop_predictions").success
    staged = pipeline.staging_files()
    assert len(staged) == 31

    def fewer(real: Any, *arguments: Any) -> Any:
        return replace(real(*arguments), batch_rows=ROWS - 1)

    with pipeline.warehouse.broken("count", fewer):
        again = pipeline.materialize("player_prop_predictions")
        assert not check_results(again)["merged_rows_match_staged"].passed
        refused = pipeline.materialize("staging_cleanup", with_checks=False)
    assert not refused.success
    assert f"completions recorded {ROWS} rows, the target holds {ROWS - 1}" in errors(refused)[0]
    assert pipeline.staging_files() == staged
    assert pipeline.materialize("staging_cleanup").success
    assert facts(pipeline.table()) == facts(undisturbed)


def test_duplicate_keys_in_the_target_block_the_night(pipeline: Pipeline) -> None:
    def twice(real: Any, *arguments: Any) -> Any:
        return replace(real(*arguments), duplicate_keys=3)

    with pipeline.warehouse.broken("count", twice):
        night = pipeline.predict()
        assert not night.success
        check = check_results(night)["no_duplicate_keys"]
        assert not check.passed
        assert check.metadata["duplicate_keys"].value == 3
        refused = pipeline.materialize("staging_cleanup", with_checks=False)
        assert "3 keys are duplicated in the target" in errors(refused)[0]
    assert len(pipeline.staging_files()) == 31


def test_a_moved_line_starts_a_new_batch_that_supersedes_the_old_rows(
    make_pipeline: MakePipeline, league: FramesLeague
) -> None:
    pipeline = make_pipeline()
    assert pipeline.predict().success
    old = pipeline.table()
    moved = replace(league, lines=league.lines.with_columns(line=pl.col("line") + 1))
    pipeline = pipeline.with_league(moved)
    assert pipeline.predict().success
    new = pipeline.table()
    assert len(new) == len(old)
    assert new["batch_id"].n_unique() == 1
    raised = dict(old.select("player_lookup", "base_line").drop_nulls().iter_rows())
    for player, base in new.select("player_lookup", "base_line").drop_nulls().iter_rows():
        assert base == raised[player] + 1
