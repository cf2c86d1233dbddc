"""Hold the lease of a game date, so that one worker at a time merges, cleans up or replays it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import Batch
from nba_predictions.domain.batches.lease import Lease
from nba_predictions.domain.errors import LeaseLostError

#: Much longer than a merge takes. After this, another worker succeeds a holder that died.
LEASE_TTL = timedelta(minutes=3)
#: Long enough for the lease of a holder that died to expire.
LEASE_WAIT_SECONDS = LEASE_TTL.total_seconds() + 30


@contextmanager
def date_lease(
    batch: Batch, store: BatchStore, *, run_id: str, wait_seconds: float | None = None
) -> Iterator[Lease]:
    """Acquire the lease of a batch's date, waiting for another holder, and release it at the end.

    Raises:
        LeaseLostError: another worker still holds the lease after `wait_seconds`.
    """
    attempts = Retrying(
        retry=retry_if_exception_type(LeaseLostError),
        wait=wait_random_exponential(multiplier=0.1, max=3),
        stop=stop_after_delay(LEASE_WAIT_SECONDS if wait_seconds is None else wait_seconds),
        reraise=True,
    )
    holder = f"{run_id}:{batch.batch_id}"
    lease = attempts(store.acquire_lease, batch.game_date, holder, LEASE_TTL)
    try:
        yield lease
    finally:
        store.release_lease(lease)
