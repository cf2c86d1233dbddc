"""The lease of a game date: one worker at a time may merge, clean up or replay it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from nba_predictions.domain.batches.ledger import LedgerEntry
from nba_predictions.domain.errors import LeaseLostError

#: A lease that ends later than this many times its time to live from now is not believed. A clock
#: that was ahead wrote it. It is more than 1 because clocks differ a little.
BELIEVED_TTLS = 2


@dataclass(frozen=True)
class Lease:
    """The exclusive right to work on a game date until `expires_at` (UTC), unless it is renewed.

    `token` is the fencing token: each lease of a date has a higher token than the one before. The
    rows that its holder writes carry it, so a worker that lost its lease changes none of them.
    """

    game_date: date
    holder: str
    token: int
    expires_at: datetime

    def is_expired(self, now: datetime) -> bool:
        """Return whether another worker may acquire the lease."""
        return self.expires_at <= now


def lease_held(game_date: date, holder: str, until: datetime) -> LeaseLostError:
    """Return the error for acquiring a lease that another worker holds."""
    return LeaseLostError(
        f"game_date {game_date} is being merged or cleaned up by {holder} until {until}; wait, "
        f"or let its lease expire"
    )


def lease_lost(lease: Lease, current_token: int | None, what: str) -> LeaseLostError:
    """Return the error for a holder that lost its lease to another worker.

    `what` says what was not done.
    """
    return LeaseLostError(
        f"{lease.holder} lost the lease of game_date {lease.game_date}: its token is "
        f"{lease.token}, the current token is {current_token}; {what}"
    )


def entry_not_written(entry: LedgerEntry) -> str:
    return f"the ledger entry {entry.event.value!r} was not written"
