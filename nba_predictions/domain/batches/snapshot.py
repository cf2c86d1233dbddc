"""Everything that a batch store holds about one batch, read once, with the questions it answers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from nba_predictions.domain.batches.batch import (
    Batch,
    Completion,
    DeadLetter,
    Progress,
    progress,
    tally,
)
from nba_predictions.domain.batches.ledger import (
    Cleaned,
    LedgerEntry,
    LedgerEvent,
    Merged,
    Published,
    entries_of,
    last_entry,
)
from nba_predictions.domain.batches.reconciliation import Reconciliation


@dataclass(frozen=True)
class BatchSnapshot:
    """A batch with its completions, dead letters and ledger, as one step read them."""

    batch: Batch
    completions: Sequence[Completion] = ()
    dead_letters: Sequence[DeadLetter] = ()
    ledger: Sequence[LedgerEntry] = ()

    @property
    def progress(self) -> Progress:
        return progress(self.batch, tally(self.completions, self.dead_letters))

    # The ledger

    def last(self, event: LedgerEvent) -> LedgerEntry | None:
        """Return the newest ledger entry of an event."""
        return last_entry(self.ledger, event)

    @property
    def reconciliation(self) -> Reconciliation | None:
        """The numbers of the last merge; None if there was none."""
        merged = self.last(LedgerEvent.MERGED)
        return merged.payload.numbers if merged and isinstance(merged.payload, Merged) else None

    @property
    def publication(self) -> Published | None:
        """The last completion message that the broker acknowledged; None if there was none."""
        sent = self.last(LedgerEvent.PUBLISHED)
        return sent.payload if sent and isinstance(sent.payload, Published) else None

    @property
    def cleanups(self) -> list[Cleaned]:
        """All cleanups of the batch. A replay or refresh adds one."""
        payloads = (entry.payload for entry in entries_of(self.ledger, LedgerEvent.CLEANED))
        return [payload for payload in payloads if isinstance(payload, Cleaned)]

    def last_progress(self, ignoring: Collection[LedgerEvent] = (LedgerEvent.STALLED,)) -> datetime:
        """Return when the batch last recorded anything, not counting entries about its silence."""
        batch = self.batch
        recorded = [c.recorded_at for c in self.completions]
        recorded += [d.recorded_at for d in self.dead_letters]
        recorded += [e.at for e in self.ledger if e.event not in ignoring]
        entered = [at for state, at in batch.times.items() if state not in ("stalled", "failed")]
        return max([*recorded, batch.created_at, *entered])

    def last_sequence(self) -> int:
        """Return the highest sequence number that is not of an entry about silence."""
        numbers = [c.sequence for c in self.completions]
        numbers += [d.sequence for d in self.dead_letters]
        numbers += [e.sequence for e in self.ledger if e.event is not LedgerEvent.STALLED]
        return max(numbers, default=0)

    # Players

    @property
    def done(self) -> frozenset[str]:
        """Players who are completed or skipped."""
        return frozenset(c.player_lookup for c in self.completions)

    @property
    def failed(self) -> list[DeadLetter]:
        """Dead letters of players who are not done."""
        done = self.done
        return [letter for letter in self.dead_letters if letter.player_lookup not in done]

    @property
    def skipped(self) -> list[Completion]:
        return [c for c in self.completions if not c.rows]

    @property
    def predicted_players(self) -> frozenset[str]:
        """Players whose rows the date keeps: those with rows, and those who failed.

        A failed player may have rows of an earlier batch.
        """
        with_rows = {c.player_lookup for c in self.completions if c.rows}
        return frozenset(with_rows | {letter.player_lookup for letter in self.failed})

    # Staging

    @property
    def staging_tables(self) -> list[str]:
        """All staging tables that completions recorded, dropped or not."""
        return [c.staging_table for c in self.completions if c.staging_table]

    @property
    def pending_staging(self) -> list[Completion]:
        """Completions whose staging no cleanup has dropped: what a merge must find."""
        cleaned = self.last(LedgerEvent.CLEANED)
        return [
            c
            for c in self.completions
            if c.rows and (cleaned is None or c.sequence > cleaned.sequence)
        ]

    @property
    def merged_staging(self) -> list[str]:
        """Staging tables that a reconciled merge has read and no cleanup has dropped."""
        cleaned = self.last(LedgerEvent.CLEANED)
        tables: set[str] = set()
        for entry, merged in self._reconciled_merges():
            if cleaned is not None and entry.sequence < cleaned.sequence:
                continue
            if merged.staging is not None:
                tables.update(merged.staging)
            else:
                # An earlier version did not record the names.
                read = (c for c in self.pending_staging if c.sequence <= entry.sequence)
                tables.update(c.staging_table for c in read if c.staging_table)
        return sorted(tables)

    @property
    def changed_since_merge(self) -> list[Completion]:
        """Completions that no reconciled merge has seen.

        These are staged rows, and skips of players whose rows the next merge removes.
        """
        merged = max((entry.sequence for entry, _ in self._reconciled_merges()), default=None)
        return [c for c in self.completions if merged is None or c.sequence > merged]

    def _reconciled_merges(self) -> list[tuple[LedgerEntry, Merged]]:
        return [
            (entry, entry.payload)
            for entry in entries_of(self.ledger, LedgerEvent.MERGED)
            if isinstance(entry.payload, Merged) and not entry.payload.numbers.merge_problems()
        ]

    @property
    def unmerged_staging(self) -> list[Completion]:
        """Completions whose staged rows no reconciled merge has read."""
        changed = {c.player_lookup for c in self.changed_since_merge}
        return [c for c in self.pending_staging if c.player_lookup in changed]
