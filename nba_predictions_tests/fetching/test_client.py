"""The client: pauses, retries, the breaker, the order of writing, and no secret anywhere."""

from __future__ import annotations

import json
from datetime import timedelta
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import StorageError
from nba_predictions.fetching.client import ATTEMPTS, FAILURES, HANGS, Ask, Client, Judgment
from nba_predictions.fetching.transport import Answer, NoAnswerError
from nba_predictions.inputs.landing.zone import (
    LandingZone,
    Outcome,
    RequestRecord,
    Resource,
)
from nba_predictions_tests.fetching.toys import (
    HANG,
    KEY,
    REFUSED_CONNECTION,
    FakeTime,
    FakeTransport,
    ask_for,
    client_of,
    empty_zone,
    error,
    judge,
    ok,
)


def outcomes(client: Client) -> list[Outcome]:
    return [record.outcome for _, record in client.asked]


class TestPauses:
    def test_between_two_requests_to_a_host(self, monkeypatch: pytest.MonkeyPatch) -> None:
        time = FakeTime(monkeypatch)
        client = client_of(FakeTransport([ok()]), pause=2.0, sleep=time.sleep)
        for url in ("http://one.test/a", "http://two.test/a", "http://one.test/b"):
            client.send(ask_for(url))
        assert time.slept == [2.0]
        time.seconds += 1.5
        client.send(ask_for("http://two.test/b"))
        assert time.slept == [2.0]
        client.send(ask_for("http://two.test/c"))
        time.seconds += 1.5
        client.send(ask_for("http://two.test/d"))
        assert time.slept == [2.0, 2.0, 0.5]

    def test_between_attempts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        time = FakeTime(monkeypatch)
        client = client_of(FakeTransport([error(500)]), pause=2.0, sleep=time.sleep)
        client.send(ask_for())
        first, second = time.slept
        assert 2 <= first <= 3
        assert 4 <= second <= 6

    @pytest.mark.parametrize(
        ("header", "seconds"),
        [
            *(("7", 7), ("0", None), ("3600", 30), ("", 2), ("²", 2), ("-1", 2), ("1.5", 2)),
            ("Wed, 25 Nov 2026 17:00:00 GMT", 2),
        ],
    )
    def test_too_many_requests(
        self, header: str, seconds: float | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        time = FakeTime(monkeypatch)
        headers = {"retry_after": header} if header else {}
        transport = FakeTransport([error(429, b"", **headers), ok()])
        client = client_of(transport, pause=0.0, sleep=time.sleep)
        record = client.send(ask_for())
        assert record is not None
        assert record.outcome is Outcome.NEW
        assert time.slept == ([] if seconds is None else [seconds])

    def test_the_total_time_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        time = FakeTime(monkeypatch)
        transport = FakeTransport([error(429, retry_after="3600")])
        client = client_of(transport, sleep=time.sleep)
        for _ in range(20):
            client.send(ask_for())
        assert len(transport.urls) == ATTEMPTS * FAILURES
        assert sum(time.slept) < 240


class TestRetries:
    @pytest.mark.parametrize(
        "fault",
        [error(429), error(500), error(503), REFUSED_CONNECTION, Answer(200, b"", {}, "cut off")],
    )
    def test_faults_that_may_pass(self, fault: Answer | Exception) -> None:
        client = client_of(FakeTransport([fault, fault, ok()]))
        record = client.send(ask_for())
        assert record is not None
        assert record.outcome is Outcome.NEW
        assert len(client.asked) == 3
        client = client_of(FakeTransport([fault]))
        record = client.send(ask_for())
        assert record is not None
        assert record.outcome in (Outcome.FAILED, Outcome.BROKEN)
        assert len(client.asked) == ATTEMPTS

    @pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 410, 422])
    def test_faults_that_stay(self, status: int) -> None:
        client = client_of(FakeTransport([error(status), ok()]))
        record = client.send(ask_for())
        assert record is not None
        expected = Outcome.NOT_THERE if status in (404, 410) else Outcome.REFUSED
        assert record.outcome is expected
        assert record.error == f"HTTP {status}"
        assert len(client.asked) == 1

    def test_each_attempt_has_a_record(self) -> None:
        client = client_of(FakeTransport([error(502, b"<h1>502</h1>"), ok()]))
        client.send(ask_for())
        today = utc_now().date()
        records = client.zone.records(today, today)
        assert [(r.outcome, r.status) for r in records] == [
            (Outcome.FAILED, 502),
            (Outcome.NEW, 200),
        ]
        assert records[0].path.startswith("quarantine/")
        assert {record.run_id for record in records} == {"run"}


