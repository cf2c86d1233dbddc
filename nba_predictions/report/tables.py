"""Frames as tables that people read: cells as text, and whole tables in Markdown."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from datetime import datetime

import polars as pl

#: The columns of a frame that may have no rows.
Schema = dict[str, pl.DataType | type[pl.DataType]]
DECIMALS = 3
#: What Markdown would take for a link, emphasis, code, or the end of a cell.
_MARKDOWN = re.compile(r"([\\|`*\[\]])")


def cell(value: object, decimals: int = DECIMALS) -> str:
    """Return a value as a reader wants it: floats rounded, times in seconds, `-` for nothing."""
    if value is None:
        return "-"
    if isinstance(value, float):
        text = f"{value:.{decimals}f}"
        # Minus nothing is nothing.
        return text.removeprefix("-") if float(text) == 0 else text
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return str(value)


def cells(frame: pl.DataFrame) -> list[list[str]]:
    """Return the rows of a frame as text; all floats of a column have the same decimals."""
    columns = []
    for column in frame:
        decimals = _decimals(column) if column.dtype.is_float() else DECIMALS
        columns.append([cell(value, decimals) for value in column])
    return [list(row) for row in zip(*columns, strict=True)]


def _decimals(column: pl.Series) -> int:
    """Return how many decimals show all that there is to a column's values, at most DECIMALS."""
    values = column.drop_nulls()
    return next(
        (n for n in range(DECIMALS) if ((values - values.round(n)).abs() < 1e-9).all()), DECIMALS
    )


def markdown_table(frame: pl.DataFrame) -> str:
    """Return a frame as a table that the Dagster UI shows. No value can break out of its cell."""
    aligned = ("---:|" if kind.is_numeric() else "---|" for kind in frame.dtypes)
    lines = [_line(frame.columns), "|" + "".join(aligned), *map(_line, cells(frame))]
    return "\n".join(lines)


def _line(texts: Iterable[str]) -> str:
    return "| " + " | ".join(map(escaped, texts)) + " |"


def escaped(text: str) -> str:
    """Return a text of one line in which Markdown and HTML find nothing of theirs."""
    return _MARKDOWN.sub(r"\\\1", html.escape(" ".join(text.split()), quote=False))
