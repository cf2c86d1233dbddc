"""Parse the cells of raw input tables, and report invalid cells by file, row and column.

A cell is parsed with an expression that returns null for an invalid value. The error names the
first such cell. Rows are counted from 1, without the header, in CSV and Parquet files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from nba_predictions.domain.errors import SourceDataError

#: Columns with the file and the row number of each row.
FILE, ROW = "__file", "__row"

# Only plain decimal numbers: no `inf`, no digit groups, no digits of other scripts.
_NUMBER = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
_OFFSET = r"(?:Z|[+-][0-9]{2}:?[0-9]{2})"
_DATE = rf"^([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})(?:[T ]00:00(?::00(?:\.0+)?)?{_OFFSET}?)?$"
_MOMENT = (
    r"^([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2})(?::([0-9]{2})(?:\.[0-9]+)?)?"
    rf" ?({_OFFSET})$"
)
# Whole numbers up to this limit are exact as Float64.
_EXACT = 2.0**53
# The league began in 1946. Later dates than the limit are errors.
_FIRST_YEAR, _LAST_YEAR = 1946, 2199

Schema = Mapping[str, pl.DataType | type[pl.DataType]]


@dataclass(frozen=True)
class RawTable:
    """An input file or a simulated season before parsing, with the name that errors report."""

    name: str
    frame: pl.DataFrame

    def with_row_numbers(self) -> pl.DataFrame:
        """Return the frame with the columns FILE and ROW, and with blank text as null."""
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
    """A normalized frame, and counts of the input rows that were omitted from it."""

    frame: pl.DataFrame
    notes: dict[str, int]


@dataclass(frozen=True)
class Cell:
    """How to parse one column.

    Attributes:
        column: the name of the input column.
        value: the parsed value, null for an empty or invalid cell.
        expected: what a valid cell is. The error says "... is not {expected}; {fix}".
        fix: how to correct an invalid cell.
        optional: whether the cell may be empty.
        where: only rows for which this is true are checked.
    """

    column: str
    value: pl.Expr
    expected: str
    fix: str
    optional: bool = False
    where: pl.Expr | None = None


def cell_error(file: str, row: int | str, column: str, problem: str, fix: str) -> SourceDataError:
    """Return the error for one cell."""
    return SourceDataError(f"{file}, row {row}, column {column}: {problem}; {fix}")


def row_error(frame: pl.DataFrame, at: int, column: str, problem: str, fix: str) -> SourceDataError:
    """Return the error for the row at index `at` of a frame with FILE and ROW."""
    return cell_error(frame[FILE][at], frame[ROW][at], column, problem, fix)


def first_true(frame: pl.DataFrame, condition: pl.Expr) -> int | None:
    """Return the index of the first row for which `condition` is true; None if it is never true."""
    hits = frame.select(condition.fill_null(False).arg_true().head(1)).to_series()
    return int(hits[0]) if len(hits) else None


def reject(
    frame: pl.DataFrame, condition: pl.Expr, column: str, problem: pl.Expr, fix: str
) -> None:
    """Raise SourceDataError for the first row for which `condition` is true.

    `problem` is evaluated on that row and describes what is wrong.
    """
    at = first_true(frame, condition)
    if at is not None:
        message = frame[at].select(problem.cast(pl.String)).item()
        raise row_error(frame, at, column, message, fix)


def parse(frame: pl.DataFrame, cells: Mapping[str, Cell]) -> pl.DataFrame:
    """Return the parsed columns under their new names, with FILE and ROW.

    Raises:
        SourceDataError: a cell is empty or invalid. The error names the first such cell.
    """
    values = (cell.value.alias(name) for name, cell in cells.items())
    failures = (_is_invalid(cell).any().alias(name) for name, cell in cells.items())
    parsed, failed = pl.collect_all(
        [frame.lazy().select(FILE, ROW, *values), frame.lazy().select(failures)]
    )
    for name, cell in cells.items():
        if failed[name][0]:
            raise _parse_error(frame, cell)
    return parsed


def _is_invalid(cell: Cell) -> pl.Expr:
    invalid = cell.value.is_null()
    if cell.optional:
        invalid &= pl.col(cell.column).is_not_null()
    return invalid if cell.where is None else invalid & cell.where.fill_null(False)


def _parse_error(frame: pl.DataFrame, cell: Cell) -> SourceDataError:
    at = first_true(frame, _is_invalid(cell))
    assert at is not None, "called only if a cell is invalid"
    value = frame[cell.column][at]
    problem = "is empty" if value is None else f"{shown(value)} is not {cell.expected}"
    return row_error(frame, at, cell.column, problem, cell.fix)


def shown(value: object) -> str:
    """Return a value as error messages show it."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def require_columns(table: RawTable, required: Sequence[str]) -> None:
    """Raise SourceDataError if a column is missing."""
    missing = [c for c in required if c not in table.frame.columns]
    if missing:
        raise SourceDataError(
            f"{table.name}: column {missing[0]} is missing (every row needs it; the columns are "
            f"{', '.join(table.frame.columns[:40]) or 'none'}); "
            f"add {', '.join(missing)} with exactly this name"
        )


