"""Schedules of ESPN: the scoreboard of a date."""

from __future__ import annotations

from nba_predictions.inputs.importing import espn
from nba_predictions.inputs.importing.documents import Document
from nba_predictions.inputs.importing.games import tipoff
from nba_predictions.inputs.importing.tables import Context, Conversion, Row
from nba_predictions.inputs.importing.values import Node

#: The beginnings of the statuses of games that are off on their date.
_OFF = ("STATUS_POSTPONED", "STATUS_CANCEL")


def recognizes(document: Document) -> bool:
    """Return whether the document has events with competitions."""
    root = document.root
    if root is None or "events" not in root or not isinstance(root["events"].value, list):
        return False
    return all("competitions" in event for event in root["events"].items())


def convert(document: Document, context: Context) -> Conversion:
    """Return the games of the season. The dropped games are counted by reason."""
    root = document.root
    assert root is not None, "the document is recognized"
    conversion = Conversion("schedule")
    for event in root["events"].items():
        conversion.add(_rows, event, context, conversion)
    return conversion


def _rows(event: Node, context: Context, conversion: Conversion) -> list[Row]:
    season = espn.season(event["season"])
    if season.is_preseason:
        return conversion.drop("preseason")
    competition = espn.only_competition(event)
    away, home = espn.sides(competition)
    if away is None or home is None:
        return conversion.drop("teams_undecided")
    status = competition["status"] if "status" in competition else event["status"]
    if status["type"]["name"].name().upper().startswith(_OFF):
        return conversion.drop("postponed")
    detail = status["type"]["detail"]
    is_decided = competition["timeValid"].value is not False
    return [
        {
            "game_date": espn.game_day(competition),
            "away_team": away,
            "home_team": home,
            "tipoff": tipoff(competition["date"], detail) if is_decided else None,
            "GAME_ID": None,
            "SEASON_ID": season.season_id,
            "observed_at": context.observed_at,
        }
    ]
