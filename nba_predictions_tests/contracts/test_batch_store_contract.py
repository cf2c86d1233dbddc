"""The contract of the batch store, which every adapter passes."""

import json
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from nba_predictions.batch_store.firestore_store import FirestoreBatchStore
from nba_predictions.batch_store.port import SCHEMA_VERSION, BatchStore
from nba_predictions.batch_store.sqlite_store import SQLiteBatchStore
from nba_predictions.domain.batches.batch import (
    RESUMABLE,
    TRANSITIONS,
    Batch,
    BatchState,
    Completion,
    Tally,
)
from nba_predictions.domain.batches.lease import Lease
from nba_predictions.domain.batches.ledger import LedgerEntry
from nba_predictions.domain.errors import BatchStateError, LeaseLostError, SchemaMismatchError
from nba_predictions_tests.examples import (
    GAME_DATE,
    NOON,
    SECOND,
    STORED_PAYLOADS,
    batch,
    completion,
    dead_letter,
    ledger_entry,
    skipped,
)

S = BatchState
TOMORROW = GAME_DATE + timedelta(days=1)
Open = Callable[[], BatchStore]

#: The allowed transitions that bring a new batch into each state.
PATHS: dict[BatchState, tuple[BatchState, ...]] = {
    S.CREATED: (),
    S.STAGING: (S.STAGING,),
    S.STAGED: (S.STAGING, S.STAGED),
    S.MERGED: (S.STAGING, S.STAGED, S.MERGED),
    S.CLEANED: (S.STAGING, S.STAGED, S.MERGED, S.CLEANED),
    S.PUBLISHED: (S.STAGING, S.STAGED, S.MERGED, S.CLEANED, S.PUBLISHED),
    S.CLOSED: (S.STAGING, S.STAGED, S.MERGED, S.CLEANED, S.CLOSED),
    S.FAILED: (S.FAILED,),
    S.STALLED: (S.STALLED,),
}


def create(store: BatchStore, state: BatchState = S.CREATED, subject: Batch | None = None) -> Batch:
    subject = subject or batch()
    assert store.create(subject)
    for following in PATHS[state]:
        assert store.move(subject.batch_id, following)
    return store.get(subject.batch_id)


def recorded(store: BatchStore) -> list[Completion]:
    """Return the completions of the batch with one fixed time, because a store sets its own."""
    return [replace(c, recorded_at=NOON) for c in store.completions("batch_1")]


# ---------------------------------------------------------------------------------- batches


def test_a_store_that_a_later_version_has_written_is_refused(open_store: Open) -> None:
    store = open_store()
    assert store.prepare() == [] or isinstance(store, SQLiteBatchStore)
    assert store.prepare() == []
    if isinstance(store, FirestoreBatchStore):
        store._root.set({"schema_version": SCHEMA_VERSION + 1})
    else:
        assert isinstance(store, SQLiteBatchStore)
        with closing(sqlite3.connect(store.path)) as connection:
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(SchemaMismatchError, match=f"it has schema version {SCHEMA_VERSION + 1}"):
        open_store().prepare()


def test_a_batch_is_read_back_as_it_was_created(store: BatchStore) -> None:
    created = batch(completion_threshold=0.85, source="files")
    assert store.create(created)
    found = store.get("batch_1")
    assert replace(found, times={}) == created
    assert set(found.times) == {"created"}


def test_the_markets_of_a_batch_are_read_back(store: BatchStore) -> None:
    assert store.create(batch(markets=("points", "rebounds")))
    assert store.get("batch_1").markets == ("points", "rebounds")


def test_the_moment_and_the_begun_games_of_a_batch_are_read_back(store: BatchStore) -> None:
    known = batch(as_of=NOON + timedelta(microseconds=1), begun=("g1", "g2"))
    assert store.create(known)
    assert store.create(batch("batch_2", game_date=TOMORROW))
    assert (store.get("batch_1").as_of, store.get("batch_1").begun) == (known.as_of, known.begun)
    assert (store.get("batch_2").as_of, store.get("batch_2").begun) == (None, ())


def test_a_batch_without_announcement_is_read_back(store: BatchStore) -> None:
    assert store.create(batch(announce=False))
    assert store.get("batch_1").announce is False
    assert store.create(batch("batch_2", game_date=TOMORROW))
    assert store.get("batch_2").announce is True


