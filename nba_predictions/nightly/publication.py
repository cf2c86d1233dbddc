"""Tell the phases downstream that a batch is done: at least once, and never for a bad one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import (
    CLEANED_UP,
    Batch,
    BatchState,
    Completion,
    LedgerEntry,
    Progress,
)
from nba_predictions.domain.batches.reconciliation import (
    Reconciliation,
    changed_since_merge,
    last_entry,
)
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import BatchStateError
from nba_predictions.domain.messages.completion import CompletionMessage, CompletionMetadata
from nba_predictions.domain.messages.dead_letter import DeadLetterMessage
from nba_predictions.logs import milestone
from nba_predictions.messaging.port import Publisher
from nba_predictions.nightly.current_batch import batch_progress, current_batch, log_fields


def unpublished(store: BatchStore) -> list[Batch]:
    """Return the batches that are consolidated and cleaned and wait to be published.

    A later batch of the same date has taken over the rows of an earlier one, and speaks for both.
    One that is not to be announced waits for nothing.
    """
    waiting = [b for b in store.in_states({BatchState.CLEANED}) if b.announce]
    return [b for b in waiting if current_batch(store, b.game_date).batch_id == b.batch_id]


def completion_message(
    batch: Batch,
    done: Progress,
    completions: Sequence[Completion],
    ledger: Sequence[LedgerEntry],
) -> CompletionMessage:
    """Build the message of a cleaned batch.

    Raises:
        BatchStateError: the batch has no merge that reconciled, players were staged since, or it is
            below its threshold.
    """
    merged = last_entry(ledger, "merged")
    if merged is None:
        raise BatchStateError(f"{batch.batch_id} has no merge in its ledger; consolidate it first")
    numbers = Reconciliation.from_numbers(merged.counts)
    problems = numbers.merge_problems()
    since = len(changed_since_merge(completions, ledger))
    if since and not problems:
        problems.append(f"{since} players were staged or skipped since it was merged")
    if not done.may_go_out:
        problems.append(f"only {done.completion_pct}% of its players are accounted for")
    if problems:
        raise BatchStateError(f"{batch.batch_id} must not go out: {'; '.join(problems)}")
    return CompletionMessage(
        execution_id=batch.batch_id,
        correlation_id=batch.run_id,
        game_date=batch.game_date,
        status=done.status,
        timestamp=utc_now(),
        record_count=numbers.batch_rows_in_target,
        records_failed=done.failed,
        # Two machines' clocks may disagree, and no message would pass with less than zero.
        duration_seconds=max(0.0, (merged.at - batch.created_at).total_seconds()),
        revision=_revision(completions, ledger),
        metadata=CompletionMetadata(
            batch_id=batch.batch_id,
            expected_players=done.expected,
            completed_players=done.completed,
            skipped_players=done.skipped,
            failed_players=done.failed,
            rows_staged=numbers.batch_rows_expected,
            rows_merged=numbers.batch_rows_in_target,
            completion_pct=done.completion_pct,
        ),
    )


def _revision(completions: Sequence[Completion], ledger: Sequence[LedgerEntry]) -> int:
    """Count the publications that a replayed player has outdated: readers must see the next."""
    newest = max((c.recorded_at for c in completions), default=None)
    return sum(
        entry.event == "published" and newest is not None and entry.at < newest for entry in ledger
    )


def announce_dead_letters(
    batch: Batch, store: BatchStore, publisher: Publisher, *, run_id: str
) -> int:
    """Publish the failed players of a batch that were not announced yet; return how many.

    Raises:
        PublishError: the broker did not take one; those before it are announced.
    """
    announced = {
        entry.counts["dedup_id"]
        for entry in store.ledger(batch.batch_id)
        if entry.event == "dead_letter_announced"
    }
    letters = [DeadLetterMessage.of(batch, d) for d in store.dead_letters(batch.batch_id)]
    new = [letter for letter in letters if letter.dedup_id not in announced]
    for letter in new:
        counts = {"dedup_id": letter.dedup_id, "message_id": publisher.publish(letter)}
        entry = LedgerEntry("dead_letter_announced", store.now(), run_id, counts)
        store.append(batch.batch_id, entry)
    return len(new)


def publish_completion(
    batch: Batch, store: BatchStore, publisher: Publisher, *, run_id: str
) -> str:
    """Publish the completion of a batch and record the broker's message id; return the id.

    A batch that is published already is not published again. A crash between the acknowledgement
    and its record publishes once more with the same dedup_id.

    Raises:
        PublishError: the broker did not take it. The batch stays cleaned, and is tried again.
        BatchStateError: the batch is not cleaned, is not to be announced, or must not go out.
    """
    which = log_fields(batch, run_id)
    ledger = store.ledger(batch.batch_id)
    present = store.get(batch.batch_id)
    state = present.state
    earlier = last_entry(ledger, "published")
    if earlier and state is BatchState.PUBLISHED:
        return str(earlier.counts["message_id"])
    # Published without an entry of it: nobody can know whether the message went out.
    if state not in CLEANED_UP:
        raise BatchStateError(
            f"{batch.batch_id} is {state.value}; only a cleaned batch is published"
        )
    if not present.announce:
        raise BatchStateError(
            f"{batch.batch_id} is not to be announced, it is of a backfill or was made too late; "
            f"`nba-predictions publish --batch {batch.batch_id}` announces it"
        )
    done = batch_progress(batch, store)
    message = completion_message(batch, done, store.completions(batch.batch_id), ledger)
    try:
        announce_dead_letters(batch, store, publisher, run_id=run_id)
        message_id = publisher.publish(message)
    except Exception as error:
        # Whatever it was, the consolidation stays good, and the attempt stays visible.
        counts = {"error": f"{type(error).__name__}: {error}"}
        store.append(batch.batch_id, LedgerEntry("publish_failed", store.now(), run_id, counts))
        milestone("publish_failed", counts["error"], severity=logging.ERROR, **which)
        raise
    sent: dict[str, Any] = {
        "message_id": message_id,
        "status": message.status.value,
        # What was said, word by word: brokers forget.
        "message": message.model_dump(mode="json"),
    }
    store.append(batch.batch_id, LedgerEntry("published", store.now(), run_id, sent))
    store.move(batch.batch_id, BatchState.PUBLISHED)
    milestone(
        "phase5_published",
        f"{message.status.value}: {message.record_count} rows, message {message_id}",
        status=message.status.value,
        record_count=message.record_count,
        message_id=message_id,
        **which,
    )
    milestone(
        "batch_complete",
        f"{batch.batch_id} is complete after {message.duration_seconds:.1f} s",
        status=message.status.value,
        duration_seconds=message.duration_seconds,
        **message.metadata.model_dump(exclude={"batch_id"}),
        **which,
    )
    return message_id
