"""The command `grade`: compare a date's predictions with its box scores."""

from __future__ import annotations

import sys
from datetime import date

import dagster as dg
import polars as pl

from nba_predictions.cli.output import print_leaderboard
from nba_predictions.cli.pipeline import Pipeline
from nba_predictions.domain.tables import RESULTS
from nba_predictions.settings import Settings


def grade_night(settings: Settings, game_date: date) -> int:
    """Grade a date, and print the performance of the systems."""
    pipeline = Pipeline(settings)
    with dg.DagsterInstance.get() as instance:
        if not pipeline.execute("grade_predictions", game_date.isoformat(), instance):
            print(f"GRADING {game_date} FAILED. The errors are printed above.", file=sys.stderr)
            return 1
    board = pipeline.warehouse.query("system_performance", RESULTS, partition=game_date)
    print_leaderboard(pl.DataFrame(board))
    return 0
