"""Grade predictions against the box scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from nba_predictions.domain.tables import RESULTS


@dataclass(frozen=True)
class BoxScore:
    """What a player did in a game: the statistic of each market, by its name, and the minutes."""

    statistics: Mapping[str, int]
    minutes: float


@dataclass(frozen=True)
class BoxScores:
    """The box scores of a date, by player_id and by player_lookup.

    A player may have another name, and so another player_lookup, than when the prediction was made.
    The name decides only if the prediction or the box score has no player_id.
    """

    by_id: Mapping[int, BoxScore]
    by_lookup: Mapping[str, BoxScore]
    lookups_without_id: frozenset[str]

    @classmethod
    def of(cls, rows: Iterable[tuple[int | None, str, BoxScore]]) -> BoxScores:
        """Return the box scores of rows of player_id, player_lookup and box score."""
        rows = list(rows)
        return cls(
            {player_id: box for player_id, _, box in rows if player_id is not None},
            {lookup: box for _, lookup, box in rows},
            frozenset(lookup for player_id, lookup, _ in rows if player_id is None),
        )

    def find(self, player_id: int | None, player_lookup: str) -> BoxScore | None:
        """Return the box score of a player, None if the player did not play."""
        if player_id is not None and player_id in self.by_id:
            return self.by_id[player_id]
        if player_id is None or player_lookup in self.lookups_without_id:
            return self.by_lookup.get(player_lookup)
        return None


@dataclass(frozen=True)
class GradedRow:
    """The values of a row of RESULTS, which its columns read by their source.

    `prediction` has the columns of the graded prediction as attributes.
    """

    prediction: Any
    box: BoxScore | None
    staged_at: datetime

    @property
    def actual(self) -> int | None:
        return self.box.statistics[self.prediction.market] if self.box else None

    @property
    def minutes(self) -> float | None:
        return self.box.minutes if self.box else None

    @property
    def outcome(self) -> str:
        return outcome(self.prediction.points_line, self.actual)

    @property
    def absolute_error(self) -> float | None:
        if self.actual is None:
            return None
        return float(abs(self.prediction.predicted_points - self.actual))

    @property
    def is_correct(self) -> bool | None:
        """Whether the recommended side won; None if no side was recommended, or none won."""
        sides = ("OVER", "UNDER")
        if self.outcome not in sides or self.prediction.recommendation not in sides:
            return None
        return bool(self.prediction.recommendation == self.outcome)


def outcome(line: Decimal | None, actual: int | None) -> str:
    """Return OVER, UNDER or PUSH; VOID if the player did not play; NO_LINE without a line.

    A player without a box score did not play. This is not a score of zero: bets are returned.
    """
    if actual is None:
        return "VOID"
    if line is None:
        return "NO_LINE"
    if actual == line:
        return "PUSH"
    return "OVER" if actual > line else "UNDER"


def grade(
    predictions: Iterable[Mapping[str, Any]], boxes: BoxScores, staged_at: datetime
) -> list[dict[str, Any]]:
    """Return the rows of RESULTS for rows of `predictions_of_date.sql`."""
    rows = []
    for prediction in predictions:
        box = boxes.find(prediction["player_id"], prediction["player_lookup"])
        rows.append(RESULTS.row_of(GradedRow(SimpleNamespace(**prediction), box, staged_at)))
    return rows
