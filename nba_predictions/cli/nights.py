"""Predict a night, look at it, grade it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg
import polars as pl

from nba_predictions.cli.common import DEFAULT_GAME_DATE, Commands, add_command, open_pipeline
from nba_predictions.cli.output import print_frame, print_leaderboard, print_steps, print_verdict
from nba_predictions.domain.batches.verdict import Evidence, Verdict
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.policies.input_gates import GATES_TAG, MODES
from nba_predictions.domain.tables import PREDICTIONS, RESULTS
from nba_predictions.nightly.audit import gather_evidence, report
from nba_predictions.nightly.refresh import refuse_the_past
from nba_predictions.orchestration.run_config import fan_out
from nba_predictions.settings import Settings
from nba_predictions.warehouse.port import Warehouse

if TYPE_CHECKING:
    from nba_predictions.cli.in_process import Pipeline


def add_commands(commands: Commands) -> None:
    """Add `run`, `refresh`, `grade` and `audit`."""
    for name, command, explanation in (
        ("run", run, "predict one game date end to end, and publish it"),
        (
            "refresh",
            refresh,
            "predict again whose lines, injuries or games have changed since, and publish that",
        ),
        ("grade", grade, "grade the predictions of one finished game date"),
        ("audit", audit, "say what became of one game date, from data"),
    ):
        sub = add_command(commands, name, command, explanation)
        sub.add_argument(
            "--game-date",
            type=date.fromisoformat,
            default=DEFAULT_GAME_DATE,
            help="date of the games, US Eastern, YYYY-MM-DD (default: %(default)s)",
        )
        if command is run:
            sub.add_argument(
                "--gates",
                choices=MODES,
                help="for this run: whether inputs below a bar let the night wait, or warn",
            )
        if command is refresh:
            sub.add_argument(
                "--past",
                action="store_true",
                help="also a date that is over, where the source is one of files",
            )
        if command is audit:
            sub.add_argument(
                "--batch", metavar="ID", help="one batch, instead of the newest of a date"
            )
            sub.add_argument("--json", action="store_true", help="print the whole report as JSON")


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Predict a date, let the sensor publish what is done, and say how it ended."""
    night = open_pipeline(settings)
    with dg.DagsterInstance.get() as instance:
        tags = {GATES_TAG: options.gates} if options.gates else None
        succeeded = night.execute(
            "nightly_predictions", options.game_date.isoformat(), instance, tags
        )
        night.tick("publish_cleaned_batches", instance)
    return _how_it_ended(settings, night, options.game_date, succeeded)


def refresh(settings: Settings, options: argparse.Namespace) -> int:
    """Bring a date up to what its source says now, publish that, and say how it ended."""
    if not options.past:
        # Before anything of the date is stored anew.
        refuse_the_past(options.game_date, utc_now())
    config = fan_out(refresh_past=options.past)
    night = open_pipeline(settings)
    with dg.DagsterInstance.get() as instance:
        partition = options.game_date.isoformat()
        succeeded = night.execute("refresh_predictions", partition, instance, config=config)
        # Not by the sensor, which pauses between two publications of the same batch.
        night.publish(options.game_date, instance)
    return _how_it_ended(settings, night, options.game_date, succeeded)


def _how_it_ended(settings: Settings, night: Pipeline, game_date: date, succeeded: bool) -> int:
    night.warehouse.prepare()
    evidence = gather_evidence(game_date, night.batches, night.warehouse)
    code = _report_night(settings, game_date, evidence, night.warehouse)
    if not succeeded:
        # The batch that is shown may be an earlier one of the date, and complete.
        print(f"THIS RUN OF {game_date} FAILED, for the reasons given above", file=sys.stderr)
    return code if succeeded else 1


def audit(settings: Settings, options: argparse.Namespace) -> int:
    """Say what is there of a night, from data, and change nothing."""
    night = open_pipeline(settings)
    night.warehouse.prepare()
    game_date = options.game_date
    if options.batch:
        game_date = night.batches.get(options.batch).game_date
    evidence = gather_evidence(game_date, night.batches, night.warehouse, options.batch)
    told = report(evidence)
    if options.json:
        print(json.dumps(told, indent=1))
        return 0 if told["verdict"] == Verdict.COMPLETE.value else 1
    print_steps(game_date, told)
    return print_verdict(game_date, evidence, told)


def grade(settings: Settings, options: argparse.Namespace) -> int:
    """Grade a date and print how the systems stand."""
    night = open_pipeline(settings)
    with dg.DagsterInstance.get() as instance:
        if not night.execute("grade_predictions", options.game_date.isoformat(), instance):
            print(f"GRADING {options.game_date} FAILED, see the lines above", file=sys.stderr)
            return 1
    board = night.warehouse.query("system_performance", RESULTS, partition=options.game_date)
    print_leaderboard(pl.DataFrame(board))
    return 0


def _report_night(
    settings: Settings, game_date: date, evidence: Evidence, warehouse: Warehouse
) -> int:
    """Print the night by system and step by step, and the verdict as the last line."""
    told = report(evidence)
    if settings.source == "simulated":
        print("\nSIMULATED LEAGUE: these games, players and lines do not exist.")
    batch = evidence.batch
    if batch is not None:
        summary = warehouse.query(
            "night_summary", PREDICTIONS, partition=game_date, batch_id=batch.batch_id
        )
        if summary.num_rows:
            print()
            print_frame(pl.DataFrame(summary))
    print_steps(game_date, told)
    print(f"\nThe predictions are in {warehouse.where(PREDICTIONS)}")
    print(f"To look at the night in the Dagster UI: {_how_toopen_pipeline(settings)}\n")
    return print_verdict(game_date, evidence, told)


def _how_toopen_pipeline(settings: Settings) -> str:
    if settings.source == "simulated":
        return "make dev"
    return f"make dev SOURCE=files DATA={os.path.relpath(settings.data or '.')}"