def test_the_fingerprint_of_a_completion_is_read_back_and_may_be_unknown(store: BatchStore) -> None:
    create(store)
    known, unknown = replace(completion("a"), fingerprint="f1"), completion("b")
    for done in (known, unknown, skipped("c")):
        assert store.complete("batch_1", done)
    assert recorded(store) == [known, unknown, skipped("c")]
    assert store.complete("batch_1", skipped("a", "left"), replace=True)
    assert recorded(store)[0] == skipped("a", "left")
    assert store.tally("batch_1") == Tally(completed=1, skipped=2, failed=0)


REVISED: dict[str, Any] = {
    "expected_players": 5,
    "games": 2,
    "slate_fingerprint": "xyz",
    "announce": False,
    "markets": ("points", "rebounds"),
    "completion_threshold": 0.75,
    "as_of": NOON + SECOND,
    "begun": ("g1", "g2"),
}


def test_a_revision_changes_only_the_revised_fields(store: BatchStore) -> None:
    current = create(store, S.CLEANED)
    assert store.revise(current, replace(current, **REVISED))
    assert store.get("batch_1") == replace(current, **REVISED)
    assert store.move("batch_1", S.PUBLISHED)
    assert store.get("batch_1").announce is False


@pytest.mark.parametrize("changed", [*REVISED, "state"])
def test_a_batch_that_changed_since_it_was_read_is_not_revised(
    store: BatchStore, changed: str
) -> None:
    seen = create(store, S.CLEANED)
    if changed == "state":
        store.move("batch_1", S.PUBLISHED)
    else:
        other = replace(seen, **{changed: REVISED[changed]})
        assert store.revise(seen, other)
    before = store.get("batch_1")
    assert not store.revise(seen, replace(seen, games=9))
    assert store.get("batch_1") == before


def test_one_of_several_concurrent_revisions_succeeds(open_store: Open) -> None:
    stores = [open_store() for _ in range(4)]
    current = create(stores[0])
    with ThreadPoolExecutor(4) as pool:
        revised = list(
            pool.map(lambda n: stores[n].revise(current, replace(current, games=n + 2)), range(4))
        )
    assert sum(revised) == 1
    assert stores[0].get("batch_1").games == revised.index(True) + 2


def test_a_batch_id_is_created_once(store: BatchStore) -> None:
    assert store.create(batch())
    assert not store.create(batch(expected_players=99))
    assert store.get("batch_1").expected_players == 3


def test_one_of_several_threads_creates_the_batch(open_store: Open) -> None:
    stores = [open_store() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(lambda n: stores[n % 8].create(batch(f"batch_{n}")), range(40)))
    assert sum(created) == 1
    (only,) = stores[0].of_date(GAME_DATE)
    assert only.batch_id == f"batch_{created.index(True)}"


def test_a_batch_is_not_created_after_one_that_the_caller_has_not_seen(store: BatchStore) -> None:
    assert store.create(batch(), after=[])
    create(store, S.PUBLISHED, batch("batch_2", game_date=TOMORROW))
    store.move("batch_1", S.FAILED, "superseded")
    assert not store.create(batch("batch_3"), after=[])
    seen = store.of_date(GAME_DATE)
    assert store.create(batch("batch_3"), after=seen)
    store.move("batch_3", S.FAILED, "superseded")
    assert not store.create(batch("batch_4"), after=seen)
    assert store.create(batch("batch_4"), after=store.of_date(GAME_DATE))


@pytest.mark.parametrize("state", BatchState)
def test_a_date_has_one_unfinished_batch(store: BatchStore, state: BatchState) -> None:
    create(store, state, batch(announce=False))
    assert store.create(batch("batch_2")) == (state not in RESUMABLE)
    assert store.create(batch("batch_3", game_date=TOMORROW))


def test_a_lease_is_returned_until_it_is_released(store: BatchStore) -> None:
    assert store.lease(GAME_DATE) is None
    lease = store.acquire_lease(GAME_DATE, "me", timedelta(seconds=0))
    assert store.lease(GAME_DATE) == lease
    store.release_lease(lease)
    assert store.lease(GAME_DATE) is None


