"""Publish the completion message of a batch, with a failing broker and crashes."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from nba_predictions.batch_store.sqlite_store import SQLiteBatchStore
from nba_predictions.domain.batches.batch import BatchState, BatchStatus
from nba_predictions.domain.batches.ledger import LedgerEvent, last_entry
from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.domain.betting.slate import SlatePlayer
from nba_predictions.domain.errors import BatchStateError, PublishError
from nba_predictions.domain.messages.completion import CompletionMessage
from nba_predictions.nightly.current_batch import (
    current_batch,
    read_snapshot,
    set_announce,
)
from nba_predictions.nightly.publication import (
    completion_message,
    publish_completion,
    publish_dead_letters,
    unpublished_batches,
)
from nba_predictions_tests.examples import GAME_DATE, rows_of
from nba_predictions_tests.nightly.conftest import ROWS, SLATE, Night

S = BatchState


class FailingPublisher:
    """A publisher that raises the given errors first, and then publishes."""

    def __init__(self, night: Night, *errors: BaseException) -> None:
        self.errors, self.publisher = list(errors), night.publisher
        self.attempts: list[str] = []

    def prepare(self) -> None:
        self.publisher.prepare()

    def publish(self, message: CompletionMessage) -> str:
        self.attempts.append(message.dedup_id)
        if self.errors:
            raise self.errors.pop(0)
        return self.publisher.publish(message)


def test_a_cleaned_batch_is_published_with_the_numbers_of_the_night(night: Night) -> None:
    batch = night.cleaned()
    message_id = night.publish(batch)
    (sent,) = night.publisher.read()
    assert sent.message_id == message_id
    assert sent.attributes["dedup_id"] == batch.batch_id
    message = sent.message
    assert message.status is BatchStatus.SUCCESS
    assert (message.execution_id, message.correlation_id) == (batch.batch_id, "run_1")
    assert (message.record_count, message.records_failed) == (ROWS, 0)
    assert message.duration_seconds >= 0
    numbers = message.metadata
    assert (numbers.expected_players, numbers.completed_players) == (4, 3)
    assert (numbers.skipped_players, numbers.failed_players) == (1, 0)
    assert (numbers.rows_staged, numbers.rows_merged) == (ROWS, ROWS)
    entry = last_entry(night.store.ledger(batch.batch_id), LedgerEvent.PUBLISHED)
    assert entry is not None
    stored = entry.stored_payload()
    assert (stored["message_id"], stored["status"]) == (message_id, "success")
    # The ledger keeps the whole message.
    assert CompletionMessage.model_validate(stored["message"]) == message


def test_a_published_batch_is_not_published_again(night: Night) -> None:
    batch = night.cleaned()
    first = night.publish(batch)
    broken = FailingPublisher(night, RuntimeError("must not be called"))
    assert night.publish(batch, broken) == first
    assert broken.attempts == []
    assert night.events(batch).count("published") == 1


@pytest.mark.parametrize(
    "error",
    [
        PublishError("no route to the broker"),
        AttributeError("'NoneType' object has no attribute 'publish'"),
        TimeoutError("no answer"),
        MemoryError(),
    ],
    ids=lambda e: type(e).__name__,
)
def test_an_error_of_the_broker_is_recorded_and_raised_and_the_next_attempt_publishes(
    night: Night,
    error: Exception,
    milestones: Callable[[], list[dict[str, Any]]],
) -> None:
    batch = night.cleaned()
    milestones()
    broken = FailingPublisher(night, error, error)
    for _ in range(2):
        with pytest.raises(type(error)):
            night.publish(batch, broken)
    assert night.state(batch) is S.CLEANED
    entry = last_entry(night.store.ledger(batch.batch_id), LedgerEvent.PUBLISH_FAILED)
    assert entry is not None
    assert type(error).__name__ in entry.stored_payload()["error"]
    lines = milestones()
    assert [(x["event"], x["severity"]) for x in lines] == [("publish_failed", "ERROR")] * 2
    assert [b.batch_id for b in unpublished_batches(night.store)] == [batch.batch_id]

    night.publish(batch, broken)
    assert broken.attempts == [batch.batch_id] * 3
    assert night.state(batch) is S.PUBLISHED
    assert len(night.publisher.read()) == 1


@pytest.mark.parametrize("dies_at", ["append", "move"])
def test_after_a_crash_following_the_acknowledgement_the_message_is_sent_again_and_deduplicated(
    night: Night, dies_at: str
) -> None:
    batch = night.cleaned()

    def die(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    dying = type("Dying", (SQLiteBatchStore,), {dies_at: die})(night.store.path)
    with pytest.raises(KeyboardInterrupt):
        publish_completion(batch, dying, night.publisher, run_id="run_1")
    assert night.state(batch) is S.CLEANED
    night.publish(batch)
    assert night.state(batch) is S.PUBLISHED
    assert len(night.publisher.read()) == 1


@pytest.mark.parametrize("state", [S.STAGING, S.STAGED, S.MERGED])
def test_only_a_cleaned_batch_is_published(night: Night, state: BatchState) -> None:
    batch = night.open()
    if state is not S.STAGING:
        night.stage(batch)
        night.close(batch)
    if state is S.MERGED:
        night.merge_batch(batch)
    with pytest.raises(BatchStateError, match=f"is {state.value}; only a cleaned-up batch"):
        night.publish(batch)
    assert night.publisher.read() == []
    assert unpublished_batches(night.store) == []


def test_a_batch_without_a_merge_in_its_ledger_is_not_published(night: Night) -> None:
    # An operator set the state by hand, without a merge in the ledger.
    batch = night.staged()
    night.store.move(batch.batch_id, S.MERGED)
    night.store.move(batch.batch_id, S.CLEANED)
    with pytest.raises(BatchStateError, match="no merge in its ledger"):
        night.publish(batch)


def test_a_batch_whose_merge_did_not_reconcile_is_not_published(night: Night) -> None:
    batch = night.staged()
    night.staging(batch)[0].unlink()
    night.merge_batch(batch)
    night.store.move(batch.batch_id, S.MERGED)
    night.store.move(batch.batch_id, S.CLEANED)
    with pytest.raises(
        BatchStateError, match="must not be published: 3 staging tables were recorded"
    ):
        night.publish(batch)
    assert night.publisher.read() == []


def test_a_batch_below_its_threshold_has_no_message(night: Night) -> None:
    batch = night.cleaned()
    snapshot = read_snapshot(night.store, batch.batch_id)
    incomplete = replace(snapshot, completions=snapshot.completions[:2])
    with pytest.raises(BatchStateError, match=r"2 of 4 players \(50\.0%\).*threshold of 90%"):
        completion_message(incomplete, 1)


def test_an_earlier_batch_is_not_published_if_a_newer_one_is_current(
    night: Night,
) -> None:
    first = night.cleaned()
    assert [b.batch_id for b in unpublished_batches(night.store)] == [first.batch_id]
    second = night.open(run_id="run_2")
    assert unpublished_batches(night.store) == []
    night.stage(second)
    night.close(second)
    night.merge_batch(second)
    night.clean(second)
    assert [b.batch_id for b in unpublished_batches(night.store)] == [second.batch_id]


def test_a_published_batch_is_not_outstanding(night: Night) -> None:
    night.published()
    assert unpublished_batches(night.store) == []


def test_the_current_batch_is_the_newest_that_was_not_abandoned(night: Night) -> None:
    with pytest.raises(BatchStateError, match="2026-01-01 has no batch; materialize"):
        current_batch(night.store, GAME_DATE)
    first = night.published()
    second = night.open(run_id="run_2")
    assert current_batch(night.store, GAME_DATE).batch_id == second.batch_id
    night.store.move(second.batch_id, S.FAILED, "abandoned")
    assert current_batch(night.store, GAME_DATE).batch_id == first.batch_id


def test_the_current_batch_is_the_newest_if_all_were_abandoned(night: Night) -> None:
    first = night.open()
    night.store.move(first.batch_id, S.FAILED)
    second = night.open(run_id="run_2")
    night.store.move(second.batch_id, S.FAILED)
    assert current_batch(night.store, GAME_DATE).batch_id == second.batch_id


def test_clocks_that_disagree_do_not_prevent_publication(night: Night) -> None:
    batch = night.cleaned()
    snapshot = read_snapshot(night.store, batch.batch_id)
    ahead = replace(batch, created_at=batch.created_at + timedelta(seconds=5))
    message = completion_message(replace(snapshot, batch=ahead), 1)
    assert message.duration_seconds == 0


def test_the_duration_is_measured_from_creation_to_merge(night: Night) -> None:
    batch = night.cleaned()
    snapshot = read_snapshot(night.store, batch.batch_id)
    merged = snapshot.last(LedgerEvent.MERGED)
    assert merged is not None
    message = completion_message(snapshot, 1)
    expected = (merged.at - batch.created_at).total_seconds()
    assert message.duration_seconds == expected
    assert SLATE.expected == message.metadata.expected_players


def test_a_batch_without_announcement_is_not_outstanding_and_not_published(
    night: Night,
) -> None:
    batch = night.cleaned(announce=False)
    assert night.state(batch) is S.CLOSED
    assert unpublished_batches(night.store) == []
    with pytest.raises(BatchStateError, match=f"publish --batch {batch.batch_id}` publishes it"):
        night.publish(batch)
    assert night.publisher.read() == []
    assert night.verdict().verdict is Verdict.COMPLETE
    assert set_announce(night.store, batch.batch_id, True, run_id="me")
    assert not set_announce(night.store, batch.batch_id, True, run_id="me")
    assert night.state(batch) is S.CLEANED
    assert [b.batch_id for b in unpublished_batches(night.store)] == [batch.batch_id]
    assert night.verdict().verdict is Verdict.MERGED_NOT_PUBLISHED
    night.publish(night.store.get(batch.batch_id))
    assert len(night.publisher.read()) == 1
    assert night.events(batch).count("announce_changed") == 1


@pytest.mark.parametrize("announce", [True, False])
def test_the_run_that_resumes_a_batch_decides_whether_it_is_announced(
    night: Night, announce: bool
) -> None:
    first = night.open(announce=not announce)
    resumed = night.open(run_id="run_2", announce=announce)
    assert (resumed.batch_id, resumed.announce) == (first.batch_id, announce)


def test_a_batch_that_was_published_once_is_published_again_after_any_run_resumes_it(
    night: Night,
) -> None:
    batch = night.published()
    night.stage(batch, SLATE.players[:1], replay=True)
    resumed = night.open(run_id="run_2", announce=False)
    assert (resumed.batch_id, resumed.announce) == (batch.batch_id, True)


def test_a_normal_run_after_a_backfill_creates_a_batch_that_is_announced(night: Night) -> None:
    quiet = night.cleaned(announce=False)
    loud = night.published(run_id="run_2")
    assert loud.batch_id != quiet.batch_id
    assert [sent.message.execution_id for sent in night.publisher.read()] == [loud.batch_id]


def test_only_dead_letters_of_players_who_are_not_done_are_published(night: Night) -> None:
    """The players were dead-lettered while a folder was not writable, and predicted afterwards."""
    batch = night.open()
    failing = {"lukadoncic", "zachcollins"}

    def predict(player: SlatePlayer) -> list[dict[str, Any]]:
        if player.player_lookup in failing:
            raise PermissionError("the folder is not writable")
        return rows_of(player, batch.batch_id)

    night.stage(batch, predict=predict)
    failing.remove("lukadoncic")
    night.stage(batch, [p for p in SLATE.players if p.player_lookup == "lukadoncic"], predict)
    assert len(night.store.dead_letters(batch.batch_id)) == 2
    sent: list[Any] = []

    class Broker:
        def publish(self, message: Any) -> str:
            sent.append(message)
            return str(len(sent))

    broker: Any = Broker()
    assert publish_dead_letters(batch, night.store, broker, run_id="run_1") == 1
    assert [message.player_lookup for message in sent] == ["zachcollins"]
