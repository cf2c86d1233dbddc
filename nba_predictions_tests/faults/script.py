"""What is to go wrong, with which calls, and how often: shared by both proxies."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum

from google.api_core.exceptions import (
    Aborted,
    DeadlineExceeded,
    InternalServerError,
    ResourceExhausted,
    ServiceUnavailable,
)

#: The errors that a service, or what lies before it, answers with.
ERRORS = {
    "aborted": Aborted,
    "deadline_exceeded": DeadlineExceeded,
    "internal": InternalServerError,
    "unavailable": ServiceUnavailable,
    "too_many_requests": ResourceExhausted,
}


class Kind(Enum):
    """What happens to a call."""

    #: It is answered with an error, and the service never sees it.
    REFUSED = "refused"
    #: The service does it; the answer is lost, and an error is seen instead.
    ANSWER_LOST = "answer lost"
    #: The connection breaks before the service has all of it.
    REQUEST_CUT = "request cut"
    #: The service does it; the connection breaks before the answer.
    ANSWER_CUT = "answer cut"
    #: The service gets it twice; the second answer is seen.
    DUPLICATED = "duplicated"
    #: It is passed on after `seconds`.
    SLOW = "slow"


@dataclass
class Fault:
    """A fault of calls whose name matches: `skip` of them pass, the next `times` are struck."""

    matching: str
    kind: Kind
    error: str = "unavailable"
    times: int | None = 1
    seconds: float = 5.0
    skip: int = 0
    struck: int = 0


@dataclass
class Script:
    """The faults in force, and the names of all calls so far."""

    calls: list[str] = field(default_factory=list)
    _faults: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def called(self, name: str) -> Fault | None:
        """Note a call; return the fault that it meets."""
        with self._lock:
            self.calls.append(name)
            for fault in self._faults:
                spent = fault.times is not None and fault.struck >= fault.times
                if spent or not re.search(fault.matching, name):
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.struck += 1
                return fault
        return None

    def count(self, matching: str = "") -> int:
        """Return how many calls so far have a name that matches."""
        with self._lock:
            return sum(re.search(matching, name) is not None for name in self.calls)

    @contextmanager
    def fault(
        self,
        matching: str,
        kind: Kind,
        error: str = "unavailable",
        times: int | None = 1,
        seconds: float = 5.0,
        skip: int = 0,
    ) -> Iterator[Fault]:
        """Let calls meet a fault. A fault that no call met is an error of the test.

        Raises:
            AssertionError: at the end, when it never struck.
        """
        fault = Fault(matching, kind, error, times, seconds, skip)
        with self._lock:
            self._faults.append(fault)
        try:
            yield fault
        finally:
            with self._lock:
                self._faults.remove(fault)
        assert fault.struck, f"no call matched {matching!r}: {sorted(set(self.calls))}"
