"""The faults that both proxies inject: which calls they affect, how and how often."""

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

#: Errors of a service or of a load balancer in front of it.
ERRORS = {
    "aborted": Aborted,
    "deadline_exceeded": DeadlineExceeded,
    "internal": InternalServerError,
    "unavailable": ServiceUnavailable,
    "too_many_requests": ResourceExhausted,
}


class Kind(Enum):
    """What happens to a call."""

    #: The proxy answers with an error. The service does not receive the call.
    REFUSED = "refused"
    #: The service executes the call. The client receives an error instead of the answer.
    ANSWER_LOST = "answer lost"
    #: The connection breaks before the service receives the whole request.
    REQUEST_CUT = "request cut"
    #: The service executes the call. The connection breaks before the answer.
    ANSWER_CUT = "answer cut"
    #: The service receives the call twice. The client receives the second answer.
    DUPLICATED = "duplicated"
    #: The proxy forwards the call after `seconds`.
    SLOW = "slow"


@dataclass
class Fault:
    """A fault of calls with a matching name: the first `skip` pass, the next `times` are struck."""

    matching: str
    kind: Kind
    error: str = "unavailable"
    times: int | None = 1
    seconds: float = 5.0
    skip: int = 0
    struck: int = 0


@dataclass
class Script:
    """The active faults and the names of all calls so far."""

    calls: list[str] = field(default_factory=list)
    _faults: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def record_call(self, name: str) -> Fault | None:
        """Record a call; return the fault that strikes it, if any."""
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
        """Return the number of calls so far with a matching name."""
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
        """Inject a fault while the context is open.

        Raises:
            AssertionError: no call was struck.
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
