"""Clients and retries that all Google Cloud adapters share."""

from collections.abc import Callable
from typing import Any, TypeVar

import requests
from google.api_core import exceptions
from google.auth.exceptions import DefaultCredentialsError, TransportError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from nba_predictions.domain.errors import CloudAccessError, SettingsError

#: The time limit of one call, and of all its retries, in seconds.
CALL_SECONDS = 15.0
PERSIST_SECONDS = 60.0
#: The arguments that turn off the retries of a client. Only `persist` retries, because only the
#: adapter knows the meaning of an error.
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
    # Errors of the connection, from different layers.
    ConnectionError,
    TransportError,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ConnectionError,
    requests.exceptions.Timeout,
)
#: The reasons that BigQuery gives in a 403 for a rate limit.
_RATE_LIMITS = frozenset({"rateLimitExceeded", "jobRateLimitExceeded"})


def is_transient(error: BaseException) -> bool:
    """Return whether the same call may succeed later. It may have been applied already."""
    if isinstance(error, exceptions.Forbidden):
        return any(detail.get("reason") in _RATE_LIMITS for detail in error.errors)
    return isinstance(error, _TRANSIENT)


def persist(call: Callable[[], T], *, seconds: float | None = None) -> T:
    """Retry a call until it succeeds, with exponential backoff and jitter.

    The call may be applied more than once, so it must be idempotent.

    Args:
        call: the call.
        seconds: the time limit of all attempts, by default PERSIST_SECONDS.

    Raises:
        CloudAccessError: the credentials are not accepted, or lack a permission.
        GoogleAPICallError: the last error at the time limit, or a permanent error at once.
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


def connect(create: Callable[[], T]) -> T:
    """Create a client with Application Default Credentials.

    Raises:
        SettingsError: no credentials were found.
    """
    try:
        return create()
    except DefaultCredentialsError as error:
        raise SettingsError(
            "no Application Default Credentials were found; run `gcloud auth application-default "
            "login`, or attach a service account to the machine"
        ) from error
