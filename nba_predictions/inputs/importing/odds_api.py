"""Odds of events in the JSON of The Odds API, version 4: one event, a list, or a past snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from nba_predictions.inputs.importing.documents import Document
from nba_predictions.inputs.importing.lines import OVER, UNDER
from nba_predictions.inputs.importing.tables import Context, Conversion, Row
from nba_predictions.inputs.importing.values import ConversionError, Node

_SPORT = "basketball_nba"
_SIDES = {side.lower(): side for side in (OVER, UNDER)}
#: American prices begin at 100 in both directions.
_LEAST_AMERICAN = 100
_MOST_PRICE = 10**7


def recognizes(document: Document) -> bool:
    """Return whether the document is an event with odds, a list of events, or a snapshot."""
    return document.root is not None and any(map(_is_event, _events(document.root.value)))


def _is_event(value: Any) -> bool:
    return isinstance(value, dict) and (
        ("bookmakers" in value and "home_team" in value)
        or {"sport_key", "commence_time", "home_team", "away_team"} <= set(value)
    )


def _events(value: Any) -> list[Any]:
    """Return the events of an answer, in all its forms."""
    if isinstance(value, dict) and "data" in value and "timestamp" in value:
        value = value["data"]
    if isinstance(value, list):
        return [event for item in value for event in _events(item)]
    return [value]


def _nodes(node: Node, taken_at: datetime | None) -> Iterator[tuple[Node, datetime | None]]:
    """Yield each event with the moment of its snapshot."""
    if "data" in node and "timestamp" in node:
        taken_at = node["timestamp"].moment()
        node = node["data"]
    if isinstance(node.value, list):
        for item in node.items():
            yield from _nodes(item, taken_at)
    else:
        yield node, taken_at


def convert(document: Document, context: Context) -> Conversion:
    """Return one row per quote of a player, of all markets.

    Raises:
        ConversionError: the events have no odds, or the format of the prices is unclear.
    """
    root = document.root
    assert root is not None, "the document is recognized"
    conversion = Conversion("points_lines")
    events = list(_nodes(root, context.observed_at))
    if not any("bookmakers" in event for event, _ in events):
        raise ConversionError(
            "it lists events without odds; fetch /sports/basketball_nba/events/{id}/odds with the "
            "market player_points"
        )
    decimal = _has_decimal_prices(root.value)
    if decimal:
        conversion.notes.append("decimal prices converted to American")
    for event, taken_at in events:
        if "sport_key" in event and event["sport_key"].text() != _SPORT:
            conversion.drop("other_sport")
            continue
        try:
            _convert_event(event, taken_at, decimal, conversion)
        except ConversionError as error:
            conversion.rejected.append(str(error))
    return conversion


def _convert_event(
    event: Node, taken_at: datetime | None, decimal: bool, conversion: Conversion
) -> None:
    start = event["commence_time"].moment()
    if start is None:
        raise event["commence_time"].error("a time")
    game = {
        "home_team": event["home_team"].name(),
        "away_team": event["away_team"].name(),
        "commence_time": start,
    }
    for book in event["bookmakers"].items():
        for market in book["markets"].items():
            updated = market["last_update"].moment() or book["last_update"].moment()
            shared = {
                **game,
                "bookmaker": book["key"].text() or book["title"].name(),
                "market": market["key"].name(),
                "observed_at": updated or taken_at,
            }
            for outcome in market["outcomes"].items():
                conversion.add(_quote, outcome, shared, decimal, conversion)


def _quote(outcome: Node, shared: Row, decimal: bool, conversion: Conversion) -> list[Row]:
    player = outcome["description"].text()
    side = _SIDES.get(outcome["name"].name().lower())
    line = outcome["point"].number()
    if player is None:
        return conversion.drop("not_of_a_player")
    if side is None or line is None:
        return conversion.drop("without_a_line")
    price = outcome["price"]
    american = american_price(price) if decimal else price.whole()
    if american is not None and abs(american) > _MOST_PRICE:
        raise price.error("a price")
    return [{**shared, "player": player, "side": side, "line": line, "price": american}]


def american_price(price: Node) -> int | None:
    """Return a decimal price as the nearest American one; 0 (suspended) if it pays nothing.

    >>> [american_price(Node("price", decimal)) for decimal in (1.91, 2.5, 1)]
    [-110, 150, 0]
    """
    value = price.number()
    if value is None or value <= 1:
        return None if value is None else 0
    gain = Decimal(str(value)) - 1
    exact = gain * 100 if gain >= 1 else Decimal(-100) / gain
    return int(exact.to_integral_value(ROUND_HALF_EVEN))


def _has_decimal_prices(value: Any) -> bool:
    """Return whether the prices of an answer are decimal. One answer has one format.

    Raises:
        ConversionError: some prices can only be decimal, and others only American.
    """
    prices = [p for p in _prices(value) if p != 0]
    decimal = [p for p in prices if 0 < p < _LEAST_AMERICAN]
    american = [p for p in prices if p < 0]
    if decimal and american:
        raise ConversionError(
            f"the format of the prices is unclear: {decimal[0]} can only be decimal, and "
            f"{american[0]} can only be American; fetch it again with oddsFormat=american"
        )
    return bool(decimal)


def _prices(value: Any) -> Iterator[float]:
    """Yield the numeric prices in an answer, at any depth."""
    if isinstance(value, list):
        for item in value:
            yield from _prices(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "price" and isinstance(item, (int, float)) and not isinstance(item, bool):
                yield item
            elif isinstance(item, (dict, list)):
                yield from _prices(item)
