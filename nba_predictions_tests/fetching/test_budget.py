"""The credits: Eastern days, months of UTC, and no request that the budget does not allow."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_predictions.domain.league.games import EASTERN
from nba_predictions.fetching.budget import OUT_OF_CREDITS, Budget
from nba_predictions.fetching.transport import Answer
from nba_predictions.inputs.landing.zone import (
    LandingZone,
    Outcome,
    RequestRecord,
    Resource,
)
from nba_predictions_tests.fetching.toys import (
    HANG,
    REFUSED_CONNECTION,
    FakeTransport,
    ask_for,
    client_of,
    empty_zone,
    error,
    ok,
    set_clock,
)

ODDS = Resource("odds_api", "odds", "2026-11-25.1")


def spend(zone: LandingZone, at: datetime, cost: int = 1, **changes: object) -> None:
    record = RequestRecord(ODDS, "http://x", at, Outcome.NEW, cost=cost)
    zone.settle(replace(record, **changes), None, "json")  # type: ignore[arg-type]


def budget_at(zone: LandingZone, now: datetime, per_day: int = 10, per_month: int = 50) -> Budget:
    return Budget(zone, per_day, per_month, lambda: now)


def eastern(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=EASTERN)  # type: ignore[misc, arg-type]


class TestPeriods:
    @pytest.mark.parametrize("day", [(2026, 1, 15), (2026, 3, 8), (2026, 7, 1), (2026, 11, 1)])
    def test_a_day_is_eastern(self, day: tuple[int, int, int]) -> None:
        """Also the days with 23 and 25 hours."""
        zone = empty_zone()
        start = eastern(*day)
        end = eastern(*day) + timedelta(days=1)
        tick = timedelta(microseconds=1)
        first, last = (m.astimezone(timezone.utc) for m in (start, end))
        for at in (first - tick, first, last - tick, last):
            spend(zone, at)
        assert last - first in {timedelta(hours=h) for h in (23, 24, 25)}
        for now in (first, first + timedelta(hours=12), last - tick):
            assert budget_at(zone, now).left_today() == 8
        assert budget_at(zone, last).left_today() == 9

    def test_a_month_is_utc(self) -> None:
        zone = empty_zone()
        last = datetime(2026, 11, 30, 23, 59, 59, tzinfo=timezone.utc)
        spend(zone, last, 5)
        spend(zone, last + timedelta(seconds=1), 7)
        assert budget_at(zone, last).left_this_month() == 45
        # It is still the last of November in New York.
        assert budget_at(zone, last + timedelta(seconds=1)).left_this_month() == 43
        assert budget_at(zone, last + timedelta(seconds=1)).left_today() == 0

    def test_the_smaller_limit_counts(self) -> None:
        zone, now = empty_zone(), eastern(2026, 11, 25, 12)
        assert budget_at(zone, now, 3, 50).allows(3)
        assert not budget_at(zone, now, 3, 50).allows(4)
        assert not budget_at(zone, now, 10, 3).allows(4)
        assert not budget_at(zone, now, 0, 50).allows(1)

    def test_other_services_cost_nothing(self) -> None:
        zone, now = empty_zone(), eastern(2026, 11, 25, 12)
        spend(zone, now, 5, resource=Resource("nba_stats", "x", "y"))
        assert budget_at(zone, now).left_today() == 10

    def test_more_than_the_limit_was_spent(self) -> None:
        zone, now = empty_zone(), eastern(2026, 11, 25, 12)
        spend(zone, now, 99)
        assert budget_at(zone, now).left_today() == 0
        assert budget_at(zone, now).left_this_month() == 0


class TestUsedUp:
    ERROR = f"{OUT_OF_CREDITS}: Usage quota has been reached."

    def test_it_is_remembered_until_the_first(self) -> None:
        zone = empty_zone()
        at = datetime(2026, 11, 10, tzinfo=timezone.utc)
        spend(zone, at, 0, outcome=Outcome.REFUSED, error=self.ERROR)
        last = datetime(2026, 11, 30, 23, 59, tzinfo=timezone.utc)
        for now in (at + timedelta(seconds=1), last):
            assert budget_at(zone, now).is_used_up()
            assert not budget_at(zone, now).allows(1)
            # Another process finds the same.
            assert budget_at(LandingZone(str(zone.folder)), now).is_used_up()
        assert not budget_at(zone, last + timedelta(minutes=1)).is_used_up()
        assert budget_at(zone, last + timedelta(minutes=1)).allows(1)

    def test_other_refusals_are_not(self) -> None:
        zone, now = empty_zone(), eastern(2026, 11, 25, 12)
        spend(zone, now, 0, outcome=Outcome.REFUSED, error="INVALID_MARKET: x")
        spend(zone, now, 0, outcome=Outcome.BROKEN, error=self.ERROR)
        assert not budget_at(zone, now).is_used_up()

    def test_a_plan_that_was_changed(self) -> None:
        """A check asks again, and a paid answer shows that the plan was changed."""
        zone, now = empty_zone(), eastern(2026, 11, 25, 12)
        minute = timedelta(minutes=1)
        spend(zone, now, 0, outcome=Outcome.REFUSED, error=self.ERROR)
        spend(zone, now + minute, 0, headers={"x-requests-remaining": "19500"})
        later = now + 3 * minute
        assert budget_at(zone, later).is_used_up()
        assert Budget(zone, 10, 50, lambda: later, tries_again=True).allows(1)
        spend(zone, now + 2 * minute, 1)
        assert not budget_at(zone, later).is_used_up()


class Killed(BaseException):
    """The process ends here."""


ANSWERS = st.sampled_from(
    [
        *(ok(x_requests_last="1"), ok(x_requests_last="0"), ok()),
        *(error(500), error(422), error(429), HANG, REFUSED_CONNECTION),
        *(Answer(200, b"{", {}, "cut off"), Killed()),
    ]
)


class TestLimits:
    @settings(deadline=None, max_examples=40)
    @given(
        answers=st.lists(ANSWERS, min_size=1, max_size=12),
        per_day=st.integers(0, 6),
        per_month=st.integers(0, 8),
        seed=st.integers(0, 9),
    )
    def test_they_are_never_exceeded(
        self, answers: list[Answer | Exception], per_day: int, per_month: int, seed: int
    ) -> None:
        """Whatever answers come, and if the process is killed at any write."""
        zone, rng = empty_zone(), random.Random(seed)
        transport = FakeTransport(answers)
        write = LandingZone._write

        def killed(self: LandingZone, path: str, content: bytes) -> None:
            write(self, path, content)
            if rng.random() < 0.1:
                raise Killed

        with pytest.MonkeyPatch.context() as patch:
            set_clock(patch, datetime(2026, 11, 25, 17, tzinfo=timezone.utc))
            patch.setattr(LandingZone, "_write", killed)
            for number in range(10):
                client = client_of(transport, zone, pause=0.0, per_day=per_day, per_month=per_month)
                try:
                    client.send(ask_for(cost=1, provider="odds_api", key=f"k{number}"))
                except Killed:
                    continue
            # Each of these requests may have cost a credit.
            charged = sum(1 for answer in transport.given if not _is_free(answer))
            spent = zone.spent(
                "odds_api",
                datetime(2026, 11, 1, tzinfo=timezone.utc),
                datetime(2026, 12, 1, tzinfo=timezone.utc),
            )
        assert charged <= spent <= min(per_day, per_month)

    @pytest.mark.parametrize("charged", ["2", "5"])
    def test_answers_that_cost_more_than_documented(
        self, charged: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The excess of one request cannot be known before. No request follows it."""
        set_clock(monkeypatch, datetime(2026, 11, 25, 17, tzinfo=timezone.utc))
        client = client_of(FakeTransport([ok(x_requests_last=charged)]), per_day=6)
        for number in range(9):
            client.send(ask_for(cost=1, provider="odds_api", key=f"k{number}"))
        total = sum(record.cost for _, record in client.asked)
        assert total == {"2": 6, "5": 10}[charged]
        assert total - int(charged) < 6


def _is_free(answer: Answer | BaseException) -> bool:
    if isinstance(answer, BaseException):
        return False
    return answer.status != 200 or answer.headers.get("x-requests-last") == "0"
