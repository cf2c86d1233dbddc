"""Which ticks are missed: by the schedule's own cron and clock, on any day of the year."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import RemoteInstigatorOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    ScheduleInstigatorData,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster_shared.error import SerializableErrorInfo

from nba_predictions.definitions import defs
from nba_predictions.domain.policies.alerting import WATCHED, Condition, Kind
from nba_predictions.orchestration.conditions.ticks import GRACE, kept_by, missed_ticks
from nba_predictions.orchestration.schedules import (
    grade_yesterday_at_6_eastern,
    predict_today_at_7_eastern,
)
from nba_predictions.orchestration.sensors.batch_followup import settle_stalled_batches
from nba_predictions_tests.alerts.toys import REPOSITORY

EASTERN = ZoneInfo("America/New_York")
NIGHTLY = predict_today_at_7_eastern.name
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def eastern(day: date, hour: int, minute: int = 0) -> datetime:
    """A time on the clock of US Eastern, in UTC: differences of it are real time."""
    local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=EASTERN)
    return local.astimezone(timezone.utc)


class House:
    """An instance with what the scheduler leaves there, and a watcher that remembers."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.watched: dict[str, Any] = {}
        self.schedules = [predict_today_at_7_eastern]

    def state(
        self,
        name: str,
        status: InstigatorStatus = InstigatorStatus.DECLARED_IN_CODE,
        start: datetime | None = None,
        of: InstigatorType = InstigatorType.SCHEDULE,
        cursor: str | None = None,
    ) -> InstigatorState:
        origin = RemoteInstigatorOrigin(REPOSITORY, name)
        known = {s.name: s for s in self.instance.all_instigator_state()}
        data: Any = ScheduleInstigatorData("0 7 * * *", start.timestamp() if start else None)
        if of is InstigatorType.SENSOR:
            data = SensorInstigatorData(cursor=cursor)
        state = InstigatorState(origin, of, status, data)
        if name not in known:
            return self.instance.add_instigator_state(state)
        return self.instance.update_instigator_state(state)

    def tick(
        self,
        at: datetime,
        status: TickStatus = TickStatus.SUCCESS,
        name: str = NIGHTLY,
        of: InstigatorType = InstigatorType.SCHEDULE,
    ) -> None:
        state = self.state(name, of=of)
        error = SerializableErrorInfo("ValueError: no such partition\n", [], "ValueError")
        self.instance.create_tick(
            TickData(
                instigator_origin_id=state.instigator_origin_id,
                instigator_name=name,
                instigator_type=of,
                status=status,
                timestamp=at.timestamp(),
                run_ids=[] if status is TickStatus.SUCCESS else None,
                selector_id=state.selector_id,
                error=error if status is TickStatus.FAILURE else None,
            )
        )

    def look(self, now: datetime) -> list[Condition]:
        sensors = [settle_stalled_batches]
        repository = defs.get_repository_def()
        return missed_ticks(self.instance, self.schedules, sensors, repository, self.watched, now)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    """Schedules are kept on disk only, and to make the tables takes seconds: all share them."""
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("dagster"))) as instance:
        yield instance


@pytest.fixture
def house(stored: dg.DagsterInstance) -> House:
    assert stored.schedule_storage is not None
    stored.schedule_storage.wipe()
    stored.run_storage.wipe()
    return House(stored)


DAYS = [
    pytest.param(date(2026, 1, 15), id="winter"),
    pytest.param(date(2026, 3, 8), id="clocks go forward"),
    pytest.param(date(2026, 11, 1), id="clocks go back"),
    pytest.param(date(2026, 11, 2), id="the day after"),
]


@pytest.mark.parametrize("day", DAYS)
def test_a_tick_is_missed_after_its_grace_on_the_clock_of_us_eastern(
    house: House, day: date
) -> None:
    due = eastern(day, 7)
    assert house.look(eastern(day, 0, 30)) == []
    assert house.look(due + GRACE - MINUTE) == []
    (condition,) = house.look(due + GRACE + MINUTE)
    assert condition.kind is Kind.MISSED_TICK
    assert condition.title == f"{NIGHTLY} did not tick at {due:%Y-%m-%d %H:%M} UTC"
    assert condition.game_date == day
    assert condition.facts["partition"] == day.isoformat()
    assert "launch nightly_predictions for" in condition.to_do
    # It comes late, and all is well.
    house.tick(due)
    assert house.look(due + GRACE + 2 * MINUTE) == []


@pytest.mark.parametrize("day", DAYS[1:3])
def test_good_ticks_over_a_change_of_clocks_raises_nothing(house: House, day: date) -> None:
    house.look(eastern(day - 2 * DAY, 0))
    for n in range(-2, 3):
        house.tick(eastern(day + n * DAY, 7))
        for hour in (7, 23):
            assert house.look(eastern(day + n * DAY, hour, 20)) == []


def test_every_missed_tick_of_a_daemon_that_was_down_for_days_is_told_of(house: House) -> None:
    """The scheduler catches up with the last one only: the nights before are lost in silence."""
    house.look(eastern(date(2026, 1, 10), 12))
    house.tick(eastern(date(2026, 1, 13), 7))
    conditions = house.look(eastern(date(2026, 1, 13), 8))
    assert [c.game_date for c in conditions] == [date(2026, 1, 11), date(2026, 1, 12)]
    assert len({c.key for c in conditions}) == 2


