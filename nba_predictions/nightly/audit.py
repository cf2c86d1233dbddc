"""Audit a night: compare what was requested with what happened, step by step, and give a verdict.

The evidence comes from the batch store, staging and the target table, never from missing log lines.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import ROWS_IN_TARGET, Batch
from nba_predictions.domain.batches.ledger import LedgerEvent, entries_of
from nba_predictions.domain.batches.reconciliation import TargetCounts
from nba_predictions.domain.batches.snapshot import BatchSnapshot
from nba_predictions.domain.batches.verdict import Evidence, Verdict, conclude
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.nightly.current_batch import newest_batch, read_snapshot
from nba_predictions.warehouse.port import Warehouse


@dataclass(frozen=True)
class Step:
    """One step of a night: how many of what, and when that was last recorded (UTC).

    `count` is None if the step has not happened.
    """

    name: str
    count: int | None
    unit: str
    at: datetime | None


@dataclass(frozen=True)
class NightAudit:
    """The verdict on a night, with the evidence and facts behind it and the steps of the night."""

    evidence: Evidence
    verdict: Verdict
    facts: tuple[str, ...]
    steps: tuple[Step, ...]

    @property
    def batch(self) -> Batch | None:
        return self.evidence.batch

    @property
    def complete(self) -> bool:
        return self.verdict is Verdict.COMPLETE

    @property
    def status(self) -> str | None:
        snapshot = self.evidence.snapshot
        return snapshot.progress.status.value if snapshot else None

    @property
    def message_id(self) -> str | None:
        snapshot = self.evidence.snapshot
        return snapshot.publication.message_id if snapshot and snapshot.publication else None

    def count(self, step: str) -> int:
        """Return the count of a step; 0 if it has not happened."""
        return next((s.count or 0 for s in self.steps if s.name == step), 0)

    def to_json(self) -> dict[str, Any]:
        """Return the audit as plain values, as `nba-predictions audit --json` prints it."""
        conclusion = {"verdict": self.verdict.value, "facts": list(self.facts)}
        snapshot = self.evidence.snapshot
        if snapshot is None:
            return conclusion
        batch = snapshot.batch
        return {
            "batch_id": batch.batch_id,
            "game_date": batch.game_date.isoformat(),
            "source": batch.source,
            "as_of": batch.as_of.isoformat() if batch.as_of else None,
            "begun_games": list(batch.begun),
            "state": batch.state.value,
            "status": self.status,
            **conclusion,
            "message_id": self.message_id,
            "steps": [
                {
                    "step": step.name,
                    "count": step.count,
                    "what": step.unit,
                    "at": step.at.isoformat(timespec="milliseconds") if step.at else None,
                }
                for step in self.steps
            ],
            "skipped": {c.player_lookup: c.skip_reason for c in snapshot.skipped},
            "dead_letters": {d.player_lookup: d.error for d in snapshot.dead_letters},
        }


def audit_night(
    game_date: date, store: BatchStore, warehouse: Warehouse, batch_id: str | None = None
) -> NightAudit:
    """Audit one batch, by default the newest of the date that was not abandoned."""
    evidence = gather_evidence(game_date, store, warehouse, batch_id)
    conclusion = conclude(evidence)
    return NightAudit(evidence, conclusion.verdict, conclusion.facts, tuple(_steps(evidence)))


def gather_evidence(
    game_date: date, store: BatchStore, warehouse: Warehouse, batch_id: str | None = None
) -> Evidence:
    """Return the evidence on one batch, by default the newest that was not abandoned."""
    now = store.now()
    batch = newest_batch(store, game_date)
    successor = None
    if batch_id is not None and batch is not None and batch.batch_id != batch_id:
        if _owns_rows(batch, store):
            successor = batch.batch_id
        batch = next((b for b in store.of_date(game_date) if b.batch_id == batch_id), None)
    if batch is None:
        return Evidence(None, frozenset(), TargetCounts(0, 0), now)
    snapshot = read_snapshot(store, batch.batch_id)
    return Evidence(
        snapshot=snapshot,
        existing_staging=warehouse.existing_staging(snapshot.staging_tables),
        target=warehouse.count(PREDICTIONS, game_date, batch.batch_id),
        now=now,
        successor=successor,
        lease=store.lease(game_date),
    )


def _owns_rows(batch: Batch, store: BatchStore) -> bool:
    """Return whether a batch has merged, also if a replay or refresh has reopened it since."""
    return batch.state in ROWS_IN_TARGET or bool(
        entries_of(store.ledger(batch.batch_id), LedgerEvent.MERGED)
    )


def _steps(evidence: Evidence) -> list[Step]:
    """Return the steps of a night, from what was requested to what was published."""
    if evidence.snapshot is None:
        return []
    return [
        *_player_steps(evidence.snapshot),
        *_row_steps(evidence.snapshot, evidence.target, evidence.now),
        *_final_steps(evidence.snapshot, evidence),
    ]


def _player_steps(snapshot: BatchSnapshot) -> list[Step]:
    batch, skipped, failed = snapshot.batch, snapshot.skipped, snapshot.failed
    completed = [c for c in snapshot.completions if c.rows]
    staged_at = _latest(c.recorded_at for c in completed)
    return [
        Step("requested", batch.expected_players, "players", batch.created_at),
        Step("completed", len(completed), "players", staged_at),
        Step("skipped", len(skipped), "players", _latest(c.recorded_at for c in skipped)),
        Step("failed", len(failed), "players", _latest(d.recorded_at for d in failed)),
        Step("staged", sum(c.rows for c in completed), "rows", staged_at),
    ]


def _row_steps(snapshot: BatchSnapshot, target: TargetCounts, now: datetime) -> list[Step]:
    merged, reconciliation = snapshot.last(LedgerEvent.MERGED), snapshot.reconciliation
    updated = target.batch_rows - target.created
    return [
        Step(
            "merged",
            reconciliation.batch_rows_in_target if reconciliation else None,
            "rows",
            merged.at if merged else None,
        ),
        Step("in the table", target.batch_rows, "rows", now),
        Step("created", target.created, "rows", target.last_updated_at if target.created else None),
        Step("updated", updated, "rows", target.last_updated_at if updated else None),
    ]


def _final_steps(snapshot: BatchSnapshot, evidence: Evidence) -> list[Step]:
    cleaned, published = snapshot.last(LedgerEvent.CLEANED), snapshot.last(LedgerEvent.PUBLISHED)
    dropped = sum(cleanup.tables_dropped for cleanup in snapshot.cleanups)
    return [
        Step("cleaned", dropped if cleaned else None, "tables", cleaned.at if cleaned else None),
        Step("staging left", len(evidence.existing_staging), "tables", evidence.now),
        Step(
            "published", int(published is not None), "message", published.at if published else None
        ),
    ]


def _latest(times: Iterable[datetime]) -> datetime | None:
    return max(times, default=None)
