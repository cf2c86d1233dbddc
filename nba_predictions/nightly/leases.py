"""One worker at a time may merge, clean up or replay a game_date."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import Batch, Lease
from nba_predictions.domain.errors import LeaseLostError

#: Far longer than a merge takes; a holder that died is succeeded after this.
LEASE_TTL = timedelta(minutes=3)
#: How long one waits for another worker of the same date: until a dead one's lease is out.
LEASE_WAIT_SECONDS = LEASE_TTL.total_seconds() + 30


@contextmanager
def date_lease(
    batch: Batch, store: BatchStore, *, run_id: str, wait_seconds: float | None = None
) -> Iterator[Lease]:
    """Hold the lease of a batch's date, and give it back.

    Raises:
        LeaseLostError: another worker of the date did not end in time.
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