def test_a_finished_batch_is_not_reopened_while_another_is_unfinished(store: BatchStore) -> None:
    create(store, S.PUBLISHED)
    assert store.create(batch("batch_2"))
    with pytest.raises(BatchStateError, match=r"batch_1 .*another batch"):
        store.move("batch_1", S.STAGING)
    assert store.get("batch_1").state is S.PUBLISHED


#: The clock of a worker that goes backward: later batches have earlier times.
BACKWARD = [NOON - number * timedelta(hours=2) for number in (1, 2, 3)]


def test_batches_of_a_date_are_sorted_newest_first_whatever_their_times_are(
    store: BatchStore,
) -> None:
    for number, at in enumerate(BACKWARD, start=1):
        create(store, S.FAILED, batch(f"batch_{number}", created_at=at))
    create(store, subject=batch("elsewhere", game_date=TOMORROW))
    assert [b.batch_id for b in store.of_date(GAME_DATE)] == ["batch_3", "batch_2", "batch_1"]
    assert store.of_date(GAME_DATE - timedelta(days=1)) == []


def test_batches_in_a_state_are_sorted_oldest_first_whatever_their_times_are(
    store: BatchStore,
) -> None:
    states = (S.CLEANED, S.CLEANED, S.PUBLISHED)
    for number, (state, at) in enumerate(zip(states, BACKWARD, strict=True), start=1):
        on = GAME_DATE + timedelta(days=number)
        create(store, state, batch(f"batch_{number}", game_date=on, created_at=at))
    assert [b.batch_id for b in store.in_states({S.CLEANED})] == ["batch_1", "batch_2"]
    assert len(store.in_states({S.CLEANED, S.PUBLISHED})) == 3
    assert store.in_states(set()) == []
    assert store.in_states({S.STALLED}) == []


def test_everything_that_is_recorded_has_a_higher_sequence_number_than_what_was_recorded_before(
    open_store: Open,
) -> None:
    one, other = open_store(), open_store()
    numbers = [one.next_sequence(GAME_DATE)]
    create(other)
    numbers.append(one.get("batch_1").sequence)
    for lookup, store in (("a", one), ("b", other)):
        numbers.append(other.next_sequence(GAME_DATE))
        # The time of the worker does not matter.
        store.complete("batch_1", completion(lookup, at=NOON - timedelta(days=9)))
        numbers.append({c.player_lookup: c for c in one.completions("batch_1")}[lookup].sequence)
        numbers.append(one.next_sequence(GAME_DATE))
        staged = replace(entry("staged", at=NOON - timedelta(days=9)), sequence=0)
        store.append("batch_1", staged)
        numbers.append(one.ledger("batch_1")[-1].sequence)
        store.add_dead_letter("batch_1", dead_letter(lookup))
        (letter,) = (d for d in one.dead_letters("batch_1") if d.player_lookup == lookup)
        numbers.append(letter.sequence)
    assert numbers == sorted(set(numbers))


def test_a_given_sequence_number_is_stored_with_a_ledger_entry(store: BatchStore) -> None:
    create(store)
    store.append("batch_1", replace(entry("merged", **STORED_PAYLOADS["merged"]), sequence=7))
    assert [e.sequence for e in store.ledger("batch_1")] == [7]


def test_a_replay_of_an_earlier_attempt_replaces_nothing(open_store: Open) -> None:
    one, other = open_store(), open_store()
    create(one)
    one.complete("batch_1", replace(completion("a"), attempt=1))
    one.complete("batch_1", replace(completion("a", rows=5), attempt=5), replace=True)
    other.complete("batch_1", replace(completion("a", rows=10), attempt=4), replace=True)
    (kept,) = one.completions("batch_1")
    assert (kept.rows, kept.attempt) == (5, 5)
    assert one.tally("batch_1") == Tally(completed=1, skipped=0, failed=0)
    one.complete("batch_1", replace(skipped("a"), attempt=6), replace=True)
    assert one.tally("batch_1") == Tally(completed=0, skipped=1, failed=0)


