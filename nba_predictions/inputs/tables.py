"""Input tables: parquet and csv files read into frames in which every cell has an address.

A cell is parsed with an expression that gives null where it cannot be understood; the first such
cell is then reported with its file, its row and its column. Rows are counted from 1 and without the
header, in both formats.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from nba_predictions.domain.errors import SourceDataError

#: Columns that carry a row's address through the parsing.
FILE, ROW = "__file", "__row"

_SUFFIXES = (".parquet", ".csv")

# One shape of number for all: no `inf`, no digit groups, no other scripts' digits.
_NUMBER = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
_OFFSET = r"(?:Z|[+-][0-9]{2}:?[0-9]{2})"
_DATE = rf"^([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})(?:[T ]00:00(?::00(?:\.0+)?)?{_OFFSET}?)?$"
_MOMENT = (
    r"^([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2})(?::([0-9]{2})(?:\.[0-9]+)?)?"
    rf" ?({_OFFSET})$"
)
# Whole numbers up to here are exact in a Float64.
_EXACT = 2.0**53
# No league of this kind is older, and no schedule reaches further.
_FIRST_YEAR, _LAST_YEAR = 1946, 2199

Frame = Mapping[str, pl.DataType | type[pl.DataType]]


@dataclass(frozen=True)
class RawTable:
    """One file as it was read, or a generated frame under a name to blame."""

    name: str
    frame: pl.DataFrame

    def addressed(self) -> pl.DataFrame:
        """Return the frame with the FILE and ROW of every row, and blank text as null."""
        texts = [
            pl.col(name).cast(pl.String).str.strip_chars().replace("", None)
            for name, dtype in self.frame.schema.items()
            if dtype in (pl.String, pl.Categorical, pl.Enum)
        ]
        return self.frame.with_columns(
            *texts,
            pl.lit(self.name).alias(FILE),
            pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias(ROW),
        )


@dataclass(frozen=True)
class Parsed:
    """A normalised frame, and counts of the input rows that are not in it."""

    frame: pl.DataFrame
    notes: dict[str, int]


@dataclass(frozen=True)
class Cell:
    """How one column is read. `value` is null where the cell is empty or cannot be understood.

    `expected` and `mend` end the message: "... is not {expected}; {mend}". A cell that `optional`
    allows may be empty. Cells of rows for which `where` is not true are not looked at.
    """

    column: str
    value: pl.Expr
    expected: str
    mend: str
    optional: bool = False
    where: pl.Expr | None = None


def cell_error(file: str, row: int | str, column: str, problem: str, mend: str) -> SourceDataError:
    """Return the error for a cell, in the one form that all of them have."""
    return SourceDataError(f"{file}, row {row}, column {column}: {problem}; {mend}")


def row_error(
    frame: pl.DataFrame, at: int, column: str, problem: str, mend: str
) -> SourceDataError:
    """Return the error for row `at` (an index) of a frame with addresses."""
    return cell_error(frame[FILE][at], frame[ROW][at], column, problem, mend)


def first_true(frame: pl.DataFrame, condition: pl.Expr) -> int | None:
    """Return the index of the first row for which `condition` is true, None if there is none."""
    hits = frame.select(condition.fill_null(False).arg_true().head(1)).to_series()
    return int(hits[0]) if len(hits) else None


def reject(
    frame: pl.DataFrame, condition: pl.Expr, column: str, problem: pl.Expr, mend: str
) -> None:
    """Raise SourceDataError for the first row for which `condition` is true.

    `problem` is evaluated on that row alone, to word what is wrong there.
    """
    at = first_true(frame, condition)
    if at is not None:
        said = frame[at].select(problem.cast(pl.String)).item()
        raise row_error(frame, at, column, said, mend)


def parse(frame: pl.DataFrame, cells: Mapping[str, Cell]) -> pl.DataFrame:
    """Return the parsed columns under their new names, with FILE and ROW.

    Raises:
        SourceDataError: a cell is empty or cannot be understood; the first one is named.
    """
    values = (cell.value.alias(name) for name, cell in cells.items())
    failures = (_bad(cell).any().alias(name) for name, cell in cells.items())
    parsed, failed = pl.collect_all(
        [frame.lazy().select(FILE, ROW, *values), frame.lazy().select(failures)]
    )
    for name, cell in cells.items():
        if failed[name][0]:
            raise _parse_error(frame, cell)
    return parsed


def _bad(cell: Cell) -> pl.Expr:
    bad = cell.value.is_null()
    if cell.optional:
        bad &= pl.col(cell.column).is_not_null()
    return bad if cell.where is None else bad & cell.where.fill_null(False)


def _parse_error(frame: pl.DataFrame, cell: Cell) -> SourceDataError:
    at = first_true(frame, _bad(cell))
    assert at is not None, "called only where a cell is bad"
    value = frame[cell.column][at]
    problem = "is empty" if value is None else f"{_shown(value)} is not {cell.expected}"
    return row_error(frame, at, cell.column, problem, cell.mend)


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def require_columns(table: RawTable, required: Sequence[str]) -> None:
    """Raise SourceDataError if a column is missing."""
    missing = [c for c in required if c not in table.frame.columns]
    if missing:
        raise SourceDataError(
            f"{table.name}: column {missing[0]} is missing (needed in every row, from row 1 on; "
            f"there are {', '.join(table.frame.columns[:40]) or 'no columns'}); "
            f"add {', '.join(missing)} under exactly this name"
        )


def text(frame: pl.DataFrame, column: str) -> pl.Expr:
    """Parse to a string; a column of another type has none."""
    if frame.schema[column] in (pl.String, pl.Null):
        return pl.col(column).cast(pl.String)
    return pl.lit(None, pl.String)


def number(frame: pl.DataFrame, column: str) -> pl.Expr:
    """Parse to a finite Float64."""
    dtype = frame.schema[column]
    if dtype.is_numeric() or dtype == pl.Null:
        value = pl.col(column).cast(pl.Float64)
    else:
        written = text(frame, column)
        value = pl.when(written.str.contains(_NUMBER)).then(written).cast(pl.Float64, strict=False)
    return pl.when(value.is_finite()).then(value)


def whole(frame: pl.DataFrame, column: str, least: int, most: int) -> pl.Expr:
    """Parse to an Int64 between `least` and `most`; `12.0` is a whole number, `12.5` is none."""
    if frame.schema[column].is_integer():
        value = pl.col(column).cast(pl.Int64, strict=False)
        return pl.when(value.is_between(least, most)).then(value)
    value = number(frame, column)
    fits = (value == value.floor()) & (value.abs() < _EXACT) & value.is_between(least, most)
    return pl.when(fits).then(value).cast(pl.Int64, strict=False)


def calendar_date(frame: pl.DataFrame, column: str, formats: Sequence[str] = ()) -> pl.Expr:
    """Parse to a Date: a date, a midnight as it is written, or text in ISO form or `formats`."""
    dtype = frame.schema[column]
    if dtype == pl.Date:
        value = pl.col(column)
    elif isinstance(dtype, pl.Datetime):
        written = pl.col(column).dt.replace_time_zone(None)
        value = pl.when(written == written.dt.truncate("1d")).then(written.dt.date())
    else:
        written = text(frame, column)
        readings = [written.str.extract(_DATE).str.to_date("%Y-%m-%d", strict=False)]
        readings += [written.str.to_date(f, strict=False) for f in formats]
        value = pl.coalesce(readings)
    return pl.when(value.dt.year().is_between(_FIRST_YEAR, _LAST_YEAR)).then(value)


def moment(frame: pl.DataFrame, column: str) -> pl.Expr:
    """Parse to a Datetime in UTC. Without a time zone or an offset it is no moment, but null."""
    dtype = frame.schema[column]
    if isinstance(dtype, pl.Datetime):
        if dtype.time_zone is None:
            return pl.lit(None, pl.Datetime("us", "UTC"))
        value = pl.col(column).dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    else:
        written = text(frame, column)
        part = [written.str.extract(_MOMENT, i) for i in range(1, 5)]
        canonical = pl.concat_str(
            part[0],
            pl.lit("T"),
            part[1],
            pl.lit(":"),
            part[2].fill_null("00"),
            pl.when(part[3] == "Z").then(pl.lit("+00:00")).otherwise(part[3]),
        )
        value = canonical.str.to_datetime(
            "%Y-%m-%dT%H:%M:%S%z", time_unit="us", time_zone="UTC", strict=False
        )
    return pl.when(value.dt.year().is_between(_FIRST_YEAR, _LAST_YEAR)).then(value)


def conform(frame: pl.DataFrame, schema: Frame) -> pl.DataFrame:
    """Return the columns of `schema`, in its order and with its types."""
    return frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def find_tables(folder: Path, kind: str) -> list[Path]:
    """Return the parquet and csv files of `folder` whose names begin with `kind`, sorted.

    Raises:
        SourceDataError: the folder does not exist, cannot be read or has no file.
    """
    if not folder.is_dir():
        raise SourceDataError(
            f"{folder}: there is no such folder; make it and put player_game_logs.parquet (or "
            "csv) into it, or point the setting to the folder that has it"
        )
    try:
        files = sorted(p for p in folder.iterdir() if p.is_file())
    except OSError as error:
        raise SourceDataError(f"{folder}: cannot be listed ({error}); allow reading it") from error
    if not files:
        raise SourceDataError(
            f"{folder}: the folder is empty; put player_game_logs.parquet (or csv) into it"
        )
    return [p for p in files if p.name.startswith(kind) and p.suffix.lower() in _SUFFIXES]


def read_table(path: Path, columns: Sequence[str]) -> RawTable:
    """Read one file; of its columns those named in `columns`. The cells of a csv are all text.

    Raises:
        SourceDataError: the file is empty, damaged, or not what its name says.
    """
    try:
        if path.stat().st_size == 0:
            raise SourceDataError(
                f"{path.name}: the file is empty, row 1 and the column names are missing; write "
                "it again or take it away"
            )
        if path.suffix.lower() == ".csv":
            frame = pl.read_csv(path, infer_schema=False)
            frame = frame.select(c for c in columns if c in frame.columns)
        else:
            lazy = pl.scan_parquet(path, glob=False)
            there = lazy.collect_schema()
            frame = lazy.select(c for c in columns if c in there).collect()
    except OSError as error:
        raise SourceDataError(f"{path.name}: cannot be read ({error}); check the file") from error
    except pl.exceptions.PolarsError as error:
        raise _unreadable(path, error) from error
    return RawTable(path.name, frame)


def oldest_date(folder: Path, kind: str, column: str) -> date | None:
    """Return the oldest date in a column of the files of one kind, None if they cannot be read.

    Only this column is read. What is wrong with a file is reported when it is read as a table.
    """
    try:
        oldest = []
        for path in find_tables(folder, kind):
            is_csv = path.suffix.lower() == ".csv"
            lazy = pl.scan_csv(path, infer_schema=False) if is_csv else pl.scan_parquet(path)
            dates = lazy.select(column).collect()
            oldest.append(dates.select(calendar_date(dates, column).min()).item())
    except (OSError, SourceDataError, pl.exceptions.PolarsError):
        return None
    return min((day for day in oldest if day is not None), default=None)


def _unreadable(path: Path, error: Exception) -> SourceDataError:
    if path.suffix.lower() == ".csv":
        try:
            with path.open(newline="", encoding="utf-8-sig") as lines:
                reader = csv.reader(lines)
                width = len(next(reader, []))
                for number_of_row, cells in enumerate(reader, start=1):
                    if len(cells) > width:
                        return cell_error(
                            path.name,
                            number_of_row,
                            f"{width + 1}",
                            f"{_shown(cells[width])} stands behind the last of {width} columns",
                            "quote values that contain a comma",
                        )
        except (OSError, UnicodeDecodeError, csv.Error):
            # The first error says it as well.
            pass
    kind = "csv in UTF-8" if path.suffix.lower() == ".csv" else "parquet"
    return SourceDataError(
        f"{path.name}: cannot be read as {kind} ({str(error).splitlines()[0]}); write it again"
    )
