"""Print a night, its verdict, and data frames."""

from datetime import date

import polars as pl

from nba_predictions.cli.pipeline import Pipeline
from nba_predictions.domain.batches.batch import Batch
from nba_predictions.nightly.audit import NightAudit
from nba_predictions.settings import Settings


def print_home(settings: Settings) -> None:
    """Print what a command looked at: the profile, the source and the home."""
    print(f"\n{'profile':>13}  {settings.profile}")
    print(f"{'source':>13}  {settings.source}")
    print(f"{'home':>13}  {settings.home}", end="")


def print_steps(game_date: date, audit: NightAudit) -> None:
    """Print the steps of a night, and the facts behind a verdict other than COMPLETE."""
    print(f"\n{'game_date':>13}  {game_date}")
    print(f"{'status':>13}  {audit.status or '-'}")
    for step in audit.steps:
        count = "-" if step.count is None else step.count
        at = step.at.isoformat(timespec="milliseconds") if step.at else ""
        print(f"{step.name:>13}  {count:>6} {step.unit:<8} {at}")
    if audit.batch is not None:
        print_moment(audit.batch)
    if not audit.complete:
        print("\n".join(f"{'':>13}  {fact}" for fact in audit.facts))


def print_moment(batch: Batch) -> None:
    """Print the moment of the batch, and the games that it leaves alone."""
    if batch.as_of is not None:
        print(f"{'as of':>13}  {batch.as_of.isoformat(timespec='milliseconds')}")
    if batch.begun:
        print(f"{'begun':>13}  {batch.begun_note}")


def print_verdict(game_date: date, audit: NightAudit) -> int:
    """Print the verdict in one line; return the exit code, 0 only if the night is COMPLETE."""
    if audit.batch is None:
        print(f"NO BATCH OF {game_date} {audit.verdict.value}")
    else:
        print(
            f"BATCH {audit.batch.batch_id} {audit.verdict.value} "
            f"players={audit.count('completed')} staged={audit.count('staged')} "
            f"merged={audit.count('in the table')} cleaned={audit.count('cleaned')} "
            f"published={audit.message_id or '-'}"
            + (f" begun_games={len(audit.batch.begun)}" if audit.batch.begun else "")
        )
    return 0 if audit.complete else 1


def print_outcome(pipeline: Pipeline, game_date: date, succeeded: bool) -> int:
    """Print the steps and the verdict; return the exit code, 0 only if the command succeeded."""
    audit = pipeline.audit(game_date)
    print_steps(game_date, audit)
    code = print_verdict(game_date, audit)
    return code if succeeded else 1


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
