"""Box scores of one game in nested JSON: boxscoretraditionalv3, and live data of the NBA's CDN."""

from __future__ import annotations

from nba_predictions.inputs.importing.documents import Document
from nba_predictions.inputs.importing.games import (
    COUNT_NAMES,
    counts,
    day_of_game,
    game_id,
    require_team,
    season_id,
    sides,
)
from nba_predictions.inputs.importing.tables import Context, Conversion, Game, Row
from nba_predictions.inputs.importing.values import ConversionError, Node

_COUNTS = {name: spellings[-1] for name, spellings in COUNT_NAMES.items()}
#: The members of `statistics`, in the spelling of the JSON.
_MEMBERS = {
    "fieldgoalsmade": "fieldGoalsMade",
    "fieldgoalsattempted": "fieldGoalsAttempted",
    "threepointersmade": "threePointersMade",
    "threepointersattempted": "threePointersAttempted",
    "freethrowsmade": "freeThrowsMade",
    "freethrowsattempted": "freeThrowsAttempted",
    "reboundsoffensive": "reboundsOffensive",
    "reboundsdefensive": "reboundsDefensive",
    "reboundstotal": "reboundsTotal",
    "foulspersonal": "foulsPersonal",
}
_COLUMNS = {name: _MEMBERS.get(member, member) for name, member in _COUNTS.items()}
_FINAL = 3


def _game(document: Document) -> Node | None:
    """Return the game of a document, which may be the whole answer or only its game."""
    root = document.root
    if root is None:
        return None
    for key in ("boxScoreTraditional", "game"):
        if key in root and isinstance(root[key].value, dict):
            return root[key]
    return root if "gameId" in root and "homeTeam" in root else None


def recognizes(document: Document) -> bool:
    """Return whether the document is one game with the players of both teams."""
    game = _game(document)
    return game is not None and any(
        side in game and "players" in game[side] for side in ("homeTeam", "awayTeam")
    )


def convert(document: Document, context: Context) -> Conversion:
    """Return the rows of both teams. A player who did not play has no minutes.

    Raises:
        MissingContextError: the date of the game is neither in the document nor in the context.
        ConversionError: the game is not over.
    """
    game = _game(document)
    assert game is not None, "the document is recognized"
    status = game["gameStatus"].whole()
    if status is not None and status != _FINAL:
        raise ConversionError(
            f"the game is not over (status {game['gameStatusText'].text() or status}), so its "
            "counts are not final; fetch it again after the game"
        )
    identifier = game_id(game["gameId"])
    if identifier is None:
        raise game["gameId"].error("the id of a game")
    known = context.games.get(identifier) or _game_of(game, identifier, context)
    conversion = Conversion("player_game_logs", games={identifier: known})
    root = document.root
    observed_at = None
    if root is not None and "meta" in root:
        observed_at = root["meta"]["time"].moment_or_none()
    for side in ("awayTeam", "homeTeam"):
        team = require_team(sides(game)[side == "homeTeam"], game[side]["teamTricode"])
        shared = {
            "SEASON_ID": season_id(identifier),
            "GAME_ID": identifier,
            "GAME_DATE": known.day,
            "TEAM_ABBREVIATION": team,
            "MATCHUP": known.matchup(team),
            "observed_at": observed_at or context.observed_at,
        }
        for player in game[side]["players"].items():
            conversion.add(_rows, player, shared)
    conversion.names.update((row["PLAYER_ID"], row["PLAYER_NAME"]) for row in conversion.rows)
    return conversion


def _game_of(game: Node, identifier: str, context: Context) -> Game:
    day = day_of_game(game)
    if day is None:
        return context.game(identifier)
    away, home = sides(game)
    away = require_team(away, game["awayTeam"]["teamTricode"])
    return Game(day, (away, require_team(home, game["homeTeam"]["teamTricode"])), home)


def _rows(player: Node, shared: Row) -> list[Row]:
    identifier = player["personId"].whole()
    if identifier is None or identifier < 0:
        raise player["personId"].error("the id of a player")
    parts = [player[key].text() for key in ("firstName", "familyName")]
    name = " ".join(part for part in parts if part) or player["name"].name()
    statistics = player["statistics"]
    minutes = statistics["minutes"].minutes()
    # The live data lists players who did not play with a time of 0.
    if player["played"].text() == "0":
        minutes = None
    return [
        {
            **shared,
            "PLAYER_ID": identifier,
            "PLAYER_NAME": name,
            "MIN": minutes,
            **counts(statistics, _COLUMNS, played=minutes is not None),
        }
    ]
