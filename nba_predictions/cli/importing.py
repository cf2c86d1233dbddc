"""The command `import`."""

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import typer

from nba_predictions.domain.errors import StorageError
from nba_predictions.durable_files import make_folder
from nba_predictions.inputs.importing.importer import Imported, import_files
from nba_predictions.inputs.importing.values import read_moment

#: How many of the rows that were set aside are printed per file.
_SHOWN = 5


def read_observed_at(text: str) -> datetime:
    """Read the option --observed-at: a moment with its time zone."""
    moment = read_moment(text)
    if moment is None:
        raise typer.BadParameter(
            f"{text!r} is not a time with a time zone; write it in UTC, as in "
            "2025-01-10T22:30:00Z, or with its offset",
            param_hint="--observed-at",
        )
    return moment


def import_into(
    files: Sequence[Path], folder: Path, kind: str | None, observed_at: str | None
) -> int:
    """Import files and print one line for each; return 2 if one of them was not imported."""
    moment = None if observed_at is None else read_observed_at(observed_at)
    try:
        make_folder(folder)
    except FileExistsError as error:
        raise StorageError(f"{folder} is not a folder; choose another one for --to") from error
    code = 0
    for outcome in import_files(files, folder, kind=kind, observed_at=moment):
        if outcome.error:
            print(f"nba-predictions: {outcome.path}: {outcome.error}", file=sys.stderr)
            code = 2
            continue
        print(_line(outcome))
        for problem in outcome.rejected[:_SHOWN]:
            print(f"nba-predictions: {outcome.path}: set aside: {problem}", file=sys.stderr)
    return code


def _line(outcome: Imported) -> str:
    counts = [f"{count} {reason}" for reason, count in sorted(outcome.dropped.items())]
    if outcome.rejected:
        counts.append(f"{len(outcome.rejected)} invalid")
    omitted = f" (without {', '.join(counts)})" if counts else ""
    target = f" -> {outcome.output}" if outcome.output else ""
    notes = f"; {'; '.join(outcome.notes)}" if outcome.notes else ""
    kind = f" {outcome.kind}" if outcome.kind else ""
    return f"{outcome.path}: {outcome.format}{kind} {outcome.rows} rows{omitted}{target}{notes}"
