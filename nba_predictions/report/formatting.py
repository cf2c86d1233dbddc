"""Format values and frames for readers: cells as text, and tables in Markdown."""

import html
import re
from collections.abc import Iterable
from datetime import datetime

import polars as pl

#: Names and types of the columns of a frame.
Schema = dict[str, pl.DataType | type[pl.DataType]]
DECIMALS = 3
#: Characters with a meaning in Markdown: links, emphasis, code and the end of a cell.
_MARKDOWN_CHARACTERS = re.compile(r"([\\|`*\[\]])")


def cell(value: object, decimals: int = DECIMALS) -> str:
    """Return a value as text: floats rounded, times to the second, `-` for a missing value."""
    if value is None:
        return "-"
    if isinstance(value, float):
        text = f"{value:.{decimals}f}"
        # Write 0.000 for a value that rounds to -0.000.
        return text.removeprefix("-") if float(text) == 0 else text
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return str(value)


def cells(frame: pl.DataFrame) -> list[list[str]]:
    """Return the rows of a frame as text. All floats of a column have the same decimals."""
    columns = []
    for column in frame:
        decimals = _decimals(column) if column.dtype.is_float() else DECIMALS
        columns.append([cell(value, decimals) for value in column])
    return [list(row) for row in zip(*columns, strict=True)]


def _decimals(column: pl.Series) -> int:
    """Return the number of decimals that all values of a column need, at most DECIMALS."""
    values = column.drop_nulls()
    return next(
        (n for n in range(DECIMALS) if ((values - values.round(n)).abs() < 1e-9).all()), DECIMALS
    )


def markdown_table(frame: pl.DataFrame) -> str:
    """Return a frame as a Markdown table for the Dagster UI. Values are escaped."""
    aligned = ("---:|" if kind.is_numeric() else "---|" for kind in frame.dtypes)
    lines = [_line(frame.columns), "|" + "".join(aligned), *map(_line, cells(frame))]
    return "\n".join(lines)


def _line(texts: Iterable[str]) -> str:
    return "| " + " | ".join(map(escaped, texts)) + " |"


def escaped(text: str) -> str:
    """Return a text on one line, escaped for Markdown and HTML."""
    return _MARKDOWN_CHARACTERS.sub(r"\\\1", html.escape(" ".join(text.split()), quote=False))
