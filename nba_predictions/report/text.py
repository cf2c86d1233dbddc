"""A night as text, for a terminal or a pipe."""

from __future__ import annotations

import polars as pl
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from nba_predictions.report.formatting import cells
from nba_predictions.report.night import (
    NightReport,
    by_game,
    furthest_from_line,
    line_coverage,
    phases_table,
    reasons_table,
    reconciliation_table,
    steps_table,
)

#: Columns of a text that nobody sees on a terminal, so that no row is broken.
WIDTH_WITHOUT_TERMINAL = 160


def print_night(night: NightReport, console: Console) -> None:
    """Print a night: what became of it, what is in the table, who is not, how it came out."""
    audit = night.audit
    console.print(
        Text(f"Predictions for {night.game_date}  ", "bold")
        + Text(audit.verdict.value, "bold green" if night.complete else "bold red")
    )
    _say(console, f"{night.batch.batch_id}, {audit.status}, source {night.batch.source}")
    if night.batch.source == "simulated":
        _say(console, "SIMULATED LEAGUE: these games, players and lines do not exist.", "yellow")
    for fact in audit.facts:
        _say(console, f"  {fact}")
    _print(console, "Step by step", steps_table(audit.steps))
    _print(console, "How long it took", phases_table(night.phases))
    if night.reconciliation is None:
        _say(console, "\nNothing was merged yet.")
    else:
        numbers = night.reconciliation
        _print(console, "Reconciliation of the last merge", reconciliation_table(numbers))
        for problem in numbers.merge_problems():
            _say(console, f"  {problem}", "red")
    if night.by_line.is_empty():
        _say(console, "\nThe table holds no row of this batch.")
    else:
        _print(console, "The night by system and line", night.by_line)
        _print(console, "Where the lines come from", line_coverage(night.at_base))
        _print(console, "By game", by_game(night.at_base))
        _print(console, "Furthest from their line, ensemble", furthest_from_line(night.at_base))
    _print(console, "Failed players", reasons_table(night.failed))
    _print(console, "Skipped players", reasons_table(night.skipped))
    if night.graded is None:
        _say(console, "\nNot graded yet.")
    else:
        _print(console, "How it came out", night.graded.by_system)


def _say(console: Console, text: str, style: str = "") -> None:
    # Names and messages are data: nothing in them is a style or a link.
    console.print(Text(text, style))


def _print(console: Console, title: str, frame: pl.DataFrame) -> None:
    """Print a frame; one without rows is a word."""
    if frame.is_empty():
        _say(console, f"\n{title}: none")
        return
    _say(console, f"\n{title}", "bold")
    table = Table(box=None, pad_edge=False, header_style="dim")
    rows = cells(frame)
    for place, (name, kind) in enumerate(frame.schema.items()):
        # A long heading is broken between its words; a number never is.
        heading = name.replace("_", " ")
        width = max([*(len(row[place]) for row in rows), *map(len, heading.split())])
        justify: JustifyMethod = "right" if kind.is_numeric() else "left"
        table.add_column(heading, justify=justify, overflow="fold", min_width=min(width, 40))
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)
