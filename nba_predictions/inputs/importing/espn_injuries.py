"""Injuries of ESPN: a list of teams, each with a list of injuries."""

from __future__ import annotations

from datetime import datetime

from nba_predictions.domain.league.games import eastern_date
from nba_predictions.inputs.importing.documents import Document
from nba_predictions.inputs.importing.games import team
from nba_predictions.inputs.importing.tables import Context, Conversion, Row
from nba_predictions.inputs.importing.values import ConversionError, Node

#: The status of the league for each status of ESPN.
_STATUSES = {
    "out": "OUT",
    "suspension": "OUT",
    "doubtful": "DOUBTFUL",
    "questionable": "QUESTIONABLE",
    "day-to-day": "QUESTIONABLE",
    "probable": "PROBABLE",
    "available": "AVAILABLE",
}
_ACTIVE = ("active", "injury_status_active")


def recognizes(document: Document) -> bool:
    """Return whether the document has injuries in two levels."""
    if document.root is None or not isinstance(document.root.value, dict):
        return False
    blocks = document.root.value.get("injuries")
    return isinstance(blocks, list) and (
        "status" in document.root.value
        or any(isinstance(block, dict) and "injuries" in block for block in blocks)
    )


def convert(document: Document, context: Context) -> Conversion:
    """Return one row per injured player.

    ESPN has no game date. The rows get the date of the moment of the answer, or none if the moment
    is unknown.
    """
    root = document.root
    assert root is not None, "the document is recognized"
    conversion = Conversion("injuries")
    observed_at = root["timestamp"].moment_or_none() or context.observed_at
    items = [
        (block, item) for block in root["injuries"].items() for item in block["injuries"].items()
    ]
    if observed_at is None:
        # No entry can be newer than the answer.
        dates = [item["date"].moment_or_none() for _, item in items]
        observed_at = max((moment for moment in dates if moment is not None), default=None)
    conversion.made_at = observed_at
    for block, item in items:
        conversion.add(_row, block, item, observed_at, conversion)
    return conversion


def _row(
    block: Node, item: Node, observed_at: datetime | None, conversion: Conversion
) -> list[Row]:
    text = item["status"].name()
    kind = "" if item["type"].value is None else item["type"]["name"].text() or ""
    if text.lower() in _ACTIVE or kind.lower() in _ACTIVE:
        return conversion.drop("active")
    status = _STATUSES.get(text.lower())
    if status is None:
        raise item["status"].error(f"one of {', '.join(_STATUSES)}")
    reasons = [item["shortComment"].text()]
    if status != text.upper():
        reasons.insert(0, text)
    return [
        {
            "game_date": None if observed_at is None else eastern_date(observed_at),
            "team": _team(block),
            "player": item["athlete"]["displayName"].name(),
            "status": status,
            "reason": ": ".join(reason for reason in reasons if reason) or None,
            "observed_at": observed_at,
        }
    ]


def _team(block: Node) -> str | None:
    try:
        return team(block["displayName"])
    except ConversionError:
        return None
