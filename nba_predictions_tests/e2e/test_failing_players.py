"""Players whose prediction fails: they are dead-lettered, reported and can be replayed."""

from __future__ import annotations

from typing import Any

import dagster as dg
import polars as pl
import pytest

from nba_predictions.domain.batches.batch import BatchState, BatchStatus
from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.domain.errors import CleanupRefusedError
from nba_predictions.nightly.staging import MAX_ATTEMPTS
from nba_predictions.orchestration.run_config import fan_out
from nba_predictions_tests.e2e.conftest import MakePipeline
from nba_predictions_tests.e2e.pipeline import (
    GAME_DATE,
    FramesLeague,
    Pipeline,
    check_results,
    errors,
    facts,
    systems_raising,
)

NIGHT = GAME_DATE.isoformat()


@pytest.fixture(scope="module")
def quoted(league: FramesLeague) -> list[str]:
    """Return the players with a line who are not reported OUT."""
    return sorted(set(league.lines["player_lookup"]) - set(league.report["player_lookup"]))


def test_a_player_who_fails_once_is_retried(
    pipeline: Pipeline, quoted: list[str], undisturbed: pl.DataFrame
) -> None:
    with systems_raising({quoted[0]}, times=1) as attempts:
        assert pipeline.predict().success
    assert attempts == {quoted[0]: 2}
    assert facts(pipeline.table()) == facts(undisturbed)


def test_a_failed_player_is_dead_lettered_and_the_others_are_published_as_partial(
    pipeline: Pipeline, quoted: list[str], undisturbed: pl.DataFrame
) -> None:
    player = quoted[0]
    with systems_raising({player}) as attempts:
        night = pipeline.predict()
    assert attempts == {player: MAX_ATTEMPTS}
    (dead_letter,) = pipeline.batches.dead_letters(pipeline.batch().batch_id)
    assert (dead_letter.player_lookup, dead_letter.attempts) == (player, MAX_ATTEMPTS)
    assert dead_letter.error_class == "FloatingPointError"
    assert "predict_all" in dead_letter.traceback

    others = undisturbed.filter(pl.col("player_lookup") != player)
    assert facts(pipeline.table()) == facts(others)
    missing = {f"{NIGHT}:{p}" for p in undisturbed["player_lookup"]}
    assert missing - pipeline.materialized_players() == {f"{NIGHT}:{player}"}
    assert f"{NIGHT}:{player}" in pipeline.instance.get_dynamic_partitions("player_nights")

    assert night.success
    check = check_results(night)["batch_is_complete"]
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.WARN
    assert check.metadata["failed"].value == 1
    assert pipeline.staging_files() == []
    assert pipeline.batch().state is BatchState.CLEANED

    for request in pipeline.tick():
        assert pipeline.publish(request).success
    (message,) = pipeline.messages()
    assert message.message.status is BatchStatus.PARTIAL
    assert message.message.records_failed == 1
    assert message.message.record_count == len(others)
    assert pipeline.audit().verdict is Verdict.PARTIAL


def test_a_failed_player_is_replayed_by_materializing_the_partition(
    pipeline: Pipeline, quoted: list[str], undisturbed: pl.DataFrame
) -> None:
    player = quoted[0]
    with systems_raising({player}):
        assert pipeline.predict().success
    batch_id = pipeline.batch().batch_id

    assert pipeline.materialize("player_staging", partition=f"{NIGHT}:{player}").success
    assert f"{NIGHT}:{player}" in pipeline.materialized_players()
    assert pipeline.staged_players() == [f"{batch_id}/{player}"]
    merged = pipeline.materialize("player_prop_predictions")
    assert merged.success
    assert all(check.passed for check in check_results(merged).values())
    assert pipeline.materialize("staging_cleanup").success

    assert facts(pipeline.table()) == facts(undisturbed)
    assert set(pipeline.table()["batch_id"]) == {batch_id}
    assert pipeline.staging_files() == []
    (request,) = pipeline.tick()
    assert pipeline.publish(request).success
    (message,) = pipeline.messages()
    assert message.message.status is BatchStatus.SUCCESS
    assert message.message.record_count == len(undisturbed)
    assert pipeline.audit().verdict is Verdict.COMPLETE


def test_the_replay_job_replays_all_outstanding_players_by_default(
    pipeline: Pipeline, quoted: list[str], undisturbed: pl.DataFrame
) -> None:
    with systems_raising(set(quoted[:2])):
        assert pipeline.predict().success
    batch_id = pipeline.batch().batch_id
    # The launchpad of the UI starts with the default configuration, not with that of the job.
    replayed = pipeline.definitions.resolve_job_def("replay_players").execute_in_process(
        instance=pipeline.instance,
        partition_key=NIGHT,
        raise_on_error=False,
        run_config=fan_out(chunk_size=100, players=[]),
    )
    assert replayed.success
    assert pipeline.batch().batch_id == batch_id
    assert facts(pipeline.table()) == facts(undisturbed)
    assert pipeline.staging_files() == []


