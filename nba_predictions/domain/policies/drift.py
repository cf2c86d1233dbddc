"""Has a system become worse than it was? Its errors of late against the band of those before."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum

#: The window that is judged, and the window before it that says what is usual, in game dates.
RECENT_DATES = 14
BAND_DATES = 60
#: Fewer dates than these before the recent ones are too few to know what is usual.
LEAST_BAND_DATES = 20
#: The band is the usual error plus and minus so many standard errors of the difference.
BAND_WIDTH = 3.0


class Drift(str, Enum):
    """What became of a system's error."""

    IN_BAND = "IN_BAND"
    WORSE = "WORSE"
    #: As much a reason to look: a forecast that knows the outcome is much better than it was.
    BETTER = "BETTER"
    TOO_FEW = "TOO_FEW"


@dataclass(frozen=True)
class DateErrors:
    """A system's absolute errors on one game date: how many, and their sum in points."""

    game_date: date
    player_games: int
    total_error: float


@dataclass(frozen=True)
class DriftJudgement:
    """A system's error of late, and the band in which it was to be expected.

    Errors are means in points; those that cannot be known are None.
    """

    system_id: str
    drift: Drift
    recent_dates: int
    recent_player_games: int
    recent_error: float | None
    band_dates: int
    usual_error: float | None = None
    band_low: float | None = None
    band_high: float | None = None

    @property
    def alarming(self) -> bool:
        return self.drift in (Drift.WORSE, Drift.BETTER)

    def says(self) -> str:
        """One sentence for people."""
        if self.drift is Drift.TOO_FEW or self.usual_error is None:
            return (
                f"{self.system_id}: {self.recent_dates + self.band_dates} graded dates are too few "
                f"to judge; {RECENT_DATES + LEAST_BAND_DATES} are needed"
            )
        return (
            f"{self.system_id}: {self.drift.value}, {self.recent_error:.2f} points over the last "
            f"{self.recent_dates} dates; {self.usual_error:.2f} before, band {self.band_low:.2f} "
            f"to {self.band_high:.2f}"
        )


def judge_drift(system_id: str, errors: Iterable[DateErrors]) -> DriftJudgement:
    """Judge the last RECENT_DATES dates of a system by up to BAND_DATES dates before them.

    Players of one date share it, so dates are what varies: from their totals in the band follows
    how far the mean of the recent rows may stray by chance. Small samples are never alarming.
    """
    nights = sorted((e for e in errors if e.player_games > 0), key=lambda e: e.game_date)
    recent, before = nights[-RECENT_DATES:], nights[-RECENT_DATES - BAND_DATES : -RECENT_DATES]
    games = sum(e.player_games for e in recent)
    found = DriftJudgement(
        system_id=system_id,
        drift=Drift.TOO_FEW,
        recent_dates=len(recent),
        recent_player_games=games,
        recent_error=_mean(recent) if recent else None,
        band_dates=len(before),
    )
    if len(before) < LEAST_BAND_DATES:
        return found
    usual, error = _mean(before), _mean(recent)
    band_games = sum(e.player_games for e in before)
    residuals = sum((e.total_error - usual * e.player_games) ** 2 for e in before)
    per_row = residuals * len(before) / (len(before) - 1) / band_games
    width = BAND_WIDTH * math.sqrt(per_row * (1 / band_games + 1 / games))
    low, high = usual - width, usual + width
    drift = Drift.WORSE if error > high else Drift.BETTER if error < low else Drift.IN_BAND
    return DriftJudgement(
        system_id, drift, len(recent), games, error, len(before), usual, low, high
    )


def rolling_errors(errors: Iterable[DateErrors]) -> list[tuple[date, float]]:
    """The mean error over each RECENT_DATES dates in a row, under the last of them."""
    nights = sorted((e for e in errors if e.player_games > 0), key=lambda e: e.game_date)
    return [
        (nights[end - 1].game_date, _mean(nights[end - RECENT_DATES : end]))
        for end in range(RECENT_DATES, len(nights) + 1)
    ]


def _mean(nights: Sequence[DateErrors]) -> float:
    return sum(e.total_error for e in nights) / sum(e.player_games for e in nights)