def text(frame: pl.DataFrame, column: str) -> pl.Expr:
    """Parse to a string; null if the column has another type."""
    if frame.schema[column] in (pl.String, pl.Null):
        return pl.col(column).cast(pl.String)
    return pl.lit(None, pl.String)


def number(frame: pl.DataFrame, column: str) -> pl.Expr:
    """Parse to a finite Float64."""
    dtype = frame.schema[column]
    if dtype.is_numeric() or dtype == pl.Null:
        value = pl.col(column).cast(pl.Float64)
    else:
        raw = text(frame, column)
        value = pl.when(raw.str.contains(_NUMBER)).then(raw).cast(pl.Float64, strict=False)
    return pl.when(value.is_finite()).then(value)


def whole(frame: pl.DataFrame, column: str, least: int, most: int) -> pl.Expr:
    """Parse to an Int64 between `least` and `most`. `12.0` is a whole number, `12.5` is not."""
    if frame.schema[column].is_integer():
        value = pl.col(column).cast(pl.Int64, strict=False)
        return pl.when(value.is_between(least, most)).then(value)
    value = number(frame, column)
    fits = (value == value.floor()) & (value.abs() < _EXACT) & value.is_between(least, most)
    return pl.when(fits).then(value).cast(pl.Int64, strict=False)


def calendar_date(frame: pl.DataFrame, column: str, formats: Sequence[str] = ()) -> pl.Expr:
    """Parse to a Date: a date, a timestamp at midnight, or text in ISO format or in `formats`."""
    dtype = frame.schema[column]
    if dtype == pl.Date:
        value = pl.col(column)
    elif isinstance(dtype, pl.Datetime):
        local = pl.col(column).dt.replace_time_zone(None)
        value = pl.when(local == local.dt.truncate("1d")).then(local.dt.date())
    else:
        raw = text(frame, column)
        candidates = [raw.str.extract(_DATE).str.to_date("%Y-%m-%d", strict=False)]
        candidates += [raw.str.to_date(f, strict=False) for f in formats]
        value = pl.coalesce(candidates)
    return pl.when(value.dt.year().is_between(_FIRST_YEAR, _LAST_YEAR)).then(value)


def moment(frame: pl.DataFrame, column: str) -> pl.Expr:
    """Parse to a Datetime in UTC; null without a time zone or an offset."""
    dtype = frame.schema[column]
    if isinstance(dtype, pl.Datetime):
        if dtype.time_zone is None:
            return pl.lit(None, pl.Datetime("us", "UTC"))
        value = pl.col(column).dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    else:
        raw = text(frame, column)
        part = [raw.str.extract(_MOMENT, i) for i in range(1, 5)]
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


def conform(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """Return the columns of `schema` in its order and with its types."""
    return frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items())
