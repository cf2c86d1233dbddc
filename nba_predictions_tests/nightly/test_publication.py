from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from nba_predictions.batch_store.sqlite_store import SQLiteBatchStore
from nba_predictions.domain.batches.batch import BatchState, BatchStatus, LedgerEntry
from nba_predictions.domain.batches.reconciliation import last_entry
from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.domain.errors import BatchStateError, PublishError
from nba_predictions.domain.messages.completion import CompletionMessage
from nba_predictions.nightly.current_batch import batch_progress, current_batch, set_announce
from nba_predictions.nightly.publication import (
    completion_message,
    publish_completion,
    unpublished,
)
from nba_predictions_tests.examples import GAME_DATE
from nba_predictions_tests.nightly.conftest import ROWS, SLATE, Night

S = BatchState


class Broken:
    """A broker that does not take messages, for as long as it has errors."""

    def __init__(self, night: Night, *errors: BaseException) -> None:
        self.errors, self.behind = list(errors), night.publisher
        self.asked: list[str] = []

    def prepare(self) -> None:
        self.behind.prepare()

    def publish(self, message: CompletionMessage) -> str:
        self.asked.append(message.dedup_id)
        if self.errors:
            raise self.errors.pop(0)
        return self.behind.publish(message)


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
    entry = last_entry(night.store.ledger(batch.batch_id), "published")
    assert entry is not None
    assert (entry.counts["message_id"], entry.counts["status"]) == (message_id, "success")
    # The ledger keeps what was said, word by word.
    assert CompletionMessage.model_validate(entry.counts["message"]) == message


def test_a_published_batch_is_not_published_again(night: Night) -> None:
    batch = night.cleaned()
    first = night.publish(batch)
    broken = Broken(night, RuntimeError("must not be asked"))
    assert night.publish(batch, broken) == first
    assert broken.asked == []
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
def test_whatever_goes_wrong_at_the_broker_is_recorded_raised_and_mended_later(
    night: Night,
    error: Exception,
    milestones: Callable[[], list[dict[str, Any]]],
) -> None:
    batch = night.cleaned()
    milestones()
    broken = Broken(night, error, error)
    for _ in range(2):
        with pytest.raises(type(error)):
            night.publish(batch, broken)
    assert night.state(batch) is S.CLEANED
    entry = last_entry(night.store.ledger(batch.batch_id), "publish_failed")
    assert entry is not None
    assert type(error).__name__ in entry.counts["error"]
    lines = milestones()
    assert [(x["event"], x["severity"]) for x in lines] == [("publish_failed", "ERROR")] * 2
    assert [b.batch_id for b in unpublished(night.store)] == [batch.batch_id]

    night.publish(batch, broken)
    assert broken.asked == [batch.batch_id] * 3
    assert night.state(batch) is S.PUBLISHED
    assert len(night.publisher.read()) == 1


