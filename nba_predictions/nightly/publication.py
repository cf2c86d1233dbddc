"""Publish a finished batch to the downstream phases: at least once, and never a bad batch."""

import logging

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import CLEANED_UP, Batch, BatchState
from nba_predictions.domain.batches.ledger import LedgerEntry, LedgerEvent, Published, entries_of
from nba_predictions.domain.batches.snapshot import BatchSnapshot
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import BatchStateError
from nba_predictions.domain.messages.completion import CompletionMessage, CompletionMetadata
from nba_predictions.domain.messages.dead_letter import DeadLetterMessage
from nba_predictions.logs import milestone
from nba_predictions.messaging.port import Publisher
from nba_predictions.nightly.current_batch import (
    current_batch,
    log_context,
    read_snapshot,
    refuse_superseded,
)


def unpublished_batches(store: BatchStore) -> list[Batch]:
    """Return the batches that are merged and cleaned up, and still have to be published.

    A later batch of a date owns the rows of an earlier one, so only the later one is published.
    """
    cleaned = [b for b in store.in_states({BatchState.CLEANED}) if b.announce]
    return [b for b in cleaned if current_batch(store, b.game_date).batch_id == b.batch_id]


def completion_message(snapshot: BatchSnapshot, sequence: int) -> CompletionMessage:
    """Return the message of a cleaned-up batch. `sequence` orders the messages of its date.

    Raises:
        BatchStateError: the batch has no reconciled merge, players were staged after it, or too
            few players are accounted for.
    """
    batch, progress, numbers = snapshot.batch, snapshot.progress, snapshot.reconciliation
    merged = snapshot.last(LedgerEvent.MERGED)
    if merged is None or numbers is None:
        raise BatchStateError(f"{batch.batch_id} has no merge in its ledger; merge it first")
    problems = numbers.merge_problems()
    changed = len(snapshot.changed_since_merge)
    if changed and not problems:
        problems.append(f"{changed} players were staged or skipped after its merge")
    if not progress.may_be_published:
        problems.append(progress.below_threshold)
    if problems:
        raise BatchStateError(f"{batch.batch_id} must not be published: {'; '.join(problems)}")
    return CompletionMessage(
        execution_id=batch.batch_id,
        correlation_id=batch.run_id,
        game_date=batch.game_date,
        markets=batch.markets,
        status=progress.status,
        timestamp=utc_now(),
        record_count=numbers.batch_rows_in_target,
        records_failed=progress.failed,
        # The clocks of two machines may disagree; a message with a negative duration is invalid.
        duration_seconds=max(0.0, (merged.at - batch.created_at).total_seconds()),
        revision=_revision(snapshot),
        sequence=sequence,
        metadata=CompletionMetadata(
            batch_id=batch.batch_id,
            expected_players=progress.expected,
            completed_players=progress.completed,
            skipped_players=progress.skipped,
            failed_players=progress.failed,
            rows_staged=numbers.batch_rows_expected,
            rows_merged=numbers.batch_rows_in_target,
            completion_pct=progress.completion_pct,
            begun_games=batch.begun,
        ),
    )


def _revision(snapshot: BatchSnapshot) -> int:
    """Count the earlier publications that a replay or refresh has made outdated."""
    newest = max((c.sequence for c in snapshot.completions), default=0)
    published = entries_of(snapshot.ledger, LedgerEvent.PUBLISHED)
    return sum(entry.sequence < newest for entry in published)


