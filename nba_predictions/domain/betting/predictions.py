"""From a forecast distribution to the rows of `player_prop_predictions`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from nba_predictions.domain.betting.lines import implied_probability, tested_lines
from nba_predictions.domain.betting.slate import SlatePlayer
from nba_predictions.domain.tables import prediction_id

#: A side is recommended when its probability clears the price by MIN_EDGE: the best price quoted at
#: that very line; where nobody quotes it, what the books would ask, with the usual margin.
STANDARD_PRICE = -110
MIN_EDGE = 0.01


@dataclass(frozen=True)
class PlayerForecast:
    """One system's word on one player: distribution of points, confidence, and who says so.

    `line_mean` and `line_spread` are of the distribution once the base line is known; None says
    that it changes nothing. Chances at lines are taken from it. `market_mean` is the centre that
    the books stand for, from which comes what they would ask at lines that they do not quote.
    """

    system_id: str
    system_version: str
    mean: float
    spread: float
    confidence: float
    line_mean: float | None = None
    line_spread: float | None = None
    market_mean: float | None = None

    @property
    def at_lines(self) -> tuple[float, float]:
        """Centre and standard deviation for chances at lines."""
        if self.line_mean is None or self.line_spread is None:
            return self.mean, self.spread
        return self.line_mean, self.line_spread


#: (mean, spread, lines) -> P(points > line) and P(points = line), for each line
LineProbabilities = Callable[[float, float, list[float]], list[tuple[float, float]]]


def recommend(
    line: Decimal | None,
    over: float | None,
    push: float | None,
    prices: tuple[int | None, int | None] = (None, None),
    market_over: float = 0.5,
) -> str:
    """Return OVER or UNDER where that side is worth its price, PASS where none is, else NO_LINE.

    A push returns the stake, so the sides are judged on what remains. At a line of zero or less
    (two below a very low base line) nobody takes bets: PASS.

    Args:
        line: the tested line.
        over: P(points > line).
        push: P(points = line).
        prices: of over and under, in American odds, None where nobody quotes that side there.
        market_over: the books' own chance of the over, pushes aside; at a side that nobody quotes
            they would ask that, and their usual margin.
    """
    if line is None or over is None:
        return "NO_LINE"
    decided = 1.0 - (push or 0.0)
    if line <= 0 or decided <= 0:
        return "PASS"
    chance = over / decided
    edges = {
        "OVER": chance - _break_even(prices[0], market_over),
        "UNDER": 1.0 - chance - _break_even(prices[1], 1.0 - market_over),
    }
    side = max(edges, key=edges.__getitem__)
    return side if edges[side] >= MIN_EDGE else "PASS"


def _break_even(price: int | None, fair: float) -> float:
    if price is not None:
        return implied_probability(price)
    return fair + implied_probability(STANDARD_PRICE) - 0.5


def prediction_rows(
    player: SlatePlayer,
    forecasts: Iterable[PlayerForecast],
    probabilities: LineProbabilities,
    *,
    batch_id: str,
    features_as_of: datetime | None,
    staged_at: datetime,
) -> list[dict[str, Any]]:
    """Return the staged rows of one player: one per system and tested line."""
    rows = []
    lines = tested_lines(player.base_line)
    numbers = [float(line) for line in lines if line is not None]
    price: dict[Decimal | None, tuple[int | None, int | None]] = {
        p.line: (p.over, p.under) for p in player.prices
    }
    for forecast in forecasts:
        chances: list[tuple[float | None, float | None]] = [(None, None)]
        market = [0.5]
        if numbers:
            centre, spread = forecast.at_lines
            chances = [*probabilities(centre, spread, numbers)]
            market = [0.5] * len(numbers)
            if forecast.market_mean is not None:
                asked = probabilities(forecast.market_mean, spread, numbers)
                market = [over / max(1.0 - push, 1e-9) for over, push in asked]
        for line, (over, push), fair in zip(lines, chances, market, strict=True):
            rows.append(
                {
                    "prediction_id": prediction_id(
                        player.game_date,
                        player.game_id,
                        player.player_lookup,
                        forecast.system_id,
                        line,
                    ),
                    "batch_id": batch_id,
                    "game_date": player.game_date,
                    "game_id": player.game_id,
                    "player_lookup": player.player_lookup,
                    "system_id": forecast.system_id,
                    "points_line": line,
                    "system_version": forecast.system_version,
                    "team": player.team,
                    "opponent": player.opponent,
                    "is_home": player.is_home,
                    "base_line": player.base_line,
                    "line_source": player.line_source,
                    "books": player.books,
                    "predicted_points": _two_decimals(forecast.mean),
                    "over_probability": over,
                    "push_probability": push,
                    "confidence": forecast.confidence,
                    "recommendation": recommend(
                        line, over, push, price.get(line, (None, None)), fair
                    ),
                    "features_as_of": features_as_of,
                    "staged_at": staged_at,
                }
            )
    return rows


def _two_decimals(value: float) -> Decimal:
    return Decimal(repr(value)).quantize(Decimal("0.01"), ROUND_HALF_EVEN)
