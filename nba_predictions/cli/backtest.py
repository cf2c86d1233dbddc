"""The command `backtest`: evaluate the systems on past dates."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar

from nba_predictions.backtest import rendering
from nba_predictions.backtest.evaluation import Scope, evaluate_markets, systems_named
from nba_predictions.backtest.walk_forward import Progress, silent, walk
from nba_predictions.cli.output import print_frame
from nba_predictions.definitions import league_source
from nba_predictions.domain.errors import BacktestError
from nba_predictions.settings import Settings
from nba_predictions.training.model_store import ModelStore


def run_backtest(
    settings: Settings,
    first: date,
    last: date,
    system_names: Sequence[str] | None,
    *,
    retrain: str,
    scope: Scope,
    out: Path | None,
) -> int:
    """Predict a range of past dates, print the main tables, and write the report to `out`."""
    if first > last:
        raise BacktestError(f"--from {first} is after --to {last}; exchange them")
    # Fail before the long walk if a system does not exist.
    systems = systems_named(system_names)
    with _progress() as progress:
        walked = walk(
            league_source(settings).open(),
            ModelStore(settings.home / "models"),
            first,
            last,
            retrain=retrain,
            progress=progress,
        )
    evaluations = evaluate_markets(
        walked, first, last, retrain=retrain, scope=scope, systems=systems
    )
    if settings.source == "simulated":
        print("SIMULATED LEAGUE: these games, players and lines do not exist.\n")
    for evaluation in evaluations:
        print(rendering.headline(evaluation))
        for section in rendering.main_sections(evaluation):
            print(f"\n{section.title}. {section.note}")
            print_frame(section.table)
        if out is not None:
            files = rendering.write(evaluation, rendering.folder_of(evaluation, out))
            print(f"\nThe report is in {files[0].parent}: {', '.join(f.name for f in files)}")
        print(f"\n{rendering.last_line(evaluation)}")
    return 0


@contextmanager
def _progress() -> Iterator[Progress]:
    """Show progress on stderr if that is a terminal."""
    if not sys.stderr.isatty():
        yield silent
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with ProgressBar(*columns, TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task("slates and lines", total=None)

        def show(description: str, done: int, total: int) -> None:
            bar.update(task, description=description, completed=done, total=total)

        yield show