def publish_dead_letters(
    batch: Batch, store: BatchStore, publisher: Publisher, *, run_id: str
) -> int:
    """Publish the dead letters of players who are not done and not published; return how many.

    Raises:
        PublishError: the broker did not accept a message. Those before it are recorded.
    """
    letters = store.dead_letters(batch.batch_id)
    if not letters:
        return 0
    published = {
        entry.details()["dedup_id"]
        for entry in entries_of(store.ledger(batch.batch_id), LedgerEvent.DEAD_LETTER_PUBLISHED)
    }
    # A player may have been predicted after the dead letter was written.
    done = {completion.player_lookup for completion in store.completions(batch.batch_id)}
    messages = [DeadLetterMessage.of(batch, d) for d in letters if d.player_lookup not in done]
    outstanding = [message for message in messages if message.dedup_id not in published]
    for message in outstanding:
        details = {"dedup_id": message.dedup_id, "message_id": publisher.publish(message)}
        entry = LedgerEntry(LedgerEvent.DEAD_LETTER_PUBLISHED, store.now(), run_id, details)
        store.append(batch.batch_id, entry)
    return len(outstanding)


def publish_completion(
    batch: Batch, store: BatchStore, publisher: Publisher, *, run_id: str
) -> Published:
    """Publish the completion message of a batch, and record the broker's acknowledgement.

    A message carries a sequence number, so that a reader can ignore the message of a worker that
    was paused while a later one was published. Publication needs no lease, so it does not wait for
    a worker that hangs. A published batch is not published again. If the record of an
    acknowledgement is lost in a crash, the next attempt sends the message again with the same
    dedup_id.

    Raises:
        PublishError: the broker did not accept the message. The batch stays cleaned up.
        BatchStateError: the batch is not cleaned up, it is not announced, its numbers disagree, or
            a later batch of the date was merged.
    """
    sequence = store.next_sequence(batch.game_date)
    snapshot = read_snapshot(store, batch.batch_id)
    if snapshot.publication and snapshot.batch.state is BatchState.PUBLISHED:
        return snapshot.publication
    _refuse_unless_publishable(snapshot.batch)
    refuse_superseded(batch, store)
    message = completion_message(snapshot, sequence)
    try:
        publish_dead_letters(batch, store, publisher, run_id=run_id)
        message_id = publisher.publish(message)
    except Exception as error:
        # Whatever failed, the merge stays valid. The failed attempt is recorded.
        reason = f"{type(error).__name__}: {error}"
        details = {"error": reason}
        entry = LedgerEntry(LedgerEvent.PUBLISH_FAILED, store.now(), run_id, details)
        store.append(batch.batch_id, entry)
        milestone("publish_failed", reason, severity=logging.ERROR, **log_context(batch, run_id))
        raise
    # The whole message is kept, because brokers delete messages.
    sent = Published(message_id, message.status.value, message.model_dump(mode="json"))
    store.append(batch.batch_id, LedgerEntry(LedgerEvent.PUBLISHED, store.now(), run_id, sent))
    store.move(batch.batch_id, BatchState.PUBLISHED)
    _log_publication(batch, message, message_id, run_id)
    return sent


def _refuse_unless_publishable(batch: Batch) -> None:
    # After a crash, a batch may be `published` without the ledger entry. It is published again.
    if batch.state not in CLEANED_UP:
        raise BatchStateError(
            f"{batch.batch_id} is {batch.state.value}; only a cleaned-up batch is published"
        )
    if not batch.announce:
        raise BatchStateError(
            f"{batch.batch_id} is not to be published: a backfill made it, or it was made after "
            f"its date; `nba-predictions publish --batch {batch.batch_id}` publishes it"
        )


def _log_publication(
    batch: Batch, message: CompletionMessage, message_id: str, run_id: str
) -> None:
    milestone(
        "phase5_published",
        f"{message.status.value}: {message.record_count} rows, message {message_id}",
        status=message.status.value,
        record_count=message.record_count,
        message_id=message_id,
        **log_context(batch, run_id),
    )
    milestone(
        "batch_complete",
        f"{batch.batch_id} is complete after {message.duration_seconds:.1f} s",
        status=message.status.value,
        duration_seconds=message.duration_seconds,
        **message.metadata.model_dump(exclude={"batch_id"}),
        **log_context(batch, run_id),
    )
