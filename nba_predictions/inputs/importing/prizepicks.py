"""Projections of PrizePicks: JSON:API with `data` and `included`."""

from __future__ import annotations

from nba_predictions.domain.league.games import eastern_date
from nba_predictions.inputs.importing.documents import Document
from nba_predictions.inputs.importing.games import require_team, team, teams_of_line
from nba_predictions.inputs.importing.lines import both, line_kind, market_name, sides_of
from nba_predictions.inputs.importing.tables import Context, Conversion, Row
from nba_predictions.inputs.importing.values import Node

_BOOK = "PrizePicks"
_LEAGUE = "NBA"
#: The id of the league in the service, for exports without `included` leagues.
_LEAGUE_ID = "7"
_BEFORE_TIPOFF = (None, "pre_game", "scheduled")

_Included = dict[tuple[str, str], Node]


def recognizes(document: Document) -> bool:
    """Return whether the document has projections."""
    root = document.root
    if root is None or not isinstance(root.value, dict):
        return False
    data = root.value.get("data")
    return isinstance(data, list) and any(
        isinstance(item, dict)
        and (
            item.get("type") == "projection"
            or (isinstance(item.get("attributes"), dict) and "line_score" in item["attributes"])
        )
        for item in data
    )


def convert(document: Document, context: Context) -> Conversion:
    """Return the projections of single NBA players, one row per side that can be taken."""
    root = document.root
    assert root is not None, "the document is recognized"
    included: _Included = {}
    if "included" in root:
        for item in root["included"].items():
            key = (item["type"].text() or "", item["id"].text() or "")
            included[key] = item["attributes"]
    conversion = Conversion("points_lines")
    for projection in root["data"].items():
        conversion.add(_rows, projection, included, conversion, context)
    return conversion


def _related(projection: Node, included: _Included, *names: str) -> tuple[str, Node | None]:
    """Return the id of a related object, and its attributes if they are included."""
    for name in names:
        if "relationships" in projection and name in projection["relationships"]:
            data = projection["relationships"][name]["data"]
            if data.value is None:
                continue
            identifier = data["id"].text() or ""
            kinds = (data["type"].text() or name, *names)
            found = next(
                (included[k, identifier] for k in kinds if (k, identifier) in included), None
            )
            return identifier, found
    return "", None


def _rows(
    projection: Node, included: _Included, conversion: Conversion, context: Context
) -> list[Row]:
    attributes = projection["attributes"]
    league_id, league = _related(projection, included, "league")
    _, player = _related(projection, included, "new_player", "player")
    name_of_league = None if league is None else league["name"].text()
    if name_of_league is None and player is not None:
        name_of_league = player["league"].text()
    if (name_of_league or (_LEAGUE if league_id in ("", _LEAGUE_ID) else "")) != _LEAGUE:
        return conversion.drop("other_league")
    if attributes["status"].text() not in _BEFORE_TIPOFF or attributes["is_live"].value is True:
        return conversion.drop("in_play")
    if player is None:
        raise projection["relationships"].error("related to an included player")
    stat = attributes["stat_type"].name()
    if player["combo"].value is True or "combo" in stat.lower():
        return conversion.drop("several_players")
    start = attributes["start_time"].moment()
    if start is None:
        raise attributes["start_time"].error("a time")
    own = require_team(team(player["team"]), player["team"])
    kind = line_kind(attributes["odds_type"].text()) or "standard"
    if attributes["is_promo"].value is True and kind == "standard":
        kind = "promo"
    line = attributes["line_score"].number()
    if line is None:
        raise attributes["line_score"].error("a number")
    shared = {
        "player": player["name"].text() or player["display_name"].name(),
        "team": own,
        "market": market_name(stat),
        "bookmaker": _BOOK,
        "line": line,
        "line_kind": kind,
        **teams_of_line(own, attributes["description"], eastern_date(start), context),
        "commence_time": start,
        "observed_at": attributes["updated_at"].moment() or context.observed_at,
    }
    return both(shared, sides_of(kind))
