"""Tables of lines: exports of fantasy operators and books with one row per line or side."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

from nba_predictions.domain.league.games import eastern_date
from nba_predictions.inputs.importing.documents import Document, Table
from nba_predictions.inputs.importing.games import require_team, team, teams_of_line
from nba_predictions.inputs.importing.lines import (
    OVER,
    UNDER,
    both,
    is_over_only,
    line_kind,
    market_name,
    sides_of,
)
from nba_predictions.inputs.importing.tables import Context, Conversion, Row
from nba_predictions.inputs.importing.values import Cells, ConversionError, Node, slug

#: The names of the columns, reduced to letters and digits.
_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "player": ("player", "playername", "name", "athlete"),
    "market": ("market", "stattype", "prop", "proptype", "stat", "category"),
    "line": ("line", "linescore", "projection", "point", "value", "statvalue", "target"),
    "kind": ("linekind", "oddstype", "linetype", "projectiontype", "type", "tier"),
    "bookmaker": ("bookmaker", "book", "sportsbook", "operator", "site", "platform", "source"),
    "side": ("side", "overunder", "pick", "choice"),
    "price": ("price", "odds", "americanprice", "americanodds"),
    "over_price": ("overprice", "overodds"),
    "under_price": ("underprice", "underodds"),
    "team": ("team", "playerteam", "teamabbreviation"),
    "opponent": ("opponent", "opp", "versus", "vs", "against", "opponentteam"),
    "home_team": ("hometeam", "home"),
    "away_team": ("awayteam", "away"),
    "start": ("commencetime", "starttime", "gametime", "tipoff", "start", "scheduledat"),
    "day": ("gamedate", "date", "day"),
    "league": ("league", "leaguename", "sport"),
    "snap": ("snap",),
    "observed_at": ("observedat", "updatedat", "lastupdate", "quotedat", "timestamp"),
}
_SIDES: Final = {
    **dict.fromkeys(("over", "o", "higher", "more"), OVER),
    **dict.fromkeys(("under", "u", "lower", "less"), UNDER),
}
#: Operators that a file's name may state if no column does.
_OPERATORS: Final = {
    "prizepicks": "PrizePicks",
    "underdog": "Underdog",
    "sleeper": "Sleeper",
    "parlayplay": "ParlayPlay",
    "pick6": "Pick6",
    "betr": "Betr",
    "dabble": "Dabble",
}
#: Only PrizePicks has these kinds of lines.
_KINDS_OF_PRIZEPICKS: Final = ("demon", "goblin")


def recognizes(document: Document) -> bool:
    """Return whether a table of the document has players, markets and lines."""
    return any(
        {"player", "market", "line"} <= set(table.named(_NAMES)) for table in document.tables
    )


def convert(document: Document, context: Context) -> Conversion:
    """Return one row per line and side.

    Raises:
        ConversionError: the document does not say which operator or book it is from.
    """
    conversion = Conversion("points_lines")
    for table in document.tables:
        columns = table.named(_NAMES)
        if {"player", "market", "line"} <= set(columns):
            book = _operator(document.name, table, columns)
            for node in table.nodes():
                conversion.add(_rows, node, columns, book, conversion, context)
    return conversion


def _operator(name: str, table: Table, columns: Mapping[str, str]) -> str | None:
    """Return the operator of a table without a column for it."""
    if "bookmaker" in columns:
        return None
    if "kind" in columns:
        kinds = {str(row.get(columns["kind"])).lower() for row in table.rows}
        if any(word in kind for kind in kinds for word in _KINDS_OF_PRIZEPICKS):
            return _OPERATORS["prizepicks"]
    for word, operator in _OPERATORS.items():
        if word in slug(name):
            return operator
    raise ConversionError(
        "it does not say which operator or book the lines are from; add a column `bookmaker`, for "
        "example with PrizePicks"
    )


def _rows(
    node: Node,
    columns: Mapping[str, str],
    book: str | None,
    conversion: Conversion,
    context: Context,
) -> list[Row]:
    cells = Cells(node, columns)
    league = cells["league"].text()
    if league is not None and league.upper() not in ("NBA", "BASKETBALL", "BASKETBALL_NBA"):
        return conversion.drop("other_league")
    kind = line_kind(cells["kind"].text())
    line = cells["line"].number()
    if line is None:
        raise cells["line"].error("a number")
    start, day = _time(cells["start"], cells["day"], cells["snap"])
    snap = cells["snap"].moment_or_none()
    shared = {
        "player": cells["player"].name(),
        "team": team(cells["team"]),
        "market": market_name(cells["market"].name()),
        "bookmaker": book or cells["bookmaker"].name(),
        "line": line,
        "line_kind": kind,
        **_teams(
            cells["team"], cells["opponent"], cells["home_team"], cells["away_team"], day, context
        ),
        "commence_time": start,
        # Without a tip-off, the source takes the game date from this day.
        "snap": day if start is None else None if snap else cells["snap"].day(),
        "observed_at": snap or cells["observed_at"].moment_or_none() or context.observed_at,
    }
    if "side" in columns:
        return _one_side(cells["side"], cells["price"], shared, conversion)
    if "over_price" in columns or "under_price" in columns:
        prices = {OVER: cells["over_price"].whole(), UNDER: cells["under_price"].whole()}
        quoted = [side for side in sides_of(kind) if prices[side] is not None]
        return [{**shared, "side": side, "price": prices[side]} for side in quoted]
    return both(shared, sides_of(kind))


def _one_side(side: Node, price: Node, shared: Row, conversion: Conversion) -> list[Row]:
    name = _SIDES.get(side.name().lower())
    if name is None:
        raise side.error("Over or Under")
    if name == UNDER and is_over_only(shared["line_kind"]):
        return conversion.drop("under_not_offered")
    return [{**shared, "side": name, "price": price.whole()}]


def _time(start: Node, day: Node, snap: Node) -> tuple[datetime | None, date]:
    """Return the tip-off, if it is known, and the game date."""
    try:
        moment = start.moment()
    except ConversionError:
        # A column for the start may contain only the day.
        return None, start.day() or date.min
    if moment is not None:
        return moment, eastern_date(moment)
    known = day.day() or snap.day()
    if known is None:
        raise ConversionError(
            f"{start.path} is missing or empty, and so is the date; add the start of the game with "
            "its time zone, or the date of the game in US Eastern time"
        )
    return None, known


def _teams(own: Node, opponent: Node, home: Node, away: Node, day: date, context: Context) -> Row:
    names = (team(home), team(away))
    if names[0] is not None and names[1] is not None:
        return {"home_team": names[0], "away_team": names[1]}
    return teams_of_line(require_team(team(own), own), opponent, day, context)
