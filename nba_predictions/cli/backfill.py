"""The command `backfill`: predict a range of past dates and show the progress."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import date

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from nba_predictions.cli.backfill_dates import (
    BackfillOptions,
    DateReport,
    Outcome,
    backfill_dates,
    dates_with_games,
)
from nba_predictions.cli.pipeline import Pipeline
from nba_predictions.domain.errors import SettingsError
from nba_predictions.settings import Settings

#: The exit code of a shell command that was interrupted with Ctrl-C.
INTERRUPTED = 130


def run_backfill(settings: Settings, first: date, last: date, *, publish: bool, grade: bool) -> int:
    """Predict a range of dates; print the counts, and return 0 if no date failed."""
    if first > last:
        raise SettingsError(f"--from {first} is after --to {last}; exchange them")
    pipeline = Pipeline(settings)
    dates = dates_with_games(pipeline.league, first, last)
    options = BackfillOptions(publish=publish, grade=grade)
    reports: list[DateReport] = []
    interrupted = False
    with pipeline, _progress(settings, len(dates)) as show:
        try:
            for report in backfill_dates(pipeline, dates, options):
                reports.append(report)
                show(report)
        except KeyboardInterrupt:
            interrupted = True
    failed = [report for report in reports if report.outcome is Outcome.FAILED]
    for report in failed:
        verdict = report.verdict.value if report.verdict else "-"
        print(f"{report.game_date} {verdict}: {report.reason}", file=sys.stderr)
    if interrupted:
        print("interrupted; run the same command again to resume", file=sys.stderr)
    count = Counter(report.outcome for report in reports)
    print(
        f"BACKFILL {first} {last} dates={len(dates)} done={count[Outcome.DONE]} "
        f"skipped={count[Outcome.SKIPPED]} failed={len(failed)} "
        f"rows={sum(r.rows for r in reports if r.outcome is Outcome.DONE)}"
    )
    if interrupted:
        return INTERRUPTED
    return 1 if failed else 0


@contextmanager
def _progress(settings: Settings, dates: int) -> Iterator[Callable[[DateReport], None]]:
    """Show the progress on stderr: a bar on a terminal, otherwise a line for each date.

    On a terminal, the log goes to a file, because it would scroll the bar away.
    """
    if not (sys.stdout.isatty() and sys.stderr.isatty()):

        def print_line(report: DateReport) -> None:
            print(_line(report), file=sys.stderr, flush=True)

        yield print_line
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
        # Errors on stderr stay visible above the bar.
        redirect_stdout=False,
    )
    print(f"the log of the nights is in {log}", file=sys.stderr)
    with log.open("a", encoding="utf-8") as file, bar:
        task = bar.add_task("backfill", total=dates)

        def advance(report: DateReport) -> None:
            description = f"{report.game_date} {report.outcome.value}"
            bar.update(task, advance=1, description=description)

        with redirect_stdout(file):
            yield advance


def _line(report: DateReport) -> str:
    line = f"{report.game_date} {report.outcome.value} rows={report.rows}"
    return f"{line} {report.reason}" if report.reason else line
