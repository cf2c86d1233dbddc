"""What the pipeline asks of a batch store. Every write is one atomic operation of the store."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Protocol

from nba_predictions.domain.batches.batch import (
    Batch,
    BatchState,
    Completion,
    DeadLetter,
    Lease,
    LedgerEntry,
    Tally,
)


class BatchStore(Protocol):
    """Batches, completions, dead letters, leases, and the ledger of each batch."""

    def prepare(self) -> list[str]:
        """Create whatever the store needs; safe to repeat. Return what was made, in words."""
        ...

    def now(self) -> datetime:
        """Return the store's own time, in UTC: what is recorded afterwards is never earlier.

        Workers on several machines have several clocks; what was recorded before what is decided
        by this one.
        """
        ...

    def create(self, batch: Batch) -> bool:
        """Create the batch's document; False when its batch_id, or an unfinished batch of the same
        game_date, is already there. Of many at once exactly one succeeds."""
        ...

    def get(self, batch_id: str) -> Batch:
        """Return a batch.

        Raises:
            BatchStateError: there is no such batch.
        """
        ...

    def of_date(self, game_date: date) -> list[Batch]:
        """Return all batches of a date, newest first."""
        ...

    def in_states(self, states: Collection[BatchState]) -> list[Batch]:
        """Return all batches in one of the states, oldest first."""
        ...

    def move(self, batch_id: str, to: BatchState, reason: str | None = None) -> bool:
        """Move a batch to a state that its present one allows, in one compare-and-set.

        Return False when it is there already.

        Raises:
            BatchStateError: its state does not allow it, there is no such batch, or it would be
                the second unfinished one of its date.
        """
        ...

    def revise(self, present: Batch, revised: Batch) -> bool:
        """Change what may be revised of a batch (REVISABLE), in one compare-and-set.

        Return False, and change nothing, when its state or one of these is not as `present` has it
        any more; True when it is now as `revised` has it.
        """
        ...

    def complete(self, batch_id: str, completion: Completion, *, replace: bool = False) -> bool:
        """Create the document of a completion; False when the player was done already.

        `replace` is for a replay: a later prediction of the same player takes the place of the
        earlier. A redelivery never does. A store with a clock of its own puts its time into
        `recorded_at`.
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
        """Count the players of a batch where they are kept, without reading them all."""
        ...

    def acquire_lease(self, game_date: date, holder: str, ttl: timedelta) -> Lease:
        """Take the lease of a game_date, when it is free or has run out.

        Raises:
            LeaseLostError: somebody else holds it; the message says who and until when.
        """
        ...

    def lease(self, game_date: date) -> Lease | None:
        """Return the lease of a game_date that was taken and not given back, run out or not."""
        ...

    def release_lease(self, lease: Lease) -> None:
        """Give a lease back; nothing happens when it was lost in the meantime."""
        ...

    def append(self, batch_id: str, entry: LedgerEntry, lease: Lease | None = None) -> None:
        """Append to the ledger of a batch; with a lease, only while it is still held.

        Raises:
            LeaseLostError: the lease ran out and somebody else took it; nothing was written.
        """
        ...

    def ledger(self, batch_id: str) -> Sequence[LedgerEntry]:
        """Return the ledger of a batch, oldest first."""
        ...
