"""Print the report of a night as text, to a terminal or a pipe."""

import polars as pl
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from nba_predictions.report.formatting import cell, cells
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

#: The width of text that is not printed to a terminal, wide enough for each row.
WIDTH_WITHOUT_TERMINAL = 160


def print_night(night: NightReport, console: Console) -> None:
    """Print the verdict of a night, its steps, predictions, omitted players and results."""
    audit = night.audit
    console.print(
        Text(f"Predictions for {night.game_date}  ", "bold")
        + Text(audit.verdict.value, "bold green" if night.complete else "bold red")
    )
    print_line(console, f"{night.batch.batch_id}, {audit.status}, source {night.batch.source}")
    if night.batch.source == "simulated":
        print_line(
            console, "SIMULATED LEAGUE: these games, players and lines do not exist.", "yellow"
        )
    if night.batch.as_of is not None:
        known_at = f"predicted from what was known at {cell(night.batch.as_of)} UTC"
        print_line(console, known_at)
    if night.batch.begun:
        print_line(console, night.batch.begun_note, "yellow")
    for fact in audit.facts:
        print_line(console, f"  {fact}")
    print_table(console, "Steps", steps_table(audit.steps))
    print_table(console, "Durations", phases_table(night.phases))
    if night.reconciliation is None:
        print_line(console, "\nNothing is merged yet.")
    else:
        numbers = night.reconciliation
        print_table(console, "Reconciliation of the last merge", reconciliation_table(numbers))
        for problem in numbers.merge_problems():
            print_line(console, f"  {problem}", "red")
    if night.by_line.is_empty():
        print_line(console, "\nThe table has no rows of this batch.")
    else:
        print_table(console, "Predictions by system and line", night.by_line)
        print_table(console, "Sources of the lines", line_coverage(night.at_base))
        print_table(console, "By game", by_game(night.at_base))
        print_table(
            console, "Largest differences to the line, ensemble", furthest_from_line(night.at_base)
        )
    print_table(console, "Failed players", reasons_table(night.failed))
    print_table(console, "Skipped players", reasons_table(night.skipped))
    print_table(console, "Input files", night.inputs)
    print_table(console, "Names without a player", night.unmatched)
    if night.graded is None:
        print_line(console, "\nNot graded yet.")
    else:
        print_table(console, "Results", night.graded.by_system)


def print_line(console: Console, text: str, style: str = "") -> None:
    """Print text literally."""
    # Text() prints names and messages literally, without styles or links.
    console.print(Text(text, style))


def print_table(console: Console, title: str, frame: pl.DataFrame) -> None:
    """Print a frame as a table, or "none" if it has no rows."""
    if frame.is_empty():
        print_line(console, f"\n{title}: none")
        return
    print_line(console, f"\n{title}", "bold")
    table = Table(box=None, pad_edge=False, header_style="dim")
    rows = cells(frame)
    for n, (name, kind) in enumerate(frame.schema.items()):
        # A long heading is wrapped between words. Numbers are never wrapped.
        heading = name.replace("_", " ")
        width = max([*(len(row[n]) for row in rows), *map(len, heading.split())])
        justify: JustifyMethod = "right" if kind.is_numeric() else "left"
        table.add_column(heading, justify=justify, overflow="fold", min_width=min(width, 40))
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)
