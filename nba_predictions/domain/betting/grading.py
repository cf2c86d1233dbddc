"""Grade predictions against the box scores."""

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
    predictions: Iterable[Mapping[str, Any]], boxes: Mapping[str, BoxScore], staged_at: datetime
) -> list[dict[str, Any]]:
    """Return the rows of RESULTS for rows of `predictions_of_date.sql`.

    `boxes` are the box scores of the date by player_lookup.
    """
    return [
        RESULTS.row_of(GradedRow(SimpleNamespace(**p), boxes.get(p["player_lookup"]), staged_at))
        for p in predictions
    ]
