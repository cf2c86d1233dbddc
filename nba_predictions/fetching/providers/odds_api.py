"""The Odds API, version 4: the games that books offer, and the lines of one game."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from nba_predictions.domain.league.games import (
    end_of_eastern_day,
    start_of_eastern_day,
    team_abbreviation,
)
from nba_predictions.domain.market import registered_markets
from nba_predictions.fetching.client import Ask, Judgment
from nba_predictions.fetching.providers.bodies import broken, json_of, moment_of, object_of
from nba_predictions.fetching.transport import Answer
from nba_predictions.inputs.landing.zone import Outcome, Resource
from nba_predictions.inputs.port import LINES

PROVIDER: Final = "odds_api"
EVENTS, ODDS = "events", "odds"
KEY_SETTING: Final = "NBA_PREDICTIONS_ODDS_API_KEY"
#: Error codes after which no request of this fetch can succeed.
KEY_ERRORS: Final = frozenset({"MISSING_KEY", "INVALID_KEY", "DEACTIVATED_KEY"})
STOPPING: Final = KEY_ERRORS | {"OUT_OF_USAGE_CREDITS", "HISTORICAL_UNAVAILABLE_ON_FREE_USAGE_PLAN"}
_TOO_FREQUENT: Final = "EXCEEDED_FREQ_LIMIT"
_EVENT_ID: Final = re.compile(r"[0-9A-Za-z]{1,64}")
_SPORT: Final = "sports/basketball_nba"


@dataclass(frozen=True)
class Event:
    """A game that books offer. The teams are abbreviations, or None if a name is unknown."""

    event_id: str
    home: str | None
    away: str | None
    commences: datetime


def events(base: str, key: str, game_date: date) -> Ask:
    """Return the request for the games of an Eastern date. It costs nothing."""
    query = {
        "apiKey": key,
        "commenceTimeFrom": _iso(start_of_eastern_day(game_date)),
        # The end belongs to the next date.
        "commenceTimeTo": _iso(end_of_eastern_day(game_date) - timedelta(seconds=1)),
        "dateFormat": "iso",
    }

    def judge(answer: Answer) -> Judgment:
        value, error = _value(answer)
        if error is None and not isinstance(value, list):
            return broken("the answer is not a list of games", again=True)
        if error is None and value and not _events(value):
            return broken("no game of the list has an id and a commence_time")
        return error or Judgment(Outcome.NEW)

    resource = Resource(PROVIDER, EVENTS, game_date.isoformat())
    return Ask(LINES, resource, f"{base}/{_SPORT}/events?{urlencode(query)}", judge)


def odds(base: str, key: str, game_date: date, event_id: str, books: str) -> Ask:
    """Return the request for the lines of a game. It costs a credit for each market with lines."""
    markets = [f"player_{market.name}" for market in registered_markets()]
    query = {
        "apiKey": key,
        **({"bookmakers": books} if books else {"regions": "us"}),
        "markets": ",".join(markets),
        "oddsFormat": "american",
        "dateFormat": "iso",
    }

    def judge(answer: Answer) -> Judgment:
        value, error = _value(answer)
        if error is not None:
            return error
        if not isinstance(value, dict) or not isinstance(value.get("bookmakers"), list):
            return broken("the answer has no bookmakers", again=True)
        return Judgment(Outcome.NEW, source_time=_newest_update(value))

    resource = Resource(PROVIDER, ODDS, f"{game_date.isoformat()}.{event_id}")
    url = f"{base}/{_SPORT}/events/{event_id}/odds?{urlencode(query)}"
    return Ask(LINES, resource, url, judge, cost=len(markets))


def events_in(body: bytes) -> list[Event]:
    """Return the games of a landed list. Items of another form are left out."""
    value, error = json_of(Answer(200, body))
    return _events(value) if error is None and isinstance(value, list) else []


def _events(items: list[Any]) -> list[Event]:
    found = []
    for item in items:
        if not isinstance(item, dict):
            continue
        start = moment_of(item.get("commence_time"))
        identifier = item.get("id")
        # The identifier becomes a part of an address and of a path.
        if start is None or not isinstance(identifier, str) or not _EVENT_ID.fullmatch(identifier):
            continue
        home, away = (team_abbreviation(str(item.get(f"{s}_team") or "")) for s in ("home", "away"))
        found.append(Event(identifier, home, away, start))
    return found


def has_lines(body: bytes) -> bool:
    """Return whether a landed answer about a game has any line."""
    value, error = object_of(Answer(200, body))
    return error is None and any(market.get("outcomes") for market in _market_list(value))


def error_code(error: str) -> str:
    """Return the code at the beginning of the error of a record."""
    return error.partition(":")[0]


def _value(answer: Answer) -> tuple[Any, Judgment | None]:
    """Return the JSON of an answer, or the judgment of an error, by its code."""
    if answer.status != 200:
        try:
            value = json.loads(answer.body)
        except (ValueError, RecursionError):
            value = None
        code = value.get("error_code") if isinstance(value, dict) else None
        if isinstance(code, str):
            return None, _judge_code(code, str(value.get("message") or "")[:200])
    return json_of(answer)


def _judge_code(code: str, message: str) -> Judgment:
    text = f"{code}: {message}"
    if code == _TOO_FREQUENT:
        return Judgment(Outcome.FAILED, text, again=True)
    if code == "EVENT_NOT_FOUND":
        return Judgment(Outcome.NOT_THERE, text)
    if code in KEY_ERRORS:
        text = f"{text}; set {KEY_SETTING} to a valid key"
    return Judgment(Outcome.REFUSED, text)


def _newest_update(event: dict[str, Any]) -> datetime | None:
    moments = [moment_of(market.get("last_update")) for market in _market_list(event)]
    return max((moment for moment in moments if moment is not None), default=None)


def _market_list(event: dict[str, Any]) -> Sequence[dict[str, Any]]:
    markets = [book.get("markets") for book in _dicts(event.get("bookmakers"))]
    return [market for some in markets for market in _dicts(some)]


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
