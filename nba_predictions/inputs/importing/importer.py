"""Convert files and write the result as input files."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Final

import polars as pl

from nba_predictions.durable_files import write_file
from nba_predictions.inputs.importing.documents import Document, read_document
from nba_predictions.inputs.importing.formats import Format, detect, known_formats
from nba_predictions.inputs.importing.tables import Context, Conversion
from nba_predictions.inputs.importing.values import ConversionError, MissingContextError
from nba_predictions.inputs.parsing import FEW_REJECTED, MAX_REJECTED_SHARE

#: The digits of a hash as letters: digits in a file's name may be read as a moment.
_LETTERS: Final = str.maketrans("0123456789", "ghijklmnop")
_DAYS: Final = {"player_game_logs": "GAME_DATE", "schedule": "game_date"}


@dataclass(frozen=True)
class Imported:
    """The outcome for one file.

    Attributes:
        path: the file.
        format, kind: what it is; empty if it is not known.
        rows: the number of written rows.
        output: the input file; None if there was nothing to write.
        rejected: the rows that were set aside, each with its place and problem.
        dropped: the number of rows that a rule omits, by reason.
        notes: sentences about the file.
        error: why it was not imported; empty if it was.
    """

    path: Path
    format: str = ""
    kind: str = ""
    rows: int = 0
    output: Path | None = None
    rejected: Sequence[str] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    notes: Sequence[str] = ()
    error: str = ""


@dataclass
class _Work:
    """A file on its way: what it is, or why it cannot be imported."""

    path: Path
    document: Document | None = None
    format: Format | None = None
    conversion: Conversion | None = None
    error: str = ""
    incomplete: bool = False


def import_files(
    paths: Sequence[Path],
    folder: Path,
    *,
    kind: str | None = None,
    observed_at: datetime | None = None,
) -> Iterator[Imported]:
    """Import files into a folder, and yield the outcome of each in the given order.

    A file may use games and names of the other files. A file that cannot be imported has an error,
    and does not affect the others.

    Args:
        paths: the files.
        folder: the folder of input files. It is created if it does not exist.
        kind: the only kind of input that is acceptable; None for all.
        observed_at: the moment of facts whose file has none.
    """
    context = Context(observed_at)
    works = [_read(path, kind) for path in paths]
    # Schedules know more about a game than its box score.
    readable = [work for work in works if work.format is not None]
    readable.sort(key=lambda work: work.format is not None and work.format.kind != "schedule")
    for work in readable:
        _convert(work, context)
    for work in readable:
        if work.incomplete:
            _convert(work, context)
    for work in works:
        yield _written(work, folder)


def _read(path: Path, kind: str | None) -> _Work:
    work = _Work(path)
    try:
        work.document = read_document(path)
        work.format = detect(work.document, kind)
    except ConversionError as error:
        work.error = f"{error}; the known formats are: {known_formats()}"
    except OSError as error:
        work.error = f"cannot be read ({error.strerror or error}); check the path"
    return work


def _convert(work: _Work, context: Context) -> None:
    assert work.document is not None and work.format is not None, "the file is readable"
    work.error, work.incomplete = "", False
    try:
        conversion = work.format.convert(work.document, context)
    except ConversionError as error:
        work.error = f"read as {work.format.name}: {error}"
        work.incomplete = isinstance(error, MissingContextError)
        return
    work.conversion, work.incomplete = conversion, conversion.incomplete
    context.add(conversion)


def _written(work: _Work, folder: Path) -> Imported:
    if work.format is None:
        return Imported(work.path, error=work.error)
    outcome = Imported(work.path, work.format.name, work.format.kind, error=work.error)
    conversion = work.conversion
    if work.error or conversion is None:
        return outcome
    try:
        _check_rejected(conversion)
        output = _write(conversion, folder) if conversion.rows else None
    except (ConversionError, OSError) as error:
        error_text = f"read as {work.format.name}: {error}"
        return Imported(outcome.path, outcome.format, outcome.kind, error=error_text)
    return Imported(
        work.path,
        outcome.format,
        outcome.kind,
        len(conversion.rows),
        output,
        conversion.rejected,
        conversion.dropped,
        _notes(conversion),
    )


def _check_rejected(conversion: Conversion) -> None:
    rejected, rows = conversion.rejected, len(conversion.rows)
    limit = max(FEW_REJECTED, MAX_REJECTED_SHARE * (rows + len(rejected)))
    if rejected and (not rows or len(rejected) > limit):
        raise ConversionError(
            f"{len(rejected)} of {len(rejected) + rows} rows are invalid: "
            f"{'; '.join(rejected[:3])}; fetch or export it again"
        )


def _notes(conversion: Conversion) -> list[str]:
    notes = list(conversion.notes)
    if not conversion.rows and conversion.kind:
        notes.append("nothing to write")
    elif conversion.kind and any(row.get("observed_at") is None for row in conversion.rows):
        notes.append(
            "the moment of the facts is not known: --observed-at makes a later file replace it"
        )
    if not conversion.kind:
        notes.append(f"{len(conversion.names)} names for the other files")
    return notes


def _write(conversion: Conversion, folder: Path) -> Path:
    """Write the rows; return the file. The same rows are always the same file.

    Raises:
        ConversionError: a file of this name has other content.
    """
    frame = conversion.frame()
    digest = hashlib.sha256(frame.write_csv().encode()).hexdigest()[:12].translate(_LETTERS)
    path = folder / f"{conversion.kind}_{_stamp(frame, conversion.kind)}{digest}.parquet"
    if path.exists():
        try:
            same = pl.read_parquet(path, glob=False).equals(frame)
        except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
            same = False
        if not same:
            raise ConversionError(
                f"{path} exists and has other content or is damaged; remove or rename it"
            )
        return path
    content = io.BytesIO()
    frame.write_parquet(content)
    write_file(path, content.getvalue())
    return path


def _stamp(frame: pl.DataFrame, kind: str) -> str:
    """Return the newest moment or day of the rows, so that later files have later names."""
    if "observed_at" in frame.columns:
        newest = frame["observed_at"].max()
        if isinstance(newest, datetime):
            return f"{newest:%Y%m%dT%H%M%SZ}_"
    day = frame[_DAYS[kind]].max() if kind in _DAYS else None
    return f"{day:%Y%m%d}_" if isinstance(day, date) else ""
