"""Which batches raise an alert: stalled, abandoned and unpublished batches."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import Batch, BatchState, Completion
from nba_predictions.domain.batches.ledger import LedgerEntry
from nba_predictions.domain.batches.verdict import STALL_WINDOW
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.policies.alerting import WATCH_PERIOD, Kind
from nba_predictions.nightly.batch_conditions import (
    UNPUBLISHED_AFTER,
    stalled_conditions,
    unpublished_conditions,
)
from nba_predictions.nightly.stalls import settle_stalls
from nba_predictions_tests.examples import GAME_DATE, ledger_entry

S = BatchState
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def store(open_store: Callable[[], BatchStore]) -> BatchStore:
    """An empty store of each backend."""
    return open_store()


def batch(store: BatchStore, state: BatchState, batch_id: str = "batch_a") -> datetime:
    """Create a batch of ten players in a state; return the time of its creation."""
    now = store.now()
    created = Batch(batch_id, GAME_DATE, state, 10, 1, "f", now, "run-1", "test")
    assert store.create(created)
    return now


def snapshot(store: BatchStore) -> tuple[Batch, list[LedgerEntry]]:
    return store.get("batch_a"), list(store.ledger("batch_a"))


@pytest.mark.parametrize("state", [S.CREATED, S.STAGING, S.STAGED, S.MERGED])
def test_a_silent_batch_is_a_condition_with_its_progress_and_is_not_changed(
    store: BatchStore, state: BatchState
) -> None:
    batch(store, state)
    store.complete("batch_a", Completion("p1", 0, utc_now(), "run-1", skip_reason="OUT"))
    before, now = snapshot(store), store.now()
    assert stalled_conditions(store, now + STALL_WINDOW - MINUTE) == []
    (condition,) = stalled_conditions(store, now + STALL_WINDOW + 90 * SECOND)
    assert snapshot(store) == before
    assert condition.kind is Kind.STALLED_BATCH
    assert (condition.game_date, condition.batch_id) == (GAME_DATE, "batch_a")
    assert condition.run_id == "run-1"
    assert condition.facts["state"] == state.value
    assert condition.facts["idle_minutes"] == 11
    assert condition.facts["completion_pct"] == 10.0
    assert condition.to_do == f"nba-predictions repair --game-date {GAME_DATE}"


def test_a_stalled_batch_that_is_abandoned_stays_the_same_condition(
    store: BatchStore,
) -> None:
    now = batch(store, S.STAGING)
    (stalled,) = stalled_conditions(store, now + STALL_WINDOW + MINUTE)
    settle_stalls(store, run_id="r", now=now + STALL_WINDOW + 90 * SECOND)
    assert store.get("batch_a").state is S.FAILED
    (abandoned,) = stalled_conditions(store, store.now())
    assert abandoned.key == stalled.key
    assert "nothing was recorded for 11 minutes" in str(abandoned.facts["reason"])


def test_the_condition_clears_when_the_batch_is_resumed(store: BatchStore) -> None:
    batch(store, S.FAILED)
    assert len(stalled_conditions(store, store.now())) == 1
    store.move("batch_a", S.STAGING)
    assert stalled_conditions(store, store.now()) == []


def test_a_superseded_batch_is_no_condition(store: BatchStore) -> None:
    batch(store, S.FAILED)
    batch(store, S.STAGING, "batch_b")
    assert stalled_conditions(store, store.now()) == []


def test_an_abandoned_batch_is_a_condition_for_eight_days(store: BatchStore) -> None:
    batch(store, S.FAILED)
    now = store.now()
    (condition,) = stalled_conditions(store, now + WATCH_PERIOD - MINUTE)
    assert condition.watched_until is not None
    assert stalled_conditions(store, now + WATCH_PERIOD) == []


def test_an_unpublished_batch_is_a_condition_after_ten_minutes_with_its_last_error(
    store: BatchStore,
) -> None:
    batch(store, S.MERGED)
    store.move("batch_a", S.CLEANED)
    now = store.now()
    for attempt in (1, 2):
        counts = {"error": f"PublishError: away {attempt}"}
        store.append(
            "batch_a", ledger_entry("publish_failed", store.now(), f"pub-{attempt}", counts)
        )
    assert unpublished_conditions(store, now + UNPUBLISHED_AFTER - MINUTE) == []
    (condition,) = unpublished_conditions(store, now + UNPUBLISHED_AFTER + MINUTE)
    assert condition.facts == {
        "failed_attempts": 2,
        "last_error": "PublishError: away 2",
        "waiting_minutes": 11,
    }
    assert condition.run_id == "pub-2"
    store.move("batch_a", S.PUBLISHED)
    assert unpublished_conditions(store, now + UNPUBLISHED_AFTER + MINUTE) == []


def test_a_batch_without_an_attempt_to_publish_says_never_attempted(store: BatchStore) -> None:
    batch(store, S.CLEANED)
    (condition,) = unpublished_conditions(store, store.now() + 2 * UNPUBLISHED_AFTER)
    assert condition.facts["last_error"] == "never attempted"


def test_a_batch_with_unmerged_replayed_players_is_stalled_and_not_unpublished(
    store: BatchStore,
) -> None:
    batch(store, S.CLEANED)
    staged = Completion("p1", 25, utc_now(), "replay", staging_table="batch_a/p1")
    store.complete("batch_a", staged)
    later = store.now() + STALL_WINDOW + MINUTE
    assert unpublished_conditions(store, later) == []
    assert len(stalled_conditions(store, later)) == 1