def test_a_night_that_was_run_by_hand_makes_its_missed_tick_good(house: House) -> None:
    house.look(eastern(date(2026, 1, 14), 12))
    now = eastern(date(2026, 1, 15), 8)
    for status in (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS):
        assert len(house.look(now)) == 1
        house.instance.add_run(
            dg.DagsterRun(
                job_name="nightly_predictions",
                status=status,
                tags={"dagster/partition": "2026-01-15"},
            )
        )
    assert house.look(now) == []


def test_a_schedule_that_was_just_deployed_raises_nothing(house: House) -> None:
    assert house.look(eastern(date(2026, 1, 15), 7, 30)) == []
    assert house.look(eastern(date(2026, 1, 16), 7, 10)) == []
    # The scheduler has never looked at it: that is no excuse.
    assert len(house.look(eastern(date(2026, 1, 16), 7, 20))) == 1


def test_a_schedule_that_was_switched_on_again_is_not_asked_for_the_time_before(
    house: House,
) -> None:
    house.look(eastern(date(2026, 1, 10), 12))
    house.state(NIGHTLY, InstigatorStatus.STOPPED)
    assert house.look(eastern(date(2026, 1, 12), 12)) == []
    house.state(NIGHTLY, InstigatorStatus.RUNNING, eastern(date(2026, 1, 12), 13))
    assert house.look(eastern(date(2026, 1, 12), 14)) == []
    assert len(house.look(eastern(date(2026, 1, 13), 8))) == 1


def test_between_two_looks_it_may_be_switched_off_and_on(house: House) -> None:
    house.look(eastern(date(2026, 1, 14), 12))
    house.state(NIGHTLY, InstigatorStatus.RUNNING, eastern(date(2026, 1, 15), 7, 5))
    assert house.look(eastern(date(2026, 1, 15), 8)) == []


def test_a_cron_that_was_changed_is_watched_from_then_on(house: House) -> None:
    @dg.schedule(
        name=NIGHTLY,
        job_name="nightly_predictions",
        cron_schedule="0 5 * * *",
        execution_timezone="America/New_York",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    def earlier(context: dg.ScheduleEvaluationContext) -> dg.SkipReason:
        return dg.SkipReason("nothing")

    house.look(eastern(date(2026, 1, 10), 12))
    for day in range(11, 16):
        house.tick(eastern(date(2026, 1, day), 7))
    house.schedules = [earlier]
    assert house.look(eastern(date(2026, 1, 15), 12)) == []
    (condition,) = house.look(eastern(date(2026, 1, 16), 6))
    # It asks for no run: nothing says which date it lost.
    assert condition.game_date is None
    house.schedules = []
    house.look(eastern(date(2026, 1, 16), 6))
    assert house.watched == {}


@pytest.mark.parametrize(
    ("status", "title"),
    [
        (TickStatus.FAILURE, f"the tick of {NIGHTLY} failed"),
        (TickStatus.STARTED, f"the tick of {NIGHTLY} began and did not end"),
    ],
)
def test_a_tick_that_failed_or_hangs_is_told_of(
    house: House, status: TickStatus, title: str
) -> None:
    house.look(eastern(date(2026, 1, 14), 12))
    house.tick(eastern(date(2026, 1, 15), 7), status)
    (condition,) = house.look(eastern(date(2026, 1, 15), 7, 20))
    assert condition.title.startswith(title)
    failed = status is TickStatus.FAILURE
    assert ("ValueError: no such partition" in str(condition.facts)) == failed


def test_a_tick_that_had_nothing_to_do_is_a_tick(house: House) -> None:
    house.look(eastern(date(2026, 1, 14), 12))
    house.tick(eastern(date(2026, 1, 15), 7), TickStatus.SKIPPED)
    assert house.look(eastern(date(2026, 1, 15), 8)) == []


def test_a_missed_tick_is_told_for_eight_days(house: House) -> None:
    house.schedules = [grade_yesterday_at_6_eastern]
    start = eastern(date(2026, 1, 10), 12)
    house.look(start)
    first = eastern(date(2026, 1, 11), 6)
    assert first in [c.since for c in house.look(first + WATCHED - MINUTE)]
    assert first not in [c.since for c in house.look(first + WATCHED)]


def test_a_sensor_that_keeps_failing_is_told_of_and_one_bad_tick_is_not(house: House) -> None:
    name, now = settle_stalled_batches.name, eastern(date(2026, 1, 15), 12)
    house.schedules = []
    for minute in range(3):
        assert house.look(now) == []
        house.tick(now + minute * MINUTE, TickStatus.FAILURE, name, InstigatorType.SENSOR)
    (condition,) = house.look(now + 3 * MINUTE)
    assert condition.title == f"the sensor {name} keeps failing"
    assert condition.since == now
    assert "ValueError" in str(condition.facts["error"])
    house.tick(now + 4 * MINUTE, TickStatus.SKIPPED, name, InstigatorType.SENSOR)
    assert house.look(now + 5 * MINUTE) == []


def test_what_a_sensor_keeps_can_be_read_from_outside(house: House) -> None:
    assert kept_by(house.instance, "alert_on_missed_ticks") is None
    house.state("alert_on_missed_ticks", of=InstigatorType.SENSOR, cursor="kept")
    assert kept_by(house.instance, "alert_on_missed_ticks") == "kept"
