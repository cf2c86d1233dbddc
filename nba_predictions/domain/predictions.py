"""From a forecast distribution to the rows of `player_prop_predictions`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from nba_predictions.domain.lines import implied_probability, tested_lines
from nba_predictions.domain.slate import SlatePlayer
from nba_predictions.domain.tables import prediction_id

#: A side is recommended when its probability clears the price by this much: the best one quoted
#: at that very line, or the usual price of a line where nobody quotes it.
STANDARD_PRICE = -110
MIN_EDGE = 0.03


@dataclass(frozen=True)
class PlayerForecast:
    """One system's word on one player: distribution of points, confidence, and who says so.

    `line_mean` and `line_spread` are of the distribution once the base line is known; None says
    that it changes nothing. Chances at lines are taken from it.
    """

    system_id: str
    system_version: str
    mean: float
    spread: float
    confidence: float
    line_mean: float | None = None
    line_spread: float | None = None

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
    over_price: int | None = None,
    under_price: int | None = None,
) -> str:
    """Return OVER or UNDER where that side is worth its price, PASS where none is, else NO_LINE.

    A push returns the stake, so the sides are judged on what remains. A side without a price is
    judged at STANDARD_PRICE. At a line of zero or less (two below a very low base line) nobody
    takes bets: PASS.
    """
    if line is None or over is None:
        return "NO_LINE"
    decided = 1.0 - (push or 0.0)
    if line <= 0 or decided <= 0:
        return "PASS"
    chance = over / decided
    edges = {
        "OVER": chance - _break_even(over_price),
        "UNDER": 1.0 - chance - _break_even(under_price),
    }
    side = max(edges, key=edges.__getitem__)
    return side if edges[side] >= MIN_EDGE else "PASS"


def _break_even(price: int | None) -> float:
    return implied_probability(STANDARD_PRICE if price is None else price)


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
        if numbers:
            chances = [*probabilities(*forecast.at_lines, numbers)]
        for line, (over, push) in zip(lines, chances, strict=True):
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
                    "recommendation": recommend(line, over, push, *price.get(line, (None, None))),
                    "features_as_of": features_as_of,
                    "staged_at": staged_at,
                }
            )
    return rows


def _two_decimals(value: float) -> Decimal:
    return Decimal(repr(value)).quantize(Decimal("0.01"), ROUND_HALF_EVEN)
