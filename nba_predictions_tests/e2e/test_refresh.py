"""Refreshes of a night whose lines and injuries change in the afternoon."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import dagster as dg
import polars as pl

from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.orchestration.assets.staging import player_staging
from nba_predictions.orchestration.run_config import fan_out
from nba_predictions_tests.conftest import GAME_DATE
from nba_predictions_tests.e2e.conftest import MakePipeline
from nba_predictions_tests.e2e.pipeline import BOOKKEEPING, FramesLeague, Pipeline

#: The date of the small league is over, which a refresh must allow explicitly.
PAST = fan_out(refresh_past=True)


def refresh(pipeline: Pipeline, config: dict[str, Any] = PAST) -> dg.ExecuteInProcessResult:
    return pipeline.run("refresh_predictions", GAME_DATE.isoformat(), config=config)


def predicted_in(result: dg.ExecuteInProcessResult) -> set[str]:
    """Return the players that a run has predicted."""
    return {
        str(event.partition).partition(":")[2]
        for event in result.all_events
        if event.is_step_materialization and event.asset_key == player_staging.key
    }


def afternoon(league: FramesLeague) -> tuple[FramesLeague, set[str], str]:
    """Return the league with two moved lines and a third player OUT, and these players."""
    out = set(league.report["player_lookup"])
    quoted = sorted(set(league.lines["player_lookup"]) - out)
    moved, scratched = set(quoted[:2]), quoted[2]
    one_more = pl.when(pl.col("player_lookup").is_in(moved)).then(1).otherwise(0)
    lines = league.lines.with_columns((pl.col("line") + one_more).cast(league.lines.schema["line"]))
    row = league.report.head(1).with_columns(player_lookup=pl.lit(scratched))
    changed = replace(league, lines=lines, report=pl.concat([league.report, row]))
    return changed, moved, scratched


def test_a_refresh_predicts_only_affected_players_and_equals_a_new_night(
    pipeline: Pipeline, league: FramesLeague, make_pipeline: MakePipeline
) -> None:
    assert pipeline.predict().success
    (request,) = pipeline.tick()
    assert pipeline.publish(request).success
    before, batch = pipeline.table(), pipeline.batch()

    # The refresh of a past date is refused by default.
    assert not refresh(pipeline, {}).success

    # Nothing has changed.
    idle = refresh(pipeline)
    assert idle.success
    assert predicted_in(idle) == set()
    assert pipeline.table().equals(before)
    assert pipeline.tick() == []

    changed, moved, scratched = afternoon(league)
    later = pipeline.with_league(changed)
    result = refresh(later)
    assert result.success
    # A player who is out affects the predictions of their teammates.
    (team,) = set(before.filter(pl.col("player_lookup") == scratched)["team"])
    teammates = set(before.filter(pl.col("team") == team)["player_lookup"]) - {scratched}
    predicted = predicted_in(result)
    assert moved <= predicted <= moved | teammates
    assert later.batch().batch_id == batch.batch_id
    # The sensor would request this run after its pause after the first publication.
    assert later.run("publish_phase5_completion", GAME_DATE.isoformat()).success
    assert [sent.attributes["dedup_id"] for sent in later.messages()] == [
        batch.batch_id,
        f"{batch.batch_id}.1",
    ]
    assert later.audit().verdict is Verdict.COMPLETE

    fresh = make_pipeline("fresh", league=changed)
    assert fresh.predict().success
    table = later.table()
    assert scratched not in set(table["player_lookup"])
    assert table.drop(BOOKKEEPING).equals(fresh.table().drop(BOOKKEEPING))
    # Players who were not affected keep the rows of the morning.
    unaffected = ~pl.col("player_lookup").is_in([*predicted, scratched])
    assert before.filter(unaffected).height > 0
    assert table.filter(unaffected).equals(before.filter(unaffected))
