"""Hold the lease of a game date, so that one worker at a time merges, cleans up or replays it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.lease import Lease
from nba_predictions.domain.errors import LeaseLostError
from nba_predictions.logs import milestone

#: How long a holder that died keeps others waiting. A live holder renews its lease.
LEASE_TTL = timedelta(seconds=30)
#: How long a worker waits for a live holder, whose merge may take minutes.
LEASE_WAIT_SECONDS = 210.0
#: How long a fetch waits for another one. A fetch takes seconds, or minutes if services hang.
FETCH_WAIT_SECONDS = 300.0
#: One process asks the services at a time. All fetches have the lease of this date without games.
_ALL_FETCHES = date.min
#: A holder renews its lease this many times within its time to live.
_RENEWALS = 3
#: A holder that works longer than this hangs. Its lease is no longer renewed.
_LONGEST = timedelta(minutes=30)


@contextmanager
def date_lease(
    game_date: date, store: BatchStore, *, run_id: str, wait_seconds: float | None = None
) -> Iterator[Lease]:
    """Acquire the lease of a date, waiting for another holder, and release it at the end.

    The lease is renewed until then. Rows and ledger entries carry its token, so a worker that was
    paused longer than its lease changes nothing that its successor wrote.

    Raises:
        LeaseLostError: another worker still holds the lease after `wait_seconds`.
    """
    attempts = Retrying(
        retry=retry_if_exception_type(LeaseLostError),
        wait=wait_random_exponential(multiplier=0.1, max=3),
        stop=stop_after_delay(LEASE_WAIT_SECONDS if wait_seconds is None else wait_seconds),
        reraise=True,
    )
    lease = attempts(store.acquire_lease, game_date, run_id, LEASE_TTL)
    done = threading.Event()
    renewing = threading.Thread(
        target=_renew, args=(lease, store, LEASE_TTL, done), name="renew-lease", daemon=True
    )
    renewing.start()
    try:
        yield lease
    finally:
        done.set()
        renewing.join()
        store.release_lease(lease)


@contextmanager
def fetch_lease(store: BatchStore, *, run_id: str) -> Iterator[Lease]:
    """Acquire the lease of all fetches, waiting for another holder, and release it at the end.

    Raises:
        LeaseLostError: another process is still fetching after five minutes.
    """
    with date_lease(_ALL_FETCHES, store, run_id=run_id, wait_seconds=FETCH_WAIT_SECONDS) as lease:
        yield lease


def _renew(lease: Lease, store: BatchStore, ttl: timedelta, done: threading.Event) -> None:
    end = time.monotonic() + _LONGEST.total_seconds()
    while not done.wait(ttl.total_seconds() / _RENEWALS) and time.monotonic() < end:
        try:
            store.renew_lease(lease, ttl)
        except LeaseLostError as error:
            # The next write of this worker is refused, and its error is the one to raise.
            milestone("lease_lost", str(error), game_date=lease.game_date, token=lease.token)
            return
        except Exception as error:
            # The store may answer again before the lease expires.
            milestone("lease_not_renewed", str(error), game_date=lease.game_date)
