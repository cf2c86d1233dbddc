"""From the forecasts of a player to the rows of `player_prop_predictions`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from nba_predictions.domain.betting.lines import implied_probability, tested_lines
from nba_predictions.domain.betting.slate import PlayerMarket, SlatePlayer
from nba_predictions.domain.market import market_named
from nba_predictions.domain.tables import PREDICTIONS, prediction_id

#: A side is recommended if its probability exceeds the break-even probability of its price by this.
MIN_EDGE = 0.01
#: Where no book quotes a line, its price is assumed to have the margin of this one.
STANDARD_PRICE = -110


@dataclass(frozen=True)
class PlayerForecast:
    """One system's forecast for one player.

    Attributes:
        system_id: the system.
        system_version: the versions of its code and of the trained models.
        market: the name of the market that the system predicts.
        mean: the center of the distribution, in units of the market.
        spread: its standard deviation.
        confidence: 0..1.
        line_mean: the center once the base line is known; None if the line changes nothing.
        line_spread: the standard deviation once the base line is known, likewise.
        market_mean: the center that the prices of the books imply. It gives the price that they
            would ask at lines that they do not quote.
    """

    system_id: str
    system_version: str
    market: str
    mean: float
    spread: float
    confidence: float
    line_mean: float | None = None
    line_spread: float | None = None
    market_mean: float | None = None

    @property
    def at_lines(self) -> tuple[float, float]:
        """The center and standard deviation for probabilities at lines."""
        if self.line_mean is None or self.line_spread is None:
            return self.mean, self.spread
        return self.line_mean, self.line_spread


#: (mean, spread, lines) -> P(statistic > line) and P(statistic = line), for each line
LineProbabilities = Callable[[float, float, list[float]], list[tuple[float, float]]]


@dataclass(frozen=True)
class PredictedRow:
    """The values of a row of PREDICTIONS, which its columns read by their source.

    Attributes:
        batch_id: the batch that stages the row.
        player: the player on the slate.
        market: the player's market.
        forecast: the forecast of the system.
        line: the tested line; None without a base line.
        over_probability: P(statistic > line); None without a line.
        push_probability: P(statistic = line); None without a line.
        market_over: the probability of the over that the books imply, without pushes.
        features_as_of: when the newest fact that was used was known.
        staged_at: the time of staging.
    """

    batch_id: str
    player: SlatePlayer
    market: PlayerMarket
    forecast: PlayerForecast
    line: Decimal | None
    over_probability: float | None
    push_probability: float | None
    market_over: float
    features_as_of: datetime | None
    staged_at: datetime

    @property
    def prediction_id(self) -> str:
        player = self.player
        return prediction_id(
            player.game_date,
            player.game_id,
            player.player_lookup,
            self.forecast.system_id,
            self.market.name,
            self.line,
        )

    @property
    def predicted_points(self) -> Decimal:
        return Decimal(repr(self.forecast.mean)).quantize(Decimal("0.01"), ROUND_HALF_EVEN)

    @property
    def recommendation(self) -> str:
        prices = {p.line: (p.over, p.under) for p in self.market.prices}
        best = (None, None) if self.line is None else prices.get(self.line, (None, None))
        return recommend(
            self.line, self.over_probability, self.push_probability, best, self.market_over
        )


def recommend(
    line: Decimal | None,
    over: float | None,
    push: float | None,
    prices: tuple[int | None, int | None] = (None, None),
    market_over: float = 0.5,
) -> str:
    """Return OVER or UNDER if that side is worth its price, PASS if neither is, else NO_LINE.

    A push returns the stake, so the sides are compared without pushes. No book takes bets on a line
    of zero or less (for example two below a very low base line), so the result is PASS there.

    Args:
        line: the tested line.
        over: P(statistic > line).
        push: P(statistic = line).
        prices: of over and under in American odds; None if no book quotes the side at this line.
        market_over: the probability of the over that the books imply, without pushes. A side
            without a price is assumed to cost this, plus the usual margin.
    """
    if line is None or over is None:
        return "NO_LINE"
    decided = 1.0 - (push or 0.0)
    if line <= 0 or decided <= 0:
        return "PASS"
    probability = over / decided
    edges = {
        "OVER": probability - _break_even(prices[0], market_over),
        "UNDER": 1.0 - probability - _break_even(prices[1], 1.0 - market_over),
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
    """Return the staged rows of one player: one per system and tested line of its market."""
    rows = []
    for forecast in forecasts:
        market = player.market(forecast.market)
        lines = tested_lines(market.base_line, market_named(market.name))
        at_lines = _probabilities_at(lines, forecast, probabilities)
        for line, (over, push, market_over) in zip(lines, at_lines, strict=True):
            row = PredictedRow(
                batch_id,
                player,
                market,
                forecast,
                line,
                over,
                push,
                market_over,
                features_as_of,
                staged_at,
            )
            rows.append(PREDICTIONS.row_of(row))
    return rows


def _probabilities_at(
    lines: Iterable[Decimal | None], forecast: PlayerForecast, probabilities: LineProbabilities
) -> list[tuple[float | None, float | None, float]]:
    """Return per line P(over), P(push), and the P(over) without pushes that the books imply."""
    numbers = [float(line) for line in lines if line is not None]
    if not numbers:
        return [(None, None, 0.5)]
    center, spread = forecast.at_lines
    own = probabilities(center, spread, numbers)
    if forecast.market_mean is None:
        return [(over, push, 0.5) for over, push in own]
    implied = probabilities(forecast.market_mean, spread, numbers)
    return [
        (over, push, market_over / max(1.0 - market_push, 1e-9))
        for (over, push), (market_over, market_push) in zip(own, implied, strict=True)
    ]
