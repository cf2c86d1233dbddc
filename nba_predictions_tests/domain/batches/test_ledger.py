"""How ledger entries are stored and read back, also those of an earlier version."""

from typing import Any

import pytest

from nba_predictions.domain.batches.ledger import (
    Cleaned,
    LedgerEntry,
    LedgerEvent,
    Merged,
    Published,
)
from nba_predictions.domain.batches.reconciliation import Reconciliation
from nba_predictions_tests.examples import NOON, STORED_PAYLOADS

#: The typed payload of each entry of STORED_PAYLOADS.
TYPED_PAYLOADS = {
    "merged": Merged(
        Reconciliation(3, 2, 2, 50, 50, 50, 40, 10, 3, 50, 50, 0, retired=5), ("batch_1/a.1",)
    ),
    "cleaned": Cleaned(tables_dropped=2, rows_in_target=50),
    "published": Published("m-1", "success", {"record_count": 50}),
    "publish_failed": {"error": "PublishError: no route"},
}


@pytest.mark.parametrize("event", STORED_PAYLOADS)
def test_a_stored_payload_is_read_and_written_unchanged(event: str) -> None:
    stored = STORED_PAYLOADS[event]
    entry = LedgerEntry.from_stored(event, NOON, "run", stored, 1)
    assert entry.event is LedgerEvent(event)
    assert entry.payload == TYPED_PAYLOADS[event]
    assert entry.stored_payload() == stored


def test_an_event_of_a_later_version_does_not_make_a_batch_unreadable() -> None:
    entry = LedgerEntry.from_stored("picks_published", NOON, "run", {"picks": 3}, 1)
    assert entry.event is LedgerEvent.UNKNOWN
    assert entry.payload == {"picks": 3}


@pytest.mark.parametrize(
    ("event", "stored", "payload"),
    [
        ("published", {"message_id": "m-1"}, Published("m-1")),
        ("cleaned", {}, Cleaned()),
        ("cleaned", {"tables_dropped": 2, "unknown": 1}, Cleaned(tables_dropped=2)),
        ("staged", {}, {}),
    ],
)
def test_missing_and_unknown_fields_of_other_versions_are_accepted(
    event: str, stored: dict[str, Any], payload: object
) -> None:
    assert LedgerEntry.from_stored(event, NOON, "run", stored, 1).payload == payload
