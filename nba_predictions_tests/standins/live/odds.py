"""The Odds API, version 4: events, quotes of player points, their history, and credits."""

from __future__ import annotations

import hashlib
import math
import re
import threading
import time as clock
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any

from nba_predictions_tests.standins.live.day import (
    DECISION,
    FINAL,
    LIVE,
    Moment,
    eastern,
    utc_text,
)
from nba_predictions_tests.standins.live.messages import Answer, Request
from nba_predictions_tests.standins.live.season import Game, Listed, Quote, chance
from nba_predictions_tests.standins.live.teams import TEAMS

Json = dict[str, Any]

POINTS = "player_points"
#: The books by region, with their titles.
REGIONS: dict[str, dict[str, str]] = {
    "us": {
        **{"draftkings": "DraftKings", "fanduel": "FanDuel", "betmgm": "BetMGM"},
        **{"betrivers": "BetRivers", "bovada": "Bovada", "betonlineag": "BetOnline.ag"},
        **{"fanatics": "Fanatics", "mybookieag": "MyBookie.ag"},
    },
    "us2": {
        **{"hardrockbet": "Hard Rock Bet", "espnbet": "ESPN BET", "ballybet": "Bally Bet"},
        **{"betparx": "betPARX", "fliff": "Fliff"},
    },
    "us_dfs": {
        **{"prizepicks": "PrizePicks", "underdog": "Underdog", "pick6": "DraftKings Pick6"},
        "betr_us_dfs": "Betr Picks",
    },
    "us_ex": {"novig": "Novig", "prophetx": "ProphetX"},
    **{"uk": {}, "eu": {}, "au": {}, "fr": {}, "se": {}},
}
_BOOKS = {key: title for books in REGIONS.values() for key, title in books.items()}
_MARKETS_OF_PLAYERS = (POINTS, "player_points_alternate", "player_rebounds", "player_assists")
_MARKETS = (*_MARKETS_OF_PLAYERS, "h2h", "spreads", "totals")
_MOST_BOOKS_PER_REGION = 10
#: Books offer a game this long before its tip-off.
_OFFERED_BEFORE = timedelta(hours=48)
#: The Eastern times at which lines appear (on the day before, or on the day) and at which they
#: move for the first time.
OPENING, LATE_OPENING, RETURN, MOVE = time(14), time(10), time(15), time(12)
#: From the second move of a line to the tip-off.
LAST_MOVE = timedelta(hours=1)
_OVERS = (-130, -125, -120, -115, -110, -105, 100, 105)
_DFS_PRICE = -137
_SNAPSHOTS = timedelta(minutes=5)
#: The first moment with markets of players.
_HISTORY_BEGINS = datetime.fromisoformat("2023-05-03T05:30:00+00:00")


