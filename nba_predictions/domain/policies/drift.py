"""Drift: whether the recent error of a system differs from the range of its earlier errors."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum

#: The recent window, and the window before it that defines the usual error, in game dates.
RECENT_DATES = 14
BAND_DATES = 60
#: The usual error needs at least this many dates.
MIN_BAND_DATES = 20
#: Half the width of the band around the usual error, in standard errors of the difference.
BAND_WIDTH = 3.0


class Drift(str, Enum):
    """How the recent error of a system compares with its usual error."""

    IN_BAND = "IN_BAND"
    WORSE = "WORSE"
    #: Also suspicious: a forecast that uses its outcome is much better than usual.
    BETTER = "BETTER"
    TOO_FEW = "TOO_FEW"


@dataclass(frozen=True)
class DateErrors:
    """The absolute errors of a system on one game date: their number and their sum."""

    game_date: date
    player_games: int
    total_error: float


@dataclass(frozen=True)
class DriftFinding:
    """The recent error of a system, and the band in which it was expected.

    Errors are means. An error is None if there are too few dates.
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
    def is_alarming(self) -> bool:
        return self.drift in (Drift.WORSE, Drift.BETTER)

    def sentence(self) -> str:
        """Return the finding in one sentence."""
        if self.drift is Drift.TOO_FEW or self.usual_error is None:
            return (
                f"{self.system_id}: {self.recent_dates + self.band_dates} graded dates are too few "
                f"to detect drift; {RECENT_DATES + MIN_BAND_DATES} are needed"
            )
        return (
            f"{self.system_id}: {self.drift.value}, {self.recent_error:.2f} points over the last "
            f"{self.recent_dates} dates; {self.usual_error:.2f} before, band {self.band_low:.2f} "
            f"to {self.band_high:.2f}"
        )


def judge_drift(system_id: str, errors: Iterable[DateErrors]) -> DriftFinding:
    """Compare the last RECENT_DATES dates of a system with up to BAND_DATES dates before them.

    The width of the band follows from the variance between dates, because the errors of the
    players of one date are correlated. Small samples are never alarming.
    """
    nights = sorted((e for e in errors if e.player_games > 0), key=lambda e: e.game_date)
    recent, before = nights[-RECENT_DATES:], nights[-RECENT_DATES - BAND_DATES : -RECENT_DATES]
    games = sum(e.player_games for e in recent)
    too_few = DriftFinding(
        system_id=system_id,
        drift=Drift.TOO_FEW,
        recent_dates=len(recent),
        recent_player_games=games,
        recent_error=_mean(recent) if recent else None,
        band_dates=len(before),
    )
    if len(before) < MIN_BAND_DATES:
        return too_few
    usual, error = _mean(before), _mean(recent)
    band_games = sum(e.player_games for e in before)
    residuals = sum((e.total_error - usual * e.player_games) ** 2 for e in before)
    per_row = residuals * len(before) / (len(before) - 1) / band_games
    width = BAND_WIDTH * math.sqrt(per_row * (1 / band_games + 1 / games))
    low, high = usual - width, usual + width
    drift = Drift.WORSE if error > high else Drift.BETTER if error < low else Drift.IN_BAND
    return DriftFinding(system_id, drift, len(recent), games, error, len(before), usual, low, high)


def rolling_errors(errors: Iterable[DateErrors]) -> list[tuple[date, float]]:
    """Return the mean error over each RECENT_DATES consecutive dates, with the last of them."""
    nights = sorted((e for e in errors if e.player_games > 0), key=lambda e: e.game_date)
    return [
        (nights[end - 1].game_date, _mean(nights[end - RECENT_DATES : end]))
        for end in range(RECENT_DATES, len(nights) + 1)
    ]


def _mean(nights: Sequence[DateErrors]) -> float:
    return sum(e.total_error for e in nights) / sum(e.player_games for e in nights)
