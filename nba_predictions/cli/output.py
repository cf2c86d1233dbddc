"""Print a night, its verdict, and data frames."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl

from nba_predictions.domain.batches.verdict import Evidence, Verdict


def print_steps(game_date: date, told: Mapping[str, Any]) -> None:
    print(f"\n{'game_date':>13}  {game_date}")
    print(f"{'status':>13}  {told.get('status', '-')}")
    for step in told.get("steps", ()):
        count = "-" if step["count"] is None else step["count"]
        print(f"{step['step']:>13}  {count:>6} {step['what']:<8} {step['at'] or ''}")
    if told["verdict"] != Verdict.COMPLETE.value:
        print("\n".join(f"{'':>13}  {fact}" for fact in told["facts"]))


def print_verdict(game_date: date, evidence: Evidence, told: Mapping[str, Any]) -> int:
    count = {step["step"]: step["count"] or 0 for step in told.get("steps", ())}
    if evidence.batch is None:
        print(f"NO BATCH OF {game_date} {told['verdict']}")
    else:
        print(
            f"BATCH {told['batch_id']} {told['verdict']} players={count['completed']} "
            f"staged={count['staged']} merged={count['in the table']} "
            f"cleaned={count['cleaned']} published={told['message_id'] or '-'}"
        )
    return 0 if told["verdict"] == Verdict.COMPLETE.value else 1


def print_leaderboard(board: pl.DataFrame) -> None:
    """Print the result of `system_performance.sql`, with column names that fit a terminal."""
    short = {
        "system_id": "system",
        "player_games": "games",
        "mean_absolute_error": "error",
        "calls_right": "right",
        "brier_score": "brier",
        "profit_per_bet": "profit",
    }
    # The asset `system_performance` shows all columns.
    board = board.drop("rmse", "with_line", "error_with_line", "error_of_line")
    print_frame(board.rename(short).with_columns(pl.selectors.float().round(3)))


def print_frame(frame: pl.DataFrame) -> None:
    """Print all rows and columns of a data frame."""
    with pl.Config(
        tbl_rows=-1,
        tbl_cols=-1,
        tbl_width_chars=132,
        tbl_hide_dataframe_shape=True,
        tbl_hide_column_data_types=True,
    ):
        print(frame)