def test_a_lease_is_renewed_until_another_worker_acquires_it(open_store: Open) -> None:
    one, other = open_store(), open_store()
    lease = one.acquire_lease(GAME_DATE, "run_1", timedelta(0))
    renewed = one.renew_lease(lease, timedelta(minutes=10))
    assert renewed.token == lease.token
    assert renewed.expires_at > lease.expires_at
    with pytest.raises(LeaseLostError, match="run_1"):
        other.acquire_lease(GAME_DATE, "run_2", timedelta(minutes=10))
    one.renew_lease(lease, timedelta(0))
    newer = other.acquire_lease(GAME_DATE, "run_2", timedelta(minutes=10))
    with pytest.raises(LeaseLostError, match=r"run_1 lost the lease.*it was not renewed"):
        one.renew_lease(lease, timedelta(minutes=10))
    other.release_lease(newer)
    with pytest.raises(LeaseLostError, match=r"run_2 lost the lease.*it was not renewed"):
        other.renew_lease(newer, timedelta(minutes=10))


def test_a_lease_of_a_clock_that_was_ahead_is_not_believed(open_store: Open) -> None:
    ahead = open_store().acquire_lease(GAME_DATE, "ahead", timedelta(hours=2))
    lease = open_store().acquire_lease(GAME_DATE, "run_2", timedelta(seconds=30))
    assert lease.token > ahead.token


def test_an_unknown_batch_is_an_error_that_names_it(store: BatchStore) -> None:
    with pytest.raises(BatchStateError, match="batch_9"):
        store.get("batch_9")
    with pytest.raises(BatchStateError, match="batch_9"):
        store.move("batch_9", S.STAGING)


@pytest.mark.parametrize("state", BatchState)
@pytest.mark.parametrize("to", BatchState)
def test_exactly_the_allowed_transitions_are_made(
    store: BatchStore, state: BatchState, to: BatchState
) -> None:
    create(store, state, batch(announce=False))
    if to in TRANSITIONS[state]:
        assert store.move("batch_1", to, "because")
        assert store.get("batch_1").state is to
        assert store.get("batch_1").reason == "because"
        assert to.value in store.get("batch_1").times
    elif to is state:
        assert not store.move("batch_1", to)
    else:
        with pytest.raises(BatchStateError, match=f"batch_1 is {state.value}.*{to.value}"):
            store.move("batch_1", to)
        assert store.get("batch_1").state is state


def test_a_batch_that_is_to_be_published_is_not_closed(store: BatchStore) -> None:
    current = create(store, S.CLEANED)
    with pytest.raises(BatchStateError, match="batch_1 is to be published, so it cannot become"):
        store.move("batch_1", S.CLOSED)
    assert store.get("batch_1") == current
    assert store.revise(current, replace(current, announce=False))
    assert store.move("batch_1", S.CLOSED)


def test_a_batch_is_not_closed_while_it_is_turned_on(open_store: Open) -> None:
    stores = [open_store() for _ in range(2)]
    for number in range(20):
        on = GAME_DATE + timedelta(days=number)
        name = f"batch_{number}"
        current = create(stores[0], S.CLEANED, batch(name, game_date=on, announce=False))

        def close(name: str = name) -> bool:
            try:
                return stores[1].move(name, S.CLOSED)
            except BatchStateError:
                return False

        with ThreadPoolExecutor(2) as pool:
            closed = pool.submit(close)
            turned_on = pool.submit(stores[0].revise, current, replace(current, announce=True))
            assert closed.result() != turned_on.result()
        found = stores[0].get(name)
        assert (found.state, found.announce) in ((S.CLOSED, False), (S.CLEANED, True))


def test_abandoned_batches_are_found_by_the_time_at_which_they_were_abandoned(
    store: BatchStore,
) -> None:
    def abandon(number: int) -> None:
        on = GAME_DATE + timedelta(days=number)
        create(store, S.FAILED, batch(f"batch_{number}", game_date=on, created_at=NOON))

    abandon(1)
    time.sleep(0.01)
    between = store.now()
    abandon(2)
    abandon(3)
    assert store.move("batch_3", S.STAGING)
    assert [b.batch_id for b in store.failed_since(between)] == ["batch_2"]
    assert store.move("batch_3", S.FAILED)
    assert [b.batch_id for b in store.failed_since(between)] == ["batch_2", "batch_3"]
    assert len(store.failed_since(NOON)) == 3
    assert store.failed_since(store.now() + timedelta(hours=1)) == []


