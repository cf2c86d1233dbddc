"""The credits of The Odds API: what was spent, and what may still be spent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.league.games import (
    eastern_date,
    end_of_eastern_day,
    start_of_eastern_day,
)
from nba_predictions.inputs.landing.zone import GOOD, LandingZone, Outcome

PAID_PROVIDER = "odds_api"
#: The error code of a plan without credits. It is the beginning of the error of such a record.
OUT_OF_CREDITS = "OUT_OF_USAGE_CREDITS"


@dataclass(frozen=True)
class Budget:
    """The limits per Eastern day and per month of UTC.

    What was spent is read from the landing zone, so it is right after a crash, and in any process.
    A request is counted before it is sent.

    Attributes:
        zone: the landing zone.
        per_day, per_month: the limits.
        tries_again: whether to ask although the service has said that no credits are left.
    """

    zone: LandingZone
    per_day: int
    per_month: int
    now: Callable[[], datetime] = utc_now
    tries_again: bool = False

    def allows(self, cost: int) -> bool:
        """Return whether a request may be sent that costs up to `cost` credits."""
        return cost <= min(self.left_today(), self.left_this_month())

    def left_today(self) -> int:
        """Return the credits that may still be spent on this Eastern day."""
        now = self.now()
        today = eastern_date(now)
        spent = self.zone.spent(
            PAID_PROVIDER, start_of_eastern_day(today), end_of_eastern_day(today)
        )
        return max(0, self.per_day - spent)

    def left_this_month(self) -> int:
        """Return the credits that may still be spent this month; 0 if the service has none left."""
        start, end = _month(self.now())
        if self.is_used_up():
            return 0
        return max(0, self.per_month - self.zone.spent(PAID_PROVIDER, start, end))

    def is_used_up(self) -> bool:
        """Return whether the service has said this month that no credits are left.

        It is not used up if a paid answer came since, because the plan was changed.
        """
        if self.tries_again:
            return False
        start, end = _month(self.now())
        refusals = [
            record.asked_at
            for record in self.zone.records(
                start.date(), end.date(), PAID_PROVIDER, {Outcome.REFUSED}
            )
            if record.error.startswith(OUT_OF_CREDITS) and start <= record.asked_at < end
        ]
        if not refusals:
            return False
        answers = self.zone.records(max(refusals).date(), end.date(), PAID_PROVIDER, GOOD)
        return not any(record.cost and max(refusals) < record.asked_at < end for record in answers)


def _month(now: datetime) -> tuple[datetime, datetime]:
    """Return the begin of the month of UTC, and that of the next one."""
    start = now.astimezone(timezone.utc).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return start, (start + timedelta(days=32)).replace(day=1)
