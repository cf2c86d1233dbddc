"""When the schedules fire, and which date they then ask for."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
import polars as pl
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from nba_predictions.definitions import defs
from nba_predictions.jobs import grade_predictions, nightly_predictions, train_models
from nba_predictions.maintenance import maintenance
from nba_predictions.partitions import game_dates
from nba_predictions.schedules import (
    grade_yesterday_at_6_eastern,
    maintain_on_sunday_at_4_eastern,
    predict_today_at_7_eastern,
    train_on_monday_at_5_30_eastern,
)
from nba_predictions.systems.training import ROWS_FOR_WEEKLY, training_cutoff

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
    assert train_on_monday_at_5_30_eastern.job_name == train_models.name
    assert maintain_on_sunday_at_4_eastern.job_name == maintenance.name
    for schedule in defs.get_repository_def().schedule_defs:
        assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
        assert schedule.description


#: The weekday of a weekly schedule (None: every day), and when it fires US Eastern.
CLOCK = {
    predict_today_at_7_eastern: (None, time(7)),
    grade_yesterday_at_6_eastern: (None, time(6)),
    train_on_monday_at_5_30_eastern: (0, time(5, 30)),
    maintain_on_sunday_at_4_eastern: (6, time(4)),
}


def test_every_schedule_has_its_clock() -> None:
    assert {s.name for s in CLOCK} == {s.name for s in defs.get_repository_def().schedule_defs}


@pytest.mark.parametrize("schedule", CLOCK, ids=lambda schedule: schedule.name)
def test_through_a_year_with_both_changes_of_the_clocks_each_day_has_its_one_tick(
    schedule: dg.ScheduleDefinition,
) -> None:
    weekday, at = CLOCK[schedule]
    first, last = date(2026, 1, 1), date(2026, 12, 31)
    start = datetime(2026, 1, 1, tzinfo=EASTERN)
    fired = []
    for moment in schedule_execution_time_iterator(
        start.timestamp(), schedule.cron_schedule, schedule.execution_timezone, ascending=True
    ):
        eastern = moment.astimezone(EASTERN)
        if eastern.date() > last:
            break
        assert eastern.time() == at
        fired.append(eastern.date())
    days = [first + timedelta(days=n) for n in range(365)]
    assert fired == [day for day in days if weekday in (None, day.weekday())]


@pytest.mark.parametrize(
    "moment",
    [
        # 23:30 Eastern, when it is the next day in UTC; in winter, in summer, and on the days on
        # which the clocks change.
        datetime(2026, 1, 16, 4, 30, tzinfo=UTC),
        datetime(2026, 7, 16, 3, 30, tzinfo=UTC),
        datetime(2026, 3, 9, 3, 30, tzinfo=UTC),
        datetime(2026, 11, 2, 4, 30, tzinfo=UTC),
    ],
)
def test_a_tick_near_midnight_asks_for_the_eastern_date_and_never_for_that_of_utc(
    moment: datetime,
) -> None:
    eastern = moment.date() - timedelta(days=1)
    for schedule in (predict_today_at_7_eastern, train_on_monday_at_5_30_eastern):
        assert asked_for(schedule, moment).partition_key == eastern.isoformat()
    graded = asked_for(grade_yesterday_at_6_eastern, moment).partition_key
    assert graded == (eastern - timedelta(days=1)).isoformat()


@pytest.mark.parametrize("monday", [date(2026, 1, 12), date(2026, 3, 9), date(2026, 11, 2)])
def test_the_models_of_a_week_are_trained_before_its_first_night(monday: date) -> None:
    (trained,) = fires_on(train_on_monday_at_5_30_eastern, monday)
    (predicted,) = fires_on(predict_today_at_7_eastern, monday)
    assert predicted - trained == timedelta(minutes=90)
    request = asked_for(train_on_monday_at_5_30_eastern, trained)
    assert request.partition_key == request.run_key == monday.isoformat()
    history = pl.DataFrame({"game_date": [monday - timedelta(days=1)] * ROWS_FOR_WEEKLY})
    nights = [monday + timedelta(days=days) for days in range(7)]
    assert {training_cutoff(night, history) for night in nights} == {monday}


def test_maintenance_has_no_partition_and_runs_once_a_week() -> None:
    (moment,) = fires_on(maintain_on_sunday_at_4_eastern, date(2026, 3, 8))
    request = asked_for(maintain_on_sunday_at_4_eastern, moment)
    assert request.partition_key is None
    assert request.run_key == "2026-03-08"