def test_one_of_several_concurrent_moves_succeeds(open_store: Open) -> None:
    stores = [open_store() for _ in range(4)]
    create(stores[0], S.STAGING)
    with ThreadPoolExecutor(16) as pool:
        moved = list(pool.map(lambda n: stores[n % 4].move("batch_1", S.STAGED), range(16)))
    assert sum(moved) == 1


# ---------------------------------------------------------------------------------- completions


def test_a_completion_is_read_back_as_it_was_recorded(store: BatchStore) -> None:
    create(store)
    assert store.complete("batch_1", skipped("zach"))
    assert store.complete("batch_1", completion("anthony"))
    assert recorded(store) == [completion("anthony"), skipped("zach")]
    assert store.completions("batch_2") == []


def test_a_repeated_completion_changes_nothing(store: BatchStore) -> None:
    create(store)
    assert store.complete("batch_1", completion("a"))
    assert not store.complete("batch_1", completion("a", rows=5, run_id="late"))
    assert not store.complete("batch_1", skipped("a"))
    assert recorded(store) == [completion("a")]


def test_a_replay_replaces_the_completion(store: BatchStore) -> None:
    create(store)
    store.complete("batch_1", skipped("a"))
    later = completion("a", at=NOON + SECOND, run_id="replay")
    assert store.complete("batch_1", later, replace=True)
    assert recorded(store) == [replace(later, recorded_at=NOON)]


def test_a_player_has_one_completion_per_batch(store: BatchStore) -> None:
    create(store)
    create(store, subject=batch("batch_2", game_date=TOMORROW))
    assert store.complete("batch_1", completion("a"))
    assert store.complete("batch_2", completion("a", rows=5))
    assert [c.rows for c in store.completions("batch_1")] == [25]


@pytest.mark.parametrize(("workers", "players"), [(40, 40), (40, 400)])
def test_concurrent_completions_are_all_recorded(
    open_store: Open, workers: int, players: int
) -> None:
    stores = [open_store() for _ in range(4)]
    create(stores[0], S.STAGING)
    names = [f"player{n:03}" for n in range(players)]
    with ThreadPoolExecutor(workers) as pool:
        first = list(
            pool.map(
                lambda n: stores[n % 4].complete("batch_1", completion(names[n])), range(players)
            )
        )
    assert all(first)
    assert [c.player_lookup for c in stores[1].completions("batch_1")] == names


def test_one_of_several_concurrent_completions_of_a_player_is_kept(open_store: Open) -> None:
    stores = [open_store() for _ in range(4)]
    create(stores[0], S.STAGING)
    with ThreadPoolExecutor(16) as pool:
        first = list(
            pool.map(
                lambda n: stores[n % 4].complete("batch_1", completion("a", run_id=f"run_{n}")),
                range(16),
            )
        )
    assert sum(first) == 1
    (kept,) = stores[0].completions("batch_1")
    assert kept.run_id == f"run_{first.index(True)}"


@pytest.mark.parametrize("lookup", ["karl-anthony", "o'neal", "p.j.", "a/b", "ümit", "__x__"])
def test_special_characters_in_a_player_name_are_stored(store: BatchStore, lookup: str) -> None:
    # Firestore refuses some characters in field paths, for example a hyphen.
    create(store)
    done = Completion(lookup, 25, NOON, "run", staging_table="batch_1/x")
    assert store.complete("batch_1", done)
    assert recorded(store) == [done]


def test_the_store_tallies_players(store: BatchStore) -> None:
    assert store.tally("batch_1") == Tally(0, 0, 0)
    for lookup in ("a", "b"):
        store.complete("batch_1", completion(lookup))
    store.complete("batch_1", skipped("c"))
    store.complete("batch_2", completion("x"))
    for lookup in ("b", "d", "e"):
        store.add_dead_letter("batch_1", dead_letter(lookup))
    assert store.tally("batch_1") == Tally(completed=2, skipped=1, failed=2)
    assert store.tally("batch_2") == Tally(1, 0, 0)