class TestBreaker:
    def test_a_service_that_hangs(self) -> None:
        transport = FakeTransport([HANG])
        client = client_of(transport)
        record = client.send(ask_for())
        assert record is not None
        assert record.outcome is Outcome.FAILED
        assert len(transport.urls) == HANGS
        assert client.gives_up("nba_stats")
        assert client.send(ask_for()) is None
        assert len(transport.urls) == HANGS

    def test_other_services_at_the_same_address_are_asked(self) -> None:
        """Also if one proxy or server answers for all of them."""
        transport = FakeTransport(lambda url: HANG if "stats" in url else ok())
        client = client_of(transport)
        client.send(ask_for("http://one.test/stats"))
        record = client.send(ask_for("http://one.test/odds", provider="odds_api"))
        assert record is not None
        assert record.outcome is Outcome.NEW

    def test_one_hang_is_forgiven(self) -> None:
        client = client_of(FakeTransport([HANG, ok()]))
        client.send(ask_for())
        assert not client.gives_up("nba_stats")

    def test_a_service_that_fails_at_each_attempt(self) -> None:
        """Otherwise 32 injury reports would be asked for three times each."""
        transport = FakeTransport([error(503)])
        client = client_of(transport)
        for _ in range(10):
            client.send(ask_for())
        assert len(transport.urls) == FAILURES * ATTEMPTS

    def test_refusals_do_not_count(self) -> None:
        transport = FakeTransport([error(404)])
        client = client_of(transport)
        for _ in range(10):
            client.send(ask_for())
        assert len(transport.urls) == 10


