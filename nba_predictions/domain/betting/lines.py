"""Betting lines: from the quotes of several books to the lines that are tested."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_FLOOR, Decimal
from statistics import median
from typing import Any

from nba_predictions.domain.league.books import DFS, SPORTSBOOK
from nba_predictions.domain.market import Market

HALF = Decimal("0.5")


@dataclass(frozen=True)
class Quote:
    """One side (`Over` or `Under`) of one line of one book, in units of the market.

    The price is in American odds. `line_source` is `sportsbook`, or `dfs` for a fantasy operator.
    Price, day and moment (UTC) are None if they are not known.
    """

    book: str
    side: str
    line: Decimal
    price: int | None
    line_source: str
    quoted_on: date | None = None
    quoted_at: datetime | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Quote:
        """Return the quote of a row of PROP_LINES (inputs/port.py)."""
        names = ("book", "side", "line", "price", "line_source", "quoted_on", "quoted_at")
        return cls(**{name: row[name] for name in names})


@dataclass(frozen=True)
class LinePrice:
    """The best price of each side of a line, in American odds; None if no book quotes the side."""

    line: Decimal
    over: int | None
    under: int | None


@dataclass(frozen=True)
class BaseLine:
    """The consensus line of all books in one market: the median of their main lines.

    `books` counts the books with a main line. `fair_over` is the no-vig probability of the over
    there; None without a two-sided price. `prices` are the best prices at the tested lines, of all
    books of this `line_source`.
    """

    line: Decimal
    line_source: str
    books: int
    fair_over: float | None = None
    prices: tuple[LinePrice, ...] = ()


def implied_probability(price: int) -> float:
    """Return the win probability at which a bet at American odds breaks even.

    The probability includes the book's margin. A price of -137 means: stake 137 to win 100.
    https://en.wikipedia.org/wiki/Odds#Moneyline_odds

    Raises:
        ValueError: `price` is between -100 and 100, where American odds do not exist.
    """
    if abs(price) < 100:
        raise ValueError(f"{price} is not an American price; expected <= -100 or >= 100")
    return 100 / (price + 100) if price > 0 else -price / (-price + 100)


def fair_over(over_price: int, under_price: int) -> float:
    """Return the no-vig probability of the over that two prices imply.

    The break-even probabilities of the two sides add up to more than 1. The excess is the margin,
    and it is removed from both sides in proportion. Raises what
    `implied_probability` raises.
    """
    over, under = implied_probability(over_price), implied_probability(under_price)
    return over / (over + under)


def main_line(quotes: Iterable[Quote]) -> Decimal | None:
    """Return the main line among the current quotes of one book for one player and market.

    Only a line with both sides can be the main line. Among several, it is the one whose two prices
    are closest to even. A tie goes to the line nearest to the median of these lines, and then to
    the lower line. The only line of a fantasy operator is its main line with one side, too.

    Returns None if the book has no main line, for example a ladder of overs.
    """
    prices: dict[Decimal, dict[str, int | None]] = {}
    source = None
    for quote in quotes:
        prices.setdefault(quote.line, {})[quote.side] = quote.price
        source = quote.line_source
    lines = sorted(line for line, sides in prices.items() if len(sides) == 2)
    if not lines:
        return next(iter(prices)) if source == DFS and len(prices) == 1 else None
    middle = Decimal(median(lines))

    def imbalance(line: Decimal) -> tuple[float, Decimal, Decimal]:
        over, under = prices[line]["Over"], prices[line]["Under"]
        # A line without prices does not show how balanced it is. It ranks behind any with prices.
        gap = 1.0
        if over is not None and under is not None:
            gap = abs(implied_probability(over) - implied_probability(under))
        return (gap, abs(line - middle), line)

    return min(lines, key=imbalance)


def main_lines(quotes: Iterable[Quote]) -> dict[str, Decimal]:
    """Return the main line of each book that has one, from all quotes for one player and market.

    If any sportsbook has a main line, only sportsbooks count, because the line of a fantasy
    operator is not a betting line.
    """
    by_book: dict[tuple[str, str], list[Quote]] = {}
    for quote in quotes:
        by_book.setdefault((quote.line_source, quote.book), []).append(quote)
    mains = {key: line for key, own in by_book.items() if (line := main_line(own)) is not None}
    source = SPORTSBOOK if any(of == SPORTSBOOK for of, _ in mains) else DFS
    return {book: line for (of, book), line in mains.items() if of == source}


def base_line(quotes: Iterable[Quote], market: Market) -> BaseLine | None:
    """Return the base line of one player from all current quotes in one market.

    The base line is the median of the books' main lines (`main_lines`), None if there is none. A
    median between two books' lines is rounded to the half-point grid on which lines exist. From
    the middle between two grid points it is rounded to the half point, which cannot push.

    `fair_over` is the median over the books whose main line equals the base line and which have
    prices for both sides. A fantasy operator states one price for all its lines but pays
    differently, so only its price at the base line counts.
    """
    quotes = list(quotes)
    mains = main_lines(quotes)
    if not mains:
        return None
    source = next(q.line_source for q in quotes if q.book in mains)
    line = _to_grid(Decimal(median(mains.values())))
    of_source = [q for q in quotes if q.line_source == source]
    fair = [
        probability
        for book in (book for book, main in mains.items() if main == line)
        if (probability := _fair_over_at(line, [q for q in of_source if q.book == book]))
        is not None
    ]
    return BaseLine(
        line,
        source,
        len(mains),
        round(median(fair), 6) if fair else None,
        _best_prices(
            tested_lines(line, market) if source == SPORTSBOOK else (line,),
            of_source,
        ),
    )


def _fair_over_at(line: Decimal, quotes: list[Quote]) -> float | None:
    price = {q.side: q.price for q in quotes if q.line == line and q.price is not None}
    return fair_over(price["Over"], price["Under"]) if len(price) == 2 else None


def _best_prices(lines: Iterable[Decimal | None], quotes: list[Quote]) -> tuple[LinePrice, ...]:
    """Return the price that pays most for each side of each line, without lines that have none."""

    def best(line: Decimal, side: str) -> int | None:
        prices = [
            q.price for q in quotes if q.line == line and q.side == side and q.price is not None
        ]
        return min(prices, key=implied_probability, default=None)

    priced = [LinePrice(t, best(t, "Over"), best(t, "Under")) for t in lines if t]
    return tuple(p for p in priced if p.over is not None or p.under is not None)


def tested_lines(base: Decimal | None, market: Market) -> tuple[Decimal | None, ...]:
    """Return the lines that are predicted: around the base line, or a single None without one."""
    if base is None:
        return (None,)
    return tuple(base + offset for offset in market.offsets)


def _to_grid(value: Decimal) -> Decimal:
    below = (value / HALF).to_integral_value(ROUND_FLOOR) * HALF
    above = below + HALF
    if value - below != above - value:
        nearest = below if value - below < above - value else above
    else:
        nearest = below if below % 1 else above
    return nearest.quantize(Decimal("0.1"))