def test_completions_are_stamped_by_the_clock_of_the_store(open_store: Open) -> None:
    one, other = open_store(), open_store()
    create(one)
    times = [one.now()]
    for lookup in ("a", "b", "c"):
        at = datetime.now(timezone.utc)
        other.complete("batch_1", completion(lookup, at=at))
        times.append(one.now())
    recorded = [c.recorded_at for c in one.completions("batch_1")]
    for before, at, after in zip(times, recorded, times[1:], strict=False):
        assert before <= at <= after
    assert all(moment.utcoffset() == timedelta(0) for moment in (*times, *recorded))


# ---------------------------------------------------------------------------------- dead letters


def test_a_dead_letter_is_read_back_and_replaced_by_a_newer_one(store: BatchStore) -> None:
    create(store)
    store.add_dead_letter("batch_1", dead_letter("b"))
    store.add_dead_letter("batch_1", dead_letter("a"))
    assert store.dead_letters("batch_1") == [dead_letter("a"), dead_letter("b")]
    newer = dead_letter("a", at=NOON + SECOND, message="other\nlines ü")
    store.add_dead_letter("batch_1", newer)
    assert store.dead_letters("batch_1") == [newer, dead_letter("b")]
    assert store.dead_letters("batch_2") == []


# ---------------------------------------------------------------------------------- leases


def test_a_lease_has_one_holder(open_store: Open) -> None:
    one, other = open_store(), open_store()
    lease = one.acquire_lease(GAME_DATE, "run_1", timedelta(minutes=10))
    assert (lease.game_date, lease.holder) == (GAME_DATE, "run_1")
    for store in (one, other):
        with pytest.raises(LeaseLostError, match=r"2026-01-01 .*run_1"):
            store.acquire_lease(GAME_DATE, "run_2", timedelta(minutes=10))
    assert one.acquire_lease(TOMORROW, "run_2", timedelta(minutes=10)).holder == "run_2"


def test_one_of_several_concurrent_workers_gets_the_lease(open_store: Open) -> None:
    stores = [open_store() for _ in range(4)]

    def acquire(number: int) -> Lease | None:
        try:
            return stores[number % 4].acquire_lease(
                GAME_DATE, f"run_{number}", timedelta(minutes=1)
            )
        except LeaseLostError:
            return None

    with ThreadPoolExecutor(16) as pool:
        assert sum(lease is not None for lease in pool.map(acquire, range(16))) == 1


def test_tokens_increase_after_release_and_expiry(store: BatchStore) -> None:
    tokens = []
    for ttl in (timedelta(minutes=10), timedelta(milliseconds=5), timedelta(minutes=10)):
        lease = store.acquire_lease(GAME_DATE, "run", ttl)
        tokens.append(lease.token)
        if ttl < SECOND:
            time.sleep(0.02)
        else:
            store.release_lease(lease)
    assert tokens == sorted(set(tokens))
    assert len(tokens) == 3


def test_a_lease_expires_after_its_time_to_live(store: BatchStore) -> None:
    before = store.now()
    lease = store.acquire_lease(GAME_DATE, "run", timedelta(minutes=10))
    assert before + timedelta(minutes=10) <= lease.expires_at
    assert lease.expires_at <= store.now() + timedelta(minutes=10)


def test_releasing_a_lost_lease_changes_nothing(store: BatchStore) -> None:
    lost = store.acquire_lease(GAME_DATE, "run_1", timedelta(0))
    store.acquire_lease(GAME_DATE, "run_2", timedelta(minutes=10))
    store.release_lease(lost)
    with pytest.raises(LeaseLostError, match="run_2"):
        store.acquire_lease(GAME_DATE, "run_3", timedelta(minutes=10))


def entry(event: str, at: datetime = NOON, **counts: object) -> LedgerEntry:
    return ledger_entry(event, at, "run_1", counts)


def test_the_holder_of_a_lease_writes_the_ledger(store: BatchStore) -> None:
    create(store)
    lease = store.acquire_lease(GAME_DATE, "run_1", timedelta(minutes=10))
    store.append("batch_1", entry("reopened", rows=1), lease)
    assert [e.event for e in store.ledger("batch_1")] == ["reopened"]


