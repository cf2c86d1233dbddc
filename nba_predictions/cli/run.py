"""The commands `run` and `refresh`: predict a game date, publish it and print the night."""

from __future__ import annotations

import os
import sys
from datetime import date

import dagster as dg
import polars as pl

from nba_predictions.cli.output import print_frame, print_steps, print_verdict
from nba_predictions.cli.pipeline import Pipeline
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.policies.input_gates import GATES_TAG
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.nightly.audit import NightAudit, audit_night
from nba_predictions.nightly.refresh import refuse_the_past
from nba_predictions.orchestration.run_config import fan_out
from nba_predictions.settings import Settings
from nba_predictions.warehouse.port import Warehouse


def run_night(settings: Settings, game_date: date, gates: str | None) -> int:
    """Predict a date, and publish the batches that are cleaned up."""
    pipeline = Pipeline(settings)
    with dg.DagsterInstance.get() as instance:
        tags = {GATES_TAG: gates} if gates else None
        succeeded = pipeline.execute("nightly_predictions", game_date.isoformat(), instance, tags)
        pipeline.tick("publish_cleaned_batches", instance)
    return _print_result(settings, pipeline, game_date, succeeded)


def refresh_night(settings: Settings, game_date: date, past: bool) -> int:
    """Update the batch of a date for changed inputs, and publish it."""
    if not past:
        # Fail before any input of the date is stored again.
        refuse_the_past(game_date, utc_now())
    pipeline = Pipeline(settings)
    with dg.DagsterInstance.get() as instance:
        config = fan_out(refresh_past=past)
        succeeded = pipeline.execute(
            "refresh_predictions", game_date.isoformat(), instance, config=config
        )
        # Not with the sensor, which pauses between two publications of the same batch.
        pipeline.publish(game_date, instance)
    return _print_result(settings, pipeline, game_date, succeeded)


def _print_result(settings: Settings, pipeline: Pipeline, game_date: date, succeeded: bool) -> int:
    pipeline.warehouse.prepare()
    audit = audit_night(game_date, pipeline.batches, pipeline.warehouse)
    code = _print_night(settings, game_date, audit, pipeline.warehouse)
    if not succeeded:
        # The night above may be an earlier batch of the date, which is complete.
        print(f"THIS RUN OF {game_date} FAILED. The errors are printed above.", file=sys.stderr)
    return code if succeeded else 1


def _print_night(
    settings: Settings, game_date: date, audit: NightAudit, warehouse: Warehouse
) -> int:
    """Print the predictions by system, the steps, and the verdict as the last line."""
    if settings.source == "simulated":
        print("\nSIMULATED LEAGUE: these games, players and lines do not exist.")
    batch = audit.batch
    if batch is not None:
        summary = warehouse.query(
            "night_summary", PREDICTIONS, partition=game_date, batch_id=batch.batch_id
        )
        if summary.num_rows:
            print()
            print_frame(pl.DataFrame(summary))
    print_steps(game_date, audit)
    print(f"\nThe predictions are in {warehouse.where(PREDICTIONS)}")
    print(f"To look at the night in the Dagster UI: {_ui_command(settings)}\n")
    return print_verdict(game_date, audit)


def _ui_command(settings: Settings) -> str:
    if settings.source == "simulated":
        return "make dev"
    return f"make dev SOURCE=files DATA={os.path.relpath(settings.data or '.')}"
