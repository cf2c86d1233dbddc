"""Betting lines: from the quotes of several books to the lines that are tested."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_FLOOR, Decimal
from statistics import median

HALF = Decimal("0.5")
_OFFSETS = (Decimal(-2), Decimal(-1), Decimal(0), Decimal(1), Decimal(2))


@dataclass(frozen=True)
class Quote:
    """One side of one line of one book. `price` is in American odds, None where unknown."""

    book: str
    side: str
    line: Decimal
    price: int | None
    line_source: str
    quoted_on: date | None = None


@dataclass(frozen=True)
class BaseLine:
    """The line that stands for all books, with where it comes from."""

    line: Decimal
    line_source: str
    books: int


def implied_probability(price: int) -> float:
    """Return the win probability at which American odds break even, the book's margin included.

    -137 means: stake 137 to win 100. https://en.wikipedia.org/wiki/Odds#Moneyline_odds

    Raises:
        ValueError: `price` lies between -100 and 100, where American odds do not exist.
    """
    if abs(price) < 100:
        raise ValueError(f"{price} is no American price; expected <= -100 or >= 100")
    return 100 / (price + 100) if price > 0 else -price / (-price + 100)


def main_line(quotes: Iterable[Quote]) -> Decimal:
    """Return the main line among the quotes of one book for one player.

    A book's newest day of quotes counts. Among several lines of that day the main one is the one
    whose two prices are closest to even; between equals the one nearest to the middle of them all,
    and between neighbours of the middle the lower.

    Raises:
        ValueError: there is no quote.
    """
    quotes = list(quotes)
    if not quotes:
        raise ValueError("a main line needs at least one quote")
    dated = [q.quoted_on for q in quotes if q.quoted_on is not None]
    newest = max(dated) if dated else None
    current = [q for q in quotes if q.quoted_on == newest]
    lines = sorted({q.line for q in current})
    middle = Decimal(median(lines))

    def imbalance(line: Decimal) -> tuple[float, Decimal, Decimal]:
        by_side = {
            q.side: implied_probability(q.price)
            for q in current
            if q.line == line and q.price is not None
        }
        # A line quoted on one side only says nothing of balance: it ranks behind any pair.
        gap = abs(by_side["Over"] - by_side["Under"]) if len(by_side) == 2 else 1.0
        return (gap, abs(line - middle), line)

    return min(lines, key=imbalance)


def base_line(quotes: Iterable[Quote]) -> BaseLine | None:
    """Return the median over books of each book's main line; None where nobody quotes the player.

    Sportsbooks, where there are any, speak alone: a fantasy operator's line is no betting line.
    A median between two books' lines is brought to the half-point grid on which lines exist; from
    the middle of two grid points it goes to the one with the half, which cannot push.
    """
    quotes = list(quotes)
    if not quotes:
        return None
    source = "sportsbook" if any(q.line_source == "sportsbook" for q in quotes) else "dfs"
    by_book: dict[str, list[Quote]] = {}
    for quote in quotes:
        if quote.line_source == source:
            by_book.setdefault(quote.book, []).append(quote)
    middle = Decimal(median(main_line(own) for own in by_book.values()))
    return BaseLine(_to_grid(middle), source, len(by_book))


def tested_lines(base: Decimal | None) -> tuple[Decimal | None, ...]:
    """Return base line -2, -1, 0, +1, +2, or a single None where there is no base line."""
    if base is None:
        return (None,)
    return tuple(base + offset for offset in _OFFSETS)


def _to_grid(value: Decimal) -> Decimal:
    below = (value / HALF).to_integral_value(ROUND_FLOOR) * HALF
    above = below + HALF
    if value - below != above - value:
        nearest = below if value - below < above - value else above
    else:
        nearest = below if below % 1 else above
    return nearest.quantize(Decimal("0.1"))
