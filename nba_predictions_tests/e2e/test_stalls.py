"""Runs that stall or die while they stage, and how the sensor finishes or abandons them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from nba_predictions.batch_store import sqlite_store
from nba_predictions.domain.batches.batch import BatchState
from nba_predictions.domain.batches.verdict import STALL_WINDOW, Verdict
from nba_predictions.domain.clock import machine_now, utc_now
from nba_predictions.nightly import staging
from nba_predictions.orchestration.sensors import batch_followup as batch_sensors
from nba_predictions_tests.e2e.conftest import MakePipeline
from nba_predictions_tests.e2e.pipeline import Pipeline, facts


class PowerCut(BaseException):
    """An exception that no code of the pipeline catches."""


def cut_off_while_staging(pipeline: Pipeline, after: int) -> None:
    """Run a night whose process dies after this number of players is staged and recorded."""
    staged: list[str] = []

    def stage(real: Any, table: Any, batch_id: str, name: str, rows: Any) -> Any:
        if len(staged) >= after:
            raise PowerCut
        staged.append(name)
        return real(table, batch_id, name, rows)

    with pipeline.warehouse.broken("stage", stage):
        assert not pipeline.predict().success
    assert pipeline.batch().state is BatchState.STAGING


def eleven_minutes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    later = STALL_WINDOW + timedelta(minutes=1)
    for module in (sqlite_store, staging):
        monkeypatch.setattr(module, "utc_now", lambda: utc_now() + later)
    monkeypatch.setattr(batch_sensors, "machine_now", lambda: machine_now() + later)


def test_a_night_that_stalls_above_the_threshold_is_finished_without_the_outstanding_players(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, undisturbed: pl.DataFrame
) -> None:
    cut_off_while_staging(pipeline, after=29)
    assert pipeline.tick("settle_stalled_batches") == []
    eleven_minutes_later(monkeypatch)
    (request,) = pipeline.tick("settle_stalled_batches")
    finished = pipeline.run("finish_batch", str(request.partition_key), request.tags)
    assert finished.success
    (publication,) = pipeline.tick()
    assert pipeline.publish(publication).success

    assert pipeline.audit().verdict is Verdict.PARTIAL
    (message,) = pipeline.messages()
    assert message.message.metadata.failed_players == 2
    assert pipeline.table()["player_lookup"].n_unique() == 29
    assert pipeline.staging_files() == []

    # A replay predicts the two outstanding players.
    assert pipeline.run("replay_players", str(request.partition_key)).success
    (publication,) = pipeline.tick()
    assert pipeline.publish(publication).success
    assert facts(pipeline.table()) == facts(undisturbed)
    assert pipeline.audit().verdict is Verdict.COMPLETE
    assert [m.message.status.value for m in pipeline.messages()] == ["partial", "success"]


def test_the_next_run_resumes_a_night_that_died_early(
    make_pipeline: MakePipeline, monkeypatch: pytest.MonkeyPatch, undisturbed: pl.DataFrame
) -> None:
    pipeline = make_pipeline()
    cut_off_while_staging(pipeline, after=5)
    first = pipeline.batch().batch_id
    eleven_minutes_later(monkeypatch)
    assert pipeline.tick("settle_stalled_batches") == []
    assert pipeline.batch().state is BatchState.FAILED
    assert pipeline.predict().success
    assert pipeline.batch().batch_id == first
    assert facts(pipeline.table()) == facts(undisturbed)
