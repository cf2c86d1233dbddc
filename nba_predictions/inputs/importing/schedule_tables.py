"""Tables of games: schedules in the layout of the input files, and the data frame of nba_api."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from nba_predictions.inputs.importing.documents import Document
from nba_predictions.inputs.importing.games import (
    OTHER_GAMES,
    game_id,
    require_team,
    season_id,
    team,
    tipoff,
)
from nba_predictions.inputs.importing.tables import Context, Conversion, Game, Row
from nba_predictions.inputs.importing.values import Cells, Node

#: The names of the columns, reduced to letters and digits.
_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "game_date": ("gamedateest", "gamedate"),
    "away_team": ("awayteamteamtricode", "awayteam"),
    "home_team": ("hometeamteamtricode", "hometeam"),
    "tipoff": ("gamedatetimeutc", "tipoff", "commencetime"),
    "status": ("gamestatustext", "status"),
    "game_id": ("gameid",),
    "observed_at": ("observedat",),
}


def recognizes(document: Document) -> bool:
    """Return whether a table of the document has dates and two teams."""
    required = {"game_date", "away_team", "home_team"}
    return any(required <= set(table.named(_NAMES)) for table in document.tables)


def convert(document: Document, context: Context) -> Conversion:
    """Return one row per game. Preseason and All-Star games are dropped."""
    conversion = Conversion("schedule")
    for table in document.tables:
        columns = table.named(_NAMES)
        for node in table.nodes():
            conversion.add(_rows, node, columns, conversion, context)
    return conversion


def _rows(
    node: Node, columns: Mapping[str, str], conversion: Conversion, context: Context
) -> list[Row]:
    cells = Cells(node, columns)
    identifier = game_id(cells["game_id"])
    if identifier is not None and identifier[2] in OTHER_GAMES:
        return conversion.drop(OTHER_GAMES[identifier[2]])
    day = cells["game_date"].day()
    if day is None:
        raise cells["game_date"].error("a day")
    away, home = (require_team(team(cells[c]), cells[c]) for c in ("away_team", "home_team"))
    if identifier is not None:
        conversion.games[identifier] = Game(day, (away, home), home)
    return [
        {
            "game_date": day,
            "away_team": away,
            "home_team": home,
            "tipoff": tipoff(cells["tipoff"], cells["status"]),
            "GAME_ID": identifier,
            "SEASON_ID": None if identifier is None else season_id(identifier),
            "observed_at": cells["observed_at"].moment() or context.observed_at,
        }
    ]
