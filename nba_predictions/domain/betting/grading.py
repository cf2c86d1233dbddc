"""Grade predictions against what the players really scored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class BoxScore:
    """What a player really did."""

    points: int
    minutes: float


def outcome(points_line: Decimal | None, box: BoxScore | None) -> str:
    """Return OVER, UNDER or PUSH; VOID for who did not play; NO_LINE where there was none.

    A player without a box score did not play. He did not score zero: bets on him are returned.
    """
    if box is None:
        return "VOID"
    if points_line is None:
        return "NO_LINE"
    if box.points == points_line:
        return "PUSH"
    return "OVER" if box.points > points_line else "UNDER"


def grade(
    predictions: Iterable[Mapping[str, Any]], boxes: Mapping[str, BoxScore]
) -> list[dict[str, Any]]:
    """Return the rows of `prediction_results`: one per prediction, none left out.

    `boxes` holds the box scores of the date by player_lookup.
    """
    graded = []
    for prediction in predictions:
        box = boxes.get(prediction["player_lookup"])
        came = outcome(prediction["points_line"], box)
        called = prediction["recommendation"]
        decided = came in ("OVER", "UNDER") and called in ("OVER", "UNDER")
        predicted = prediction["predicted_points"]
        graded.append(
            {
                **prediction,
                "actual_points": box.points if box else None,
                "minutes": box.minutes if box else None,
                "outcome": came,
                "absolute_error": float(abs(predicted - box.points)) if box else None,
                "is_correct": called == came if decided else None,
            }
        )
    return graded
