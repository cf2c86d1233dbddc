"""One verdict on a night, with its evidence, from what is recorded and what is really there."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from nba_predictions.domain.batch import (
    Batch,
    BatchState,
    BatchStatus,
    Completion,
    DeadLetter,
    LedgerEntry,
    progress,
    tally,
)
from nba_predictions.domain.reconciliation import (
    Reconciliation,
    TargetCounts,
    last_entry,
    pending_staging,
)

#: A batch that records nothing for this long has stalled.
STALL_WINDOW = timedelta(minutes=10)


class Verdict(str, Enum):
    COMPLETE = "COMPLETE"
    IN_PROGRESS = "IN PROGRESS"
    STALLED = "STALLED"
    CONSOLIDATED_NOT_PUBLISHED = "CONSOLIDATED_NOT_PUBLISHED"
    PARTIAL = "PARTIAL"
    STAGED_NOT_MERGED = "STAGED_NOT_MERGED"
    ROWS_MISSING = "ROWS_MISSING"
    NOT_STARTED = "NOT_STARTED"


@dataclass(frozen=True)
class Evidence:
    """Everything that is known of one batch: what was recorded, and what is there now."""

    batch: Batch | None
    completions: Sequence[Completion]
    dead_letters: Sequence[DeadLetter]
    ledger: Sequence[LedgerEntry]
    staging_there: Collection[str]
    target: TargetCounts
    now: datetime


@dataclass(frozen=True)
class Judgement:
    """A verdict and the facts that led to it."""

    verdict: Verdict
    facts: tuple[str, ...]


def judge(evidence: Evidence) -> Judgement:
    """Return the verdict on a batch. Facts of the target outrank whatever was recorded."""
    batch = evidence.batch
    if batch is None:
        return Judgement(Verdict.NOT_STARTED, ("no batch of this game_date exists",))
    facts = [f"{batch.batch_id} is {batch.state.value}"]
    counted = progress(batch, tally(evidence.completions, evidence.dead_letters))
    facts.append(
        f"{counted.expected} expected, {counted.completed} completed, {counted.skipped} skipped, "
        f"{counted.failed} failed"
    )
    pending = pending_staging(evidence.completions, evidence.ledger)
    facts.append(_staging_fact(evidence, pending))
    published = last_entry(evidence.ledger, "published")
    merged = last_entry(evidence.ledger, "merged")
    expected_rows = sum(c.rows for c in evidence.completions) if merged else 0
    facts.append(
        f"the target holds {evidence.target.batch_rows} rows of this batch"
        + (f", {expected_rows} were recorded" if merged else ", nothing was merged yet")
    )

    all_merged = not pending or batch.state is BatchState.CONSOLIDATED
    if merged and all_merged and evidence.target.batch_rows < expected_rows:
        return Judgement(Verdict.ROWS_MISSING, tuple(facts))
    if published and batch.state is BatchState.PUBLISHED:
        facts.append(f"published at {published.at:%Y-%m-%d %H:%M:%S} UTC")
        whole = counted.status in (BatchStatus.SUCCESS, BatchStatus.NO_DATA)
        return Judgement(Verdict.COMPLETE if whole else Verdict.PARTIAL, tuple(facts))
    if batch.state in (BatchState.CREATED, BatchState.STAGING, BatchState.STALLED):
        idle = evidence.now - _last_progress(evidence, batch)
        facts.append(f"last progress {int(idle.total_seconds())} s ago")
        stalled = batch.state is BatchState.STALLED or idle > STALL_WINDOW
        return Judgement(Verdict.STALLED if stalled else Verdict.IN_PROGRESS, tuple(facts))
    problems = Reconciliation.from_numbers(merged.counts).merge_problems() if merged else []
    staged_since = [c for c in pending if merged and c.recorded_at > merged.at]
    if merged and not problems and not staged_since:
        if not counted.may_go_out:
            facts.append(f"{counted.completion_pct}% is below the threshold to go out")
            return Judgement(Verdict.PARTIAL, tuple(facts))
        return Judgement(Verdict.CONSOLIDATED_NOT_PUBLISHED, tuple(facts))
    if batch.state is BatchState.FAILED and not pending:
        return Judgement(Verdict.PARTIAL, (*facts, f"failed: {batch.reason}"))
    return Judgement(Verdict.STAGED_NOT_MERGED, (*facts, *problems))


def _staging_fact(evidence: Evidence, pending: Sequence[Completion]) -> str:
    cleaned = last_entry(evidence.ledger, "cleaned")
    there = sum(c.staging_table in evidence.staging_there for c in pending)
    if pending:
        return f"{len(pending)} staging tables wait to be merged and cleaned, {there} are there"
    if cleaned:
        return f"staging was merged and cleaned at {cleaned.at:%Y-%m-%d %H:%M:%S} UTC"
    return "no staging table was ever written"


def _last_progress(evidence: Evidence, batch: Batch) -> datetime:
    times = [c.recorded_at for c in evidence.completions]
    times += [d.recorded_at for d in evidence.dead_letters]
    times += [e.at for e in evidence.ledger]
    return max([*times, batch.created_at, *batch.times.values()])
