"""Markets: the statistics of a player that are predicted and bet on.

A market is part of the business key of a prediction, so the rows of two markets never collide. To
register a market, add it to `MARKETS`. Each system names the market that it predicts.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from nba_predictions.domain.errors import UnknownMarketError

#: Two lines on either side of the base line are tested with it.
FIVE_LINES = (Decimal(-2), Decimal(-1), Decimal(0), Decimal(1), Decimal(2))

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Market:
    """One statistic that is predicted and bet on.

    Attributes:
        name: the value of the column `market` in tables, lines and messages: lower-case letters,
            digits and underscores, beginning with a letter.
        statistic: what settles the market: a column of the game logs, or the name of a sum.
        offsets: distances of the tested lines from the base line, in units of the statistic.
        sum_of: the columns of the game logs whose sum is the statistic, if it is not a column.
        labels: names of the market in input files. Empty if it is called `player_` and its name.

    Raises:
        ValueError: the name has other characters.
    """

    name: str
    statistic: str
    offsets: tuple[Decimal, ...] = FIVE_LINES
    sum_of: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"{self.name!r} is not a valid market name; use lower-case letters, digits and _"
            )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the game logs whose sum is the statistic."""
        return self.sum_of or (self.statistic,)

    @property
    def input_labels(self) -> tuple[str, ...]:
        """The names of the market in input files. The first one is used when writing them."""
        return self.labels or (f"player_{self.name}",)

    def value(self, box_score: Mapping[str, int]) -> int:
        """Return the statistic of one row of the game logs."""
        return sum(box_score[column] for column in self.columns)


POINTS = Market("points", "points")

#: All registered markets, in the order of tables and reports.
MARKETS: tuple[Market, ...] = (POINTS,)


def registered_markets() -> tuple[Market, ...]:
    """Return all registered markets. Call this; do not import `MARKETS` by name."""
    return MARKETS


def market_names() -> tuple[str, ...]:
    """Return the names of all registered markets."""
    return tuple(market.name for market in registered_markets())


def market_named(name: str) -> Market:
    """Return the registered market of that name.

    Raises:
        UnknownMarketError: no market has this name.
    """
    for market in registered_markets():
        if market.name == name:
            return market
    known = ", ".join(market_names())
    raise UnknownMarketError(f"market {name!r} is not registered; registered markets: {known}")
