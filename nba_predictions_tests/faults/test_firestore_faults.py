"""Faults between the client and Firestore: each ends in the same state or in an error."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from google.api_core.exceptions import ServiceUnavailable

from nba_predictions.batch_store.firestore_store import FirestoreBatchStore
from nba_predictions.domain.batches.batch import BatchState
from nba_predictions_tests.examples import (
    GAME_DATE,
    NOON,
    SECOND,
    batch,
    completion,
    dead_letter,
    ledger_entry,
    skipped,
)
from nba_predictions_tests.faults.conftest import Firestore
from nba_predictions_tests.faults.script import Kind

S = BatchState
TTL = timedelta(minutes=10)

#: Each write of a batch store, on a store that `_begin` has prepared, and what it returns.
WRITES: dict[str, tuple[Callable[[FirestoreBatchStore], Any], Any]] = {
    "create": (lambda s: s.create(batch("batch_9", game_date=GAME_DATE + TTL * 144)), True),
    "create a second": (lambda s: s.create(batch("batch_2")), False),
    "move": (lambda s: s.move("batch_1", S.STAGED, "why"), True),
    "finish": (lambda s: s.move("batch_1", S.FAILED), True),
    "complete": (lambda s: s.complete("batch_1", completion("new")), True),
    "complete again": (lambda s: s.complete("batch_1", completion("old", run_id="late")), False),
    "skip": (lambda s: s.complete("batch_1", skipped("out")), True),
    "replay": (lambda s: s.complete("batch_1", completion("old", rows=5), replace=True), True),
    "dead letter": (lambda s: s.add_dead_letter("batch_1", dead_letter("bad")), None),
    "append": (lambda s: s.append("batch_1", ledger_entry("staged", NOON, "r", {"n": 1})), None),
    "append under the lease": (
        lambda s: s.append("batch_1", ledger_entry("cleaned", NOON, "r"), s.lease_of_test),  # type: ignore[attr-defined]
        None,
    ),
    "release": (lambda s: s.release_lease(s.lease_of_test), None),  # type: ignore[attr-defined]
    "acquire": (lambda s: s.acquire_lease(GAME_DATE + TTL * 144, "me", TTL).holder, "me"),
}

FAULTS = {
    "aborted": (Kind.REFUSED, "aborted"),
    "unavailable": (Kind.REFUSED, "unavailable"),
    "too many requests": (Kind.REFUSED, "too_many_requests"),
    "deadline after execution": (Kind.ANSWER_LOST, "deadline_exceeded"),
    "aborted after execution": (Kind.ANSWER_LOST, "aborted"),
    "connection cut before": (Kind.REQUEST_CUT, ""),
    "connection cut after": (Kind.ANSWER_CUT, ""),
    "delivered twice": (Kind.DUPLICATED, ""),
}


def _begin(store: FirestoreBatchStore) -> None:
    store.create(batch())
    store.move("batch_1", S.STAGING)
    store.complete("batch_1", completion("old"))
    object.__setattr__(store, "lease_of_test", store.acquire_lease(GAME_DATE, "me", TTL))


def _all_of(store: FirestoreBatchStore) -> list[Any]:
    """Return the whole content of a store, without its times and sequence numbers."""
    found: list[Any] = []
    for one in sorted(store.in_states(set(S)), key=lambda b: b.batch_id):
        found += [
            replace(one, times=dict.fromkeys(one.times, NOON)),
            [replace(c, recorded_at=NOON) for c in store.completions(one.batch_id)],
            store.dead_letters(one.batch_id),
            store.ledger(one.batch_id),
            store.tally(one.batch_id),
        ]
    for on in (GAME_DATE, GAME_DATE + TTL * 144):
        lease = store._lease(on)
        found.append((lease.holder, lease.version))
    return found


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("write", WRITES)
def test_a_write_with_a_fault_has_the_same_result(
    firestore: Firestore, write: str, fault: str
) -> None:
    act, expected = WRITES[write]
    kind, error = FAULTS[fault]
    for store in (firestore.store, firestore.other):
        _begin(store)
    assert act(firestore.other) == expected
    with firestore.script.fault("/Commit$", kind, error):
        assert act(firestore.store) == expected
    assert _all_of(firestore.store) == _all_of(firestore.other)


@pytest.mark.parametrize("error", ["unavailable", "deadline_exceeded", "internal"])
@pytest.mark.parametrize("method", ["BatchGetDocuments", "RunQuery", "RunAggregationQuery"])
def test_a_failed_read_is_retried(firestore: Firestore, method: str, error: str) -> None:
    _begin(firestore.store)
    firestore.store.add_dead_letter("batch_1", dead_letter("bad"))
    before = _all_of(firestore.store)
    with firestore.script.fault(f"/{method}$", Kind.REFUSED, error, times=2):
        assert _all_of(firestore.store) == before


def test_a_delay_of_five_seconds_is_tolerated(firestore: Firestore) -> None:
    _begin(firestore.store)
    with firestore.script.fault("/Commit$", Kind.SLOW, seconds=5.0):
        assert firestore.store.complete("batch_1", completion("new"))
    assert len(firestore.store.completions("batch_1")) == 2


def test_forty_workers_lose_no_completion_while_a_third_of_the_commits_fail(
    firestore: Firestore,
) -> None:
    _begin(firestore.store)
    names = [f"player{n:03}" for n in range(120)]
    with (
        firestore.script.fault("/Commit$", Kind.REFUSED, "aborted", times=20),
        firestore.script.fault("/Commit$", Kind.ANSWER_LOST, "deadline_exceeded", times=20),
        ThreadPoolExecutor(40) as pool,
    ):
        first = list(
            pool.map(lambda name: firestore.store.complete("batch_1", completion(name)), names)
        )
    assert all(first)
    found = [c.player_lookup for c in firestore.store.completions("batch_1")]
    assert found == sorted([*names, "old"])


@pytest.mark.usefixtures("impatient")
def test_a_permanent_fault_is_an_error_and_records_nothing(firestore: Firestore) -> None:
    _begin(firestore.store)
    before = _all_of(firestore.store)
    with (
        firestore.script.fault("/Commit$", Kind.REFUSED, times=None) as fault,
        pytest.raises(ServiceUnavailable),
    ):
        firestore.store.complete("batch_1", completion("new", at=NOON + SECOND))
    assert fault.struck > 1
    assert _all_of(firestore.store) == before
