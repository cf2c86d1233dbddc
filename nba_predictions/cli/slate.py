"""The command `slate`: print what a run would see of a game date, and create nothing."""

import json
import sys
from dataclasses import asdict
from datetime import date
from typing import Any

import polars as pl
from rich.console import Console

from nba_predictions.definitions import league_source
from nba_predictions.domain.clock import read_as_of, utc_now
from nba_predictions.nightly.slate_preview import RESULTS, SlatePreview, preview_slate
from nba_predictions.report.night import inputs_table, unmatched_table
from nba_predictions.report.terminal import WIDTH_WITHOUT_TERMINAL, print_line, print_table
from nba_predictions.settings import Settings

#: Rows of each input that were set aside and are printed.
_SHOWN = 20


def print_slate(settings: Settings, game_date: date, as_of: str | None, *, as_json: bool) -> int:
    """Print the slate of a date as the source knows it at `as_of`, by default now.

    Returns:
        0 if a run could go ahead, 1 if a gate is below its bar.
    """
    now = utc_now()
    moment = now if as_of is None else read_as_of(as_of, now, "--as-of")
    source = league_source(settings).open()
    preview = preview_slate(source, game_date, moment, settings.gate_thresholds)
    if as_json:
        print(json.dumps(preview.to_json(), indent=1))
    else:
        width = None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL
        _print_tables(preview, Console(width=width))
    return 0 if preview.passes else 1


def _print_tables(preview: SlatePreview, console: Console) -> None:
    shown = preview.to_json()
    print_line(console, f"{shown['game_date']} as of {shown['as_of']}, source {shown['source']}")
    print_table(console, "Games", pl.DataFrame(shown["games"]))
    print_table(console, "Players", _players(shown["players"]))
    print_table(console, "Skipped players", pl.DataFrame(shown["skipped"]))
    print_table(console, "Names without a player", unmatched_table(shown["unmatched"]))
    summaries = [asdict(account.summary()) for account in preview.accounts]
    print_table(console, "Input files", inputs_table(summaries))
    print_table(console, "Rows that were set aside", _rejected(shown["inputs"]))
    print_table(console, "Gates", pl.DataFrame(shown["gates"]))
    failed = [f.gate for f in preview.findings if RESULTS[f.level] == "fail"]
    with_line = sum(player["base_line"] is not None for player in shown["players"])
    print_line(
        console,
        f"\nSLATE {shown['game_date']} games={len(shown['games'])} "
        f"players={len(shown['players'])} with_line={with_line} skipped={len(shown['skipped'])} "
        f"unmatched={len(shown['unmatched'])} gates_failed={','.join(failed) or '-'}",
    )


def _players(players: list[dict[str, Any]]) -> pl.DataFrame:
    rows = [
        {
            **{name: value for name, value in player.items() if name not in ("books", "quotes")},
            "books": ", ".join(player["books"]),
        }
        for player in players
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def _rejected(inputs: list[dict[str, Any]]) -> pl.DataFrame:
    rows = [{"file": each["path"], **row} for each in inputs for row in each["rejected"][:_SHOWN]]
    return pl.DataFrame(rows, infer_schema_length=None)
