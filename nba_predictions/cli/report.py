"""The command `report`: print the report of a night, or write it as a page."""

import sys
from datetime import date
from pathlib import Path

from rich.console import Console

from nba_predictions.cli.homes import describe_home, hint_of_other_homes
from nba_predictions.cli.pipeline import Pipeline
from nba_predictions.domain.errors import ReportError
from nba_predictions.durable_files import write_file
from nba_predictions.report.night import NightReport, gather_night
from nba_predictions.report.page import render_page
from nba_predictions.report.terminal import WIDTH_WITHOUT_TERMINAL, print_night
from nba_predictions.settings import Settings


def print_report(settings: Settings, game_date: date, batch_id: str | None) -> int:
    """Print the report as text; return 1 if there is no such batch."""
    night = _gather(settings, game_date, batch_id)
    if night is None:
        return 1
    print_night(night, Console(width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL))
    return 0


def write_page(settings: Settings, game_date: date, batch_id: str | None, file: str | None) -> int:
    """Write the report as a page and print its path; return 1 if there is no such batch.

    Args:
        file: the file to write; `-` is standard output, None a file in the home.
    """
    night = _gather(settings, game_date, batch_id)
    if night is None:
        return 1
    page = render_page(night)
    if file == "-":
        print(page)
        return 0
    path = settings.home / "reports" / f"{game_date}.html" if file is None else Path(file)
    _write(path, page)
    print(path.resolve())
    return 0


def _gather(settings: Settings, game_date: date, batch_id: str | None) -> NightReport | None:
    pipeline = Pipeline(settings, reading=True)
    night = gather_night(game_date, pipeline.batches, pipeline.warehouse, batch_id=batch_id)
    if night is None:
        missing = f"batch {batch_id}" if batch_id else "batch"
        print(
            f"nba-predictions: {game_date} has no report, because it has no {missing} in "
            f"{describe_home(settings)}; to predict the date, run "
            f"`nba-predictions run --game-date {game_date}`",
            *hint_of_other_homes(settings, game_date),
            sep="\n",
            file=sys.stderr,
        )
    return night


def _write(path: Path, page: str) -> None:
    """Write the page completely or not at all.

    Raises:
        ReportError: the file cannot be written.
    """
    try:
        write_file(path, page.encode())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ReportError(
            f"the report cannot be written to {path}: {reason}; name another file with --html FILE"
        ) from error
