"""Betting lines: from the quotes of several books to the lines that are tested."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_FLOOR, Decimal
from statistics import median
from typing import Any

from nba_predictions.domain.market import Market

HALF = Decimal("0.5")


@dataclass(frozen=True)
class Quote:
    """One side (`Over` or `Under`) of one line of one book, in units of the market.

    The price is in American odds. `line_source` is `sportsbook`, or `dfs` for a fantasy operator.
    Price and day are None if they are not known.
    """

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
    """The best price of each side of a line, in American odds; None if no book quotes the side."""

    line: Decimal
    over: int | None
    under: int | None


@dataclass(frozen=True)
class BaseLine:
    """The consensus line of all books in one market: the median of their main lines.

    `fair_over` is the no-vig probability of the over there; None without a two-sided price.
    `prices` are the best prices of these books at the tested lines.
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


def main_line(quotes: Iterable[Quote]) -> Decimal:
    """Return the main line among the quotes of one book for one player and market.

    Only the book's newest day of quotes counts. Among several lines of that day, the main line is
    the one whose two prices are closest to even. A tie goes to the line nearest to the median of
    all lines, and then to the lower line.

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
        # A line with one side does not show how balanced it is. It ranks behind any line with two.
        gap = abs(by_side["Over"] - by_side["Under"]) if len(by_side) == 2 else 1.0
        return (gap, abs(line - middle), line)

    return min(lines, key=imbalance)


def base_line(quotes: Iterable[Quote], market: Market) -> BaseLine | None:
    """Return the base line of one player from all quotes in one market; None without quotes.

    The base line is the median over books of each book's main line. If any sportsbook quotes the
    player, only sportsbooks count, because the line of a fantasy operator is not a betting line.
    A median between two books' lines is rounded to the half-point grid on which lines exist. From
    the middle between two grid points it is rounded to the half point, which cannot push.

    `fair_over` is the median over the books whose main line equals the base line and which have
    prices for both sides. `prices` are from each book's newest day of quotes. A fantasy operator
    states one price for all its lines but pays differently, so only its price at the base line
    counts.
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
        probability
        for book, own in current.items()
        if mains[book] == line and (probability := _fair_over_at(line, own)) is not None
    ]
    return BaseLine(
        line,
        source,
        len(by_book),
        round(median(fair), 6) if fair else None,
        _best_prices(
            tested_lines(line, market) if source == "sportsbook" else (line,),
            [q for own in current.values() for q in own],
        ),
    )


def _newest(quotes: list[Quote]) -> list[Quote]:
    """Return the quotes of the newest day among the quotes of one book."""
    dated = [q.quoted_on for q in quotes if q.quoted_on is not None]
    newest = max(dated) if dated else None
    return [q for q in quotes if q.quoted_on == newest]


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
