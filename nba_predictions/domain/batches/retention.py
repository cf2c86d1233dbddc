"""What a house of nights may forget, and when. Rows of the tables are never among it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from nba_predictions.domain.batches.batch import (
    CLEANED_UP,
    RESUMABLE,
    Batch,
    BatchState,
    Completion,
    DeadLetter,
    LedgerEntry,
    last_progress,
)
from nba_predictions.domain.batches.reconciliation import last_entry, pending_staging
from nba_predictions.domain.batches.verdict import STAGING_KEPT
from nba_predictions.domain.errors import SettingsError
from nba_predictions.domain.league.games import eastern_date

#: A batch in one of these states is still at work, or waits for somebody.
UNFINISHED = RESUMABLE | {BatchState.CONSOLIDATED, BatchState.CLEANED}


#: Less would reach nights that somebody still looks into.
LEAST_NIGHTS_DAYS = 14
LEAST_RUNS_DAYS = 30


@dataclass(frozen=True)
class Retention:
    """For how many days a night's inputs, players and models are kept, and Dagster's runs.

    Raises:
        SettingsError: it is shorter than somebody may look back.
    """

    nights_days: int = 60
    runs_days: int = 400

    def __post_init__(self) -> None:
        for what, days, least in (
            ("nights", self.nights_days, LEAST_NIGHTS_DAYS),
            ("runs", self.runs_days, LEAST_RUNS_DAYS),
        ):
            if days < least:
                raise SettingsError(f"{what} would be kept for {days} days; keep at least {least}")


def dates_in_use(
    batches: Iterable[Batch], running: Collection[date], now: datetime, retention: Retention
) -> set[date]:
    """Return the dates that are kept however old their games are.

    A date of long ago may have been predicted yesterday: what counts is when a batch of it was
    last begun, that one is unfinished, and that a run of it is going on.
    """
    since = now - timedelta(days=retention.nights_days)
    kept = {b.game_date for b in batches if b.created_at >= since or _is_unfinished(b)}
    return kept | set(running)


def _is_unfinished(batch: Batch) -> bool:
    # What a backfill has cleaned up and does not announce waits for nobody.
    done = batch.state is BatchState.CLEANED and not batch.announce
    return batch.state in UNFINISHED and not done


def expired_dates(
    dates: Iterable[date], in_use: Collection[date], now: datetime, retention: Retention
) -> set[date]:
    """Return the dates whose inputs and player partitions may go."""
    oldest = eastern_date(now) - timedelta(days=retention.nights_days)
    return {day for day in dates if day < oldest and day not in in_use}


def expired_models(
    saved_at: Mapping[str, datetime], used: Collection[str], now: datetime, retention: Retention
) -> list[str]:
    """Return the models, by name, that no kept night uses and that were saved long ago."""
    since = now - timedelta(days=retention.nights_days)
    return sorted(name for name, at in saved_at.items() if name not in used and at < since)


def staging_may_expire(
    batch: Batch,
    completions: Sequence[Completion],
    dead_letters: Sequence[DeadLetter],
    ledger: Sequence[LedgerEntry],
    now: datetime,
) -> bool:
    """Return whether whatever lies in the staging of a batch has no use any more.

    It has none when the batch was given up, or when all that it recorded has been merged, counted
    and cleaned up; and only after STAGING_KEPT, in which it can be looked into. What is to be
    merged yet stays, however old it is.
    """
    cleaned = batch.state in CLEANED_UP and not pending_staging(completions, ledger)
    if batch.state is not BatchState.FAILED and not cleaned:
        return False
    others = [entry for entry in ledger if entry.event != "staging_expired"]
    progress = last_progress(batch, completions, dead_letters, others)
    silent_since = max([progress, *batch.times.values()])
    dropped = last_entry(ledger, "staging_expired")
    return now - silent_since > STAGING_KEPT and not (dropped and dropped.at >= silent_since)
