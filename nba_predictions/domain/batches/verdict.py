"""One verdict on a night, with the facts behind it, from records and from the data itself."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from nba_predictions.domain.batches.batch import BEING_STAGED, CLEANED_UP, WHOLE, Batch, BatchState
from nba_predictions.domain.batches.lease import Lease
from nba_predictions.domain.batches.ledger import LedgerEvent
from nba_predictions.domain.batches.reconciliation import TargetCounts
from nba_predictions.domain.batches.snapshot import BatchSnapshot

#: Staging that was never cleaned up is kept at least this long for inspection.
STAGING_KEPT = timedelta(days=30)
#: A batch that records nothing for this long has stalled.
STALL_WINDOW = timedelta(minutes=10)


class Verdict(str, Enum):
    COMPLETE = "COMPLETE"
    IN_PROGRESS = "IN PROGRESS"
    STALLED = "STALLED"
    #: Messages and scripts of operators hold this value, so it keeps its old name.
    MERGED_NOT_PUBLISHED = "CONSOLIDATED_NOT_PUBLISHED"
    PARTIAL = "PARTIAL"
    STAGED_NOT_MERGED = "STAGED_NOT_MERGED"
    ROWS_MISSING = "ROWS_MISSING"
    ROWS_CHANGED = "ROWS_CHANGED"
    DUPLICATE_KEYS = "DUPLICATE_KEYS"
    NOT_STARTED = "NOT_STARTED"


@dataclass(frozen=True)
class Evidence:
    """What was recorded about one batch, and what exists now.

    Attributes:
        snapshot: what the batch store holds; None if the date has no batch.
        existing_staging: names of the recorded staging tables that exist.
        target: counts of the target table.
        now: when the evidence was gathered (UTC).
        successor: a later merged batch of the date, which owns the rows of this batch.
        lease: the lease of the date, if it was acquired and not released.
    """

    snapshot: BatchSnapshot | None
    existing_staging: Collection[str]
    target: TargetCounts
    now: datetime
    successor: str | None = None
    lease: Lease | None = None

    @property
    def batch(self) -> Batch | None:
        return self.snapshot.batch if self.snapshot else None

    @property
    def lost_staging(self) -> list[str]:
        """Players whose staging table is missing, though no merge has read their rows."""
        if self.snapshot is None:
            return []
        unmerged = self.snapshot.unmerged_staging
        return sorted(
            c.player_lookup for c in unmerged if c.staging_table not in self.existing_staging
        )


@dataclass(frozen=True)
class Conclusion:
    """A verdict and the facts that led to it."""

    verdict: Verdict
    facts: tuple[str, ...]


def conclude(evidence: Evidence) -> Conclusion:
    """Return the verdict on a batch. Facts about the target outrank what was recorded."""
    if evidence.snapshot is None:
        return Conclusion(Verdict.NOT_STARTED, ("no batch of this game_date exists",))
    verdict, reasons = _verdict(evidence, evidence.snapshot)
    return Conclusion(verdict, (*_facts(evidence, evidence.snapshot), *reasons))


def _verdict(evidence: Evidence, snapshot: BatchSnapshot) -> tuple[Verdict, list[str]]:
    """Return the verdict, and the facts that only this verdict needs."""
    batch, reconciliation = snapshot.batch, snapshot.reconciliation
    unmerged = snapshot.unmerged_staging
    if evidence.target.duplicate_keys:
        duplicates = evidence.target.duplicate_keys
        return Verdict.DUPLICATE_KEYS, [
            f"{duplicates} keys of the date are duplicated in the target"
        ]
    rows_missing = evidence.target.batch_rows < _recorded_rows(snapshot)
    if reconciliation and not unmerged and rows_missing and evidence.successor is None:
        return Verdict.ROWS_MISSING, []
    if _rows_changed(evidence, snapshot):
        return Verdict.ROWS_CHANGED, ["the rows in the target are not those that were merged"]
    skipped = [c for c in snapshot.changed_since_merge if not c.rows]
    if reconciliation and skipped and batch.state in CLEANED_UP:
        names = some_of([c.player_lookup for c in skipped])
        return Verdict.STAGED_NOT_MERGED, [
            f"skipped since the last merge; the next merge removes their rows: {names}"
        ]
    published = snapshot.last(LedgerEvent.PUBLISHED)
    if published and batch.state is BatchState.PUBLISHED and not unmerged:
        return _whole_or_partial(snapshot), [f"published at {published.at:%Y-%m-%d %H:%M:%S} UTC"]
    if batch.state in BEING_STAGED:
        idle = evidence.now - snapshot.last_progress()
        stalled = batch.state is BatchState.STALLED or idle > STALL_WINDOW
        return Verdict.STALLED if stalled else Verdict.IN_PROGRESS, [
            f"last progress {int(idle.total_seconds())} s ago"
        ]
    problems = reconciliation.merge_problems() if reconciliation else []
    if reconciliation and not problems and not unmerged:
        return _verdict_on_merged(snapshot)
    if batch.state is BatchState.FAILED and (
        not snapshot.pending_staging or _expired_at(evidence, snapshot)
    ):
        return Verdict.PARTIAL, [f"failed: {batch.reason}"]
    return Verdict.STAGED_NOT_MERGED, problems


def _rows_changed(evidence: Evidence, snapshot: BatchSnapshot) -> bool:
    """Return whether rows of a finished batch were changed or added after its last merge."""
    reconciliation, target = snapshot.reconciliation, evidence.target
    if reconciliation is None or reconciliation.checksum is None or target.checksum is None:
        return False
    if snapshot.batch.state not in CLEANED_UP or snapshot.changed_since_merge:
        return False
    # Removing duplicate keys changes the checksum. A later batch replaces rows.
    if reconciliation.duplicate_keys_in_target or evidence.successor is not None:
        return False
    return target.checksum != reconciliation.checksum


def _verdict_on_merged(snapshot: BatchSnapshot) -> tuple[Verdict, list[str]]:
    """Return the verdict on a reconciled batch that is not published."""
    batch, progress = snapshot.batch, snapshot.progress
    if not progress.may_be_published:
        return Verdict.PARTIAL, [progress.below_threshold]
    if batch.state in (BatchState.CLEANED, BatchState.CLOSED) and not batch.announce:
        fact = (
            "not published on purpose: a backfill made it, or it was made after its date; "
            f"`nba-predictions publish --batch {batch.batch_id}` publishes it"
        )
        return _whole_or_partial(snapshot), [fact]
    return Verdict.MERGED_NOT_PUBLISHED, []


def _whole_or_partial(snapshot: BatchSnapshot) -> Verdict:
    return Verdict.COMPLETE if snapshot.progress.status in WHOLE else Verdict.PARTIAL


def _recorded_rows(snapshot: BatchSnapshot) -> int:
    """Return how many rows the target should hold: those recorded, once a merge has run."""
    return sum(c.rows for c in snapshot.completions) if snapshot.reconciliation else 0


def _facts(evidence: Evidence, snapshot: BatchSnapshot) -> list[str]:
    """Return the facts that every verdict rests on."""
    batch, progress, target = snapshot.batch, snapshot.progress, evidence.target
    merged = snapshot.reconciliation is not None
    players = (
        f"{progress.expected} expected, {progress.completed} completed, "
        f"{progress.skipped} skipped, {progress.failed} failed"
    )
    facts = [
        f"{batch.batch_id} is {batch.state.value}",
        players,
        _staging_fact(evidence, snapshot),
        f"the target holds {target.batch_rows} rows of this batch"
        + (f", {_recorded_rows(snapshot)} were recorded" if merged else ", no merge has run"),
    ]
    if target.batch_rows and target.last_updated_at:
        # A search by created_at alone misses the rows that an earlier batch inserted.
        facts.append(
            f"of these, {target.created} were inserted and {target.batch_rows - target.created} "
            f"updated, the last at {target.last_updated_at:%Y-%m-%d %H:%M:%S} UTC"
        )
    if evidence.successor:
        facts.append(f"its rows now belong to {evidence.successor}")
    if evidence.lease:
        facts.append(_lease_fact(evidence.lease, evidence.now))
    return facts


def _lease_fact(lease: Lease, now: datetime) -> str:
    until = f"{lease.expires_at:%Y-%m-%d %H:%M:%S} UTC"
    if lease.is_expired(now):
        return (
            f"{lease.holder} never released the lease of the date; it expired at {until}, and the "
            f"next worker can acquire it"
        )
    return f"{lease.holder} holds the lease of the date until {until}"


def some_of(names: Sequence[str]) -> str:
    """Return the first ten names, and how many more there are."""
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more


def _staging_fact(evidence: Evidence, snapshot: BatchSnapshot) -> str:
    pending = snapshot.pending_staging
    expired_at = _expired_at(evidence, snapshot)
    if expired_at:
        return (
            f"the staging of {len(pending)} players was never merged; it was dropped at "
            f"{expired_at:%Y-%m-%d %H:%M:%S} UTC, {STAGING_KEPT.days} days after the batch was "
            f"abandoned"
        )
    if pending:
        missing = [
            c.player_lookup for c in pending if c.staging_table not in evidence.existing_staging
        ]
        oldest = min(c.recorded_at for c in pending)
        expired = bool(missing) and evidence.now - oldest > STAGING_KEPT
        return (
            f"{len(pending)} staging tables are not merged and cleaned up, "
            f"{len(pending) - len(missing)} of them exist"
            + (f"; missing: {some_of(missing)}" if missing else "")
            + (f", staged more than {STAGING_KEPT.days} days ago: expired" if expired else "")
        )
    cleaned = snapshot.last(LedgerEvent.CLEANED)
    if cleaned:
        return f"staging was merged and cleaned up at {cleaned.at:%Y-%m-%d %H:%M:%S} UTC"
    return "no staging table was ever written"


def _expired_at(evidence: Evidence, snapshot: BatchSnapshot) -> datetime | None:
    """Return when maintenance dropped the staging of an abandoned batch; None if it did not."""
    expired = snapshot.last(LedgerEvent.STAGING_EXPIRED)
    pending = snapshot.pending_staging
    any_exists = any(c.staging_table in evidence.existing_staging for c in pending)
    return expired.at if expired and pending and not any_exists else None
