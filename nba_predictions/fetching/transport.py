"""The HTTP client, which can be replaced: one GET, with limits on its time and its size."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import requests

from nba_predictions.domain.errors import SettingsError

#: The largest answer. A season of box scores has about 6 MB.
LARGEST_ANSWER_BYTES: Final = 64 * 1024**2
#: An answer that takes this many times the time-out is abandoned, however steadily it arrives.
_MAX_TIMEOUTS: Final = 4
_CONNECT_SECONDS: Final = 5.0
#: The last chunk of an answer that is cut off is lost.
_CHUNK_BYTES: Final = 1 << 9
_QUERY: Final = re.compile(r"\?\S*")


@dataclass(frozen=True)
class Answer:
    """The answer of a service.

    Attributes:
        status: the HTTP status.
        body: what arrived, decompressed.
        headers: their names are in lower case.
        problem: why the body is not complete; empty if it is.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


class NoAnswerError(Exception):
    """No answer came. `hangs` is whether the service kept the request waiting."""

    def __init__(self, message: str, *, hangs: bool = False) -> None:
        super().__init__(message)
        self.hangs = hangs


class Transport(Protocol):
    """Sends one GET request at a time."""

    def get(self, url: str, headers: Mapping[str, str]) -> Answer:
        """Return the answer, whatever its status.

        Raises:
            NoAnswerError: no answer came. Its message may contain the address.
        """
        ...


class _WithoutQuery(logging.Filter):
    """Removes queries from log records: urllib3 logs addresses, and one of them has a key."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = _QUERY.sub("?***", record.getMessage()), ()
        return True


for _name in ("connectionpool", "poolmanager", "util.retry"):
    logging.getLogger(f"urllib3.{_name}").addFilter(_WithoutQuery())


class RequestsTransport:
    """The transport of the library requests.

    Args:
        timeout_seconds: the longest wait for the next part of an answer.
        proxy: the URL of a proxy; None for a direct connection.
    """

    def __init__(self, timeout_seconds: float, proxy: str | None = None) -> None:
        self._timeout = timeout_seconds
        self._session = requests.Session()
        if proxy:
            self._session.proxies = {"http": proxy, "https": proxy}

    def get(self, url: str, headers: Mapping[str, str]) -> Answer:
        timeout = (min(_CONNECT_SECONDS, self._timeout), self._timeout)
        try:
            with self._session.get(url, headers=headers, timeout=timeout, stream=True) as response:
                body, problem = self._body(response)
                found = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status_code, body, found, problem)
        except requests.Timeout as error:
            raise NoAnswerError(f"no answer ({error})", hangs=True) from None
        except requests.RequestException as error:
            # The message of a read time-out within an answer is that of urllib3.
            hangs = "timed out" in str(error)
            raise NoAnswerError(f"{type(error).__name__}: {error}", hangs=hangs) from None

    def _body(self, response: requests.Response) -> tuple[bytes, str]:
        """Return what arrives of a body, and why it is not complete."""
        end = time.monotonic() + _MAX_TIMEOUTS * self._timeout
        body = bytearray()
        try:
            for part in response.iter_content(_CHUNK_BYTES):
                body += part
                if len(body) > LARGEST_ANSWER_BYTES:
                    raise NoAnswerError(f"the answer has more than {LARGEST_ANSWER_BYTES} bytes")
                if time.monotonic() > end:
                    raise NoAnswerError("the answer did not end in time", hangs=True)
        except requests.exceptions.ContentDecodingError:
            return bytes(body), "the answer is not compressed as its header says"
        except requests.exceptions.ChunkedEncodingError:
            return bytes(body), "the answer is cut off"
        return bytes(body), ""


class CurlTransport:
    """The transport of the library curl_cffi, which connects as a browser does."""

    def __init__(self, timeout_seconds: float, proxy: str | None = None) -> None:
        try:
            from curl_cffi import requests as curl
        except ImportError:
            raise SettingsError(
                "NBA_PREDICTIONS_TRANSPORT=curl_cffi needs the extra `browser`; install "
                "nba-predictions[browser]"
            ) from None
        self._timeout = timeout_seconds
        self._error: Any = curl.RequestsError
        self._session: Any = curl.Session(impersonate="chrome", proxy=proxy)

    def get(self, url: str, headers: Mapping[str, str]) -> Answer:
        try:
            response = self._session.get(url, headers=dict(headers), timeout=self._timeout)
        except self._error as error:
            raise NoAnswerError(str(error), hangs="timed out" in str(error)) from None
        found = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, response.content, found)


def make_transport(name: str, timeout_seconds: float, proxy: str = "") -> Transport:
    """Return a new HTTP client, `requests` or `curl_cffi`.

    Raises:
        SettingsError: the library is not installed.
    """
    if name == "curl_cffi":
        return CurlTransport(timeout_seconds, proxy or None)
    return RequestsTransport(timeout_seconds, proxy or None)
