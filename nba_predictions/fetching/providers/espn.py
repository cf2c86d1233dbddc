"""ESPN: scoreboards, box scores and injuries, if another service does not answer. Undocumented."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from nba_predictions.domain.league.games import TEAM_ALIASES, make_game_id
from nba_predictions.fetching.client import Ask, Judgment
from nba_predictions.fetching.providers.bodies import broken, object_of
from nba_predictions.fetching.transport import Answer
from nba_predictions.inputs.landing.zone import Outcome, Resource
from nba_predictions.inputs.port import GAMES, LOGS, REPORT

PROVIDER: Final = "espn"
SCOREBOARD, SUMMARY, INJURIES = "scoreboard", "summary", "injuries"
#: The only key of the injuries, which have no date.
CURRENT: Final = "current"


def scoreboard(base: str, game_date: date, headers: Mapping[str, str]) -> Ask:
    """Return the request for the games of a date."""
    url = f"{base}/scoreboard?dates={game_date:%Y%m%d}"
    resource = Resource(PROVIDER, SCOREBOARD, game_date.isoformat())
    return Ask(GAMES, resource, url, _judge("events", list), headers)


def summary(base: str, game_date: date, event_id: str, headers: Mapping[str, str]) -> Ask:
    """Return the request for the box score of a game."""
    url = f"{base}/summary?event={event_id}"
    resource = Resource(PROVIDER, SUMMARY, f"{game_date.isoformat()}.{event_id}")
    return Ask(LOGS, resource, url, _judge("boxscore", dict), headers)


def injuries(base: str, headers: Mapping[str, str]) -> Ask:
    """Return the request for the current injuries."""
    resource = Resource(PROVIDER, INJURIES, CURRENT)
    return Ask(REPORT, resource, f"{base}/injuries", _judge("injuries", list), headers)


def final_games(body: bytes, game_date: date) -> dict[str, str]:
    """Return the ids of ESPN of the games that are over, by game_id, in a landed scoreboard."""
    value, error = object_of(Answer(200, body), "events")
    found = {}
    for event in value["events"] if error is None else ():
        try:
            game = event["competitions"][0]
            sides = {c["homeAway"]: _team(c["team"]["abbreviation"]) for c in game["competitors"]}
            if event["status"]["type"]["completed"] is True:
                game_id = make_game_id(game_date, sides["away"], sides["home"])
                found[game_id] = str(event["id"])
        except (KeyError, IndexError, TypeError, ValueError):
            # An event of another form is no game that can be graded.
            continue
    return found


def _team(abbreviation: str) -> str:
    return TEAM_ALIASES.get(abbreviation, abbreviation)


def _judge(key: str, kind: type[Any]) -> Any:
    def judge(answer: Answer) -> Judgment:
        value, error = object_of(answer, key)
        if error is not None:
            return error
        if not isinstance(value[key], kind):
            return broken(f"{key} has another form than before")
        return Judgment(Outcome.NEW)

    return judge
