"""Which quotes of a book are current, by time and by row."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise
from statistics import NormalDist
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_predictions.domain.betting.current_quotes import (
    ONE_ANSWER,
    TwoSidedLine,
    is_current,
    replaced_lines,
)

D = Decimal
NOON = datetime(2025, 1, 10, 12, tzinfo=timezone.utc)
TODAY = NOON.date()
SCHEMA: dict[str, Any] = {
    "book": pl.String,
    "side": pl.String,
    "line": pl.Decimal(5, 1),
    "price": pl.Int64,
    "quoted_on": pl.Date,
    "quoted_at": pl.Datetime("us", "UTC"),
}


def pair(
    line: str,
    over: int | None = -110,
    under: int | None = -110,
    on: date | None = TODAY,
    at: datetime | None = None,
    book: str = "book",
) -> list[dict[str, Any]]:
    """Both sides of one line of one book."""
    row = {"book": book, "line": D(line), "quoted_on": at.date() if at else on, "quoted_at": at}
    return [row | {"side": "Over", "price": over}, row | {"side": "Under", "price": under}]


def current(*rows: list[dict[str, Any]]) -> list[str]:
    """The current quotes as text, in order of the rows."""
    frame = pl.DataFrame([row for pair in rows for row in pair], schema=SCHEMA)
    kept = frame.filter(is_current(frame, ["book"]))
    return [f"{r['side']} {r['line']} {r['price']}" for r in kept.iter_rows(named=True)]


def lines(*rows: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(quote.split()[1] for quote in current(*rows)))


def test_no_quotes() -> None:
    assert current() == []


def test_of_days_only_the_newest_counts() -> None:
    assert lines(pair("6.5"), pair("18.5", on=date(2025, 1, 9))) == ["6.5"]
    assert lines(pair("6.5"), pair("18.5", on=None)) == ["6.5"]


def test_of_moments_only_the_newest_answer_counts() -> None:
    late = NOON + timedelta(hours=1)
    ladder = [pair("22.5", -150, 125, at=late - ONE_ANSWER), pair("24.5", at=late)]
    assert lines(pair("18.5", at=NOON), *ladder) == ["22.5", "24.5"]
    assert lines(*ladder, pair("18.5", at=NOON)) == ["22.5", "24.5"]


def test_a_quote_of_unknown_time_never_replaces_one_of_the_same_day_with_a_time() -> None:
    assert lines(pair("24.5", at=NOON), pair("18.5")) == ["24.5"]
    assert lines(pair("24.5", at=NOON), pair("18.5", on=date(2025, 1, 11))) == ["18.5"]


def test_a_line_that_is_quoted_again_has_its_last_price() -> None:
    assert current(pair("24.5", -110, -110), pair("24.5", -120, 100)) == [
        "Over 24.5 -120",
        "Under 24.5 100",
    ]


@pytest.mark.parametrize("first", [(-110, -110), (-137, -137), (None, None)])
@pytest.mark.parametrize(("old", "new"), [("18.5", "6.5"), ("6.5", "18.5"), ("20.5", "21.0")])
def test_an_even_line_after_an_even_line_is_the_line_that_moved(
    first: tuple[int | None, int | None], old: str, new: str
) -> None:
    assert lines(pair(old, *first), pair(new, -112, -112)) == [new]


def test_a_ladder_is_kept_in_any_order() -> None:
    ladder = [
        pair("9.5", -2000, 1100),
        pair("14.5", -700, 480),
        pair("19.5", -250, 200),
        pair("22.5", -140, 115),
        pair("24.5", -110, -110),
        pair("29.5", 250, -320),
        pair("34.5", 700, -1200),
        pair("39.5", 1500, -4000),
    ]
    assert len(lines(*ladder)) == len(lines(*ladder[::-1])) == len(ladder)


def test_a_ladder_that_moved_replaces_the_old_one() -> None:
    before = [pair("24.5", -110, -110), pair("26.5", 150, -180)]
    after = [pair("20.5", -110, -110), pair("22.5", 150, -180)]
    assert lines(*before, *after) == ["20.5", "22.5"]


def test_books_do_not_replace_each_other() -> None:
    assert lines(pair("24.5"), pair("20.5", book="other")) == ["24.5", "20.5"]


def test_a_suspended_line_hides_its_older_quotes() -> None:
    assert current(pair("24.5"), pair("24.5", 0, 0)) == ["Over 24.5 0", "Under 24.5 0"]
    assert current(pair("24.5", 0, 0), pair("24.5")) == ["Over 24.5 -110", "Under 24.5 -110"]
    earlier, later = NOON, NOON + timedelta(hours=1)
    assert current(pair("24.5", at=earlier), pair("25.5", 0, 0, at=later)) == [
        "Over 25.5 0",
        "Under 25.5 0",
    ]


_CHANCES = st.lists(st.floats(0.02, 0.98), min_size=1, max_size=8, unique=True)


@given(_CHANCES, st.permutations(range(8)))
def test_what_remains_never_contradicts_and_has_the_last_line(
    chances: list[float], order: list[int]
) -> None:
    quoted = [TwoSidedLine(D(n) + D("10.5"), c, order[n]) for n, c in enumerate(chances)]
    gone = replaced_lines(quoted)
    assert len(set(gone)) == len(gone)
    left = [line for line in quoted if line.line not in gone]
    assert max(quoted, key=lambda line: line.order) in left
    assert all(one.chance > two.chance - 0.02 for one, two in pairwise(left))
    assert replaced_lines(left) == []


@given(st.integers(1, 60), st.floats(3, 10))
def test_the_ladder_of_a_normal_distribution_is_one_ladder(middle: int, spread: float) -> None:
    outcome = NormalDist(middle, spread)
    ladder = [
        TwoSidedLine(D(n) / 2, 1 - outcome.cdf(n / 2), order)
        for order, n in enumerate(range(1, 2 * middle + 40, 2))
    ]
    assert replaced_lines(ladder) == []
    assert replaced_lines(ladder[::-1]) == []
