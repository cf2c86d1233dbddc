"""When the schedules fire, and which date they then ask for."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from nba_predictions.definitions import defs
from nba_predictions.jobs import grade_predictions, nightly_predictions
from nba_predictions.partitions import game_dates
from nba_predictions.schedules import grade_yesterday_at_6_eastern, predict_today_at_7_eastern

UTC = ZoneInfo("UTC")
EASTERN = ZoneInfo("America/New_York")

#: An Eastern date, and the UTC hour at which it is 07:00 there.
DAYS = [
    pytest.param(date(2026, 1, 15), 12, id="winter"),
    pytest.param(date(2026, 7, 15), 11, id="summer"),
    pytest.param(date(2026, 3, 8), 11, id="clocks go forward"),
    pytest.param(date(2026, 11, 1), 12, id="clocks go back"),
    pytest.param(date(2026, 3, 9), 11, id="the day after they went forward"),
    pytest.param(date(2026, 11, 2), 12, id="the day after they went back"),
    pytest.param(date(2025, 12, 31), 12, id="end of the year"),
    pytest.param(date(2028, 2, 29), 12, id="leap day"),
]


def fires_on(schedule: dg.ScheduleDefinition, day: date) -> list[datetime]:
    """All times, in UTC, at which a schedule fires on an Eastern day."""
    start = datetime(day.year, day.month, day.day, tzinfo=EASTERN)
    after = start + timedelta(days=1)
    times: list[datetime] = []
    for moment in schedule_execution_time_iterator(
        start.timestamp(),
        schedule.cron_schedule,
        schedule.execution_timezone,
        ascending=True,
    ):
        if moment.timestamp() >= after.timestamp():
            return times
        times.append(moment.astimezone(UTC))
    raise AssertionError("the schedule has an end")


def asked_for(schedule: dg.ScheduleDefinition, moment: datetime) -> dg.RunRequest:
    context = dg.build_schedule_context(
        scheduled_execution_time=moment, repository_def=defs.get_repository_def()
    )
    (request,) = schedule.evaluate_tick(context).run_requests or []
    return request


@pytest.mark.parametrize(("day", "hour"), DAYS)
def test_the_night_is_predicted_once_at_7_eastern_for_the_same_eastern_date(
    day: date, hour: int
) -> None:
    (moment,) = fires_on(predict_today_at_7_eastern, day)
    assert moment == datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
    assert moment.astimezone(EASTERN).hour == 7
    request = asked_for(predict_today_at_7_eastern, moment)
    assert request.partition_key == day.isoformat()
    assert request.run_key == day.isoformat()


@pytest.mark.parametrize(("day", "hour"), DAYS)
def test_the_day_before_is_graded_once_at_6_eastern(day: date, hour: int) -> None:
    (moment,) = fires_on(grade_yesterday_at_6_eastern, day)
    assert moment == datetime(day.year, day.month, day.day, hour - 1, tzinfo=UTC)
    request = asked_for(grade_yesterday_at_6_eastern, moment)
    assert request.partition_key == (day - timedelta(days=1)).isoformat()
    assert request.run_key == request.partition_key


@pytest.mark.parametrize(("day", "hour"), DAYS)
def test_the_partition_that_is_asked_for_exists_by_then(day: date, hour: int) -> None:
    now = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
    keys = game_dates.get_partition_keys(current_time=now)
    assert keys[-1] == day.isoformat()
    assert keys[-2] == (day - timedelta(days=1)).isoformat()


def test_the_schedules_launch_the_right_jobs_and_are_on_from_the_beginning() -> None:
    assert predict_today_at_7_eastern.job_name == nightly_predictions.name
    assert grade_yesterday_at_6_eastern.job_name == grade_predictions.name
    for schedule in (predict_today_at_7_eastern, grade_yesterday_at_6_eastern):
        assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
        assert schedule.description
