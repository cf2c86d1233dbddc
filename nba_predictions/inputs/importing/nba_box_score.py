"""Box scores of one game in nested JSON: boxscoretraditionalv3, and live data of the NBA's CDN."""

from __future__ import annotations

from datetime import datetime

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


def _answers(document: Document) -> list[Node]:
    """Return the answers of a document: itself, or the items of a list."""
    root = document.root
    if root is None:
        return []
    return root.items() if isinstance(root.value, list) else [root]


def _game(answer: Node) -> Node | None:
    """Return the game of an answer, which may be the whole answer or only its game."""
    for key in ("boxScoreTraditional", "game"):
        if key in answer and isinstance(answer[key].value, dict):
            return answer[key]
    return answer if "gameId" in answer and "homeTeam" in answer else None


def recognizes(document: Document) -> bool:
    """Return whether the document has games with the players of their teams."""
    games = [_game(answer) for answer in _answers(document)]
    return any(
        game is not None and side in game and "players" in game[side]
        for game in games
        for side in ("homeTeam", "awayTeam")
    )


def convert(document: Document, context: Context) -> Conversion:
    """Return the rows of both teams of each game. A player who did not play has no minutes.

    Raises:
        MissingContextError: the date of a game is neither in the document nor in the context.
        ConversionError: a game is not over.
    """
    conversion = Conversion("player_game_logs")
    for answer in _answers(document):
        game = _game(answer)
        if game is None:
            raise answer.error("a box score")
        observed_at = answer["meta"]["time"].moment_or_none() if "meta" in answer else None
        _convert_game(game, observed_at or context.observed_at, conversion, context)
    conversion.names.update((row["PLAYER_ID"], row["PLAYER_NAME"]) for row in conversion.rows)
    return conversion


def _convert_game(
    game: Node, observed_at: datetime | None, conversion: Conversion, context: Context
) -> None:
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
    conversion.games[identifier] = known
    for side in ("awayTeam", "homeTeam"):
        team = require_team(sides(game)[side == "homeTeam"], game[side]["teamTricode"])
        shared = {
            "SEASON_ID": season_id(identifier),
            "GAME_ID": identifier,
            "GAME_DATE": known.day,
            "TEAM_ABBREVIATION": team,
            "MATCHUP": known.matchup(team),
            "observed_at": observed_at,
        }
        for player in game[side]["players"].items():
            conversion.add(_rows, player, shared)


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
