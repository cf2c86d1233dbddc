"""Parse the cells of raw input tables, and set aside invalid rows by file, row and column.

A cell is parsed with an expression that returns null for an invalid value. A row with such a cell
is rejected, and the others continue. Rows are counted from 1, without the header, in CSV and
Parquet files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from nba_predictions.domain.errors import SourceDataError

#: Columns with the file and the row number of each row.
FILE, ROW = "__file", "__row"
#: The column of all inputs with the moment from which a row was known; null if that is unknown.
OBSERVED = "observed_at"
MOMENT = pl.Datetime("us", "UTC")
#: So many invalid rows of one kind of input are always tolerated.
FEW_REJECTED = 5
#: Without rows of these inputs, the slate would be empty.
NEEDED_INPUTS = ("player_game_logs", "schedule")
#: The default of the setting that limits the share of invalid rows.
MAX_REJECTED_SHARE = 0.02

# Only plain decimal numbers: no `inf`, no digit groups, no digits of other scripts.
_NUMBER = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
_OFFSET = r"(?:Z|[+-][0-9]{2}:?[0-9]{2})"
_DATE = rf"^([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})(?:[T ]00:00(?::00(?:\.0+)?)?{_OFFSET}?)?$"
_MOMENT = (
    r"^([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2})"
    r"(?::([0-9]{2}(?:\.[0-9]{1,6})?)[0-9]*)?"
    rf" ?({_OFFSET})$"
)
# Whole numbers up to this limit are exact as Float64.
_EXACT = 2.0**53
# The league began in 1946. Later dates than the limit are errors.
_FIRST_YEAR, _LAST_YEAR = 1946, 2199

Schema = Mapping[str, pl.DataType | type[pl.DataType]]


@dataclass(frozen=True)
class RawTable:
    """An input file or a simulated season before parsing, with the name that errors report.

    `frame` has the columns that are used, and `columns` the names of all columns.
    """

    name: str
    frame: pl.DataFrame
    columns: tuple[str, ...] = ()

    def with_row_numbers(self, optional: Sequence[str] = ()) -> pl.DataFrame:
        """Return the rows with the columns FILE and ROW, without blank rows and blank text.

        A column of `optional` that the table lacks is added, without values.
        """
        texts = [
            pl.col(name).cast(pl.String).str.strip_chars().replace("", None)
            for name, dtype in self.frame.schema.items()
            if dtype in (pl.String, pl.Categorical, pl.Enum)
        ]
        numbered = self.frame.with_columns(
            *texts,
            pl.lit(self.name).alias(FILE),
            pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias(ROW),
            *(
                pl.lit(None, pl.String).alias(name)
                for name in optional
                if name not in self.frame.columns
            ),
        )
        if not self.blank_rows():
            return numbered
        return numbered.filter(~pl.all_horizontal(pl.col(self.frame.columns).is_null()))

    def blank_rows(self) -> int:
        """Return the number of rows without any value, as spreadsheets write them at the end."""
        if any(not column.has_nulls() for column in self.frame.get_columns()):
            return 0
        return self.frame.select(pl.all_horizontal(pl.all().is_null()).sum()).item() or 0


@dataclass(frozen=True)
class Rejected:
    """One row that was set aside. `reason` is the problem and, after a semicolon, the fix.

    `row` is 0 for a place in a JSON document. `column` is then its path.
    """

    file: str
    row: int
    column: str
    reason: str

    def __str__(self) -> str:
        place = f"row {self.row}, column {self.column}" if self.row else self.column
        return f"{self.file}, {place}: {self.reason}"


@dataclass(frozen=True)
class Parsed:
    """The valid rows of all files of one kind, before older facts are left out.

    Attributes:
        frame: all valid rows, with FILE, ROW and OBSERVED, in the order of files and rows.
        rejected: the invalid rows.
        dropped: the number of rows that a rule leaves out, by file and reason.
        rows: the number of rows read, by file.
    """

    frame: pl.DataFrame
    rejected: tuple[Rejected, ...] = ()
    dropped: Mapping[tuple[str, str], int] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, tables: Sequence[RawTable], parts: Sequence[Parsed]) -> Parsed:
        """Return the parsed tables as one. `parts` has one entry for each table."""
        dropped = Counter({(t.name, "blank"): t.blank_rows() for t in tables})
        for part in parts:
            dropped.update(part.dropped)
        return cls(
            pl.concat([part.frame for part in parts], how="diagonal"),
            tuple(row for part in parts for row in sorted(part.rejected, key=lambda r: r.row)),
            {key: count for key, count in dropped.items() if count},
            {table.name: table.frame.height for table in tables},
        )

    @classmethod
    def joined(cls, parts: Sequence[Parsed]) -> Parsed:
        """Return the rows of several parsed files, in their order."""
        return cls(
            pl.concat([part.frame for part in parts]),
            tuple(row for part in parts for row in part.rejected),
            {key: count for part in parts for key, count in part.dropped.items()},
            {file: count for part in parts for file, count in part.rows.items()},
        )


def refuse_many_rejected(kind: str, parsed: Parsed, max_share: float) -> None:
    """Raise SourceDataError if more rows than the limit are invalid, or all rows of a file.

    A file of at most FEW_REJECTED rows stops nothing, unless the input would be empty without it
    and no gate would notice.

    Args:
        kind: the kind of input, which the error names.
        parsed: the rows of all its files.
        max_share: the tolerated share of invalid rows. FEW_REJECTED rows are always tolerated.
    """
    count, total = len(parsed.rejected), sum(parsed.rows.values())
    by_file = Counter(row.file for row in parsed.rejected)
    filled = {f: rows - parsed.dropped.get((f, "blank"), 0) for f, rows in parsed.rows.items()}
    is_needed = kind in NEEDED_INPUTS and count == sum(filled.values())
    whole_file = next(
        (f for f, n in by_file.items() if n == filled[f] and (n > FEW_REJECTED or is_needed)), None
    )
    most = max(FEW_REJECTED, int(max_share * total))
    if whole_file is None and count <= most:
        return
    extent = (
        f"{count} of {total} rows of {kind} are invalid, and the limit is {most} "
        f"(NBA_PREDICTIONS_MAX_REJECTED_SHARE={max_share:g}, and at least {FEW_REJECTED})"
    )
    if whole_file is not None and count <= most:
        extent = f"all {by_file[whole_file]} rows of {whole_file} are invalid"
    first, *more = [r for r in parsed.rejected if whole_file in (None, r.file)][:4]
    others = "".join(f". {row}" for row in more)
    raise SourceDataError(f"{first}. {extent}{others}")


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


def reject(
    frame: pl.DataFrame, condition: pl.Expr, column: str, problem: pl.Expr, fix: str
) -> tuple[pl.DataFrame, list[Rejected]]:
    """Return the rows for which `condition` is not true, and the others as Rejected.

    `problem` is evaluated on each rejected row and describes what is wrong with it.
    """
    wrong = frame.select(condition.fill_null(False)).to_series()
    if not wrong.any():
        return frame, []
    # Without rechunk(), pl.format panics in polars 2.1 on some frames that are part of another one.
    bad = frame.filter(wrong).rechunk().select(FILE, ROW, problem.cast(pl.String))
    return frame.filter(~wrong), [
        Rejected(file, row, column, f"{message}; {fix}") for file, row, message in bad.iter_rows()
    ]


def parse(
    frame: pl.DataFrame, cells: Mapping[str, Cell], keep: Sequence[str] = ()
) -> tuple[pl.DataFrame, list[Rejected]]:
    """Return the parsed columns of the valid rows under their new names, and the invalid rows.

    The result has the columns FILE and ROW, and those of `frame` that `keep` names, as well. The
    reason of an invalid row is its first empty or invalid cell in the order of `cells`.
    """
    values = (cell.value.alias(name) for name, cell in cells.items())
    failures = (_is_invalid(cell).any().alias(name) for name, cell in cells.items())
    parsed, failed = pl.collect_all(
        [frame.lazy().select(FILE, ROW, *keep, *values), frame.lazy().select(failures)]
    )
    failing = [cell for name, cell in cells.items() if failed[name][0]]
    if not failing:
        return parsed, []
    at = pl.coalesce(pl.when(_is_invalid(cell)).then(i) for i, cell in enumerate(failing))
    first = frame.select(at.alias("at")).to_series()
    rejected = [
        Rejected(file, row, cell.column, f"{_problem(value, cell)}; {cell.fix}")
        for i, cell in enumerate(failing)
        for file, row, value in _of_cell(frame.filter(first == i), cell)
    ]
    return parsed.filter(first.is_null()), rejected


def _of_cell(bad: pl.DataFrame, cell: Cell) -> Iterable[tuple[str, int, Any]]:
    return zip(bad[FILE], bad[ROW], bad[cell.column], strict=True)


def _is_invalid(cell: Cell) -> pl.Expr:
    invalid = cell.value.is_null()
    if cell.optional:
        invalid &= pl.col(cell.column).is_not_null()
    return invalid if cell.where is None else invalid & cell.where.fill_null(False)


def _problem(value: object, cell: Cell) -> str:
    return "is empty" if value is None else f"{shown(value)} is not {cell.expected}"


def by_value(frame: pl.DataFrame, column: str, **values: pl.Expr) -> pl.DataFrame:
    """Add expressions of one column. Each is computed once per distinct value of text."""
    if frame.schema[column] != pl.String:
        return frame.with_columns(**values)
    distinct = frame.select(column).unique().with_columns(**values)
    return frame.join(distinct, on=column, how="left", nulls_equal=True, maintain_order="left")


def observed(frame: pl.DataFrame) -> Cell:
    """Return the cell of the optional column OBSERVED."""
    return Cell(
        OBSERVED,
        moment(frame, OBSERVED),
        "a time with a time zone",
        "write the time in UTC, as in 2025-01-11T00:10:00Z, with its UTC offset, or leave it empty",
        optional=True,
    )


def count_by_file(rows: pl.DataFrame, reason: str) -> dict[tuple[str, str], int]:
    """Return the number of rows by file, with the reason for which a rule leaves them out."""
    counted = rows.group_by(FILE, maintain_order=True).len()
    return {(file, reason): count for file, count in counted.iter_rows()}


def shown(value: object) -> str:
    """Return a value as error messages show it."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def require_columns(table: RawTable, required: Sequence[str]) -> None:
    """Raise SourceDataError if a column is missing."""
    missing = [c for c in required if c not in table.frame.columns]
    if not missing:
        return
    columns = table.columns or table.frame.columns
    similar = {c.strip().lower(): c for c in columns}.get(missing[0].lower())
    hint = f" (did you mean {similar!r}?)" if similar is not None else ""
    raise SourceDataError(
        f"{table.name}: column {missing[0]} is missing{hint} (every row needs it; the columns are "
        f"{', '.join(columns[:40]) or 'none'}); add {', '.join(missing)} with exactly this name"
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
            return pl.lit(None, MOMENT)
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
            "%Y-%m-%dT%H:%M:%S%.f%z", time_unit="us", time_zone="UTC", strict=False
        )
    return pl.when(value.dt.year().is_between(_FIRST_YEAR, _LAST_YEAR)).then(value)


def conform(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """Return the columns of `schema` in its order and with its types."""
    return frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items())
