"""Find and read the Parquet and CSV files of an input folder."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow as pa

from nba_predictions.domain.errors import SourceDataError
from nba_predictions.file_limits import FileTooLargeError, check_csv_size, check_parquet_size
from nba_predictions.inputs.parsing import RawTable, calendar_date, cell_error, shown

_SUFFIXES = (".parquet", ".csv")
#: What polars and pyarrow raise for a file that they cannot read. polars panics on some damage, and
#: a panic is not an Exception.
_UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, pa.ArrowException)


def find_tables(folder: Path, kind: str) -> list[Path]:
    """Return the Parquet and CSV files of `folder` whose names begin with `kind`, sorted.

    Raises:
        SourceDataError: the folder does not exist, cannot be read or is empty.
    """
    if not folder.is_dir():
        raise SourceDataError(
            f"{folder}: the folder does not exist; create it and add player_game_logs.parquet or "
            ".csv, or set NBA_PREDICTIONS_DATA to the folder that contains it"
        )
    try:
        files = sorted(p for p in folder.iterdir() if p.is_file())
    except OSError as error:
        raise SourceDataError(f"{folder}: cannot be listed ({error}); allow reading it") from error
    if not files:
        raise SourceDataError(
            f"{folder}: the folder is empty; add player_game_logs.parquet or .csv"
        )
    return [p for p in files if p.name.startswith(kind) and p.suffix.lower() in _SUFFIXES]


def read_table(path: Path, columns: Sequence[str]) -> RawTable:
    """Read the columns of one file that are named in `columns`. All cells of a CSV file are text.

    Raises:
        SourceDataError: the file is empty, damaged or not in the format of its suffix.
    """
    try:
        if path.stat().st_size == 0:
            raise SourceDataError(
                f"{path.name}: the file is empty, without column names or a row 1; write it again "
                "or remove it"
            )
        _check_size(path, columns)
        if path.suffix.lower() == ".csv":
            frame = pl.read_csv(path, infer_schema=False)
            frame = frame.select(c for c in columns if c in frame.columns)
        else:
            lazy = pl.scan_parquet(path, glob=False)
            existing = lazy.collect_schema()
            frame = lazy.select(c for c in columns if c in existing).collect()
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error
    except OSError as error:
        if error.errno is None:
            # pyarrow reports a damaged footer by an OSError, too.
            raise _unreadable(path, error) from error
        raise SourceDataError(f"{path.name}: cannot be read ({error}); check the file") from error
    return RawTable(path.name, frame)


def oldest_date(folder: Path, kind: str, column: str) -> date | None:
    """Return the oldest date in a column of the files of one kind; None if they cannot be read.

    Only this column is read. `read_table` reports what is wrong with a file.
    """
    try:
        oldest = []
        for path in find_tables(folder, kind):
            _check_size(path, [column])
            is_csv = path.suffix.lower() == ".csv"
            lazy = pl.scan_csv(path, infer_schema=False) if is_csv else pl.scan_parquet(path)
            dates = lazy.select(column).collect()
            oldest.append(dates.select(calendar_date(dates, column).min()).item())
    except (OSError, SourceDataError, *_UNREADABLE):
        return None
    return min((day for day in oldest if day is not None), default=None)


def _check_size(path: Path, columns: Sequence[str]) -> None:
    """Refuse a file that expands to more than a process can hold.

    Raises:
        SourceDataError: the file is too large.
        pyarrow.ArrowException, OSError: the file cannot be read.
    """
    try:
        if path.suffix.lower() == ".csv":
            check_csv_size(path)
        else:
            check_parquet_size(path, columns)
    except FileTooLargeError as error:
        raise SourceDataError(
            f"{path.name}: {error}; split the file, or write it again if it is damaged"
        ) from error


def _unreadable(path: Path, error: BaseException) -> SourceDataError:
    """Return the error for a file that polars cannot read. A CSV row that is too long is named."""
    if path.suffix.lower() == ".csv":
        try:
            with path.open(newline="", encoding="utf-8-sig") as lines:
                reader = csv.reader(lines)
                width = len(next(reader, []))
                for row, cells in enumerate(reader, start=1):
                    if len(cells) > width:
                        return cell_error(
                            path.name,
                            row,
                            f"{width + 1}",
                            f"{shown(cells[width])} is after the last of {width} columns",
                            "quote values that contain a comma",
                        )
        except (OSError, UnicodeDecodeError, csv.Error):
            # The error of polars describes the problem as well.
            pass
    file_format = "csv in UTF-8" if path.suffix.lower() == ".csv" else "parquet"
    return SourceDataError(
        f"{path.name}: cannot be read as {file_format} ({str(error).splitlines()[0]}); write the "
        "file again"
    )
