"""Missed ticks of schedules, also when the clocks change, and sensors that keep failing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster_shared.error import SerializableErrorInfo

from nba_predictions.definitions import defs
from nba_predictions.domain.policies.alerting import WATCH_PERIOD, Condition, Kind
from nba_predictions.orchestration.conditions.ticks import GRACE, missed_ticks, sensor_cursor
from nba_predictions.orchestration.schedules import (
    grade_yesterday_at_6_eastern,
    predict_today_at_7_eastern,
)
from nba_predictions.orchestration.sensors.batch_followup import settle_stalled_batches
from nba_predictions_tests.alerts.toys import REPOSITORY
from nba_predictions_tests.dagster_internals import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    RemoteInstigatorOrigin,
    ScheduleInstigatorData,
    SensorInstigatorData,
    TickData,
    TickStatus,
)

EASTERN = ZoneInfo("America/New_York")
NIGHTLY = predict_today_at_7_eastern.name
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def eastern(day: date, hour: int, minute: int = 0) -> datetime:
    """Return a time of US Eastern in UTC, so that differences are real time."""
    local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=EASTERN)
    return local.astimezone(timezone.utc)


class Instance:
    """An instance with ticks of a scheduler, and the memory of the alert sensor."""

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

    def missed(self, now: datetime) -> list[Condition]:
        sensors = [settle_stalled_batches]
        repository = defs.get_repository_def()
        return missed_ticks(self.instance, self.schedules, sensors, repository, self.watched, now)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    """An instance on disk, which schedules need. All tests share it, since creating it is slow."""
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("dagster"))) as instance:
        yield instance


@pytest.fixture
def instance(stored: dg.DagsterInstance) -> Instance:
    assert stored.schedule_storage is not None
    stored.schedule_storage.wipe()
    stored.run_storage.wipe()
    return Instance(stored)


DAYS = [
    pytest.param(date(2026, 1, 15), id="winter"),
    pytest.param(date(2026, 3, 8), id="clocks go forward"),
    pytest.param(date(2026, 11, 1), id="clocks go back"),
    pytest.param(date(2026, 11, 2), id="the day after"),
]


@pytest.mark.parametrize("day", DAYS)
def test_a_tick_is_missing_after_its_grace_period_in_eastern_time(
    instance: Instance, day: date
) -> None:
    due = eastern(day, 7)
    assert instance.missed(eastern(day, 0, 30)) == []
    assert instance.missed(due + GRACE - MINUTE) == []
    (condition,) = instance.missed(due + GRACE + MINUTE)
    assert condition.kind is Kind.MISSED_TICK
    assert condition.title == f"{NIGHTLY} did not tick at {due:%Y-%m-%d %H:%M} UTC"
    assert condition.game_date == day
    assert condition.facts["partition"] == day.isoformat()
    assert "launch nightly_predictions for" in condition.to_do
    # The tick arrives late.
    instance.tick(due)
    assert instance.missed(due + GRACE + 2 * MINUTE) == []


@pytest.mark.parametrize("day", DAYS[1:3])
def test_ticks_around_a_change_of_clocks_are_not_missing(instance: Instance, day: date) -> None:
    instance.missed(eastern(day - 2 * DAY, 0))
    for n in range(-2, 3):
        instance.tick(eastern(day + n * DAY, 7))
        for hour in (7, 23):
            assert instance.missed(eastern(day + n * DAY, hour, 20)) == []


def test_every_tick_of_a_daemon_that_was_down_for_days_is_missing(
    instance: Instance,
) -> None:
    """The scheduler makes up only for its last tick. The nights before it are not predicted."""
    instance.missed(eastern(date(2026, 1, 10), 12))
    instance.tick(eastern(date(2026, 1, 13), 7))
    conditions = instance.missed(eastern(date(2026, 1, 13), 8))
    assert [c.game_date for c in conditions] == [date(2026, 1, 11), date(2026, 1, 12)]
    assert len({c.key for c in conditions}) == 2


def test_a_night_that_was_run_by_hand_resolves_its_missed_tick(instance: Instance) -> None:
    instance.missed(eastern(date(2026, 1, 14), 12))
    now = eastern(date(2026, 1, 15), 8)
    for status in (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS):
        assert len(instance.missed(now)) == 1
        instance.instance.add_run(
            dg.DagsterRun(
                job_name="nightly_predictions",
                status=status,
                tags={"dagster/partition": "2026-01-15"},
            )
        )
    assert instance.missed(now) == []


def test_a_schedule_that_was_just_deployed_has_no_missed_tick(instance: Instance) -> None:
    assert instance.missed(eastern(date(2026, 1, 15), 7, 30)) == []
    assert instance.missed(eastern(date(2026, 1, 16), 7, 10)) == []
    # The scheduler has never evaluated it.
    assert len(instance.missed(eastern(date(2026, 1, 16), 7, 20))) == 1


def test_a_schedule_that_was_switched_on_again_has_no_missed_tick_before(
    instance: Instance,
) -> None:
    instance.missed(eastern(date(2026, 1, 10), 12))
    instance.state(NIGHTLY, InstigatorStatus.STOPPED)
    assert instance.missed(eastern(date(2026, 1, 12), 12)) == []
    instance.state(NIGHTLY, InstigatorStatus.RUNNING, eastern(date(2026, 1, 12), 13))
    assert instance.missed(eastern(date(2026, 1, 12), 14)) == []
    assert len(instance.missed(eastern(date(2026, 1, 13), 8))) == 1


def test_a_schedule_may_be_switched_off_and_on_between_two_checks(instance: Instance) -> None:
    instance.missed(eastern(date(2026, 1, 14), 12))
    instance.state(NIGHTLY, InstigatorStatus.RUNNING, eastern(date(2026, 1, 15), 7, 5))
    assert instance.missed(eastern(date(2026, 1, 15), 8)) == []


def test_a_changed_cron_is_watched_from_then_on(instance: Instance) -> None:
    @dg.schedule(
        name=NIGHTLY,
        job_name="nightly_predictions",
        cron_schedule="0 5 * * *",
        execution_timezone="America/New_York",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    def earlier(context: dg.ScheduleEvaluationContext) -> dg.SkipReason:
        return dg.SkipReason("nothing")

    instance.missed(eastern(date(2026, 1, 10), 12))
    for day in range(11, 16):
        instance.tick(eastern(date(2026, 1, day), 7))
    instance.schedules = [earlier]
    assert instance.missed(eastern(date(2026, 1, 15), 12)) == []
    (condition,) = instance.missed(eastern(date(2026, 1, 16), 6))
    # It requests no run, so the missed date is unknown.
    assert condition.game_date is None
    instance.schedules = []
    instance.missed(eastern(date(2026, 1, 16), 6))
    assert instance.watched == {}


@pytest.mark.parametrize(
    ("status", "title"),
    [
        (TickStatus.FAILURE, f"the tick of {NIGHTLY} failed"),
        (TickStatus.STARTED, f"the tick of {NIGHTLY} started and did not finish"),
    ],
)
def test_a_tick_that_failed_or_hangs_is_reported(
    instance: Instance, status: TickStatus, title: str
) -> None:
    instance.missed(eastern(date(2026, 1, 14), 12))
    instance.tick(eastern(date(2026, 1, 15), 7), status)
    (condition,) = instance.missed(eastern(date(2026, 1, 15), 7, 20))
    assert condition.title.startswith(title)
    failed = status is TickStatus.FAILURE
    assert ("ValueError: no such partition" in str(condition.facts)) == failed


def test_a_skipped_tick_is_not_missing(instance: Instance) -> None:
    instance.missed(eastern(date(2026, 1, 14), 12))
    instance.tick(eastern(date(2026, 1, 15), 7), TickStatus.SKIPPED)
    assert instance.missed(eastern(date(2026, 1, 15), 8)) == []


def test_a_missed_tick_is_reported_for_eight_days(instance: Instance) -> None:
    instance.schedules = [grade_yesterday_at_6_eastern]
    start = eastern(date(2026, 1, 10), 12)
    instance.missed(start)
    first = eastern(date(2026, 1, 11), 6)
    assert first in [c.since for c in instance.missed(first + WATCH_PERIOD - MINUTE)]
    assert first not in [c.since for c in instance.missed(first + WATCH_PERIOD)]


def test_a_sensor_that_keeps_failing_is_reported(
    instance: Instance,
) -> None:
    name, now = settle_stalled_batches.name, eastern(date(2026, 1, 15), 12)
    instance.schedules = []
    for minute in range(3):
        assert instance.missed(now) == []
        instance.tick(now + minute * MINUTE, TickStatus.FAILURE, name, InstigatorType.SENSOR)
    (condition,) = instance.missed(now + 3 * MINUTE)
    assert condition.title == f"the sensor {name} keeps failing"
    assert condition.since == now
    assert "ValueError" in str(condition.facts["error"])
    instance.tick(now + 4 * MINUTE, TickStatus.SKIPPED, name, InstigatorType.SENSOR)
    assert instance.missed(now + 5 * MINUTE) == []


def test_the_cursor_of_a_sensor_can_be_read(instance: Instance) -> None:
    assert sensor_cursor(instance.instance, "alert_on_missed_ticks") is None
    instance.state("alert_on_missed_ticks", of=InstigatorType.SENSOR, cursor="kept")
    assert sensor_cursor(instance.instance, "alert_on_missed_ticks") == "kept"
