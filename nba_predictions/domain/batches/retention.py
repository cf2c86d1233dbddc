"""What maintenance may delete, and when. Rows of the warehouse tables are never deleted."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from nba_predictions.domain.batches.batch import CLEANED_UP, RESUMABLE, Batch, BatchState
from nba_predictions.domain.batches.ledger import LedgerEvent
from nba_predictions.domain.batches.snapshot import BatchSnapshot
from nba_predictions.domain.batches.verdict import STAGING_KEPT
from nba_predictions.domain.errors import SettingsError
from nba_predictions.domain.league.games import eastern_date

#: A run, a sensor or an operator still has work to do on a batch in one of these states.
UNFINISHED = RESUMABLE | {BatchState.MERGED, BatchState.CLEANED}

#: Shorter retention would delete what operators still inspect.
LEAST_NIGHTS_DAYS = 14
LEAST_RUNS_DAYS = 30


@dataclass(frozen=True)
class Retention:
    """How many days a night's inputs, players and models are kept, and Dagster's runs.

    Raises:
        SettingsError: a retention is shorter than its minimum.
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
    """Return the dates to keep, at any age of their games.

    A date of a past season may have been predicted yesterday. A date is in use if one of its
    batches was created within the retention or is unfinished, or if a run of it is in progress.
    """
    since = now - timedelta(days=retention.nights_days)
    kept = {b.game_date for b in batches if b.created_at >= since or _is_unfinished(b)}
    return kept | set(running)


def _is_unfinished(batch: Batch) -> bool:
    # A batch that is cleaned up and not to be published is finished, also if it is not closed yet.
    finished = batch.state is BatchState.CLEANED and not batch.announce
    return batch.state in UNFINISHED and not finished


def expired_dates(
    dates: Iterable[date], in_use: Collection[date], now: datetime, retention: Retention
) -> set[date]:
    """Return the dates whose inputs and player partitions may be deleted."""
    oldest = eastern_date(now) - timedelta(days=retention.nights_days)
    return {day for day in dates if day < oldest and day not in in_use}


def expired_models(
    saved_at: Mapping[str, datetime], used: Collection[str], now: datetime, retention: Retention
) -> list[str]:
    """Return the names of models that no kept night uses and that are older than the retention."""
    since = now - timedelta(days=retention.nights_days)
    return sorted(name for name, at in saved_at.items() if name not in used and at < since)


def staging_may_expire(snapshot: BatchSnapshot, now: datetime) -> bool:
    """Return whether the remaining staging of a batch may be dropped.

    It may if the batch was abandoned, or if everything that it recorded is merged, counted and
    cleaned up, and nothing was recorded for STAGING_KEPT. Staging that is not merged yet is kept
    at any age.
    """
    batch = snapshot.batch
    cleaned_up = batch.state in CLEANED_UP and not snapshot.pending_staging
    if batch.state is not BatchState.FAILED and not cleaned_up:
        return False
    ignoring = (LedgerEvent.STALLED, LedgerEvent.STAGING_EXPIRED)
    silent_since = max([snapshot.last_progress(ignoring), *batch.times.values()])
    expired = snapshot.last(LedgerEvent.STAGING_EXPIRED)
    return now - silent_since > STAGING_KEPT and not (expired and expired.at >= silent_since)
