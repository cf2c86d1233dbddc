"""Lines of Underdog: `over_under_lines`, `appearances`, `players` and `games`."""

from __future__ import annotations

import re

from nba_predictions.inputs.importing.documents import Document
from nba_predictions.inputs.importing.games import require_team, team
from nba_predictions.inputs.importing.lines import (
    OVER,
    UNDER,
    is_over_only,
    line_kind,
    market_name,
)
from nba_predictions.inputs.importing.tables import Context, Conversion, Row
from nba_predictions.inputs.importing.values import ConversionError, Node

_BOOK = "Underdog"
_SPORT = "NBA"
_SIDES = {"higher": OVER, "over": OVER, "lower": UNDER, "under": UNDER}
#: Underdog calls the main line of a player balanced.
_KINDS = {"balanced": "standard"}
_TITLE = re.compile(r"(.+?) (?:@|at|vs\.?) (.+)")

_ById = dict[str, Node]


def recognizes(document: Document) -> bool:
    """Return whether the document has lines of Underdog."""
    return document.root is not None and "over_under_lines" in document.root


def convert(document: Document, context: Context) -> Conversion:
    """Return one row per line and offered side. Lines of games in play are dropped."""
    root = document.root
    assert root is not None, "the document is recognized"
    tables = {name: _by_id(root, name) for name in ("appearances", "players", "games")}
    conversion = Conversion("points_lines")
    for line in root["over_under_lines"].items():
        conversion.add(_rows, line, tables, conversion, context)
    return conversion


def _by_id(root: Node, name: str) -> _ById:
    items = root[name].items() if name in root else []
    return {item["id"].text() or "": item for item in items}


def _find(by_id: _ById, reference: Node, name: str) -> Node:
    found = by_id.get(reference.name())
    if found is None:
        raise reference.error(f"the id of one of the {name} of the document")
    return found


def _rows(
    line: Node, tables: dict[str, _ById], conversion: Conversion, context: Context
) -> list[Row]:
    if line["live_event"].value is True:
        return conversion.drop("in_play")
    if (line["status"].text() or "active") != "active":
        return conversion.drop("suspended")
    over_under = line["over_under"]
    stat = over_under["appearance_stat"]
    appearance = _find(tables["appearances"], stat["appearance_id"], "appearances")
    player = _find(tables["players"], appearance["player_id"], "players")
    if (player["sport_id"].text() or _SPORT).upper() != _SPORT:
        return conversion.drop("other_league")
    match_id = appearance["match_id"].text()
    if match_id not in tables["games"]:
        return conversion.drop("not_of_a_game")
    game = tables["games"][match_id]
    start = game["scheduled_at"].moment()
    if start is None:
        raise game["scheduled_at"].error("a time")
    away, home = _teams(game)
    value = line["stat_value"].number()
    if value is None:
        raise line["stat_value"].error("a number")
    label = line_kind(line["line_type"].text()) or "standard"
    kind = _KINDS.get(label, label)
    own = appearance["team_id"].text()
    of_team = {game["home_team_id"].text(): home, game["away_team_id"].text(): away}
    names = [player[key].text() for key in ("first_name", "last_name")]
    shared = {
        "player": " ".join(name for name in names if name),
        "team": of_team.get(own) if own else None,
        "market": market_name(stat["stat"].text() or stat["display_stat"].name()),
        "bookmaker": _BOOK,
        "line": value,
        "line_kind": kind,
        "home_team": home,
        "away_team": away,
        "commence_time": start,
    }
    if not shared["player"]:
        raise player["last_name"].error("a name")
    return _sides(line, shared, kind, conversion, context)


def _teams(game: Node) -> tuple[str, str]:
    """Return the away team and the home team of a game's title, as in `BOS @ LAL`."""
    for key in ("abbreviated_title", "short_title", "title", "full_team_names_title"):
        found = _TITLE.fullmatch(game[key].text() or "")
        if found:
            names = [Node(game[key].path, name) for name in found.groups()]
            try:
                away, home = (require_team(team(name), name) for name in names)
            except ConversionError:
                continue
            return away, home
    raise game["title"].error("a game of two teams, as in BOS @ LAL")


def _sides(
    line: Node, shared: Row, kind: str, conversion: Conversion, context: Context
) -> list[Row]:
    rows = []
    for option in line["options"].items():
        side = _SIDES.get(option["choice"].name().lower())
        if side is None:
            raise option["choice"].error("higher or lower")
        if (option["status"].text() or "active") != "active":
            conversion.drop("suspended")
        elif side == UNDER and is_over_only(kind):
            conversion.drop("under_not_offered")
        else:
            updated = option["updated_at"].moment() or line["updated_at"].moment()
            rows.append(
                {
                    **shared,
                    "side": side,
                    "price": option["american_price"].whole(),
                    "observed_at": updated or context.observed_at,
                }
            )
    return rows
