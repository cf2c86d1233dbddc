"""The port of the batch store. Every write is one atomic operation of the store."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Protocol

from nba_predictions.domain.batches.batch import (
    Batch,
    BatchState,
    Completion,
    DeadLetter,
    Tally,
)
from nba_predictions.domain.batches.lease import Lease
from nba_predictions.domain.batches.ledger import LedgerEntry
from nba_predictions.domain.errors import SchemaMismatchError

#: The version of what a batch store holds. A store of a higher version is refused.
SCHEMA_VERSION = 3


def later_version(where: str, version: int) -> SchemaMismatchError:
    """Return the error for a batch store that a later version of the program has written."""
    return SchemaMismatchError(
        f"{where} was written by a later version: it has schema version {version}, this program "
        f"knows {SCHEMA_VERSION}. Nothing was written. Install the later version, or restore a "
        f"backup from before the upgrade"
    )


class BatchStore(Protocol):
    """Batches, completions, dead letters, leases, and the ledger of each batch."""

    def prepare(self) -> list[str]:
        """Create whatever the store needs, and describe what was created. Safe to repeat.

        Raises:
            SchemaMismatchError: a later version of the program has written the store.
        """
        ...

    def now(self) -> datetime:
        """Return the time of the store's clock, in UTC.

        Times are for people. Sequence numbers decide the order of records.
        """
        ...

    def next_sequence(self, game_date: date) -> int:
        """Return a sequence number of a date.

        What was recorded before has lower numbers, what is recorded later has higher ones, whatever
        the clocks of the workers show. Numbers grow from the microseconds since 1970, so that a
        store that replaces a lost one continues above it.
        """
        ...

    def create(self, batch: Batch, *, after: Sequence[Batch] | None = None) -> bool:
        """Create a batch.

        Return False if its batch_id exists, or if the same game_date has an unfinished batch. Of
        several concurrent calls exactly one succeeds.

        Args:
            after: the batches of the date that the caller has seen, newest first. The call also
                returns False if another worker has created a batch since. None does not check.
        """
        ...

    def get(self, batch_id: str) -> Batch:
        """Return a batch.

        Raises:
            BatchStateError: no such batch exists.
        """
        ...

    def of_date(self, game_date: date) -> list[Batch]:
        """Return all batches of a date, newest first."""
        ...

    def in_states(self, states: Collection[BatchState]) -> list[Batch]:
        """Return all batches in one of the states, oldest first."""
        ...

    def failed_since(self, moment: datetime) -> list[Batch]:
        """Return the abandoned batches that were abandoned at or after a moment, oldest first."""
        ...

    def move(self, batch_id: str, to: BatchState, reason: str | None = None) -> bool:
        """Move a batch to a state that its current state allows, in one compare-and-set.

        Return False if the batch is in that state already.

        Raises:
            BatchStateError: the current state does not allow the move, no such batch exists, the
                date would have two unfinished batches, or a batch that is to be published would
                be closed.
        """
        ...

    def revise(self, current: Batch, revised: Batch) -> bool:
        """Change the REVISABLE fields of a batch, in one compare-and-set.

        Return False and change nothing if the stored state or one of these fields differs from
        `current`.
        """
        ...

    def complete(self, batch_id: str, completion: Completion, *, replace: bool = False) -> bool:
        """Record a completion; return False if the player has one already.

        With `replace`, which a replay uses, the new completion replaces one of an earlier or the
        same attempt. The store sets `sequence`. A store with its own clock sets `recorded_at`.
        """
        ...

    def completions(self, batch_id: str) -> list[Completion]:
        """Return the completions of a batch, by player_lookup."""
        ...

    def add_dead_letter(self, batch_id: str, letter: DeadLetter) -> None:
        """Create or replace the dead letter of a player."""
        ...

    def dead_letters(self, batch_id: str) -> list[DeadLetter]:
        """Return the dead letters of a batch, by player_lookup."""
        ...

    def tally(self, batch_id: str) -> Tally:
        """Count the players of a batch inside the store, without reading each of them."""
        ...

    def acquire_lease(self, game_date: date, holder: str, ttl: timedelta) -> Lease:
        """Acquire the lease of a game_date, if it is free or expired.

        A lease that ends much later than a new one would is not believed: a clock that was ahead
        wrote it.

        Raises:
            LeaseLostError: another worker holds it; the message names the holder and the expiry.
        """
        ...

    def renew_lease(self, lease: Lease, ttl: timedelta) -> Lease:
        """Extend a lease by `ttl` from now, and return it.

        Raises:
            LeaseLostError: another worker acquired it, or it was released.
        """
        ...

    def lease(self, game_date: date) -> Lease | None:
        """Return the lease of a game_date if it was not released, expired or not."""
        ...

    def release_lease(self, lease: Lease) -> None:
        """Release a lease; does nothing if another worker has acquired it since."""
        ...

    def append(self, batch_id: str, entry: LedgerEntry, lease: Lease | None = None) -> None:
        """Append an entry to the ledger of a batch; with a lease, only while it is held.

        The store sets a `sequence` of 0.

        Raises:
            LeaseLostError: the lease expired and another worker acquired it. Nothing was written.
        """
        ...

    def ledger(self, batch_id: str) -> Sequence[LedgerEntry]:
        """Return the ledger of a batch, oldest first."""
        ...
