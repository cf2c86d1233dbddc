"""When the schedules fire, and which date they then ask for."""

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
from dagster._utils.schedules import schedule_execution_time_iterator

from nba_predictions.definitions import build_resources, defs, league_source
from nba_predictions.orchestration import schedules
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
    frames_digest,
    grade_yesterday_at_6_eastern,
    maintain_on_sunday_at_4_eastern,
    predict_today_at_7_eastern,
    refresh_when_inputs_changed,
    train_on_monday_at_5_30_eastern,
)
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


@pytest.mark.parametrize(("hours_late", "announced"), [(0, True), (16, True), (18, False)])
def test_a_night_that_is_made_up_for_when_its_date_is_over_is_announced_to_nobody(
    monkeypatch: pytest.MonkeyPatch, hours_late: int, announced: bool
) -> None:
    (moment,) = fires_on(predict_today_at_7_eastern, date(2026, 1, 15))
    monkeypatch.setattr(schedules, "utc_now", lambda: moment + timedelta(hours=hours_late))
    request = asked_for(predict_today_at_7_eastern, moment)
    assert request.partition_key == "2026-01-15"
    assert request.run_config == ({} if announced else fan_out(announce=False))


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
    predict_today_at_7_eastern: (None, [time(7)]),
    refresh_when_inputs_changed: (None, [time(12, 30), time(16, 30)]),
    grade_yesterday_at_6_eastern: (None, [time(6)]),
    train_on_monday_at_5_30_eastern: (0, [time(5, 30)]),
    maintain_on_sunday_at_4_eastern: (6, [time(4)]),
}


def test_every_schedule_has_its_clock() -> None:
    assert {s.name for s in CLOCK} == {s.name for s in defs.get_repository_def().schedule_defs}


@pytest.mark.parametrize("schedule", CLOCK, ids=lambda schedule: schedule.name)
def test_through_a_year_with_both_changes_of_the_clocks_each_day_has_its_ticks(
    schedule: dg.ScheduleDefinition,
) -> None:
    weekday, times = CLOCK[schedule]
    first, last = date(2026, 1, 1), date(2026, 12, 31)
    start = datetime(2026, 1, 1, tzinfo=EASTERN)
    fired = []
    for moment in schedule_execution_time_iterator(
        start.timestamp(), schedule.cron_schedule, schedule.execution_timezone, ascending=True
    ):
        eastern = moment.astimezone(EASTERN)
        if eastern.date() > last:
            break
        fired.append((eastern.date(), eastern.time()))
    days = [first + timedelta(days=n) for n in range(365)]
    due = [day for day in days if weekday in (None, day.weekday())]
    assert fired == [(day, at) for day in due for at in times]


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


# ------------------------------------------------------------------------ when inputs have changed


@dataclass(frozen=True)
class Afternoon:
    """A folder of files and a home, and the schedule as a tick of it sees them."""

    folder: Path
    home: Path
    instance: dg.DagsterInstance

    @property
    def settings(self) -> Settings:
        return Settings("embedded", "files", self.folder, self.home, 0.9)

    def store(self) -> None:
        """Store the inputs, as a run of the date does."""
        league = league_source(self.settings)
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
        """Return what the schedule asks for, or why it does not."""
        moment = datetime.combine(GAME_DATE, time(hour, 30), EASTERN)
        wanted = refresh_when_inputs_changed.required_resource_keys
        with (
            pytest.MonkeyPatch.context() as patch,
            dg.build_schedule_context(
                instance=self.instance,
                scheduled_execution_time=moment,
                resources={key: resources[key] for key in wanted},
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
    # A schedule's context takes only an instance that is kept on disk.
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
        yield Afternoon(files, tmp_path / "home", instance)


def test_a_date_is_refreshed_once_what_the_source_says_has_changed(afternoon: Afternoon) -> None:
    # One process, as a code server is: it asks its source many times.
    resources = build_resources(afternoon.settings)
    first = afternoon.tick(resources)
    assert isinstance(first, dg.RunRequest)
    assert first.partition_key == GAME_DATE.isoformat()
    afternoon.store()
    assert afternoon.tick(resources) == "lines, injuries and games have not changed"
    afternoon.change_lines()
    early, late = (afternoon.tick(resources, hour) for hour in (12, 16))
    assert isinstance(early, dg.RunRequest)
    assert isinstance(late, dg.RunRequest)
    # Another content, or another attempt, is another run; the same tick twice is one.
    again = afternoon.tick(resources)
    assert isinstance(again, dg.RunRequest)
    assert len({r.run_key for r in (first, early, late, again)}) == 3
    assert again.run_key == late.run_key


def test_a_tick_that_comes_when_its_date_is_over_refreshes_nothing(afternoon: Afternoon) -> None:
    resources = build_resources(afternoon.settings)
    assert isinstance(afternoon.tick(resources, late=timedelta(hours=7)), dg.RunRequest)
    said = afternoon.tick(resources, late=timedelta(hours=8))
    assert said == f"{GAME_DATE} is over; this tick is too late to refresh it"


@pytest.mark.parametrize(("status", "asked"), [("FAILURE", True), ("SUCCESS", False)])
def test_a_run_that_stored_its_inputs_and_failed_is_followed_by_another(
    afternoon: Afternoon, status: str, asked: bool
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
    found = afternoon.tick(build_resources(afternoon.settings))
    assert isinstance(found, dg.RunRequest) == asked


def test_the_order_of_rows_and_columns_is_no_change() -> None:
    frame = pl.DataFrame({"player": ["a", "b"], "line": [1.5, 2.5]})
    turned = frame.select("line", "player").reverse()
    assert frames_digest({"lines": frame}) == frames_digest({"lines": turned})
    for other in (frame.head(1), frame.with_columns(pl.col("line") + 1), frame.clear()):
        assert frames_digest({"lines": other}) != frames_digest({"lines": frame})


def test_the_refresh_fires_twice_on_every_day() -> None:
    for day in (date(2026, 1, 15), date(2026, 3, 8), date(2026, 11, 1)):
        times = [m.astimezone(EASTERN) for m in fires_on(refresh_when_inputs_changed, day)]
        assert [(m.hour, m.minute) for m in times] == [(12, 30), (16, 30)]
    assert refresh_when_inputs_changed.job_name == refresh_predictions.name
    assert refresh_when_inputs_changed.default_status is dg.DefaultScheduleStatus.RUNNING
