"""What the Google Cloud adapters share: which errors pass, and how long they are endured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import requests
from google.api_core import exceptions
from google.auth.exceptions import DefaultCredentialsError, TransportError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from nba_predictions.domain.errors import CloudAccessError, SettingsError

#: How long one call may take, and how long it is tried again.
CALL_SECONDS = 15.0
PERSIST_SECONDS = 60.0
#: For a call of a client that has retries of its own: only `persist` tries again, because only the
#: adapter can tell what an error means.
ONCE: dict[str, Any] = {"retry": None, "timeout": CALL_SECONDS}

T = TypeVar("T")

_TRANSIENT = (
    exceptions.Aborted,
    exceptions.BadGateway,
    exceptions.Cancelled,
    exceptions.DeadlineExceeded,
    exceptions.GatewayTimeout,
    exceptions.InternalServerError,
    exceptions.RetryError,
    exceptions.ServiceUnavailable,
    exceptions.TooManyRequests,
    exceptions.Unknown,
    # Of the connection itself, by whichever layer noticed.
    ConnectionError,
    TransportError,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ConnectionError,
    requests.exceptions.Timeout,
)
#: BigQuery's words, in a 403, for "not so fast".
_TOO_FAST = frozenset({"rateLimitExceeded", "jobRateLimitExceeded"})


def is_transient(error: BaseException) -> bool:
    """Return whether the same call may succeed later. Whether it was applied is not known."""
    if isinstance(error, exceptions.Forbidden):
        return any(detail.get("reason") in _TOO_FAST for detail in error.errors)
    return isinstance(error, _TRANSIENT)


def persist(call: Callable[[], T], *, seconds: float | None = None) -> T:
    """Make a call until it succeeds, with backoff and jitter, for so many seconds
    (PERSIST_SECONDS).

    The call may be applied more than once: only what can bear that goes through here.

    Raises:
        CloudAccessError: the credentials are not accepted, or not allowed to do this.
        GoogleAPICallError: the last error when time is up, or at once one that does not pass.
    """
    attempts = Retrying(
        retry=retry_if_exception(is_transient),
        wait=wait_random_exponential(multiplier=0.05, max=5),
        stop=stop_after_delay(PERSIST_SECONDS if seconds is None else seconds),
        reraise=True,
    )
    try:
        return attempts(call)
    except (exceptions.Forbidden, exceptions.Unauthorized) as error:
        if is_transient(error):
            raise
        raise CloudAccessError(
            f"{error}. The roles that the pipeline needs are listed in docs/google-cloud.md"
        ) from error


def connect(make: Callable[[], T]) -> T:
    """Make a client with Application Default Credentials.

    Raises:
        SettingsError: there are none.
    """
    try:
        return make()
    except DefaultCredentialsError as error:
        raise SettingsError(
            "no Application Default Credentials were found: run `gcloud auth application-default "
            "login`, or let the machine's service account be used"
        ) from error