class OddsError(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.answer = error_answer(status, code, message)


def error_answer(status: int, code: str, message: str) -> Answer:
    """Return an error as the service writes it."""
    url = "https://the-odds-api.com/liveapi/guides/v4/api-error-codes.html"
    body = {"message": message, "error_code": code, "details_url": f"{url}#{code.lower()}"}
    return Answer(body, status)


def event_id(game: Game) -> str:
    """Return the id of the event of a game, 32 hexadecimal digits."""
    return hashlib.md5(game.game_id.encode(), usedforsecurity=False).hexdigest()


@dataclass
class Account:
    """The credits of the key. Each month of the clock begins with `per_month`.

    Attributes:
        used: all credits that were ever used.
        is_paid: whether the plan has the history.
    """

    key: str
    per_month: int = 500
    is_paid: bool = True
    calls_per_second: int = 30
    used: int = 0
    _month: tuple[int, int] = (0, 0)
    _used_this_month: int = 0

    def turn_to(self, now: datetime) -> None:
        """Forget the use of former months."""
        if self._month != (now.year, now.month):
            self._month, self._used_this_month = (now.year, now.month), 0

    @property
    def left(self) -> int:
        return max(self.per_month - self._used_this_month, 0)

    def spend(self, cost: int) -> None:
        self.used += cost
        self._used_this_month += cost

    def headers(self, last: int) -> dict[str, str]:
        return {
            "x-requests-remaining": str(self.left),
            "x-requests-used": str(self._used_this_month),
            "x-requests-last": str(last),
        }


class Odds:
    """The endpoints under `/odds`. Each answer has the headers with the credits."""

    def __init__(self, account: Account) -> None:
        self.account = account
        #: The calls of the last second.
        self._calls: list[float] = []
        self._lock = threading.Lock()

    def answer(self, request: Request, moment: Moment) -> Answer:
        with self._lock:
            self.account.turn_to(moment.now)
            try:
                self._check(request)
                return self._routed(request, moment)
            except OddsError as error:
                return error.answer

    def settle(self, answer: Answer) -> Answer:
        """Charge the cost of an answer that is sent, and add the headers with the credits."""
        with self._lock:
            self.account.spend(answer.cost)
            headers = {**answer.headers, **self.account.headers(answer.cost)}
        return replace(answer, headers=headers)

    def _check(self, request: Request) -> None:
        now = clock.monotonic()
        self._calls = [call for call in self._calls if call > now - 1] + [now]
        if len(self._calls) > self.account.calls_per_second:
            raise OddsError(429, "EXCEEDED_FREQ_LIMIT", "Requests are coming too fast; slow down.")
        key = request.get("apiKey")
        if not key:
            raise OddsError(401, "MISSING_KEY", "API key is missing")
        if key != self.account.key:
            raise OddsError(401, "INVALID_KEY", "API key is not valid.")

    def _routed(self, request: Request, moment: Moment) -> Answer:
        path = request.path.strip("/")
        if path == "sports":
            sport = {"key": "basketball_nba", "group": "Basketball", "title": "NBA"}
            more = {"description": "US Basketball", "active": True, "has_outrights": False}
            return Answer([{**sport, **more}])
        past = path.removeprefix("historical/")
        is_past = past != path
        if is_past:
            moment = self._past(request, moment)
        if past == "sports/basketball_nba/events":
            events = _events(request, moment)
            return _snapshot(events, moment, min(len(events), 1)) if is_past else Answer(events)
        found = re.fullmatch(r"sports/basketball_nba/events/([^/]+)/odds", past)
        if found:
            event, cost = _event_odds(found[1], request, moment)
            self._require(cost * (10 if is_past else 1))
            return _snapshot(event, moment, 10 * cost) if is_past else Answer(event, cost=cost)
        if past == "sports/basketball_nba/odds":
            _markets(request, _MARKETS[len(_MARKETS_OF_PLAYERS) :])
            return Answer([])
        raise OddsError(404, "UNKNOWN_SPORT", "Unknown sport or path.")

    def _require(self, cost: int) -> None:
        if cost > self.account.left:
            raise OddsError(
                401,
                "OUT_OF_USAGE_CREDITS",
                "Usage quota has been reached. See usage plans at https://the-odds-api.com",
            )

    def _past(self, request: Request, moment: Moment) -> Moment:
        if not self.account.is_paid:
            raise OddsError(
                401,
                "HISTORICAL_UNAVAILABLE_ON_FREE_USAGE_PLAN",
                "Historical odds are only available on paid usage plans.",
            )
        at = _time(request, "date")
        if at is None:
            raise OddsError(422, "INVALID_HISTORICAL_TIMESTAMP", "Missing or invalid date")
        midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
        return replace(moment, now=at - (at - midnight) % _SNAPSHOTS)


def _snapshot(data: Any, moment: Moment, cost: int) -> Answer:
    times = {
        "timestamp": utc_text(moment.now),
        "previous_timestamp": utc_text(moment.now - _SNAPSHOTS),
        "next_timestamp": utc_text(moment.now + _SNAPSHOTS),
    }
    return Answer({**times, "data": data}, cost=cost)


def _time(request: Request, name: str) -> datetime | None:
    text = request.get(name)
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None
    except ValueError:
        code = f"INVALID_{re.sub('(?<!^)(?=[A-Z])', '_', name).upper()}"
        raise OddsError(422, code, f"Invalid {name} parameter.") from None


def _offered(moment: Moment) -> list[Game]:
    """Return the games that books offer: from two days before the tip-off to the end."""
    games = moment.games(moment.today - timedelta(days=1), moment.today + timedelta(days=3))
    return [
        game
        for game in games
        if moment.now >= game.tipoff - _OFFERED_BEFORE and moment.state(game) != FINAL
    ]


def _events(request: Request, moment: Moment) -> list[Json]:
    first, last = _time(request, "commenceTimeFrom"), _time(request, "commenceTimeTo")
    return [
        _event(game)
        for game in _offered(moment)
        if (first is None or game.tipoff >= first) and (last is None or game.tipoff <= last)
    ]


def _event(game: Game) -> Json:
    return {
        "id": event_id(game),
        "sport_key": "basketball_nba",
        "sport_title": "NBA",
        "commence_time": utc_text(game.tipoff),
        "home_team": TEAMS[game.home].odds_name,
        "away_team": TEAMS[game.away].odds_name,
    }


def _markets(request: Request, valid: tuple[str, ...]) -> list[str]:
    markets = (request.get("markets") or "h2h").split(",")
    unknown = [market for market in markets if market not in valid]
    if unknown:
        raise OddsError(
            422, "INVALID_MARKET", f"Markets not supported by this endpoint: {', '.join(unknown)}"
        )
    return markets


def _books(request: Request) -> tuple[dict[str, str], int]:
    """Return the books of a request, and the number of regions that it costs."""
    chosen = [key for key in request.get("bookmakers").split(",") if key]
    if chosen:
        unknown = [key for key in chosen if key not in _BOOKS]
        if unknown:
            raise OddsError(422, "INVALID_BOOKMAKERS", f"Invalid bookmakers: {unknown}")
        books = {key: _BOOKS[key] for key in chosen}
        return books, math.ceil(len(books) / _MOST_BOOKS_PER_REGION)
    regions = [region for region in request.get("regions").split(",") if region]
    if not regions:
        raise OddsError(422, "MISSING_REGION", "Missing regions parameter.")
    if not set(regions) <= set(REGIONS):
        raise OddsError(422, "INVALID_REGION", f"Invalid regions: {regions}")
    return {key: t for region in regions for key, t in REGIONS[region].items()}, len(regions)


def _event_odds(identifier: str, request: Request, moment: Moment) -> tuple[Json, int]:
    """Return an event with the books that quote it, and its cost."""
    if not re.fullmatch("[0-9a-f]{32}", identifier):
        raise OddsError(422, "INVALID_EVENT_ID", "Invalid event id.")
    markets = _markets(request, _MARKETS)
    books, regions = _books(request)
    if request.get("oddsFormat", "decimal") not in ("american", "decimal"):
        raise OddsError(422, "INVALID_ODDS_FORMAT", "Invalid oddsFormat parameter.")
    game = next((g for g in _offered(moment) if event_id(g) == identifier), None)
    if game is None:
        raise OddsError(404, "EVENT_NOT_FOUND", "Event not found. The event may have expired.")
    quoted = []
    for key, title in books.items():
        if POINTS in markets and moment.now >= _HISTORY_BEGINS:
            market = _market(key, game, moment)
            if market is not None:
                quoted.append({"key": key, "title": title, "markets": [market]})
    if request.get("oddsFormat", "decimal") == "decimal":
        for outcome in outcomes(quoted):
            outcome["price"] = _decimal(outcome["price"])
    # All books quote only one of the markets, so one market is returned, or none.
    return {**_event(game), "bookmakers": quoted}, regions if quoted else 0


def outcomes(books: list[Json]) -> Iterator[Json]:
    """Yield the outcomes of all markets of the books."""
    for book in books:
        for market in book["markets"]:
            yield from market["outcomes"]


def _decimal(american: int) -> float:
    return round(1 + (american / 100 if american > 0 else 100 / -american), 2)


def _market(book: str, game: Game, moment: Moment) -> Json | None:
    """Return the market of a book, None if it quotes no player at the moment."""
    assert moment.season is not None, "it has the game"
    is_live = moment.state(game) == LIVE
    listed = {
        player.player: player
        for team in (game.away, game.home)
        for player in moment.season.listed.get((game.day, team), [])
    }
    quoted: list[Json] = []
    for quote in moment.season.quotes.get(game.game_id, []):
        is_covered = chance(10, "covered", book, quote.player, game.game_id) < 8
        if not is_covered or not _is_open(quote, listed.get(quote.player), game, moment):
            continue
        # A market is suspended now and then during the game.
        if is_live and chance(4, "suspended", book, quote.player, moment.now.minute) == 0:
            continue
        line = _line(quote, book, game, moment)
        prices = _prices(book, quote, game, line)
        for side, price in zip(("Over", "Under"), prices, strict=True):
            quoted.append(
                {"name": side, "description": quote.player, "price": price, "point": line}
            )
    if not quoted:
        return None
    # Books are asked one after another, once a minute.
    asked = moment.now.replace(second=0, microsecond=0)
    asked -= timedelta(seconds=1 + chance(55, "asked", book))
    if is_live:
        asked = max(asked, game.tipoff + timedelta(seconds=1))
    return {"key": POINTS, "last_update": utc_text(asked), "outcomes": quoted}


def _is_open(quote: Quote, listed: Listed | None, game: Game, moment: Moment) -> bool:
    """Return whether books quote a player at the moment.

    Half of the players on the injury report get their lines in the afternoon. Those who turn out
    not to play lose them.
    """
    key = (quote.player, game.game_id)
    opens = eastern(game.day - timedelta(days=1), OPENING)
    if chance(5, "late", *key) == 0:
        opens = eastern(game.day, LATE_OPENING)
    if listed is not None and chance(2, "returns", *key) == 0:
        opens = eastern(game.day, RETURN)
    is_out = listed is not None and not listed.plays
    return opens <= moment.now and not (is_out and moment.now >= game.tipoff - DECISION)


def _line(quote: Quote, book: str, game: Game, moment: Moment) -> float:
    """Return the line of a book. Some lines move at noon and one hour before the tip-off."""
    key = (quote.player, game.game_id)
    line = math.floor(quote.line) + 0.5 + (0, 0, 0, 1, -1)[chance(5, "book", book, *key)]
    if moves_at_noon(quote, game) and moment.now >= eastern(game.day, MOVE):
        line += (-2, -1, 1, 2)[chance(4, "noon", *key)]
    if moves_late(quote, game) and moment.now >= game.tipoff - LAST_MOVE:
        line += (-1, 1)[chance(2, "last", *key)]
    if moment.state(game) == LIVE:
        line += chance(13, "live", *key, moment.now.hour, moment.now.minute // 5) - 6
    return max(line, 0.5)


def moves_at_noon(quote: Quote, game: Game) -> bool:
    """Return whether the line moves at 12:00 Eastern on the day of the game."""
    return chance(4, "moves at noon", quote.player, game.game_id) == 0


def moves_late(quote: Quote, game: Game) -> bool:
    """Return whether the line moves one hour before the tip-off."""
    return chance(4, "moves late", quote.player, game.game_id) == 0


def _prices(book: str, quote: Quote, game: Game, line: float) -> tuple[int, int]:
    if book in REGIONS["us_dfs"]:
        return _DFS_PRICE, _DFS_PRICE
    at = chance(len(_OVERS), "price", book, quote.player, game.game_id, line)
    return _OVERS[at], _OVERS[len(_OVERS) - 1 - at]
