"""Ask a service politely, and land the answer.

A client serves one fetch. It pauses between two requests to a host, repeats a request that may
succeed the next time, and stops asking a service that hangs or fails. Each attempt has its own
record.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from urllib.parse import quote, quote_plus, urlsplit

from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt

from nba_predictions.domain.clock import utc_now
from nba_predictions.fetching.budget import Budget
from nba_predictions.fetching.transport import Answer, NoAnswerError, Transport
from nba_predictions.inputs.landing.zone import LandingZone, Outcome, RequestRecord, Resource

ATTEMPTS: Final = 3
#: A service that kept so many requests waiting is not asked again in this fetch.
HANGS: Final = 2
#: Neither is one of which so many requests failed at each attempt.
FAILURES: Final = 3
#: The longest pause that a service may ask for with Retry-After. Others wait for this fetch.
_LONGEST_WAIT: Final = 30.0
#: The pause after 429 without Retry-After, as The Odds API documents it.
_TOO_MANY_SECONDS: Final = 2.0
_KEPT_HEADERS: Final = (
    *("content-type", "date", "etag", "last-modified", "retry-after"),
    *("x-requests-last", "x-requests-remaining", "x-requests-used"),
)
_HTTP_TOO_MANY, _HTTP_SERVER_ERROR = 429, 500


@dataclass(frozen=True)
class Judgment:
    """What an answer is.

    Attributes:
        outcome: NEW for an answer that is an input.
        error: why it is not.
        source_time: the moment at which it was true, by its own words.
        key: the key of the resource, if only the answer has it.
        again: whether the same request may succeed soon.
    """

    outcome: Outcome
    error: str = ""
    source_time: datetime | None = None
    key: str | None = None
    again: bool = False


@dataclass(frozen=True)
class Ask:
    """A request.

    Attributes:
        kind: the kind of input.
        resource: where the answer belongs.
        url: the whole address.
        headers: those of the request.
        extension: the kind of the file with the answer.
        cost: the most credits that it can cost.
        judge: says what an answer is. It raises nothing.
    """

    kind: str
    resource: Resource
    #: It may contain the key.
    url: str = field(repr=False)
    judge: Callable[[Answer], Judgment]
    headers: Mapping[str, str] = field(default_factory=dict)
    extension: str = "json"
    cost: int = 0


class Client:
    """Sends the requests of one fetch.

    Args:
        zone: where answers go.
        transport: the HTTP client.
        budget: the credits.
        run_id: the run, for the records.
        pause_seconds: the pause between two requests to a host.
        secrets: texts that no record and no error may contain.
        sleep: waits for a number of seconds.
    """

    def __init__(
        self,
        zone: LandingZone,
        transport: Transport,
        budget: Budget,
        run_id: str,
        pause_seconds: float,
        secrets: Collection[str] = (),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.zone = zone
        self.budget = budget
        self.asked: list[tuple[Ask, RequestRecord]] = []
        self._transport = transport
        self._run_id = run_id
        self._pause = pause_seconds
        forms = {f for s in secrets if s for f in (s, quote(s, safe=""), quote_plus(s))}
        # A secret may be a part of another one.
        self._secrets = sorted(forms, key=len, reverse=True)
        self._sleep = sleep
        self._last: dict[str, float] = {}
        self._hangs: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()

    def gives_up(self, provider: str) -> bool:
        """Return whether a service is not asked again in this fetch."""
        return self._hangs[provider] >= HANGS or self._failures[provider] >= FAILURES

    def send(self, ask: Ask) -> RequestRecord | None:
        """Send a request until it is answered; return its last record.

        None if it was not sent, because the service does not answer or the budget does not allow
        it.

        Raises:
            StorageError: the landing zone cannot be written.
        """
        attempts: Retrying = Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            retry=retry_if_result(bool),
            wait=self._wait,
            sleep=self._sleep,
            retry_error_callback=lambda state: True,
        )
        before = len(self.asked)
        if attempts(self._attempt, ask):
            self._failures[ask.resource.provider] += 1
        return self.asked[-1][1] if len(self.asked) > before else None

    def redacted(self, text: str) -> str:
        """Return a text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _attempt(self, ask: Ask) -> bool:
        """Send a request once, if that is allowed; return whether it may succeed the next time."""
        provider, host = ask.resource.provider, urlsplit(ask.url).netloc
        if self.gives_up(provider) or (ask.cost and not self.budget.allows(ask.cost)):
            return False
        self._wait_for(host)
        record = RequestRecord(
            ask.resource,
            self.redacted(ask.url),
            utc_now(),
            cost=ask.cost,
            run_id=self._run_id,
        )
        if ask.cost:
            self.zone.reserve(record)
        answer: Answer | None = None
        try:
            answer = self._transport.get(ask.url, ask.headers)
            judgment = _judgment(ask, answer)
        except NoAnswerError as error:
            self._hangs[provider] += error.hangs
            judgment = Judgment(Outcome.FAILED, str(error), again=True)
        finally:
            self._last[host] = time.monotonic()
        settled = self._settled(ask, record, answer, judgment)
        self.asked.append((ask, settled))
        return judgment.again

    def _settled(
        self, ask: Ask, record: RequestRecord, answer: Answer | None, judgment: Judgment
    ) -> RequestRecord:
        resource = record.resource
        if judgment.key is not None:
            resource = replace(resource, key=judgment.key)
        record = replace(
            record,
            resource=resource,
            outcome=judgment.outcome,
            error=self.redacted(judgment.error),
            source_time=judgment.source_time,
        )
        # Without an answer, the service may have counted the request.
        if answer is None:
            return self.zone.settle(record, None, ask.extension, reserved=ask.cost)
        headers = {name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers}
        record = replace(
            record,
            status=answer.status,
            headers={name: self.redacted(value) for name, value in headers.items()},
            cost=_cost(ask, answer),
            fetched_at=utc_now(),
        )
        # A service may repeat the address in an error.
        body = answer.body
        for secret in self._secrets:
            body = body.replace(secret.encode(), b"***")
        return self.zone.settle(record, body or None, ask.extension, reserved=ask.cost)

    def _wait_for(self, host: str) -> None:
        """Wait until the host may be asked again."""
        last = self._last.get(host)
        if last is not None:
            self._sleep(max(0.0, last + self._pause - time.monotonic()))

    def _wait(self, state: RetryCallState) -> float:
        """Return the seconds before the next attempt."""
        _, record = self.asked[-1]
        given = record.headers.get("retry-after", "")
        if given.isdecimal():
            return min(float(given), _LONGEST_WAIT)
        if record.status == _HTTP_TOO_MANY:
            return max(self._pause, _TOO_MANY_SECONDS)
        # Other installations fail at the same moment, and must not return at the same moment.
        return self._pause * 2 ** (state.attempt_number - 1) * random.uniform(1.0, 1.5)


def refused(answer: Answer) -> Judgment | None:
    """Return the judgment of an answer whose status is an error; None for any other answer."""
    if answer.status == _HTTP_TOO_MANY or answer.status >= _HTTP_SERVER_ERROR:
        return Judgment(Outcome.FAILED, f"HTTP {answer.status}", again=True)
    if answer.status in (404, 410):
        return Judgment(Outcome.NOT_THERE, f"HTTP {answer.status}")
    if answer.status != 200:
        return Judgment(Outcome.REFUSED, f"HTTP {answer.status}")
    return None


def _judgment(ask: Ask, answer: Answer) -> Judgment:
    if answer.problem:
        return Judgment(Outcome.BROKEN, answer.problem, again=True)
    return ask.judge(answer)


def _cost(ask: Ask, answer: Answer) -> int:
    last = answer.headers.get("x-requests-last", "")
    if last.isdecimal():
        return int(last)
    # An error without the header costs nothing, by the documentation of the service.
    return ask.cost if answer.status == 200 else 0