class TestCredits:
    def test_without_credits_nothing_is_sent(self) -> None:
        transport = FakeTransport([ok()])
        client = client_of(transport, per_day=0)
        assert client.send(ask_for(cost=1, provider="odds_api")) is None
        assert transport.urls == []

    def test_the_last_record_is_returned_if_the_credits_end_between_attempts(self) -> None:
        client = client_of(FakeTransport([REFUSED_CONNECTION]), per_day=1)
        record = client.send(ask_for(cost=1, provider="odds_api"))
        assert record is not None
        assert record.outcome is Outcome.FAILED
        assert len(client.asked) == 1

    @pytest.mark.parametrize(
        ("answer", "cost"),
        [
            (ok(x_requests_last="0"), 0),
            (ok(x_requests_last="3"), 3),
            (ok(), 1),
            (ok(x_requests_last="many"), 1),
            (ok(x_requests_last="²"), 1),
            (error(422), 0),
            (error(422, x_requests_last="1"), 1),
            (Answer(200, b"{", {"x-requests-last": "1"}, "cut off"), 1),
        ],
    )
    def test_the_cost_of_an_answer(self, answer: Answer, cost: int) -> None:
        client = client_of(FakeTransport([answer]))
        record = client.send(ask_for(cost=1, provider="odds_api"))
        assert record is not None
        assert record.cost == cost

    def test_a_request_is_counted_before_it_is_sent(self) -> None:
        zone = empty_zone()
        seen = []

        def answer(url: str) -> Answer:
            today = utc_now().date()
            seen.extend(zone.records(today, today))
            return ok()

        client_of(FakeTransport(answer), zone).send(ask_for(cost=2, provider="odds_api"))
        assert [(r.outcome, r.cost) for r in seen] == [(Outcome.ASKED, 2)]

    def test_a_request_that_cannot_be_counted_is_not_sent(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        transport = FakeTransport([ok()])
        client = client_of(transport)

        def full(self: LandingZone, path: str, content: bytes) -> None:
            raise StorageError("the disk is full")

        monkeypatch.setattr(LandingZone, "_write", full)
        with pytest.raises(StorageError):
            client.send(ask_for(cost=1, provider="odds_api"))
        assert transport.urls == []


class TestSecrets:
    URL = f"http://one.test/x?apiKey={quote_plus(KEY)}&b=1"

    def ask(self, judge_it: object = judge) -> Ask:
        resource = Resource("odds_api", "odds", "k")
        return Ask("lines", resource, self.URL, judge_it, cost=1)  # type: ignore[arg-type]

    def assert_hidden(self, text: str) -> None:
        for form in (KEY, quote(KEY, safe=""), quote_plus(KEY)):
            assert form not in text

    def test_everywhere(self) -> None:
        failure = NoAnswerError(f"GET {self.URL} with {KEY} failed")
        body = json.dumps({"message": f"bad request {self.URL} {KEY}"}).encode()
        client = client_of(
            FakeTransport([failure, Answer(500, body, {"etag": KEY, "date": self.URL}), ok(body)])
        )
        ask = self.ask()
        record = client.send(ask)
        assert record is not None
        today = utc_now().date()
        for text in (repr(ask), repr(client.asked), repr(record), client.redacted(self.URL)):
            self.assert_hidden(text)
        assert len(client.asked) == 3
        for record in client.zone.records(today, today):
            self.assert_hidden(record.to_json())
        landed = client.zone.newest(ask.resource)
        assert landed is not None
        content = client.zone.read(landed).decode()
        self.assert_hidden(content)
        assert "***" in content

    def test_an_error_of_the_judge(self) -> None:
        refusal = Judgment(Outcome.REFUSED, f"no such key: {KEY}")
        client = client_of(FakeTransport([ok()]))
        record = client.send(self.ask(lambda answer: refusal))
        assert record is not None
        assert record.error == "no such key: ***"

    def test_a_secret_within_another(self) -> None:
        client = client_of(FakeTransport([ok()]), secrets=["pass", "http://u:password@p"])
        assert client.redacted("http://u:password@p pass") == "*** ***"

    @settings(deadline=None)
    @given(secret=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6))
    def test_any_secret(self, secret: str) -> None:
        client = client_of(FakeTransport([ok()]), secrets=[secret])
        text = f"{secret} {quote(secret, safe='')} {quote_plus(secret)}"
        assert client.redacted(text) == "*** *** ***"


def test_kept_headers() -> None:
    headers = {"etag": "1", "set-cookie": "session", "x-requests-used": "3"}
    client = client_of(FakeTransport([Answer(200, b"{}", headers)]))
    record = client.send(ask_for())
    assert record is not None
    assert record.headers == {"etag": "1", "x-requests-used": "3"}


def test_the_key_of_the_answer() -> None:
    client = client_of(FakeTransport([ok()]))
    ask = ask_for(key="2025-26")
    named = Ask(ask.kind, ask.resource, ask.url, lambda _: Judgment(Outcome.NEW, key="2026-27"))
    record = client.send(named)
    assert record is not None
    assert record.resource.key == "2026-27"
    assert client.zone.keys("nba_stats", "thing") == ["2026-27"]


def test_an_interrupted_request_stays_counted() -> None:
    client = client_of(FakeTransport([KeyboardInterrupt()]))  # type: ignore[list-item]
    with pytest.raises(KeyboardInterrupt):
        client.send(ask_for(cost=1, provider="odds_api"))
    now = utc_now()
    day = timedelta(days=1)
    assert client.zone.spent("odds_api", now - day, now + day) == 1
    (record,) = client.zone.records(now.date(), now.date())
    assert isinstance(record, RequestRecord)
    assert record.outcome is Outcome.ASKED
