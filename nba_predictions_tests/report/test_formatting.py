"""Formatting of values and frames as text and Markdown."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal

import polars as pl
import pytest

from nba_predictions.report.formatting import cell, cells, markdown_table


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.1234567, "0.123"),
        (-0.00001, "0.000"),
        (-1.5, "-1.500"),
        (12, "12"),
        (Decimal("15.5"), "15.5"),
        ("PASS", "PASS"),
        (datetime(2026, 1, 15, 7, 5, 9, 999, tzinfo=timezone.utc), "2026-01-15 07:05:09"),
    ],
)
def test_a_value_is_formatted_for_readers(value: object, text: str) -> None:
    assert cell(value) == text


def test_floats_of_a_column_have_the_same_minimal_number_of_decimals() -> None:
    frame = pl.DataFrame({"a": [1.0, -2.0, None], "b": [0.5, 0.25, 1.0], "c": [1 / 3, 2.0, 0.5]})
    assert cells(frame) == [
        ["1", "0.50", "0.333"],
        ["-2", "0.25", "2.000"],
        ["-", "1.00", "0.500"],
    ]


def test_a_markdown_table_has_one_line_per_row_and_right_aligned_numbers() -> None:
    frame = pl.DataFrame({"system_id": ["ensemble", "xgboost"], "rows": [25, 5]})
    assert markdown_table(frame).splitlines() == [
        "| system_id | rows |",
        "|---|---:|",
        "| ensemble | 25 |",
        "| xgboost | 5 |",
    ]


def test_values_are_escaped_within_their_cell() -> None:
    frame = pl.DataFrame(
        {"reason": ["a|b", "<img src=x>", "two\nlines", "[x](http://y)", "`c` *d*"]}
    )
    _, _, *rows = markdown_table(frame).splitlines()
    assert rows == [
        "| a\\|b |",
        "| &lt;img src=x&gt; |",
        "| two lines |",
        "| \\[x\\](http://y) |",
        "| \\`c\\` \\*d\\* |",
    ]


def test_an_empty_table_has_its_header() -> None:
    assert markdown_table(pl.DataFrame(schema={"a": pl.Int64})) == "| a |\n|---:|"