def test_a_worker_that_lost_its_lease_cannot_write_the_ledger(store: BatchStore) -> None:
    create(store)
    lost = store.acquire_lease(GAME_DATE, "run_1", timedelta(0))
    held = store.acquire_lease(GAME_DATE, "run_2", timedelta(minutes=10))
    with pytest.raises(LeaseLostError, match=r"run_1 lost the lease.*reopened.*not written"):
        store.append("batch_1", entry("reopened"), lost)
    assert store.ledger("batch_1") == []
    store.append("batch_1", entry("reopened"), held)
    store.release_lease(held)
    with pytest.raises(LeaseLostError):
        store.append("batch_1", entry("reopened"), lost)
    assert len(store.ledger("batch_1")) == 1


def test_a_lease_that_was_never_acquired_cannot_write_the_ledger(store: BatchStore) -> None:
    create(store)
    with pytest.raises(LeaseLostError):
        store.append("batch_1", entry("reopened"), Lease(TOMORROW, "run_1", 1, NOON))
    assert store.ledger("batch_1") == []


# ---------------------------------------------------------------------------------- ledger


def test_the_ledger_keeps_the_order_and_payload_of_its_entries(store: BatchStore) -> None:
    create(store)
    entries = [
        entry("created", NOON + 5 * SECOND, games=7),
        entry("staged", NOON),  # a time before the previous entry does not change the order
        entry("cleanup_refused", NOON + SECOND, objections=["a", "ü"], rate=0.5, none=None),
        entry("staged", NOON + 2 * SECOND),
    ]
    for one in entries:
        store.append("batch_1", one)
    store.append("batch_2", entry("created"))
    assert list(store.ledger("batch_1")) == entries


def test_entries_of_an_earlier_version_are_read_back(store: BatchStore) -> None:
    create(store)
    for seconds, (event, payload) in enumerate(STORED_PAYLOADS.items()):
        insert_stored_entry(store, event, NOON + seconds * SECOND, payload)
    assert list(store.ledger("batch_1")) == [
        ledger_entry(event, NOON + seconds * SECOND, "run_1", payload)
        for seconds, (event, payload) in enumerate(STORED_PAYLOADS.items())
    ]


def insert_stored_entry(
    store: BatchStore, event: str, at: datetime, payload: dict[str, Any]
) -> None:
    """Write a ledger entry in the stored format, without the code that serializes entries."""
    if isinstance(store, SQLiteBatchStore):
        row = (
            "batch_1",
            event,
            at.isoformat(timespec="microseconds"),
            "run_1",
            json.dumps(payload),
        )
        with sqlite3.connect(store.path) as connection:
            connection.execute(
                "INSERT INTO ledger (batch_id, event, at, run_id, counts) VALUES (?, ?, ?, ?, ?)",
                row,
            )
        connection.close()
    else:
        assert isinstance(store, FirestoreBatchStore)
        fields = {"event": event, "at": at, "run_id": "run_1", "counts": payload}
        store._of_batch("batch_1", "ledger").document(event).create(fields)


def test_concurrent_ledger_entries_are_all_kept(open_store: Open) -> None:
    stores = [open_store() for _ in range(4)]
    create(stores[0])
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: stores[n % 4].append("batch_1", entry("resumed", n=n)), range(64)))
    assert {e.details()["n"] for e in stores[0].ledger("batch_1")} == set(range(64))


def test_all_records_are_read_back_after_reopening(open_store: Open) -> None:
    first = open_store()
    create(first, S.STAGED)
    first.complete("batch_1", completion("a"))
    first.add_dead_letter("batch_1", dead_letter("b"))
    first.append("batch_1", entry("staged", n=1))
    lease = first.acquire_lease(GAME_DATE, "run_1", timedelta(minutes=10))
    second = open_store()
    assert second.get("batch_1") == first.get("batch_1")
    assert second.completions("batch_1") == first.completions("batch_1")
    assert recorded(second) == [completion("a")]
    assert second.dead_letters("batch_1") == [dead_letter("b")]
    assert list(second.ledger("batch_1")) == [entry("staged", n=1)]
    second.append("batch_1", entry("cleaned"), lease)
    second.release_lease(lease)
    assert second.acquire_lease(GAME_DATE, "run_2", timedelta(0)).token > lease.token
