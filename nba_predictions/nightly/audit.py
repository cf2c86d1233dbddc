"""The one view of a night: what was asked for, and what became of it, step by step.

The evidence is gathered from the batch store, the staging area and the target table. Log lines are
not asked: that nothing was logged proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import MERGED, progress, tally
from nba_predictions.domain.batches.reconciliation import TargetCounts, last_entry
from nba_predictions.domain.batches.verdict import Evidence, judge
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.nightly.current_batch import newest_batch
from nba_predictions.warehouse.port import Warehouse


def gather_evidence(
    game_date: date, store: BatchStore, warehouse: Warehouse, batch_id: str | None = None
) -> Evidence:
    """Return the evidence on one batch, by default the newest of the date that was not given up."""
    now = store.now()
    batch = newest_batch(store, game_date)
    successor = None
    if batch_id is not None and batch is not None and batch.batch_id != batch_id:
        # One that is opened again, by a replay or a refresh, has taken over what it merged before.
        if batch.state in MERGED or last_entry(store.ledger(batch.batch_id), "merged"):
            successor = batch.batch_id
        batch = next((b for b in store.of_date(game_date) if b.batch_id == batch_id), None)
    if batch is None:
        return Evidence(None, (), (), (), frozenset(), TargetCounts(0, 0), now)
    completions = store.completions(batch.batch_id)
    return Evidence(
        batch=batch,
        completions=completions,
        dead_letters=store.dead_letters(batch.batch_id),
        ledger=store.ledger(batch.batch_id),
        staging_there=warehouse.staging_there(
            [c.staging_table for c in completions if c.staging_table]
        ),
        target=warehouse.count(PREDICTIONS, game_date, batch.batch_id),
        now=now,
        successor=successor,
        lease=store.lease(game_date),
    )


@dataclass(frozen=True)
class Step:
    """One step of a night: how many, of what, and when it was last recorded (UTC)."""

    name: str
    count: int | None
    what: str
    at: datetime | None


def steps(evidence: Evidence) -> list[Step]:
    """Return a night step by step, from what was requested to what was published."""
    batch = evidence.batch
    if batch is None:
        return []
    completed = [c for c in evidence.completions if c.rows]
    skipped = [c for c in evidence.completions if not c.rows]
    done = {c.player_lookup for c in evidence.completions}
    failed = [d for d in evidence.dead_letters if d.player_lookup not in done]
    merged, cleaned, published = (
        last_entry(evidence.ledger, event) for event in ("merged", "cleaned", "published")
    )
    dropped = [e for e in evidence.ledger if e.event == "cleaned"]
    return [
        Step("requested", batch.expected_players, "players", batch.created_at),
        Step("completed", len(completed), "players", _latest(c.recorded_at for c in completed)),
        Step("skipped", len(skipped), "players", _latest(c.recorded_at for c in skipped)),
        Step("failed", len(failed), "players", _latest(d.recorded_at for d in failed)),
        Step(
            "staged",
            sum(c.rows for c in completed),
            "rows",
            _latest(c.recorded_at for c in completed),
        ),
        Step(
            "merged",
            merged.counts["batch_rows_in_target"] if merged else None,
            "rows",
            merged.at if merged else None,
        ),
        Step("in the table", evidence.target.batch_rows, "rows", evidence.now),
        *_written(evidence.target),
        Step(
            "cleaned",
            sum(e.counts["tables_dropped"] for e in dropped) if dropped else None,
            "tables",
            cleaned.at if cleaned else None,
        ),
        Step("staging left", len(evidence.staging_there), "tables", evidence.now),
        Step(
            "published", int(published is not None), "message", published.at if published else None
        ),
    ]


def _written(target: TargetCounts) -> list[Step]:
    """Return how many of the rows the batch created, and how many were there and it updated."""
    counts = {"created": target.created, "updated": target.batch_rows - target.created}
    return [
        Step(name, count, "rows", target.last_updated_at if count else None)
        for name, count in counts.items()
    ]


def _latest(times: Iterable[datetime]) -> datetime | None:
    return max(times, default=None)


def report(evidence: Evidence) -> dict[str, Any]:
    """Return a night as plain values: batch, status, steps, verdict and its facts."""
    judgement = judge(evidence)
    batch = evidence.batch
    told: dict[str, Any] = {"verdict": judgement.verdict.value, "facts": list(judgement.facts)}
    if batch is None:
        return told
    published = last_entry(evidence.ledger, "published")
    return {
        "batch_id": batch.batch_id,
        "game_date": batch.game_date.isoformat(),
        "source": batch.source,
        "state": batch.state.value,
        "status": progress(batch, tally(evidence.completions, evidence.dead_letters)).status.value,
        **told,
        "message_id": published.counts["message_id"] if published else None,
        "steps": [
            {
                "step": step.name,
                "count": step.count,
                "what": step.what,
                "at": step.at.isoformat(timespec="milliseconds") if step.at else None,
            }
            for step in steps(evidence)
        ],
        "skipped": {c.player_lookup: c.skip_reason for c in evidence.completions if not c.rows},
        "dead_letters": {
            d.player_lookup: f"{d.error_class}: {d.message}" for d in evidence.dead_letters
        },
    }
