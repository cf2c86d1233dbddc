"""One verdict on a night, with its evidence, from what is recorded and what is really there."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from nba_predictions.domain.batches.batch import (
    BEING_STAGED,
    CLEANED_UP,
    Batch,
    BatchState,
    BatchStatus,
    Completion,
    DeadLetter,
    Lease,
    LedgerEntry,
    last_progress,
    progress,
    tally,
)
from nba_predictions.domain.batches.reconciliation import (
    Reconciliation,
    TargetCounts,
    changed_since_merge,
    last_entry,
    pending_staging,
    unmerged_staging,
)

#: Staging that nobody cleaned up is kept at least for this long, to be looked into.
STAGING_KEPT = timedelta(days=30)
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
    DUPLICATE_KEYS = "DUPLICATE_KEYS"
    NOT_STARTED = "NOT_STARTED"


@dataclass(frozen=True)
class Evidence:
    """Everything that is known of one batch: what was recorded, and what is there now.

    `successor` is a later batch of the date that was merged, and so took over its rows. `lease` is
    the date's, taken and not given back.
    """

    batch: Batch | None
    completions: Sequence[Completion]
    dead_letters: Sequence[DeadLetter]
    ledger: Sequence[LedgerEntry]
    staging_there: Collection[str]
    target: TargetCounts
    now: datetime
    successor: str | None = None
    lease: Lease | None = None


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

    facts += _more_facts(evidence)
    if evidence.target.duplicate_keys:
        facts.append(f"{evidence.target.duplicate_keys} keys of the date stand twice in the target")
        return Judgement(Verdict.DUPLICATE_KEYS, tuple(facts))
    unmerged = unmerged_staging(evidence.completions, evidence.ledger)
    skipped_since = merged and changed_since_merge(
        [c for c in evidence.completions if not c.rows], evidence.ledger
    )
    missing = evidence.target.batch_rows < expected_rows and evidence.successor is None
    if merged and not unmerged and missing:
        return Judgement(Verdict.ROWS_MISSING, tuple(facts))
    if skipped_since and batch.state in CLEANED_UP:
        names = some_of([c.player_lookup for c in skipped_since])
        facts.append(f"skipped since the last merge, which has to take their rows out: {names}")
        return Judgement(Verdict.STAGED_NOT_MERGED, tuple(facts))
    if published and batch.state is BatchState.PUBLISHED and not unmerged:
        facts.append(f"published at {published.at:%Y-%m-%d %H:%M:%S} UTC")
        whole = counted.status in (BatchStatus.SUCCESS, BatchStatus.NO_DATA)
        return Judgement(Verdict.COMPLETE if whole else Verdict.PARTIAL, tuple(facts))
    if batch.state in BEING_STAGED:
        idle = evidence.now - last_progress(
            batch, evidence.completions, evidence.dead_letters, evidence.ledger
        )
        facts.append(f"last progress {int(idle.total_seconds())} s ago")
        stalled = batch.state is BatchState.STALLED or idle > STALL_WINDOW
        return Judgement(Verdict.STALLED if stalled else Verdict.IN_PROGRESS, tuple(facts))
    problems = Reconciliation.from_numbers(merged.counts).merge_problems() if merged else []
    if merged and not problems and not unmerged:
        if not counted.may_go_out:
            facts.append(f"{counted.completion_pct}% is below the threshold to go out")
            return Judgement(Verdict.PARTIAL, tuple(facts))
        if batch.state is BatchState.CLEANED and not batch.announce:
            facts.append(
                f"not announced: made by a backfill, or after its date; `nba-predictions publish "
                f"--batch {batch.batch_id}` announces it"
            )
            whole = counted.status in (BatchStatus.SUCCESS, BatchStatus.NO_DATA)
            return Judgement(Verdict.COMPLETE if whole else Verdict.PARTIAL, tuple(facts))
        return Judgement(Verdict.CONSOLIDATED_NOT_PUBLISHED, tuple(facts))
    if batch.state is BatchState.FAILED and (not pending or _dropped_at(evidence, pending)):
        return Judgement(Verdict.PARTIAL, (*facts, f"failed: {batch.reason}"))
    return Judgement(Verdict.STAGED_NOT_MERGED, (*facts, *problems))


def _more_facts(evidence: Evidence) -> list[str]:
    """Return what is worth knowing only when it is so."""
    facts = []
    target, lease = evidence.target, evidence.lease
    if target.batch_rows and target.last_updated_at:
        # Who looks for a night by created_at alone does not find rows that an earlier batch made.
        facts.append(
            f"of them {target.created} were created and {target.batch_rows - target.created} "
            f"updated, the last at {target.last_updated_at:%Y-%m-%d %H:%M:%S} UTC"
        )
    if evidence.successor:
        facts.append(f"its rows were taken over by {evidence.successor}")
    if lease and lease.expires_at <= evidence.now:
        facts.append(
            f"{lease.holder} never gave back the lease of the date; it ran out at "
            f"{lease.expires_at:%Y-%m-%d %H:%M:%S} UTC, and whoever is next takes it"
        )
    elif lease:
        facts.append(
            f"{lease.holder} holds the lease of the date until "
            f"{lease.expires_at:%Y-%m-%d %H:%M:%S} UTC"
        )
    return facts


def some_of(names: Sequence[str]) -> str:
    """Return the first ten names, and how many more there are."""
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more


def _staging_fact(evidence: Evidence, pending: Sequence[Completion]) -> str:
    cleaned = last_entry(evidence.ledger, "cleaned")
    gone = [c.player_lookup for c in pending if c.staging_table not in evidence.staging_there]
    dropped_at = _dropped_at(evidence, pending)
    if dropped_at:
        return (
            f"the staging of {len(pending)} players was never merged; it was dropped at "
            f"{dropped_at:%Y-%m-%d %H:%M:%S} UTC, {STAGING_KEPT.days} days after the batch was "
            f"given up"
        )
    if pending:
        oldest = min(c.recorded_at for c in pending)
        expired = bool(gone) and evidence.now - oldest > STAGING_KEPT
        return (
            f"{len(pending)} staging tables wait to be merged and cleaned, "
            f"{len(pending) - len(gone)} are there"
            + (f"; gone are those of {some_of(gone)}" if gone else "")
            + (f", staged more than {STAGING_KEPT.days} days ago: expired" if expired else "")
        )
    if cleaned:
        return f"staging was merged and cleaned at {cleaned.at:%Y-%m-%d %H:%M:%S} UTC"
    return "no staging table was ever written"


def _dropped_at(evidence: Evidence, pending: Sequence[Completion]) -> datetime | None:
    """Return when the staging of a batch that was given up was dropped, and so did not get lost."""
    dropped = last_entry(evidence.ledger, "staging_expired")
    there = any(c.staging_table in evidence.staging_there for c in pending)
    return dropped.at if dropped and pending and not there else None