def test_a_replay_that_fails_again_leaves_the_batch_unchanged(
    pipeline: Pipeline, quoted: list[str], undisturbed: pl.DataFrame
) -> None:
    player = quoted[0]
    with systems_raising({player}):
        assert pipeline.predict().success
        for request in pipeline.tick():
            assert pipeline.publish(request).success
        before = pipeline.batch().state
        replayed = pipeline.materialize("player_staging", partition=f"{NIGHT}:{player}")
        assert not replayed.success
        assert f"{player} failed again: FloatingPointError" in errors(replayed)[0]
    assert pipeline.batch().state is before
    assert pipeline.audit().verdict is Verdict.PARTIAL

    # Later runs of the whole date succeed.
    assert pipeline.materialize("player_prop_predictions", "staging_cleanup").success
    assert pipeline.predict().success
    assert facts(pipeline.table()) == facts(undisturbed)


def test_a_replay_of_a_player_who_is_not_on_the_slate_is_refused(
    pipeline: Pipeline,
) -> None:
    assert pipeline.predict().success
    key = f"{NIGHT}:nosuchplayer"
    pipeline.instance.add_dynamic_partitions("player_nights", [key])
    replayed = pipeline.materialize("player_staging", partition=key)
    assert not replayed.success
    assert "nosuchplayer is not among the 31 players to predict" in errors(replayed)[0]
    assert pipeline.batch().state is BatchState.CLEANED


def test_a_replay_of_a_completed_player_replaces_the_rows(
    pipeline: Pipeline, quoted: list[str], undisturbed: pl.DataFrame
) -> None:
    assert pipeline.predict().success
    assert pipeline.materialize("player_staging", partition=f"{NIGHT}:{quoted[0]}").success
    assert pipeline.materialize("player_prop_predictions", "staging_cleanup").success
    assert facts(pipeline.table()) == facts(undisturbed)
    assert pipeline.batch().state is BatchState.CLEANED


def test_a_player_partition_of_an_older_version_can_be_launched(
    pipeline: Pipeline, quoted: list[str]
) -> None:
    assert pipeline.predict().success
    key = f"{NIGHT}|{quoted[0]}"
    pipeline.instance.add_dynamic_partitions("player_nights", [key])
    assert pipeline.materialize("player_staging", partition=key).success
    assert pipeline.materialize("player_prop_predictions", "staging_cleanup").success


def test_below_the_threshold_nothing_is_cleaned_up_or_published(
    pipeline: Pipeline, quoted: list[str]
) -> None:
    with systems_raising(set(quoted[:8])):
        night = pipeline.predict()
    assert not night.success
    check = check_results(night)["batch_is_complete"]
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.ERROR
    assert check.metadata["completion_pct"].value == 75.0
    staged = pipeline.staging_files()
    assert len(staged) == 23
    done = {event.asset_key for event in night.get_asset_materialization_events()}
    assert dg.AssetKey("player_prop_predictions") in done
    assert dg.AssetKey("staging_cleanup") not in done

    for with_checks in (True, False):
        by_hand = pipeline.materialize("staging_cleanup", with_checks=with_checks)
        assert not by_hand.success
        assert CleanupRefusedError.__name__ in errors(by_hand)[0]
        assert "below the threshold of 90%" in errors(by_hand)[0]
    assert pipeline.staging_files() == staged
    assert [entry.event for entry in pipeline.ledger()][-2:] == ["cleanup_refused"] * 2

    assert pipeline.tick() == []
    assert not pipeline.materialize("phase5_completion").success
    assert pipeline.messages() == []
    assert pipeline.audit().verdict is Verdict.PARTIAL


def test_a_lower_threshold_accepts_the_same_night(
    make_pipeline: MakePipeline, quoted: list[str]
) -> None:
    pipeline = make_pipeline(completion_threshold=0.7)
    with systems_raising(set(quoted[:8])):
        night = pipeline.predict()
    assert night.success
    assert check_results(night)["batch_is_complete"].severity is dg.AssetCheckSeverity.WARN
    assert pipeline.staging_files() == []


def test_a_completion_that_the_store_refuses_is_retried(
    pipeline: Pipeline, undisturbed: pl.DataFrame
) -> None:
    refused: set[str] = set()

    def refuse_once(real: Any, batch_id: str, completion: Any, **options: Any) -> Any:
        if completion.rows and completion.player_lookup not in refused:
            refused.add(completion.player_lookup)
            raise ConnectionError("the batch store is unreachable")
        return real(batch_id, completion, **options)

    with pipeline.batches.broken("complete", refuse_once):
        assert pipeline.predict().success
    assert len(refused) == 31
    assert pipeline.batches.dead_letters(pipeline.batch().batch_id) == []
    assert facts(pipeline.table()) == facts(undisturbed)


def test_a_player_whose_rows_cannot_be_staged_is_not_completed(
    pipeline: Pipeline, quoted: list[str], undisturbed: pl.DataFrame
) -> None:
    def disk_full(real: Any, table: Any, batch_id: str, name: str, rows: Any) -> Any:
        if name.startswith(f"{quoted[0]}."):
            raise OSError("no space left on device")
        return real(table, batch_id, name, rows)

    with pipeline.warehouse.broken("stage", disk_full):
        night = pipeline.predict()
    completed = {c.player_lookup for c in pipeline.batches.completions(pipeline.batch().batch_id)}
    assert quoted[0] not in completed
    assert check_results(night)["batch_is_complete"].metadata["failed"].value == 1
    assert facts(pipeline.table()) == facts(
        undisturbed.filter(pl.col("player_lookup") != quoted[0])
    )
