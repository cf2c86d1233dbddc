"""A transport with scripted answers, a clock that moves while someone sleeps, and clients."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

import pytest

from nba_predictions.domain import clock
from nba_predictions.fetching.budget import Budget
from nba_predictions.fetching.client import Ask, Client, Judgment, refused
from nba_predictions.fetching.transport import Answer, NoAnswerError
from nba_predictions.inputs.landing.zone import LandingZone, Outcome, Resource

NOON = datetime(2026, 11, 25, 17, tzinfo=timezone.utc)
KEY = "5ecre7-0f-7he+api/key"
#: The answers of a service, by the address; an exception is raised.
Script = Callable[[str], "Answer | Exception"]

HANG = NoAnswerError("no answer", hangs=True)
REFUSED_CONNECTION = NoAnswerError("connection refused")


class FakeTransport:
    """Answers from a list, the last answer again and again, or from a function."""

    def __init__(self, answers: Script | Iterable[Answer | Exception]) -> None:
        if callable(answers):
            self._answer = answers
        else:
            left = list(answers)
            self._answer = lambda url: left.pop(0) if len(left) > 1 else left[0]
        self.urls: list[str] = []
        self.given: list[Answer | BaseException] = []
        self.headers: list[Mapping[str, str]] = []

    def get(self, url: str, headers: Mapping[str, str]) -> Answer:
        self.urls.append(url)
        self.headers.append(headers)
        answer: Answer | BaseException = self._answer(url)
        self.given.append(answer)
        if isinstance(answer, BaseException):
            raise answer
        return answer


class FakeTime:
    """The monotonic clock of the client. It moves only while someone sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 1000.0
        self.slept: list[float] = []
        monkeypatch.setattr("nba_predictions.fetching.client.time.monotonic", lambda: self.seconds)

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        if seconds:
            self.slept.append(seconds)


def set_clock(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    """Start the clock of the pipeline at a moment, until the end of the test."""
    monkeypatch.setenv(clock.NOW_VARIABLE, moment.isoformat())
    monkeypatch.setenv("_NBA_PREDICTIONS_CLOCK_STARTED", "")
    clock.start_at(moment)


def empty_zone() -> LandingZone:
    return LandingZone(f"memory://{uuid.uuid4().hex}/landing")


def ok(body: Any = None, **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body or {"a": 1}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(200, content, named)


def error(status: int, body: bytes = b"<html>", **headers: str) -> Answer:
    return Answer(status, body, {name.replace("_", "-"): v for name, v in headers.items()})


def judge(answer: Answer) -> Judgment:
    return refused(answer) or Judgment(Outcome.NEW)


def ask_for(
    url: str = "http://one.test/x", provider: str = "nba_stats", cost: int = 0, key: str = "k"
) -> Ask:
    return Ask("kind", Resource(provider, "thing", key), url, judge, {"h": "1"}, cost=cost)


def client_of(
    transport: FakeTransport,
    zone: LandingZone | None = None,
    *,
    pause: float = 2.0,
    sleep: Callable[[float], None] = lambda seconds: None,
    per_day: int = 32,
    per_month: int = 500,
    secrets: Iterable[str] = (KEY,),
) -> Client:
    zone = zone or empty_zone()
    budget = Budget(zone, per_day, per_month)
    return Client(zone, transport, budget, "run", pause, list(secrets), sleep)
