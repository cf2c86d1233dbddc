"""ESPN: scoreboards, box scores and injuries, if another service does not answer. Undocumented."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from nba_predictions.domain.league.games import TEAM_ALIASES
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
    return Ask(LOGS, resource, url, _judge_summary, headers)


def injuries(base: str, headers: Mapping[str, str]) -> Ask:
    """Return the request for the current injuries."""
    resource = Resource(PROVIDER, INJURIES, CURRENT)
    return Ask(REPORT, resource, f"{base}/injuries", _judge("injuries", list), headers)


def has_games(body: bytes) -> bool:
    """Return whether a landed scoreboard has any game. Any other body may have some."""
    value, error = object_of(Answer(200, body), "events")
    return error is not None or bool(value["events"])


def final_games(body: bytes) -> dict[frozenset[str], str]:
    """Return the ids of ESPN of the games that are over, by their teams, in a landed scoreboard.

    On a neutral court, ESPN may have another home team than the league.
    """
    value, error = object_of(Answer(200, body), "events")
    found = {}
    for event in value["events"] if error is None else ():
        try:
            game = event["competitions"][0]
            sides = {c["homeAway"]: _team(c["team"]["abbreviation"]) for c in game["competitors"]}
            identifier = str(event["id"])
            if event["status"]["type"]["completed"] is True and identifier.isdecimal():
                found[frozenset((sides["away"], sides["home"]))] = identifier
        except (KeyError, IndexError, TypeError, AttributeError):
            # An event of another form is no game that can be graded.
            continue
    return found


def _team(abbreviation: str) -> str:
    return TEAM_ALIASES.get(abbreviation, abbreviation)


def _judge_summary(answer: Answer) -> Judgment:
    value, error = object_of(answer, "boxscore")
    if error is not None:
        return error
    box_score = value["boxscore"]
    teams = box_score.get("players") if isinstance(box_score, dict) else None
    # The summary of a game may be there before its box score.
    return Judgment(Outcome.NEW) if teams else broken("boxscore has no players")


def _judge(key: str, kind: type[Any]) -> Any:
    def judge(answer: Answer) -> Judgment:
        value, error = object_of(answer, key)
        if error is not None:
            return error
        if not isinstance(value[key], kind):
            return broken(f"{key} has another form than before")
        return Judgment(Outcome.NEW)

    return judge
