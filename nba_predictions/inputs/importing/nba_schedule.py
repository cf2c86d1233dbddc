"""Schedules of the NBA: scheduleLeagueV2.json, scoreboardv3 and todaysScoreboard_00.json."""

from __future__ import annotations

from datetime import datetime

from nba_predictions.inputs.importing.documents import Document
from nba_predictions.inputs.importing.games import (
    OTHER_GAMES,
    TEAMS,
    day_of_game,
    game_id,
    is_postponed,
    season_id,
    sides,
    tipoff,
)
from nba_predictions.inputs.importing.tables import Context, Conversion, Game, Row
from nba_predictions.inputs.importing.values import Node

#: The kinds of games that count: season, playoffs, play-in and the Cup final.
_KINDS = frozenset("2456")


def recognizes(document: Document) -> bool:
    """Return whether the document is a schedule or a scoreboard of the NBA."""
    root = document.root
    return root is not None and any(key in root for key in ("leagueSchedule", "scoreboard"))


def convert(document: Document, context: Context) -> Conversion:
    """Return the games of the season. The dropped games are counted by reason."""
    root = document.root
    assert root is not None, "the document is recognized"
    observed_at = None
    if "meta" in root:
        observed_at = root["meta"]["time"].moment_or_none()
    observed_at = observed_at or context.observed_at
    conversion = Conversion("schedule")
    if "leagueSchedule" in root:
        for day in root["leagueSchedule"]["gameDates"].items():
            for game in day["games"].items():
                conversion.add(_rows, game, game["gameDateTimeUTC"], observed_at, conversion)
    else:
        for game in root["scoreboard"]["games"].items():
            conversion.add(_rows, game, game["gameTimeUTC"], observed_at, conversion)
    return conversion


def _rows(
    game: Node, start: Node, observed_at: datetime | None, conversion: Conversion
) -> list[Row]:
    identifier = game_id(game["gameId"])
    if identifier is None:
        raise game["gameId"].error("the id of a game")
    if identifier[2] not in _KINDS:
        return conversion.drop(OTHER_GAMES.get(identifier[2], "other_game"))
    away, home = sides(game)
    if away not in TEAMS or home not in TEAMS:
        return conversion.drop("teams_undecided")
    if is_postponed(game):
        return conversion.drop("postponed")
    day = day_of_game(game)
    if day is None:
        raise game["gameCode"].error("a day and two teams, as in 20261125/NYKBOS")
    assert away is not None and home is not None, "both are teams"
    neutral = game["isNeutral"].value is True
    conversion.games[identifier] = Game(day, (away, home), None if neutral else home)
    return [
        {
            "game_date": day,
            "away_team": away,
            "home_team": home,
            "tipoff": tipoff(start, game["gameStatusText"]),
            "GAME_ID": identifier,
            "SEASON_ID": season_id(identifier),
            "observed_at": observed_at,
        }
    ]
