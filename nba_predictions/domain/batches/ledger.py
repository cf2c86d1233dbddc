"""The ledger of a batch: its append-only history, with a typed payload where counts matter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from nba_predictions.domain.batches.reconciliation import Reconciliation


class LedgerEvent(str, Enum):
    """What can happen to a batch. The values are stored."""

    CREATED = "created"
    RESUMED = "resumed"
    SUPERSEDED = "superseded"
    STAGED = "staged"
    REFRESHED = "refreshed"
    REOPENED = "reopened"
    MERGED = "merged"
    CLEANUP_REFUSED = "cleanup_refused"
    CLEANED = "cleaned"
    DEAD_LETTER_PUBLISHED = "dead_letter_announced"
    PUBLISH_FAILED = "publish_failed"
    PUBLISHED = "published"
    ANNOUNCE_CHANGED = "announce_changed"
    THRESHOLD_CHANGED = "threshold_changed"
    STALLED = "stalled"
    STAGING_EXPIRED = "staging_expired"
    #: An event of a later version, read after a rollback.
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> LedgerEvent:
        return cls.UNKNOWN


@dataclass(frozen=True)
class Merged:
    """The numbers of a merge, and the names of the staging tables that it read.

    `staging` is None if an earlier version wrote the entry.
    """

    numbers: Reconciliation
    staging: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Cleaned:
    """How many staging tables a cleanup dropped, and the rows that it counted in the target."""

    tables_dropped: int = 0
    rows_in_target: int = 0


@dataclass(frozen=True)
class Published:
    """The broker's id of a completion message, its status, and the message as it was sent."""

    message_id: str
    status: str = ""
    message: Mapping[str, Any] = field(default_factory=dict)


#: Events whose details have a fixed shape. Every other event has a plain mapping.
_PAYLOADS: Mapping[LedgerEvent, type[Cleaned | Published]] = {
    LedgerEvent.CLEANED: Cleaned,
    LedgerEvent.PUBLISHED: Published,
}

Payload = Merged | Cleaned | Published | Mapping[str, Any]


@dataclass(frozen=True)
class LedgerEntry:
    """One event in the life of a batch. Entries are appended and never changed.

    `payload` is a `Merged`, `Cleaned` or `Published` for those events, and a mapping of plain
    values for all others. `at` is for people. `sequence` orders entries and completions: the
    entry covers everything with a lower number. The store sets it if it is 0.
    """

    event: LedgerEvent
    at: datetime
    run_id: str
    payload: Payload = field(default_factory=dict)
    sequence: int = field(default=0, compare=False)

    def stored_payload(self) -> dict[str, Any]:
        """Return the payload as plain values, for a store."""
        if isinstance(self.payload, Merged):
            numbers: dict[str, Any] = self.payload.numbers.numbers()
            staging = self.payload.staging
            return numbers if staging is None else {**numbers, "staging": list(staging)}
        if isinstance(self.payload, (Cleaned, Published)):
            return asdict(self.payload)
        return dict(self.payload)

    @staticmethod
    def from_stored(
        event: str, at: datetime, run_id: str, payload: Mapping[str, Any], sequence: int
    ) -> LedgerEntry:
        """Return an entry from what a store holds, also if an earlier version wrote it."""
        kind = LedgerEvent(event)
        if kind is LedgerEvent.MERGED:
            staging = payload.get("staging")
            merged = Merged(
                Reconciliation.from_numbers(payload), None if staging is None else tuple(staging)
            )
            return LedgerEntry(kind, at, run_id, merged, sequence)
        if kind in _PAYLOADS:
            shape = _PAYLOADS[kind]
            known = {k: v for k, v in payload.items() if k in shape.__dataclass_fields__}
            return LedgerEntry(kind, at, run_id, shape(**known), sequence)
        return LedgerEntry(kind, at, run_id, payload, sequence)

    def details(self) -> Mapping[str, Any]:
        """Return the payload of an event that has no typed payload."""
        return self.payload if isinstance(self.payload, Mapping) else {}


def entries_of(ledger: Iterable[LedgerEntry], event: LedgerEvent) -> list[LedgerEntry]:
    """Return all entries of one event, in the order of the ledger."""
    return [entry for entry in ledger if entry.event is event]


def last_entry(ledger: Iterable[LedgerEntry], event: LedgerEvent) -> LedgerEntry | None:
    """Return the newest entry of one event."""
    entries = entries_of(ledger, event)
    return entries[-1] if entries else None