@pytest.mark.parametrize("dies_at", ["append", "move"])
def test_a_crash_after_the_acknowledgement_publishes_again_and_delivers_once(
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


@pytest.mark.parametrize("state", [S.STAGING, S.STAGED, S.CONSOLIDATED])
def test_only_a_cleaned_batch_is_published(night: Night, state: BatchState) -> None:
    batch = night.open()
    if state is not S.STAGING:
        night.stage(batch)
        night.close(batch)
    if state is S.CONSOLIDATED:
        night.consolidate(batch)
    with pytest.raises(BatchStateError, match=f"is {state.value}; only a cleaned batch"):
        night.publish(batch)
    assert night.publisher.read() == []
    assert unpublished(night.store) == []


def test_a_state_alone_publishes_nothing(night: Night) -> None:
    # Somebody moved the batch by hand: without a merge in the ledger it does not go out.
    batch = night.staged()
    night.store.move(batch.batch_id, S.CONSOLIDATED)
    night.store.move(batch.batch_id, S.CLEANED)
    with pytest.raises(BatchStateError, match="no merge in its ledger"):
        night.publish(batch)


def test_a_merge_that_did_not_reconcile_is_not_published_by_a_state_alone(night: Night) -> None:
    batch = night.staged()
    night.staging(batch)[0].unlink()
    night.consolidate(batch)
    night.store.move(batch.batch_id, S.CONSOLIDATED)
    night.store.move(batch.batch_id, S.CLEANED)
    with pytest.raises(BatchStateError, match="must not go out: 3 staging tables were recorded"):
        night.publish(batch)
    assert night.publisher.read() == []


def test_a_batch_below_its_threshold_has_no_message(night: Night) -> None:
    batch = night.cleaned()
    done = replace(batch_progress(batch, night.store), completed=1)
    with pytest.raises(BatchStateError, match=r"only 50\.0% of its players"):
        completion_message(
            batch,
            done,
            night.store.completions(batch.batch_id),
            night.store.ledger(batch.batch_id),
        )


def test_an_earlier_batch_of_a_date_is_not_published_once_a_newer_is_current(
    night: Night,
) -> None:
    first = night.cleaned()
    assert [b.batch_id for b in unpublished(night.store)] == [first.batch_id]
    second = night.open(run_id="run_2")
    assert unpublished(night.store) == []
    night.stage(second)
    night.close(second)
    night.consolidate(second)
    night.clean(second)
    assert [b.batch_id for b in unpublished(night.store)] == [second.batch_id]


def test_nothing_waits_once_everything_is_published(night: Night) -> None:
    night.published()
    assert unpublished(night.store) == []


def test_the_current_batch_is_the_newest_that_was_not_given_up(night: Night) -> None:
    with pytest.raises(BatchStateError, match="2026-01-01 has no batch; materialize"):
        current_batch(night.store, GAME_DATE)
    first = night.published()
    second = night.open(run_id="run_2")
    assert current_batch(night.store, GAME_DATE).batch_id == second.batch_id
    night.store.move(second.batch_id, S.FAILED, "given up")
    assert current_batch(night.store, GAME_DATE).batch_id == first.batch_id


def test_a_date_on_which_every_batch_was_given_up_shows_the_newest(night: Night) -> None:
    first = night.open()
    night.store.move(first.batch_id, S.FAILED)
    second = night.open(run_id="run_2")
    night.store.move(second.batch_id, S.FAILED)
    assert current_batch(night.store, GAME_DATE).batch_id == second.batch_id


def test_clocks_that_disagree_do_not_keep_a_batch_from_going_out(night: Night) -> None:
    batch = night.cleaned()
    done = batch_progress(batch, night.store)
    ahead = replace(batch, created_at=batch.created_at + timedelta(seconds=5))
    message = completion_message(
        ahead, done, night.store.completions(batch.batch_id), night.store.ledger(batch.batch_id)
    )
    assert message.duration_seconds == 0


def test_the_duration_runs_from_the_creation_to_the_merge(night: Night) -> None:
    batch = night.cleaned()
    ledger = night.store.ledger(batch.batch_id)
    merged = last_entry(ledger, "merged")
    assert merged is not None
    done = batch_progress(batch, night.store)
    message = completion_message(
        batch,
        done,
        night.store.completions(batch.batch_id),
        [*ledger, LedgerEntry("x", merged.at, "run")],
    )
    expected = (merged.at - batch.created_at).total_seconds()
    assert message.duration_seconds == expected
    assert SLATE.expected == message.metadata.expected_players


def test_a_batch_that_is_not_to_be_announced_waits_for_nothing_and_is_not_published(
    night: Night,
) -> None:
    batch = night.cleaned(announce=False)
    assert unpublished(night.store) == []
    with pytest.raises(BatchStateError, match=f"publish --batch {batch.batch_id}` announces it"):
        night.publish(batch)
    assert night.publisher.read() == []
    assert night.verdict().verdict is Verdict.COMPLETE
    assert set_announce(night.store, batch.batch_id, True, run_id="me")
    assert not set_announce(night.store, batch.batch_id, True, run_id="me")
    assert [b.batch_id for b in unpublished(night.store)] == [batch.batch_id]
    assert night.verdict().verdict is Verdict.CONSOLIDATED_NOT_PUBLISHED
    night.publish(night.store.get(batch.batch_id))
    assert len(night.publisher.read()) == 1
    assert night.events(batch).count("announce_changed") == 1


@pytest.mark.parametrize("announce", [True, False])
def test_the_run_that_takes_a_batch_up_decides_whether_it_is_announced(
    night: Night, announce: bool
) -> None:
    left = night.open(announce=not announce)
    taken_up = night.open(run_id="run_2", announce=announce)
    assert (taken_up.batch_id, taken_up.announce) == (left.batch_id, announce)


def test_a_batch_that_went_out_once_is_told_of_again_whoever_takes_it_up(night: Night) -> None:
    batch = night.published()
    night.stage(batch, SLATE.players[:1], replay=True)
    taken_up = night.open(run_id="run_2", announce=False)
    assert (taken_up.batch_id, taken_up.announce) == (batch.batch_id, True)


def test_a_normal_run_after_a_backfill_makes_a_batch_that_is_announced(night: Night) -> None:
    quiet = night.cleaned(announce=False)
    loud = night.published(run_id="run_2")
    assert loud.batch_id != quiet.batch_id
    assert [sent.message.execution_id for sent in night.publisher.read()] == [loud.batch_id]
