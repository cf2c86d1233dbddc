"""Which quotes of a book are current: the newest ones, without lines that have moved since.

A book polled several times leaves all its answers. Several lines at one moment are a ladder, from
which a bettor may choose. Several lines one after the other are one line that moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import polars as pl

from nba_predictions.domain.betting.lines import fair_over

#: Quotes of one book within this time of its newest one may be from one answer.
ONE_ANSWER = timedelta(minutes=10)
#: In a ladder, the fair probability of the over falls at least this much per point of the line.
LEAST_FALL = 0.02
#: Lines far from even are close to certain, so between them it need not fall.
TAIL = 0.35
#: Between lines far apart, the probability falls at least this much in all.
ENOUGH_FALL = 0.2

_ORDER = "__order"


@dataclass(frozen=True)
class TwoSidedLine:
    """A line with both sides of one book, and its place in the order of quotes.

    `chance` is the no-vig probability of the over, 0.5 if a price is unknown: a book that names no
    price means an even line.
    """

    line: Decimal
    chance: float
    order: int


def is_current(quotes: pl.DataFrame, by: Sequence[str]) -> pl.Series:
    """Return for each quote whether it is current, as a Boolean series in the order of the rows.

    A quote is not current if the same side of the same line was quoted again later, if the book's
    newest quote is more than ONE_ANSWER newer (or of a later day, if only days are known), or if
    its line moved. A suspended quote (price 0) can be current. It then hides the older ones.

    Args:
        quotes: columns `by`, line, side, price, quoted_on and quoted_at (PROP_LINES), in the order
            in which the book was polled. A later moment or day takes precedence over this order.
        by: the columns that identify the market of one player at one book.
    """
    order = ["quoted_on", "quoted_at", _ORDER]
    rows = quotes.select(*by, "line", "side", "price", "quoted_on", "quoted_at")
    rows = rows.with_row_index(_ORDER).sort(order, nulls_last=False)
    rows = rows.unique([*by, "line", "side"], keep="last", maintain_order=True)
    newest_at = pl.col("quoted_at").last().over(by)
    newest_on = pl.col("quoted_on").last().over(by)
    rows = rows.filter(
        pl.when(newest_at.is_not_null())
        .then((pl.col("quoted_at") >= newest_at - ONE_ANSWER).fill_null(False))
        .otherwise(pl.col("quoted_on").eq_missing(newest_on))
    )
    rows = rows.join(_moved_lines(rows, by), on=[*by, "line"], how="anti", nulls_equal=True)
    current = pl.Series(rows[_ORDER])
    return pl.int_range(quotes.height, dtype=pl.UInt32, eager=True).is_in(current.implode())


def _moved_lines(rows: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Return `by` and the line of each two-sided line that a later one replaced.

    `rows` are sorted by time. Books with one two-sided line, the usual case, cost no loop.
    """
    rows = rows.with_row_index("__time").filter((pl.col("price") != 0).fill_null(True))
    over, under = (
        pl.col("price").filter(pl.col("side") == side).first() for side in ("Over", "Under")
    )
    pairs = (
        rows.group_by(*by, "line")
        .agg(
            over.alias("over"),
            under.alias("under"),
            pl.col("side").n_unique(),
            pl.col("__time").max(),
        )
        .filter(pl.col("side") == 2)
        .filter(pl.len().over(by) > 1)
    )
    moved = []
    for key, book in pairs.group_by(by):
        lines = (
            TwoSidedLine(line, _chance(over_price, under_price), time)
            for line, over_price, under_price, time in book.select(
                "line", "over", "under", "__time"
            ).iter_rows()
        )
        moved += [(*key, line) for line in replaced_lines(lines)]
    schema = {name: rows.schema[name] for name in (*by, "line")}
    return pl.DataFrame(moved, schema=schema, orient="row")


def replaced_lines(lines: Iterable[TwoSidedLine]) -> list[Decimal]:
    """Return the lines of one book that a later line replaced, in order of time.

    Two lines that cannot be on one ladder are of different moments, and the later one is current.
    """
    standing: list[TwoSidedLine] = []
    replaced = []
    for new in sorted(lines, key=lambda line: line.order):
        replaced += [old.line for old in standing if not _on_one_ladder(old, new)]
        standing = [old for old in standing if _on_one_ladder(old, new)] + [new]
    return replaced


def _on_one_ladder(one: TwoSidedLine, two: TwoSidedLine) -> bool:
    lower, higher = sorted((one, two), key=lambda line: line.line)
    fall = lower.chance - higher.chance
    if max(abs(lower.chance - 0.5), abs(higher.chance - 0.5)) > TAIL:
        return fall >= -LEAST_FALL
    return fall >= min(LEAST_FALL * float(higher.line - lower.line), ENOUGH_FALL)


def _chance(over: int | None, under: int | None) -> float:
    return 0.5 if over is None or under is None else fair_over(over, under)
