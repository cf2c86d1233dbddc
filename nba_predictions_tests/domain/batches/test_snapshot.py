"""The questions that a snapshot answers from completions, dead letters and the ledger."""

from nba_predictions.domain.batches.ledger import LedgerEntry, LedgerEvent
from nba_predictions.domain.batches.snapshot import BatchSnapshot
from nba_predictions_tests.examples import (
    NOON,
    SECOND,
    batch,
    completion,
    dead_letter,
    ledger_entry,
    skipped,
)

DONE = [completion("a"), completion("b"), skipped("c")]


def entry(event: str, seconds: int) -> LedgerEntry:
    return ledger_entry(event, NOON + seconds * SECOND)


def test_rows_are_kept_of_players_who_are_predicted_or_failed_and_not_of_skipped_players() -> None:
    letters = [dead_letter(name) for name in ("a", "c", "d")]
    # The dead letter of c does not count, because c is skipped now.
    assert BatchSnapshot(batch(), DONE, letters).predicted_players == {"a", "b", "d"}
    assert BatchSnapshot(batch()).predicted_players == set()


def test_the_newest_entry_of_an_event_counts() -> None:
    ledger = [entry("resumed", 1), entry("resumed", 5), entry("cleaned", 9)]
    snapshot = BatchSnapshot(batch(), ledger=ledger)
    assert snapshot.last(LedgerEvent.RESUMED) == ledger[1]
    assert snapshot.last(LedgerEvent.PUBLISHED) is None
    assert snapshot.reconciliation is None
    assert snapshot.publication is None


def test_staging_is_pending_until_a_later_cleanup() -> None:
    done = [completion("a"), completion("b", at=NOON + 5 * SECOND), skipped("c")]

    def pending(*ledger: LedgerEntry) -> list[str]:
        snapshot = BatchSnapshot(batch(), done, ledger=ledger)
        return [c.player_lookup for c in snapshot.pending_staging]

    assert pending() == ["a", "b"]
    assert pending(entry("cleaned", 3)) == ["b"]
    assert pending(entry("cleaned", 3), entry("cleaned", 9)) == []
    assert pending(entry("staged", 9)) == ["a", "b"]
