"""Find and read the Parquet and CSV files of an input folder."""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow as pa

from nba_predictions.domain.errors import SourceDataError
from nba_predictions.file_limits import (
    FileTooLargeError,
    check_csv_size,
    check_parquet_size,
    csv_compression,
    decompressed_csv,
)
from nba_predictions.inputs.account import UNKNOWN, InputAccount
from nba_predictions.inputs.parsing import RawTable, calendar_date, cell_error, shown
from nba_predictions.inputs.port import GAMES, LINES, LOGS, REPORT

_CSV = (".csv", ".csv.gz", ".csv.zst")
_SUFFIXES = (*_CSV, ".parquet")
#: Formats that `nba-predictions import` converts.
_IMPORTED = (".json", ".json.gz", ".pdf")
_ARCHIVES = (".gz", ".zst", ".bz2", ".xz", ".zip", ".7z", ".tar")
#: Other names that people give to the files of each kind.
_OTHER_NAMES = {
    **dict.fromkeys((LOGS, "player_logs", "game_logs", "gamelogs", "logs", "box_scores"), LOGS),
    **dict.fromkeys((LINES, "player_lines", "lines", "player_props", "props", "odds"), LINES),
    **dict.fromkeys((GAMES, "schedules", "games"), GAMES),
    **dict.fromkeys((REPORT, "injury", "injury_report", "injury_reports"), REPORT),
}
_SIMILAR = 0.75
#: What polars and pyarrow raise for a file that they cannot read. polars panics on some damage, and
#: a panic is not an Exception. Names in the footer of a damaged Parquet file may not be text.
_UNREADABLE = (
    *(pl.exceptions.PolarsError, pl.exceptions.PanicException, pa.ArrowException),
    UnicodeDecodeError,
)
_SEPARATORS = {";": "`;`", "\t": "tabs", "|": "`|`"}
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_FIRST_BYTES = 1 << 20


@dataclass(frozen=True)
class Listing:
    """The files of a folder: those of each kind in natural order, and those that are not read."""

    tables: Mapping[str, Sequence[Path]]
    unread: Sequence[InputAccount]


def list_folder(folder: Path) -> Listing:
    """Return the files of a folder. Hidden files and README files are not mentioned.

    Raises:
        SourceDataError: the folder does not exist, cannot be read or is empty.
    """
    if not folder.is_dir():
        raise SourceDataError(
            f"{folder}: the folder does not exist; create it and add player_game_logs.parquet or "
            ".csv, or set NBA_PREDICTIONS_DATA to the folder that contains it"
        )
    try:
        paths = sorted(folder.iterdir(), key=_natural)
        others = {path for path in paths if not path.is_file()}
    except OSError as error:
        raise SourceDataError(f"{folder}: cannot be listed ({error}); allow reading it") from error
    paths = [p for p in paths if not p.name.startswith(".") and not p.name.startswith("README")]
    if not paths:
        raise SourceDataError(
            f"{folder}: the folder is empty; add player_game_logs.parquet or .csv"
        )
    tables: dict[str, list[Path]] = {kind: [] for kind in (LOGS, LINES, GAMES, REPORT)}
    unread = []
    for path in paths:
        kind = next((k for k in tables if path.name.startswith(k)), None)
        if kind is not None and _suffix(path) in _SUFFIXES and path not in others:
            tables[kind].append(path)
        else:
            unread.append(_unread(path, path in others))
    return Listing(tables, unread)


