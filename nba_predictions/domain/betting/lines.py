"""Betting lines: from the quotes of several books to the lines that are tested."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_FLOOR, Decimal
from statistics import median
from typing import Any

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

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Quote:
        """Return the quote of a row of PROP_LINES (inputs/port.py)."""
        names = ("book", "side", "line", "price", "line_source", "quoted_on")
        return cls(**{name: row[name] for name in names})


@dataclass(frozen=True)
class LinePrice:
    """The best price of each side of a line, in American odds; None where nobody quotes it."""

    line: Decimal
    over: int | None
    under: int | None


@dataclass(frozen=True)
class BaseLine:
    """The line that stands for all books, with where it comes from."""

    line: Decimal
    line_source: str
    books: int
    #: The books' own probability of the over at `line`, None where no two-sided price tells.
    fair_over: float | None = None
    #: The best prices among these books, by line, for the lines that are tested.
    prices: tuple[LinePrice, ...] = ()


def implied_probability(price: int) -> float:
    """Return the win probability at which American odds break even, the book's margin included.

    -137 means: stake 137 to win 100. https://en.wikipedia.org/wiki/Odds#Moneyline_odds

    Raises:
        ValueError: `price` lies between -100 and 100, where American odds do not exist.
    """
    if abs(price) < 100:
        raise ValueError(f"{price} is no American price; expected <= -100 or >= 100")
    return 100 / (price + 100) if price > 0 else -price / (-price + 100)


def fair_over(over_price: int, under_price: int) -> float:
    """Return the probability of the over that two prices stand for, the book's margin taken out.

    What the two sides' break-even probabilities sum to above 1 is the margin; it is taken from both
    in proportion.

    Raises:
        ValueError: a price lies between -100 and 100.
    """
    over, under = implied_probability(over_price), implied_probability(under_price)
    return over / (over + under)


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
    current = _newest(quotes)
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

    `fair_over` is the median over the books whose main line this is and whose prices have both
    sides. `prices` are of each book's newest day of quotes; a fantasy operator states one price for
    all his lines and pays otherwise, so of his only those at the base line are kept.
    """
    quotes = list(quotes)
    if not quotes:
        return None
    source = "sportsbook" if any(q.line_source == "sportsbook" for q in quotes) else "dfs"
    by_book: dict[str, list[Quote]] = {}
    for quote in quotes:
        if quote.line_source == source:
            by_book.setdefault(quote.book, []).append(quote)
    current = {book: _newest(own) for book, own in by_book.items()}
    mains = {book: main_line(own) for book, own in current.items()}
    line = _to_grid(Decimal(median(mains.values())))
    fair = [
        chance
        for book, own in current.items()
        if mains[book] == line and (chance := _fair_over_at(line, own)) is not None
    ]
    return BaseLine(
        line,
        source,
        len(by_book),
        round(median(fair), 6) if fair else None,
        _best_prices(
            tested_lines(line) if source == "sportsbook" else (line,),
            [q for own in current.values() for q in own],
        ),
    )


def _newest(quotes: list[Quote]) -> list[Quote]:
    """The quotes of the newest day that one book has quotes of."""
    dated = [q.quoted_on for q in quotes if q.quoted_on is not None]
    newest = max(dated) if dated else None
    return [q for q in quotes if q.quoted_on == newest]


def _fair_over_at(line: Decimal, quotes: list[Quote]) -> float | None:
    price = {q.side: q.price for q in quotes if q.line == line and q.price is not None}
    return fair_over(price["Over"], price["Under"]) if len(price) == 2 else None


def _best_prices(lines: Iterable[Decimal | None], quotes: list[Quote]) -> tuple[LinePrice, ...]:
    """What pays most on each side of each line; lines nobody quotes are left out."""

    def best(line: Decimal, side: str) -> int | None:
        prices = [
            q.price for q in quotes if q.line == line and q.side == side and q.price is not None
        ]
        return min(prices, key=implied_probability, default=None)

    found = [LinePrice(t, best(t, "Over"), best(t, "Under")) for t in lines if t]
    return tuple(p for p in found if p.over is not None or p.under is not None)


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
