"""Predict a range of past dates, and announce what was predicted so: backfill, publish."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from nba_predictions.cli.common import Commands, add_command, open_pipeline
from nba_predictions.cli.output import print_steps, print_verdict
from nba_predictions.domain.errors import SettingsError
from nba_predictions.nightly.audit import gather_evidence, report
from nba_predictions.settings import Settings

if TYPE_CHECKING:
    from nba_predictions.cli.backfill_runner import DateReport

#: How a shell names the end by Ctrl-C.
INTERRUPTED = 130


def add_commands(commands: Commands) -> None:
    """Add `backfill` and `publish`."""
    sub = add_command(
        commands,
        "backfill",
        run_backfill,
        "predict all dates with games of a range that are not complete yet; may be killed and run "
        "again, and announces nothing unless asked",
    )
    for name, destination in (("--from", "first"), ("--to", "last")):
        sub.add_argument(
            name,
            dest=destination,
            type=date.fromisoformat,
            required=True,
            metavar="DATE",
            help=f"{destination} date, US Eastern, YYYY-MM-DD",
        )
    sub.add_argument("--publish", action="store_true", help="announce each date to its readers")
    sub.add_argument("--grade", action="store_true", help="grade each date as well")
    sub = add_command(
        commands, "publish", publish, "announce a batch that a backfill made; safe to repeat"
    )
    sub.add_argument("--batch", metavar="ID", required=True, help="the batch, as audit names it")


def run_backfill(settings: Settings, options: argparse.Namespace) -> int:
    """Predict a range of dates; the last line counts them, the exit code is 0 when none failed."""
    # Imported here, when DAGSTER_HOME and the settings are known to be right.
    from nba_predictions.cli.backfill_runner import Backfill, Outcome, backfill, dates_with_games

    if options.first > options.last:
        raise SettingsError(f"--from {options.first} is after --to {options.last}; turn them round")
    night = open_pipeline(settings)
    dates = dates_with_games(night.league, options.first, options.last)
    wanted = Backfill(publish=options.publish, grade=options.grade)
    reports: list[DateReport] = []
    interrupted = False
    with dg.DagsterInstance.get() as instance, _progress(settings, len(dates)) as tell:
        try:
            for done in backfill(night, instance, dates, wanted):
                reports.append(done)
                tell(done)
        except KeyboardInterrupt:
            interrupted = True
    failed = [r for r in reports if r.outcome is Outcome.FAILED]
    for date_report in failed:
        verdict = date_report.verdict.value if date_report.verdict else "-"
        print(f"{date_report.game_date} {verdict}: {date_report.why}", file=sys.stderr)
    if interrupted:
        print("interrupted; the same command goes on where it was left", file=sys.stderr)
    count = Counter(r.outcome for r in reports)
    print(
        f"BACKFILL {options.first} {options.last} dates={len(dates)} done={count[Outcome.DONE]} "
        f"skipped={count[Outcome.SKIPPED]} failed={len(failed)} "
        f"rows={sum(r.rows for r in reports if r.outcome is Outcome.DONE)}"
    )
    if interrupted:
        return INTERRUPTED
    return 1 if failed else 0


@contextmanager
def _progress(settings: Settings, dates: int) -> Iterator[Callable[[DateReport], None]]:
    """Show how far it is on stderr: a bar on a terminal, else a line for each date.

    On a terminal the log would scroll the bar away: there it goes into a file, that is named.
    """
    if not (sys.stdout.isatty() and sys.stderr.isatty()):

        def line(done: DateReport) -> None:
            print(_line(done), file=sys.stderr, flush=True)

        yield line
        return
    log = settings.home / "backfill.log"
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(file=sys.stderr),
        # What a failing run says on stderr is shown above the bar.
        redirect_stdout=False,
    )
    print(f"the log of the nights is in {log}", file=sys.stderr)
    with log.open("a", encoding="utf-8") as file, bar:
        task = bar.add_task("backfill", total=dates)

        def advance(done: DateReport) -> None:
            bar.update(task, advance=1, description=f"{done.game_date} {done.outcome.value}")

        with redirect_stdout(file):
            yield advance


def _line(done: DateReport) -> str:
    told = f"{done.game_date} {done.outcome.value} rows={done.rows}"
    return f"{told} {done.why}" if done.why else told


def publish(settings: Settings, options: argparse.Namespace) -> int:
    """Announce a batch to its readers, and say how it stands."""
    from nba_predictions.cli.backfill_runner import announce_batch

    night = open_pipeline(settings)
    batch = night.batches.get(options.batch)
    with dg.DagsterInstance.get() as instance:
        succeeded = announce_batch(night, instance, batch)
    evidence = gather_evidence(batch.game_date, night.batches, night.warehouse)
    told = report(evidence)
    print_steps(batch.game_date, told)
    code = print_verdict(batch.game_date, evidence, told)
    return code if succeeded else 1
