"""Lists of players: CommonAllPlayers, PlayerIndex, CommonTeamRoster and CommonPlayerInfo.

They are not an input. They add the names and teams of players to other documents of the call.
"""

from __future__ import annotations

from nba_predictions.domain.league.games import TEAM_ALIASES
from nba_predictions.inputs.importing.documents import Document, Table
from nba_predictions.inputs.importing.games import TEAMS
from nba_predictions.inputs.importing.tables import Context, Conversion
from nba_predictions.inputs.importing.values import slug

_IDS = ("personid", "playerid")
_TEAM = "teamabbreviation"
_NAMES = (("displayfirstlast",), ("player",), ("playerfirstname", "playerlastname"))


def _columns(table: Table) -> tuple[str, tuple[str, ...]] | None:
    by_slug = {slug(column): column for column in table.columns}
    identifier = next((by_slug[s] for s in _IDS if s in by_slug), None)
    for names in _NAMES:
        if identifier is not None and all(name in by_slug for name in names):
            return identifier, tuple(by_slug[name] for name in names)
    return None


def recognizes(document: Document) -> bool:
    """Return whether a table of the document has ids and full names of players."""
    return any(_columns(table) is not None for table in document.tables)


def convert(document: Document, context: Context) -> Conversion:
    """Return the names and teams for the context. A player without a team has none."""
    conversion = Conversion("")
    for table in document.tables:
        columns = _columns(table)
        if columns is None:
            continue
        team = next((c for c in table.columns if slug(c) == _TEAM), None)
        for node in table.nodes():
            identifier = node[columns[0]].whole()
            parts = [node[column].text() for column in columns[1]]
            if identifier is None or not any(parts):
                continue
            conversion.names[identifier] = " ".join(part for part in parts if part)
            own = None if team is None else node[team].text()
            if own is not None and TEAM_ALIASES.get(own, own) in TEAMS:
                conversion.teams[identifier] = TEAM_ALIASES.get(own, own)
    return conversion
