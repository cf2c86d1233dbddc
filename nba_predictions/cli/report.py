"""The report of a night, as text or as a page."""

from __future__ import annotations

import argparse
import sys
from datetime import date
from pathlib import Path

from nba_predictions.cli.common import Commands, add_command, open_pipeline
from nba_predictions.domain.errors import ReportError
from nba_predictions.settings import Settings

#: Stands for `--html` without a file.
DEFAULT_PAGE = "HOME/reports/GAME_DATE.html"


def add_commands(commands: Commands) -> None:
    """Add `report`."""
    sub = add_command(
        commands, "report", report, "tell a night in numbers, tables and pictures; change nothing"
    )
    sub.add_argument(
        "--game-date",
        type=date.fromisoformat,
        required=True,
        help="date of the games, US Eastern, YYYY-MM-DD",
    )
    sub.add_argument("--batch", metavar="ID", help="one batch, instead of the newest of the date")
    sub.add_argument(
        "--html",
        nargs="?",
        const=DEFAULT_PAGE,
        metavar="FILE",
        help="write a page that stands alone, instead of text; - is standard output "
        f"(default: {DEFAULT_PAGE})",
    )


def report(settings: Settings, options: argparse.Namespace) -> int:
    """Print the report of a date, or write its page; 1 when the date has no such batch."""
    # Here, because other commands need none of it.
    from rich.console import Console

    from nba_predictions.report.html import render_page
    from nba_predictions.report.night import gather_night
    from nba_predictions.report.text import WIDTH_WITHOUT_TERMINAL, print_night

    pipeline = open_pipeline(settings)
    pipeline.warehouse.prepare()
    night = gather_night(
        options.game_date, pipeline.batches, pipeline.warehouse, batch_id=options.batch
    )
    if night is None:
        which = f"batch {options.batch} of {options.game_date}" if options.batch else "batch of it"
        print(
            f"nba-predictions: {options.game_date} has no report: there is no {which}. "
            f"`nba-predictions run --game-date {options.game_date}` predicts it",
            file=sys.stderr,
        )
        return 1
    if options.html is None:
        terminal = sys.stdout.isatty()
        print_night(night, Console(width=None if terminal else WIDTH_WITHOUT_TERMINAL))
        return 0
    page = render_page(night)
    if options.html == "-":
        print(page)
        return 0
    path = Path(options.html)
    if options.html == DEFAULT_PAGE:
        path = settings.home / "reports" / f"{options.game_date}.html"
    _write(path, page)
    print(path.resolve())
    return 0


def _write(path: Path, page: str) -> None:
    """Write a page, all of it or nothing.

    Raises:
        ReportError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}.part")
        try:
            aside.write_text(page, "utf-8")
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ReportError(
            f"the report cannot be written to {path}: {why}; name another file with --html FILE"
        ) from error
