"""Runs that die in the middle, and are simply started again."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from nba_predictions.batches import sqlite_store
from nba_predictions.domain.batch import BatchState
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.verdict import Verdict
from nba_predictions.night.leases import LEASE_TTL
from nba_predictions_tests.e2e.conftest import MakePipeline
from nba_predictions_tests.e2e.dying_run import STAGED_BEFORE_DEATH
from nba_predictions_tests.e2e.pipeline import GAME_DATE, Pipeline, facts


def run_that_dies(home: Path, dagster_home: str, models_in: Path, moment: str) -> None:
    died = subprocess.run(
        [
            *(sys.executable, "-m", "nba_predictions_tests.e2e.dying_run"),
            *(str(home), dagster_home, str(models_in), moment),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr[-2000:]


def test_a_night_killed_while_staging_and_again_while_merging_is_one_batch_in_the_end(
    make_pipeline: MakePipeline,
    stored_instance: dg.DagsterInstance,
    models_in: Path,
    undisturbed: pl.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipeline = make_pipeline(instance=stored_instance)
    dagster_home = stored_instance.root_directory

    run_that_dies(pipeline.home, dagster_home, models_in, "staging")
    first = pipeline.batch()
    assert first.state is BatchState.STAGING
    assert len(pipeline.staging_files()) == STAGED_BEFORE_DEATH
    recorded = [c for c in pipeline.batches.completions(first.batch_id) if c.rows]
    assert len(recorded) <= STAGED_BEFORE_DEATH
    assert pipeline.judgement().verdict is Verdict.IN_PROGRESS

    run_that_dies(pipeline.home, dagster_home, models_in, "merge")
    second = pipeline.batch()
    assert second.batch_id == first.batch_id
    assert second.state is BatchState.STAGED
    assert len(pipeline.staging_files()) == 31
    assert facts(pipeline.table()) == facts(undisturbed)
    assert pipeline.judgement().verdict is Verdict.STAGED_NOT_MERGED
    assert pipeline.tick() == []

    # The dead run holds the lease of the date until it runs out.
    monkeypatch.setattr(sqlite_store, "utc_now", lambda: utc_now() + LEASE_TTL)
    inserted = pipeline.table()
    assert pipeline.predict().success
    assert pipeline.batch().batch_id == first.batch_id
    assert len(pipeline.batches.of_date(GAME_DATE)) == 1
    events = [entry.event for entry in pipeline.ledger()]
    assert events == ["created", "resumed", "staged", "resumed", "merged", "cleaned"]
    assert facts(pipeline.table()) == facts(undisturbed)
    assert pipeline.table()["created_at"].to_list() == inserted["created_at"].to_list()
    assert pipeline.staging_files() == []
    predicted = {f"{GAME_DATE}|{player}" for player in undisturbed["player_lookup"]}
    assert pipeline.materialized_players() == predicted


def test_a_clean_up_that_breaks_off_loses_nothing_and_is_done_by_hand(
    pipeline: Pipeline, undisturbed: pl.DataFrame
) -> None:
    def breaks_off(real: Any, names: Any) -> Any:
        real(names[:7])
        raise PermissionError("the folder is read-only")

    with pipeline.warehouse.broken("drop_staging", breaks_off):
        assert not pipeline.predict().success
    assert pipeline.batch().state is BatchState.CONSOLIDATED
    assert len(pipeline.staging_files()) == 24
    assert pipeline.tick() == []
    assert facts(pipeline.table()) == facts(undisturbed)
    assert pipeline.materialize("staging_cleanup").success
    assert pipeline.staging_files() == []
    assert facts(pipeline.table()) == facts(undisturbed)
    assert len(pipeline.tick()) == 1