def _natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Return a sort key by which `logs_2` is before `logs_10`, and `logs` before `logs_2`."""
    stem = path.name.lower().removesuffix(_suffix(path))
    parts = re.findall(r"[0-9]+|[^0-9]+", stem)
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in parts], path.name


def _suffix(path: Path) -> str:
    """Return the lower-case suffix, with the one before it in `.csv.gz` and the like."""
    suffixes = [s.lower() for s in path.suffixes]
    last = "".join(suffixes[-1:])
    return "".join(suffixes[-2:]) if last in _ARCHIVES else last


def _unread(path: Path, no_file: bool) -> InputAccount:
    """Return the account of a file or folder that is not read, with the reason and the fix."""
    suffix = "" if no_file else _suffix(path)
    kind, correct = _meant(path.name, path.name.removesuffix("".join(path.suffixes)))
    if path.is_dir():
        note = "folders are not read; move its files to the folder above"
    elif no_file:
        note = "it is not a regular file, or a link without a target; replace it by the file"
    elif suffix in _IMPORTED:
        note = f"{suffix} files are not read; convert it with `nba-predictions import`"
    elif suffix not in _SUFFIXES:
        note = f"{suffix or 'a file without a suffix'} is not read; write it as .csv or .parquet"
        if suffix.endswith(_ARCHIVES):
            note = f"{suffix} is not read; decompress it, or write it as .csv.gz or .csv.zst"
    elif kind is not None:
        note = f"no kind of input has this name; did you mean {correct}?"
    else:
        names = ", ".join((LOGS, LINES, GAMES, REPORT))
        note = f"no kind of input has this name; begin the name with {names}"
    return InputAccount(kind or UNKNOWN, path.name, read=False, note=note)


def _meant(name: str, stem: str) -> tuple[str | None, str]:
    """Return the kind of input that a name probably means, and the name with which it is read."""
    words = re.match(r"[A-Za-z]+([ _.-]*[A-Za-z]+)*", stem)
    if words is None:
        return None, name
    written = re.sub(r"[ _.-]+", "_", words.group().lower())
    similar = difflib.get_close_matches(written, _OTHER_NAMES, n=1, cutoff=_SIMILAR)
    if not similar:
        return None, name
    kind = _OTHER_NAMES[similar[0]]
    return kind, kind + name[words.end() :]


def read_table(path: Path, columns: Sequence[str]) -> RawTable:
    """Read the columns of one file that are named in `columns`. All cells of a CSV file are text.

    Raises:
        SourceDataError: the file is empty, damaged, or not in the format of its suffix.
    """
    try:
        if path.stat().st_size == 0:
            raise SourceDataError(
                f"{path.name}: the file is empty, without column names or a row 1; write it again "
                "or remove it"
            )
        frame, names = _read(path, columns)
        return RawTable(path.name, frame, tuple(names))
    except FileTooLargeError as error:
        raise SourceDataError(
            f"{path.name}: {error}; split the file, or write it again if it is damaged"
        ) from error
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error
    except OSError as error:
        if error.errno is None:
            # pyarrow reports a damaged footer or stream by an OSError, too.
            raise _unreadable(path, error) from error
        raise SourceDataError(f"{path.name}: cannot be read ({error}); check the file") from error


def oldest_date(paths: Iterable[Path], column: str) -> date | None:
    """Return the oldest date in a column of some files; None if they cannot be read.

    Only this column is read. `read_table` reports what is wrong with a file.
    """
    try:
        oldest = []
        for path in paths:
            dates, _ = _read(path, [column])
            if dates.is_empty():
                continue
            oldest.append(dates.select(calendar_date(dates, column).min()).item())
    except (OSError, FileTooLargeError, SourceDataError, *_UNREADABLE):
        return None
    return min((day for day in oldest if day is not None), default=None)


def _read(path: Path, columns: Sequence[str]) -> tuple[pl.DataFrame, Sequence[str]]:
    """Return the columns of one file that exist, and the names of all its columns."""
    if _suffix(path) in _CSV:
        return _read_csv(path, columns)
    check_parquet_size(path, columns)
    lazy = pl.scan_parquet(path, glob=False)
    names = lazy.collect_schema().names()
    return lazy.select(c for c in columns if c in names).collect(), names


def _read_csv(path: Path, columns: Sequence[str]) -> tuple[pl.DataFrame, Sequence[str]]:
    source: Path | bytes = path
    if csv_compression(path) is None:
        check_csv_size(path)
        with path.open("rb") as file:
            start = file.read(_FIRST_BYTES)
    else:
        source = decompressed_csv(path)
        start = source[:_FIRST_BYTES]
    names = _header(path.name, start)
    if len(names) == 1:
        _refuse_separator(path.name, names[0])
    _check_header(path.name, names, columns)
    existing = [c for c in columns if c in names]
    if not existing:
        return pl.DataFrame(), names
    frame = pl.read_csv(source, columns=existing, infer_schema=False, glob=False)
    _refuse_open_quote(path.name, frame, len(names))
    return frame.select(existing), names


def _header(name: str, start: bytes) -> list[str]:
    """Return the column names in the first line.

    Raises:
        SourceDataError: the text is not in UTF-8.
    """
    if start.startswith(_UTF_16) or start[:4].count(0) > 1:
        raise SourceDataError(
            f"{name}: the text is in UTF-16, not in UTF-8; save it as CSV in UTF-8"
        )
    line = start.removeprefix(b"\xef\xbb\xbf").partition(b"\n")[0]
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise _not_utf_8(name, 0, error) from error
    try:
        return next(csv.reader([text.rstrip("\r")]), [])
    except csv.Error:
        return []


def _not_utf_8(name: str, row: int, error: UnicodeDecodeError) -> SourceDataError:
    where = f"row {row}" if row else "the first line"
    return SourceDataError(
        f"{name}: the text is not in UTF-8 (byte 0x{error.object[error.start]:02X} in {where}), "
        "but probably in Latin-1 or Windows-1252; save it as CSV in UTF-8"
    )


def _refuse_separator(name: str, column: str) -> None:
    separator = max(_SEPARATORS, key=column.count)
    if separator in column:
        raise SourceDataError(
            f"{name}: the columns are separated by {_SEPARATORS[separator]}, not by a comma (its "
            f"one column is {shown(column)}); write the file with commas"
        )


def _check_header(name: str, names: Sequence[str], columns: Sequence[str]) -> None:
    twice = next((n for n in columns if names.count(n) > 1), None)
    if twice is not None:
        raise SourceDataError(
            f"{name}: column {twice} appears {names.count(twice)} times; keep one of them"
        )
    known = {c.lower() for c in columns}
    if any(n.strip().lower() in known for n in names):
        return
    first = ",".join(names)
    if any(re.search(r"[0-9]", n) or not n for n in names):
        raise SourceDataError(
            f"{name}: the file has no header: its first row is data ({shown(first)}); write the "
            f"column names {', '.join(columns[:3])}, ... in the first line"
        )


def _refuse_open_quote(name: str, frame: pl.DataFrame, width: int) -> None:
    """Raise SourceDataError if a cell contains whole rows, as after an open quotation mark."""
    if width < 2:
        return
    rows = rf"\n[^\n]*(,[^\n]*){{{width - 1}}}"
    for column in frame.get_columns():
        if column.str.contains("\n", literal=True).any():
            at = column.str.contains(rows).arg_true()
            if len(at):
                raise cell_error(
                    name,
                    int(at[0]) + 1,
                    column.name,
                    f"{shown(column[at[0]])} contains other rows",
                    "close or remove its quotation mark",
                )


def _unreadable(path: Path, error: BaseException) -> SourceDataError:
    """Return the error for a file that polars cannot read, with the cause where it is known."""
    if _suffix(path) not in _CSV:
        file_format = "parquet"
    else:
        file_format = "csv in UTF-8"
        try:
            compressed = csv_compression(path) is not None
            content = decompressed_csv(path) if compressed else path.read_bytes()
            cause = _csv_cause(path.name, content)
        except (OSError, FileTooLargeError, pa.ArrowException):
            cause = None
        if cause is not None:
            return cause
    return SourceDataError(
        f"{path.name}: cannot be read as {file_format} ({str(error).splitlines()[0]}); write the "
        "file again"
    )


def _csv_cause(name: str, content: bytes) -> SourceDataError | None:
    """Return the error for the first row that is too long, or is not in UTF-8; None without one."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _not_utf_8(name, content[: error.start].count(b"\n"), error)
    try:
        reader = csv.reader(io.StringIO(text, newline=""))
        width = len(next(reader, []))
        for row, cells in enumerate(reader, start=1):
            if len(cells) > width:
                return cell_error(
                    name,
                    row,
                    f"{width + 1}",
                    f"{shown(cells[width])} is after the last of {width} columns",
                    "quote values that contain a comma",
                )
    except csv.Error:
        # The error of polars describes the problem as well.
        pass
    return None
