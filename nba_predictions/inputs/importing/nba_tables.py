"""Box scores in tables: answers of stats.nba.com, and what nba_api and data frames make of them.

The endpoints are LeagueGameLog, PlayerGameLogs, PlayerGameLog, BoxScoreTraditionalV2 and the data
frames of BoxScoreTraditionalV3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

from nba_predictions.domain.league.games import TEAM_ALIASES
from nba_predictions.inputs.importing.documents import Document, Table
from nba_predictions.inputs.importing.games import COUNT_NAMES, counts, game_id, season_id
from nba_predictions.inputs.importing.tables import Context, Conversion, Game, Row
from nba_predictions.inputs.importing.values import (
    Cells,
    ConversionError,
    MissingContextError,
    Node,
    slug,
)

#: The names of the other columns, reduced to letters and digits.
_NAMES: dict[str, tuple[str, ...]] = {
    "SEASON_ID": ("seasonid",),
    "GAME_ID": ("gameid",),
    "GAME_DATE": ("gamedate",),
    "PLAYER_ID": ("playerid", "personid"),
    "PLAYER_NAME": ("playername",),
    "FIRST_NAME": ("firstname",),
    "FAMILY_NAME": ("familyname",),
    "TEAM": ("teamabbreviation", "teamtricode"),
    "MATCHUP": ("matchup",),
    # PlayerGameLogs has decimal minutes in MIN, and MM:SS in MIN_SEC.
    "MIN": ("minsec", "min", "minutes"),
    "observed_at": ("observedat",),
    **COUNT_NAMES,
}
_COUNTS_OF_ALL_FORMS = ("FGM", "FGA", "FG3M", "FTM", "PTS")
#: The names of game logs as an answer or a data set has them, reduced to letters and digits.
_LOGS = ("leaguegamelog", "playergamelogs", "playergamelog")
_MATCHUP = re.compile(r"([A-Z0-9]{2,4}) (@|vs\.?) ([A-Z0-9]{2,4})")


def _has_box_scores(table: Table) -> bool:
    return set(_COUNTS_OF_ALL_FORMS) <= set(table.named(_NAMES))


def recognizes(document: Document) -> bool:
    """Return whether a table of the document has the counts of box scores."""
    return any(map(_has_box_scores, document.tables)) or _is_empty_log(document)


def _is_empty_log(document: Document) -> bool:
    """Return whether the document is an answer without rows, with the name of a game log."""
    value = None if document.root is None else document.root.value
    if not isinstance(value, dict) or any(table.rows for table in document.tables):
        return False
    return any(slug(str(name)) in _LOGS for name in (value.get("resource"), *value))


def convert(document: Document, context: Context) -> Conversion:
    """Return the rows of the players in all tables with box scores.

    Raises:
        MissingContextError: the rows lack a date, a matchup or a name.
        ConversionError: the tables have no rows of players and games.
    """
    conversion = Conversion("player_game_logs")
    tables = [table for table in document.tables if _has_box_scores(table)]
    of_players = [table for table in tables if "PLAYER_ID" in table.named(_NAMES)]
    if not of_players:
        if _is_empty_log(document):
            return conversion
        raise ConversionError(
            "it has the statistics of teams, and no PLAYER_ID; fetch the log of players: "
            "PlayerOrTeam=P, in nba_api player_or_team_abbreviation='P'"
        )
    for table in of_players:
        _convert_table(table, conversion, context)
    return conversion


def _convert_table(table: Table, conversion: Conversion, context: Context) -> None:
    columns = table.named(_NAMES)
    missing = [name for name in ("MIN", *COUNT_NAMES) if name not in columns and name != "REB"]
    if missing:
        raise ConversionError(
            f"the column {missing[0]} is missing (the columns are {', '.join(table.columns[:40])});"
            " fetch a traditional box score or a game log"
        )
    if "GAME_ID" not in columns and not {"GAME_DATE", "MATCHUP"} <= set(columns):
        raise ConversionError(
            "its rows are totals or averages over games, without GAME_ID or GAME_DATE and MATCHUP; "
            "fetch a game log"
        )
    for node in table.nodes():
        conversion.add(_row, node, columns, conversion, context)


def _row(
    node: Node, columns: Mapping[str, str], conversion: Conversion, context: Context
) -> list[Row]:
    cells = Cells(node, columns)
    player = cells["PLAYER_ID"].whole()
    if player is None or player < 0:
        raise cells["PLAYER_ID"].error("the id of a player")
    game = game_id(cells["GAME_ID"])
    day = cells["GAME_DATE"].day()
    team, matchup = _team_and_matchup(cells["TEAM"], cells["MATCHUP"], day, game, context)
    if day is None:
        day = context.game(game or "").day
    minutes = cells["MIN"].minutes()
    count_columns = {name: columns[name] for name in COUNT_NAMES if name in columns}
    row = {
        "SEASON_ID": cells["SEASON_ID"].whole() or (season_id(game) if game else None),
        "GAME_ID": game,
        "GAME_DATE": day,
        "PLAYER_ID": player,
        "PLAYER_NAME": _name(cells, player, context),
        "TEAM_ABBREVIATION": team,
        "MATCHUP": matchup,
        "MIN": minutes,
        **counts(node, count_columns, played=minutes is not None),
        "observed_at": cells["observed_at"].moment() or context.observed_at,
    }
    _add_context(conversion, row)
    return [row]


def _team_and_matchup(
    team: Node, matchup: Node, day: date | None, game: str | None, context: Context
) -> tuple[str, str]:
    own = team.text()
    text = matchup.text()
    if text is not None and day is not None:
        found = _MATCHUP.fullmatch(text)
        if not found:
            raise matchup.error("two teams, as in `DAL @ ATL` or `PHI vs. SAS`")
        first, at, second = found.groups()
        first, second = TEAM_ALIASES.get(first, first), TEAM_ALIASES.get(second, second)
        return TEAM_ALIASES.get(own or first, own or first), f"{first} {at} {second}"
    if own is None:
        raise team.error("a team")
    if game is None:
        raise ConversionError(f"{team.path.partition(',')[0]} has no date and no GAME_ID")
    own = TEAM_ALIASES.get(own, own)
    return own, context.game(game).matchup(own)


def _name(cells: Cells, player: int, context: Context) -> str:
    name = cells["PLAYER_NAME"].text()
    if name is None:
        parts = (cells["FIRST_NAME"].text(), cells["FAMILY_NAME"].text())
        name = " ".join(part for part in parts if part) or context.names.get(player)
    if name is None:
        raise MissingContextError(
            f"the name of the player with PLAYER_ID {player} is missing; import the list of "
            "players (CommonAllPlayers or PlayerIndex) or a league game log in the same call"
        )
    return str(name)


def _add_context(conversion: Conversion, row: Row) -> None:
    conversion.names[row["PLAYER_ID"]] = row["PLAYER_NAME"]
    conversion.teams[row["PLAYER_ID"]] = row["TEAM_ABBREVIATION"]
    found = _MATCHUP.fullmatch(row["MATCHUP"])
    if row["GAME_ID"] is None or found is None:
        return
    first, at, second = found.groups()
    home = first if at != "@" else second
    known = conversion.games.get(row["GAME_ID"])
    if known is not None and known.home != home:
        # On a neutral court both teams are written with @.
        home = None
    conversion.games[row["GAME_ID"]] = Game(row["GAME_DATE"], (first, second), home)
