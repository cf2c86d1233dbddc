"""cdn.nba.com: the schedule of the season, one file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timezone
from typing import Any, Final

from nba_predictions.fetching.client import Ask, Judgment
from nba_predictions.fetching.providers.bodies import broken, object_of
from nba_predictions.fetching.transport import Answer
from nba_predictions.inputs.landing.zone import Outcome, Resource
from nba_predictions.inputs.port import GAMES

PROVIDER: Final = "nba_cdn"
SCHEDULE: Final = "schedule"
#: The beginning of the GAME_ID of a regular-season game.
_REGULAR: Final = "002"


def schedule(base: str, season: str, headers: Mapping[str, str], games_before: int) -> Ask:
    """Return the request for the schedule.

    Args:
        base: the base URL of the service.
        season: the season that is expected. The key is the season of the answer.
        headers: those of the request; the host requires a Referer.
        games_before: the regular-season games of the newest answer. Far fewer are refused.
    """

    def judge(answer: Answer) -> Judgment:
        value, error = object_of(answer, "leagueSchedule")
        if error is not None:
            return error
        found = value["leagueSchedule"]
        if not isinstance(found, dict) or not isinstance(found.get("gameDates"), list):
            return broken("leagueSchedule has no gameDates")
        key = found.get("seasonYear")
        if not isinstance(key, str) or not key:
            return broken("leagueSchedule has no seasonYear")
        games = len(_regular_days(found))
        if key == season and 2 * games < games_before:
            problem = f"the schedule shrank from {games_before} to {games} regular-season games"
            return Judgment(Outcome.REFUSED, problem, key=key)
        return Judgment(Outcome.NEW, source_time=_moment(value.get("meta")), key=key)

    url = f"{base}/staticData/scheduleLeagueV2.json"
    return Ask(GAMES, Resource(PROVIDER, SCHEDULE, season), url, judge, headers)


def regular_days(body: bytes) -> list[date]:
    """Return the date of each regular-season game of a landed schedule, in order."""
    value, error = object_of(Answer(200, body), "leagueSchedule")
    return [] if error else sorted(_regular_days(value["leagueSchedule"]))


def _regular_days(schedule: dict[str, Any]) -> list[date]:
    days = []
    for of_date in schedule["gameDates"]:
        for game in of_date.get("games", ()) if isinstance(of_date, dict) else ():
            if isinstance(game, dict) and str(game.get("gameId", "")).startswith(_REGULAR):
                text = str(game.get("gameDateEst") or game.get("gameDateTimeEst") or "")[:10]
                try:
                    days.append(date.fromisoformat(text))
                except ValueError:
                    continue
    return days


def _moment(meta: Any) -> datetime | None:
    """Return the time at which the service made the file."""
    text = str(meta.get("time") or "") if isinstance(meta, dict) else ""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment.astimezone(timezone.utc) if moment.tzinfo else None
