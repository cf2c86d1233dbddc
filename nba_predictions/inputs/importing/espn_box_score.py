"""Box scores of ESPN: the summary of one game.

ESPN has its own ids of players. The NBA's ids are found by the names of the other documents of the
call.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from nba_predictions.domain.league.players import NameIndex, player_lookup
from nba_predictions.inputs.importing import espn
from nba_predictions.inputs.importing.documents import Document
from nba_predictions.inputs.importing.games import COUNT_NAMES, counts, require_team, team
from nba_predictions.inputs.importing.tables import Context, Conversion, Game, Row
from nba_predictions.inputs.importing.values import ConversionError, MissingContextError, Node

#: Two counts in one value, as in `8-14`.
_PAIRS: Final = {"FG": ("FGM", "FGA"), "3PT": ("FG3M", "FG3A"), "FT": ("FTM", "FTA")}
_NAMES: Final = (*("MIN", *_PAIRS, "OREB", "DREB", "AST", "STL", "BLK", "TO", "PF", "PTS"),)
_PAIR: Final = re.compile(r"([0-9]{1,3})-([0-9]{1,3})")
#: So many players are shown in an error.
_MOST_CANDIDATES: Final = 5


def recognizes(document: Document) -> bool:
    """Return whether the document has a box score with the players of teams."""
    root = document.root
    if root is None or "boxscore" not in root:
        return False
    return "header" in root or "players" in root["boxscore"]


def convert(document: Document, context: Context) -> Conversion:
    """Return the rows of both teams of a game. A player who did not play has no minutes.

    A player whose name is not that of exactly one known player is rejected, unless the player did
    not play.

    Raises:
        ConversionError: the game is not over, or a statistic is missing.
    """
    root = document.root
    assert root is not None, "the document is recognized"
    conversion = Conversion("player_game_logs")
    competition = espn.only_competition(root["header"])
    status = competition["status"]["type"]
    if status["completed"].value is not True:
        raise ConversionError(
            f"the game is not over (status {status['name'].text() or 'unknown'}), so its counts "
            "are not final; fetch it again after the game"
        )
    game = espn.game(competition)
    conversion.games[root["header"]["id"].name()] = game
    season = espn.season(root["header"]["season"])
    if season.is_preseason:
        conversion.drop("preseason")
        return conversion
    shared = {
        "SEASON_ID": season.season_id,
        "GAME_ID": None,
        "GAME_DATE": game.day,
        "observed_at": context.observed_at,
    }
    blocks = root["boxscore"]["players"].items()
    if len(blocks) != len(game.teams):
        raise root["boxscore"]["players"].error("a list with the players of both teams")
    players = _Players.of(game, context)
    for block in blocks:
        own = require_team(team(block["team"]["abbreviation"]), block["team"]["abbreviation"])
        of_team = {**shared, "TEAM_ABBREVIATION": own, "MATCHUP": game.matchup(own)}
        _convert_team(block, of_team, players, conversion)
    return conversion


@dataclass(frozen=True)
class _Players:
    """The known players by their names. `of_game` are the ids of those of the two teams."""

    index: NameIndex
    names: Mapping[int, str]
    of_game: frozenset[str]

    @classmethod
    def of(cls, game: Game, context: Context) -> _Players:
        of_game = frozenset(str(i) for i, own in context.teams.items() if own in game.teams)
        return cls(context.players(), context.names, of_game)

    def find(self, name: Node) -> int:
        """Return the NBA's id of a player: of the two teams first, then of the whole league.

        Raises:
            MissingContextError: no player, or several players, have the name.
        """
        try:
            lookup = player_lookup(name.name())
        except ValueError as error:
            raise MissingContextError(f"{name.path}: {error}") from error
        found = self.index.resolve(lookup, self.of_game)
        if found.player_lookup is not None:
            return int(found.player_lookup)
        problem = "has no PLAYER_ID"
        if found.candidates:
            problem = f"may be PLAYER_ID {' or '.join(found.candidates[:_MOST_CANDIDATES])}"
        raise MissingContextError(
            f"{name.path}: {name.value} {problem}; import the list of players (PlayerIndex) or a "
            "league game log in the same call"
        )


def _convert_team(block: Node, shared: Row, players: _Players, conversion: Conversion) -> None:
    statistics = block["statistics"].items()
    if not statistics:
        raise block["statistics"].error("a list with the statistics of the players")
    names = [name.name() for name in statistics[0]["names"].items()]
    missing = [name for name in _NAMES if name not in names and name != "REB"]
    if missing:
        raise ConversionError(
            f"{statistics[0]['names'].path}: {missing[0]} is missing (the names are "
            f"{', '.join(names)}); the layout is not known, use another source"
        )
    for athlete in statistics[0]["athletes"].items():
        conversion.add(_rows, athlete, names, shared, players, conversion)


def _rows(
    athlete: Node, names: list[str], shared: Row, players: _Players, conversion: Conversion
) -> list[Row]:
    cells = athlete["stats"].items()
    # A player without a line has no statistics.
    played = bool(cells) and athlete["didNotPlay"].value is not True
    if played and len(cells) != len(names):
        raise athlete["stats"].error(f"a list with {len(names)} values")
    statistics = _statistics(athlete["stats"], names) if played else athlete["stats"]
    minutes = statistics["MIN"].minutes() if played else None
    try:
        player = players.find(athlete["athlete"]["displayName"])
    except MissingContextError:
        if minutes is None:
            return conversion.drop("did_not_play")
        raise
    columns = {name: name for name in COUNT_NAMES if name != "REB" or "REB" in names}
    return [
        {
            **shared,
            "PLAYER_ID": player,
            "PLAYER_NAME": players.names[player],
            "MIN": minutes,
            **counts(statistics, columns, played=minutes is not None),
        }
    ]


def _statistics(stats: Node, names: list[str]) -> Node:
    """Return the statistics by the names of their columns."""
    values = {name: cell.value for name, cell in zip(names, stats.items(), strict=True)}
    values["TOV"] = values.pop("TO")
    for name, columns in _PAIRS.items():
        cell = Node(f"{stats.path}, {name}", values.pop(name))
        found = _PAIR.fullmatch(cell.name())
        if not found:
            raise cell.error("two counts, as in 8-14")
        values.update(zip(columns, found.groups(), strict=True))
    return Node(stats.path, values)
