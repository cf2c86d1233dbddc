"""Find the batches that call for an alert: stalled, abandoned, or not published."""

from datetime import date, datetime, timedelta
from typing import Any

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import Batch, BatchState, Progress
from nba_predictions.domain.batches.ledger import LedgerEvent, entries_of
from nba_predictions.domain.policies.alerting import WATCH_PERIOD, Condition, Kind, Severity
from nba_predictions.nightly.current_batch import batch_progress, newest_batch, read_snapshot
from nba_predictions.nightly.publication import unpublished_batches
from nba_predictions.nightly.stalls import silent_batches

#: The first attempts to publish may fail without an alert.
UNPUBLISHED_AFTER = timedelta(minutes=10)


def stalled_conditions(store: BatchStore, now: datetime) -> list[Condition]:
    """Return the batches that recorded nothing for the stall window, and those abandoned since."""
    stalled = [
        _condition(
            stall.batch,
            Kind.STALLED_BATCH,
            f"the batch of {stall.batch.game_date} is stalled in state {stall.batch.state.value}",
            since=stall.since,
            facts={
                "state": stall.batch.state.value,
                "idle_minutes": stall.idle_minutes,
                **_player_facts(stall.progress),
            },
        )
        for stall in silent_batches(store, now)
    ]
    return [*stalled, *_abandoned(store, now)]


def _abandoned(store: BatchStore, now: datetime) -> list[Condition]:
    conditions = []
    for batch in store.failed_since(now - WATCH_PERIOD):
        since = batch.times[BatchState.FAILED.value]
        newest = newest_batch(store, batch.game_date)
        if newest is None or newest.batch_id != batch.batch_id:
            continue
        title = f"the batch of {batch.game_date} was abandoned, and no other batch replaced it"
        facts = {"reason": batch.reason, **_player_facts(batch_progress(batch, store))}
        until = since + WATCH_PERIOD
        conditions.append(
            _condition(
                batch, Kind.STALLED_BATCH, title, since=since, watched_until=until, facts=facts
            )
        )
    return conditions


def _player_facts(progress: Progress) -> dict[str, object]:
    return {
        "completion_pct": progress.completion_pct,
        "completed": progress.completed,
        "failed_players": progress.failed,
        "expected_players": progress.expected,
    }


def unpublished_conditions(store: BatchStore, now: datetime) -> list[Condition]:
    """Return the batches that were cleaned up a while ago and are still not published."""
    conditions = []
    for batch in unpublished_batches(store):
        since = batch.times.get(BatchState.CLEANED.value, batch.created_at)
        if now - since < UNPUBLISHED_AFTER:
            continue
        snapshot = read_snapshot(store, batch.batch_id)
        if snapshot.unmerged_staging:
            # Players were replayed into the batch and not merged: that is a stalled batch.
            continue
        cleaned = snapshot.last(LedgerEvent.CLEANED)
        failures = entries_of(snapshot.ledger, LedgerEvent.PUBLISH_FAILED)
        last_failure = snapshot.last(LedgerEvent.PUBLISH_FAILED)
        title = f"the predictions of {batch.game_date} are merged but not published"
        facts = {
            "failed_attempts": sum(
                cleaned is None or entry.sequence > cleaned.sequence for entry in failures
            ),
            "last_error": last_failure.details().get("error")
            if last_failure
            else "never attempted",
            "waiting_minutes": int((now - since).total_seconds() // 60),
        }
        run_id = last_failure.run_id if last_failure else batch.run_id
        conditions.append(
            _condition(
                batch, Kind.UNPUBLISHED_BATCH, title, since=since, run_id=run_id, facts=facts
            )
        )
    return conditions


def published_after(store: BatchStore, game_date: date, moment: datetime) -> bool:
    """Return whether the newest batch of a date was published after a moment."""
    batch = newest_batch(store, game_date)
    if batch is None or batch.state is not BatchState.PUBLISHED:
        return False
    published_at = batch.times.get(BatchState.PUBLISHED.value)
    return published_at is not None and published_at > moment


def _condition(batch: Batch, kind: Kind, title: str, **attributes: Any) -> Condition:
    return Condition(
        # One key per batch and kind: a stalled batch that is abandoned later is the same alert.
        key=f"{kind.value}:{batch.batch_id}",
        kind=kind,
        severity=Severity.ERROR,
        title=title,
        to_do=f"nba-predictions repair --game-date {batch.game_date}",
        game_date=batch.game_date,
        batch_id=batch.batch_id,
        **{"run_id": batch.run_id, **attributes},
    )
