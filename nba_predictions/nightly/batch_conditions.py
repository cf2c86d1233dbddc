"""Find stalled, abandoned and unpublished batches. Nothing is changed here."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import Batch, BatchState
from nba_predictions.domain.batches.reconciliation import last_entry, unmerged_staging
from nba_predictions.domain.policies.alerting import WATCH_PERIOD, Condition, Kind, Severity
from nba_predictions.nightly.current_batch import batch_progress, newest_batch
from nba_predictions.nightly.publication import unpublished
from nba_predictions.nightly.stalls import silent_batches

#: The first attempts to publish may fail without an alert.
UNPUBLISHED_AFTER = timedelta(minutes=10)


def stalled_batches(store: BatchStore, now: datetime) -> list[Condition]:
    """Return the batches without progress for the stall window, and the abandoned batches."""
    conditions = []
    for stall in silent_batches(store, now):
        batch = stall.batch
        conditions.append(
            _condition(
                batch,
                Kind.STALLED_BATCH,
                f"the batch of {batch.game_date} is stalled in the state {batch.state.value}",
                since=stall.since,
                facts={
                    "state": batch.state.value,
                    "idle_minutes": int(stall.idle.total_seconds() // 60),
                    "completion_pct": stall.done.completion_pct,
                    "completed": stall.done.completed,
                    "failed_players": stall.done.failed,
                    "expected_players": stall.done.expected,
                },
            )
        )
    for batch in store.in_states({BatchState.FAILED}):
        since = batch.times.get(BatchState.FAILED.value, batch.created_at)
        if now - since >= WATCH_PERIOD:
            continue
        newest = newest_batch(store, batch.game_date)
        if newest is None or newest.batch_id != batch.batch_id:
            continue
        done = batch_progress(batch, store)
        conditions.append(
            _condition(
                batch,
                Kind.STALLED_BATCH,
                f"the batch of {batch.game_date} was abandoned, and no newer batch replaced it",
                since=since,
                watched_until=since + WATCH_PERIOD,
                facts={
                    "reason": batch.reason,
                    "completion_pct": done.completion_pct,
                    "completed": done.completed,
                    "failed_players": done.failed,
                    "expected_players": done.expected,
                },
            )
        )
    return conditions


def unpublished_batches(store: BatchStore, now: datetime) -> list[Condition]:
    """Return the batches that were cleaned up some time ago and are not published."""
    conditions = []
    for batch in unpublished(store):
        since = batch.times.get(BatchState.CLEANED.value, batch.created_at)
        if now - since < UNPUBLISHED_AFTER:
            continue
        ledger = store.ledger(batch.batch_id)
        if unmerged_staging(store.completions(batch.batch_id), ledger):
            # Replayed players are not merged yet: this counts as a stalled batch.
            continue
        failed = last_entry(ledger, "publish_failed")
        attempts = [e for e in ledger if e.event == "publish_failed" and e.at >= since]
        conditions.append(
            _condition(
                batch,
                Kind.UNPUBLISHED_BATCH,
                f"the predictions of {batch.game_date} are merged but not published",
                since=since,
                run_id=failed.run_id if failed else batch.run_id,
                facts={
                    "failed_attempts": len(attempts),
                    "last_error": failed.counts.get("error") if failed else "never attempted",
                    "waiting_minutes": int((now - since).total_seconds() // 60),
                },
            )
        )
    return conditions


def published_after(store: BatchStore, game_date: date, moment: datetime) -> bool:
    """Return whether the newest batch of a date was published after a moment."""
    batch = newest_batch(store, game_date)
    at = batch.times.get(BatchState.PUBLISHED.value) if batch else None
    return (
        at is not None and batch is not None and batch.state is BatchState.PUBLISHED and at > moment
    )


def _condition(
    batch: Batch,
    kind: Kind,
    title: str,
    *,
    since: datetime,
    facts: dict[str, object],
    run_id: str | None = None,
    watched_until: datetime | None = None,
) -> Condition:
    return Condition(
        # A stalled batch that is then abandoned stays the same condition.
        key=f"{kind.value}:{batch.batch_id}",
        kind=kind,
        severity=Severity.ERROR,
        title=title,
        since=since,
        watched_until=watched_until,
        to_do=f"nba-predictions repair --game-date {batch.game_date}",
        game_date=batch.game_date,
        batch_id=batch.batch_id,
        run_id=run_id or batch.run_id,
        facts=facts,
    )
