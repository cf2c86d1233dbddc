"""cdn.nba.com: the schedule of the season, one file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from nba_predictions.fetching.client import Ask, Judgment
from nba_predictions.fetching.providers.bodies import broken, moment_of, object_of
from nba_predictions.fetching.transport import Answer
from nba_predictions.inputs.landing.zone import Outcome, Resource
from nba_predictions.inputs.port import GAMES

PROVIDER: Final = "nba_cdn"
SCHEDULE: Final = "schedule"
#: The beginnings of the GAME_IDs of the games that count: regular season, playoffs, play-in, and
#: the final of the NBA Cup.
_COUNTED: Final = ("002", "004", "005", "006")
_SEASON: Final = re.compile(r"[0-9]{4}-[0-9]{2}")


def schedule(base: str, season: str, headers: Mapping[str, str], games_before: int) -> Ask:
    """Return the request for the schedule.

    Args:
        base: the base URL of the service.
        season: the season that is expected. The key is the season of the answer.
        headers: those of the request; the host requires a Referer.
        games_before: the games that count of the newest answer. Less than half are refused.
    """

    def judge(answer: Answer) -> Judgment:
        value, error = object_of(answer, "leagueSchedule")
        if error is not None:
            return error
        found = value["leagueSchedule"]
        if not isinstance(found, dict) or not isinstance(found.get("gameDates"), list):
            return broken("leagueSchedule has no gameDates")
        key = found.get("seasonYear")
        if not isinstance(key, str) or not _SEASON.fullmatch(key):
            return broken("leagueSchedule has no seasonYear such as 2026-27")
        games = len(_days(found["gameDates"]))
        if key == season and 2 * games < games_before:
            problem = f"the schedule shrank from {games_before} to {games} games"
            return Judgment(Outcome.REFUSED, problem, key=key)
        meta = value.get("meta")
        made_at = moment_of(meta.get("time")) if isinstance(meta, dict) else None
        return Judgment(Outcome.NEW, source_time=made_at, key=key)

    url = f"{base}/staticData/scheduleLeagueV2.json"
    return Ask(GAMES, Resource(PROVIDER, SCHEDULE, season), url, judge, headers)


def game_days(body: bytes) -> list[date]:
    """Return the date of each game that counts of a landed schedule, in order."""
    value, error = object_of(Answer(200, body), "leagueSchedule")
    return [] if error else sorted(_days(value["leagueSchedule"]["gameDates"]))


def _days(of_dates: list[Any]) -> list[date]:
    days = []
    for of_date in of_dates:
        games = of_date.get("games") if isinstance(of_date, dict) else None
        for game in games if isinstance(games, list) else ():
            if isinstance(game, dict) and str(game.get("gameId")).startswith(_COUNTED):
                try:
                    days.append(date.fromisoformat(str(game.get("gameDateEst"))[:10]))
                except ValueError:
                    continue
    return days
