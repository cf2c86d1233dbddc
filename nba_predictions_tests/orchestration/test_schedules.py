"""The times of the schedules, and the dates and run keys that they request."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import polars as pl
import pytest

from nba_predictions.definitions import build_resources, configured_resources, defs
from nba_predictions.orchestration import schedules
from nba_predictions.orchestration.dagster_internals import due_times
from nba_predictions.orchestration.jobs import (
    grade_predictions,
    nightly_predictions,
    refresh_predictions,
    train_models,
)
from nba_predictions.orchestration.maintenance import maintenance
from nba_predictions.orchestration.partitions import game_dates
from nba_predictions.orchestration.run_config import fan_out
from nba_predictions.orchestration.schedules import (
    audit_past_nights_at_5_eastern,
    frames_digest,
    grade_yesterday_at_6_eastern,
    maintain_on_sunday_at_4_eastern,
    predict_today_at_7_eastern,
    refresh_when_inputs_changed,
    train_on_monday_at_5_30_eastern,
)
from nba_predictions.orchestration.standing_audit import standing_audit
from nba_predictions.settings import Settings
from nba_predictions.training.cutoff import ROWS_FOR_WEEKLY, training_cutoff
from nba_predictions_tests.conftest import GAME_DATE

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


def due_times_on(schedule: dg.ScheduleDefinition, day: date) -> list[datetime]:
    """Return the times, in UTC, at which a schedule is due on an Eastern day."""
    start = datetime(day.year, day.month, day.day, tzinfo=EASTERN)
    after = start + timedelta(days=1)
    times: list[datetime] = []
    for moment in due_times(schedule, start):
        if moment.timestamp() >= after.timestamp():
            return times
        times.append(moment.astimezone(UTC))
    raise AssertionError("the schedule ended")


def requested(schedule: dg.ScheduleDefinition, moment: datetime) -> dg.RunRequest:
    context = dg.build_schedule_context(
        scheduled_execution_time=moment, repository_def=defs.get_repository_def()
    )
    (request,) = schedule.evaluate_tick(context).run_requests or []
    return request


@pytest.mark.parametrize(("day", "hour"), DAYS)
def test_a_night_is_predicted_once_at_7_eastern_on_the_same_date(day: date, hour: int) -> None:
    (moment,) = due_times_on(predict_today_at_7_eastern, day)
    assert moment == datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
    assert moment.astimezone(EASTERN).hour == 7
    request = requested(predict_today_at_7_eastern, moment)
    assert request.partition_key == day.isoformat()
    assert request.run_key == day.isoformat()


@pytest.mark.parametrize(("hours_late", "is_published"), [(0, True), (16, True), (18, False)])
def test_a_night_that_is_predicted_after_its_date_is_not_published(
    monkeypatch: pytest.MonkeyPatch, hours_late: int, is_published: bool
) -> None:
    (moment,) = due_times_on(predict_today_at_7_eastern, date(2026, 1, 15))
    monkeypatch.setattr(schedules, "utc_now", lambda: moment + timedelta(hours=hours_late))
    request = requested(predict_today_at_7_eastern, moment)
    assert request.partition_key == "2026-01-15"
    assert request.run_config == ({} if is_published else fan_out(announce=False))


@pytest.mark.parametrize(("day", "hour"), DAYS)
def test_the_previous_date_is_graded_once_at_6_eastern(day: date, hour: int) -> None:
    (moment,) = due_times_on(grade_yesterday_at_6_eastern, day)
    assert moment == datetime(day.year, day.month, day.day, hour - 1, tzinfo=UTC)
    request = requested(grade_yesterday_at_6_eastern, moment)
    assert request.partition_key == (day - timedelta(days=1)).isoformat()
    assert request.run_key == request.partition_key


@pytest.mark.parametrize(("day", "hour"), DAYS)
def test_the_requested_partition_exists(day: date, hour: int) -> None:
    now = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
    keys = game_dates.get_partition_keys(current_time=now)
    assert keys[-1] == day.isoformat()
    assert keys[-2] == (day - timedelta(days=1)).isoformat()


def test_the_schedules_launch_the_right_jobs_and_are_switched_on() -> None:
    assert predict_today_at_7_eastern.job_name == nightly_predictions.name
    assert grade_yesterday_at_6_eastern.job_name == grade_predictions.name
    assert train_on_monday_at_5_30_eastern.job_name == train_models.name
    assert maintain_on_sunday_at_4_eastern.job_name == maintenance.name
    assert audit_past_nights_at_5_eastern.job_name == standing_audit.name
    for schedule in defs.get_repository_def().schedule_defs:
        assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
        assert schedule.description


#: The weekday of each schedule (None for every day) and its times, US Eastern.
TIMES = {
    predict_today_at_7_eastern: (None, [time(7)]),
    refresh_when_inputs_changed: (None, [time(12, 30), time(16, 30)]),
    grade_yesterday_at_6_eastern: (None, [time(6)]),
    train_on_monday_at_5_30_eastern: (0, [time(5, 30)]),
    maintain_on_sunday_at_4_eastern: (6, [time(4)]),
    audit_past_nights_at_5_eastern: (None, [time(5)]),
}


def test_every_schedule_is_in_the_table() -> None:
    assert {s.name for s in TIMES} == {s.name for s in defs.get_repository_def().schedule_defs}


@pytest.mark.parametrize("schedule", TIMES, ids=lambda schedule: schedule.name)
def test_every_day_of_a_year_has_its_ticks(
    schedule: dg.ScheduleDefinition,
) -> None:
    weekday, times = TIMES[schedule]
    first, last = date(2026, 1, 1), date(2026, 12, 31)
    start = datetime(2026, 1, 1, tzinfo=EASTERN)
    ticks = []
    for moment in due_times(schedule, start):
        eastern = moment.astimezone(EASTERN)
        if eastern.date() > last:
            break
        ticks.append((eastern.date(), eastern.time()))
    days = [first + timedelta(days=n) for n in range(365)]
    due = [day for day in days if weekday in (None, day.weekday())]
    assert ticks == [(day, at) for day in due for at in times]


@pytest.mark.parametrize(
    "moment",
    [
        # 23:30 Eastern, which is the next day in UTC: in winter, in summer, and when the clocks
        # change.
        datetime(2026, 1, 16, 4, 30, tzinfo=UTC),
        datetime(2026, 7, 16, 3, 30, tzinfo=UTC),
        datetime(2026, 3, 9, 3, 30, tzinfo=UTC),
        datetime(2026, 11, 2, 4, 30, tzinfo=UTC),
    ],
)
def test_a_tick_near_midnight_requests_the_eastern_date(
    moment: datetime,
) -> None:
    eastern = moment.date() - timedelta(days=1)
    for schedule in (predict_today_at_7_eastern, train_on_monday_at_5_30_eastern):
        assert requested(schedule, moment).partition_key == eastern.isoformat()
    graded = requested(grade_yesterday_at_6_eastern, moment).partition_key
    assert graded == (eastern - timedelta(days=1)).isoformat()


@pytest.mark.parametrize("monday", [date(2026, 1, 12), date(2026, 3, 9), date(2026, 11, 2)])
def test_the_models_of_a_week_are_trained_before_its_first_night(monday: date) -> None:
    (trained,) = due_times_on(train_on_monday_at_5_30_eastern, monday)
    (predicted,) = due_times_on(predict_today_at_7_eastern, monday)
    assert predicted - trained == timedelta(minutes=90)
    request = requested(train_on_monday_at_5_30_eastern, trained)
    assert request.partition_key == request.run_key == monday.isoformat()
    history = pl.DataFrame({"game_date": [monday - timedelta(days=1)] * ROWS_FOR_WEEKLY})
    nights = [monday + timedelta(days=days) for days in range(7)]
    assert {training_cutoff(night, history) for night in nights} == {monday}


def test_maintenance_has_no_partition_and_runs_once_a_week() -> None:
    (moment,) = due_times_on(maintain_on_sunday_at_4_eastern, date(2026, 3, 8))
    request = requested(maintain_on_sunday_at_4_eastern, moment)
    assert request.partition_key is None
    assert request.run_key == "2026-03-08"


# ------------------------------------------------------------------------ when inputs have changed


@dataclass(frozen=True)
class Afternoon:
    """A folder of input files, a home, and ticks of the refresh schedule."""

    folder: Path
    home: Path
    instance: dg.DagsterInstance

    @property
    def settings(self) -> Settings:
        return Settings(source="files", data=self.folder, home=self.home)

    def store(self) -> None:
        """Store the inputs, as a run of the date does."""
        league = build_resources(self.settings)["league"]
        for asset in ("prop_lines", "injuries", "schedule"):
            path = self.home / "assets" / asset / f"{GAME_DATE}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            getattr(league, asset)(GAME_DATE).write_parquet(path)

    def change_lines(self) -> None:
        (path,) = self.folder.glob("points_lines*.parquet")
        lines = pl.read_parquet(path)
        lines.with_columns(pl.col("line") + 1).write_parquet(path)

    def tick(
        self, resources: dict[str, Any], hour: int = 16, late: timedelta = timedelta(0)
    ) -> dg.RunRequest | str:
        """Return the request of the schedule, or the reason why there is none."""
        moment = datetime.combine(GAME_DATE, time(hour, 30), EASTERN)
        required = refresh_when_inputs_changed.required_resource_keys
        with (
            pytest.MonkeyPatch.context() as patch,
            dg.build_schedule_context(
                instance=self.instance,
                scheduled_execution_time=moment,
                resources={key: resources[key] for key in required},
                repository_def=defs.get_repository_def(),
            ) as context,
        ):
            patch.setattr(schedules, "utc_now", lambda: (moment + late).astimezone(UTC))
            data = refresh_when_inputs_changed.evaluate_tick(context)
        if data.skip_message:
            return data.skip_message
        (request,) = data.run_requests or []
        return request


@pytest.fixture
def afternoon(tmp_path: Path, files: Path) -> Iterator[Afternoon]:
    (tmp_path / "dagster").mkdir()
    # The context of a schedule needs an instance on disk.
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
        yield Afternoon(files, tmp_path / "home", instance)


def test_a_date_is_refreshed_when_its_inputs_changed(afternoon: Afternoon) -> None:
    # One process for all ticks, like a code server.
    resources = configured_resources(afternoon.settings)
    first = afternoon.tick(resources)
    assert isinstance(first, dg.RunRequest)
    assert first.partition_key == GAME_DATE.isoformat()
    afternoon.store()
    assert afternoon.tick(resources) == "lines, injuries and games have not changed"
    afternoon.change_lines()
    early, late = (afternoon.tick(resources, hour) for hour in (12, 16))
    assert isinstance(early, dg.RunRequest)
    assert isinstance(late, dg.RunRequest)
    # Other inputs or another tick request another run. The same tick twice requests the same run.
    again = afternoon.tick(resources)
    assert isinstance(again, dg.RunRequest)
    assert len({r.run_key for r in (first, early, late, again)}) == 3
    assert again.run_key == late.run_key


def test_a_tick_after_its_date_refreshes_nothing(afternoon: Afternoon) -> None:
    resources = build_resources(afternoon.settings)
    assert isinstance(afternoon.tick(resources, late=timedelta(hours=7)), dg.RunRequest)
    reason = afternoon.tick(resources, late=timedelta(hours=8))
    assert reason == f"{GAME_DATE} is over; this tick is too late to refresh it"


@pytest.mark.parametrize(("status", "is_requested"), [("FAILURE", True), ("SUCCESS", False)])
def test_a_failed_run_that_stored_its_inputs_is_followed_by_another(
    afternoon: Afternoon, status: str, is_requested: bool
) -> None:
    afternoon.store()
    afternoon.instance.add_run(
        dg.DagsterRun(
            job_name=nightly_predictions.name,
            run_id=str(uuid.uuid4()),
            status=dg.DagsterRunStatus[status],
            tags={"dagster/partition": GAME_DATE.isoformat()},
        )
    )
    request = afternoon.tick(build_resources(afternoon.settings))
    assert isinstance(request, dg.RunRequest) == is_requested


def test_the_order_of_rows_and_columns_does_not_matter() -> None:
    frame = pl.DataFrame({"player": ["a", "b"], "line": [1.5, 2.5]})
    reordered = frame.select("line", "player").reverse()
    assert frames_digest({"lines": frame}) == frames_digest({"lines": reordered})
    for other in (frame.head(1), frame.with_columns(pl.col("line") + 1), frame.clear()):
        assert frames_digest({"lines": other}) != frames_digest({"lines": frame})


def test_the_refresh_is_due_twice_a_day() -> None:
    for day in (date(2026, 1, 15), date(2026, 3, 8), date(2026, 11, 1)):
        times = [m.astimezone(EASTERN) for m in due_times_on(refresh_when_inputs_changed, day)]
        assert [(m.hour, m.minute) for m in times] == [(12, 30), (16, 30)]
    assert refresh_when_inputs_changed.job_name == refresh_predictions.name
    assert refresh_when_inputs_changed.default_status is dg.DefaultScheduleStatus.RUNNING
