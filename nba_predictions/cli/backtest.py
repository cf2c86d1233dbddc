"""Judge the systems on past dates: `backtest`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from nba_predictions.backtest.options import RETRAIN, Progress, silent
from nba_predictions.cli.common import Commands, add_command
from nba_predictions.cli.output import print_frame
from nba_predictions.settings import Settings


def add_commands(commands: Commands) -> None:
    """Add `backtest`."""
    explanation = (
        "walk forward through past dates, each predicted from what was known before it, and say "
        "how good every system was beside the averages and the line"
    )
    sub = add_command(commands, "backtest", backtest, explanation)
    day = date.fromisoformat
    sub.add_argument("--from", dest="first", type=day, required=True, help="first game_date")
    sub.add_argument("--to", dest="last", type=day, required=True, help="last game_date")
    sub.add_argument(
        "--systems",
        type=lambda text: [name.strip() for name in text.split(",") if name.strip()],
        help="only these, separated by commas (default: all)",
    )
    sub.add_argument(
        "--retrain",
        choices=RETRAIN,
        default=RETRAIN[0],
        help="how often models are trained; weekly is what the nights do (default: %(default)s)",
    )
    sub.add_argument(
        "--min-games",
        type=int,
        default=10,
        help="judge players with so many games this season (default: %(default)s)",
    )
    sub.add_argument(
        "--min-minutes",
        type=float,
        default=15.0,
        help="and so many minutes in their last 10 games (default: %(default)g)",
    )
    sub.add_argument(
        "--out", type=Path, help="folder for report.md, .html, .json, plots and predictions.parquet"
    )


def backtest(settings: Settings, options: argparse.Namespace) -> int:
    """Walk, judge, print the main tables, write the report."""
    # Here, because these take a second to import that other commands do not have.
    from nba_predictions.backtest import output
    from nba_predictions.backtest.report import Scope, judge, systems_named
    from nba_predictions.backtest.walk_forward import walk
    from nba_predictions.definitions import league_source
    from nba_predictions.domain.errors import BacktestError
    from nba_predictions.training.model_store import ModelStore

    if options.first > options.last:
        raise BacktestError(f"--from {options.first} is after --to {options.last}; exchange them")
    # Asked before the long walk, not after it.
    systems = systems_named(options.systems)
    with _progress() as progress:
        found = walk(
            league_source(settings),
            ModelStore(settings.home / "models"),
            options.first,
            options.last,
            retrain=options.retrain,
            progress=progress,
        )
    report = judge(
        found,
        options.first,
        options.last,
        retrain=options.retrain,
        scope=Scope(options.min_games, options.min_minutes),
        systems=systems,
    )
    if settings.source == "simulated":
        print("SIMULATED LEAGUE: these games, players and lines do not exist.\n")
    print(output.headline(report))
    for section in output.main_sections(report):
        print(f"\n{section.title}. {section.note}")
        print_frame(section.table)
    if options.out is not None:
        files = output.write(report, options.out)
        print(f"\nThe report is in {files[0].parent}: {', '.join(f.name for f in files)}")
    print(f"\n{output.last_line(report)}")
    return 0


@contextmanager
def _progress() -> Iterator[Progress]:
    """Show on stderr, where that is a terminal, what is being done; otherwise say nothing."""
    if not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bars(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("slates and lines", total=None)

        def show(what: str, done: int, of: int) -> None:
            bars.update(task, description=what, completed=done, total=of)

        yield show
