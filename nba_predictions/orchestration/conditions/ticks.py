"""Find missing and failed ticks of schedules, and sensors that keep failing."""

from collections.abc import Iterator, MutableMapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import dagster as dg

from nba_predictions.domain.policies.alerting import WATCH_PERIOD, Condition, Kind, Severity
from nba_predictions.orchestration.dagster_internals import (
    Tick,
    TickStatus,
    TriggerState,
    due_times,
    schedule_states,
    sensor_states,
    ticks,
)
from nba_predictions.orchestration.partitions import date_in
from nba_predictions.orchestration.run_tags import PARTITION_TAG

#: The delay after which a tick counts as missing.
GRACE = timedelta(minutes=15)
#: Consecutive failed ticks after which a sensor keeps failing. A single failure often passes.
FAILING_TICKS = 3
#: Ticks of one schedule that are read.
_MAX_TICKS = 1000


def missed_ticks(
    instance: dg.DagsterInstance,
    schedules: Sequence[dg.ScheduleDefinition],
    sensors: Sequence[dg.SensorDefinition],
    repository: dg.RepositoryDefinition,
    watched: MutableMapping[str, Any],
    now: datetime,
) -> list[Condition]:
    """Return the missing and failed ticks, and the sensors that keep failing.

    A missing tick is resolved by a successful run of the partition that the tick would request.
    `watched` has since when each schedule has its cron. The caller keeps it between calls. No tick
    is expected before such a time, so a schedule that was just deployed, switched on or moved to
    another hour has no missing ticks.
    """
    states = schedule_states(instance)
    conditions: list[Condition] = []
    for name in set(watched) - {schedule.name for schedule in schedules}:
        del watched[name]
    for schedule in schedules:
        state = states.get(schedule.name)
        on_by_default = schedule.default_status is dg.DefaultScheduleStatus.RUNNING
        if not (state.is_running if state else on_by_default):
            watched.pop(schedule.name, None)
            continue
        start = _watched_since(schedule, state, watched, now)
        ticks_by_time = _ticks_by_time(instance, state, start)
        for moment in _expected(schedule, max(start, now - WATCH_PERIOD), now - GRACE):
            tick = ticks_by_time.get(moment)
            if tick is not None and tick.status in (TickStatus.SUCCESS, TickStatus.SKIPPED):
                continue
            partition = _requested_partition(schedule, moment, repository)
            if partition is None or not _succeeded(instance, schedule.job_name, partition):
                conditions.append(_failure(schedule, moment, tick, partition))
    return [*conditions, *_failing_sensors(instance, sensors)]


def sensor_cursor(instance: dg.DagsterInstance, sensor: str) -> str | None:
    """Return the cursor of a sensor, None if it has none yet."""
    state = sensor_states(instance).get(sensor)
    return state.cursor if state else None


def _watched_since(
    schedule: dg.ScheduleDefinition,
    state: TriggerState | None,
    watched: MutableMapping[str, Any],
    now: datetime,
) -> datetime:
    rule = {"cron": schedule.cron_schedule, "timezone": schedule.execution_timezone}
    known = watched.get(schedule.name)
    if not isinstance(known, dict) or {k: known.get(k) for k in rule} != rule:
        known = watched[schedule.name] = {**rule, "since": now.timestamp()}
    started = state.started_at if state else 0.0
    return datetime.fromtimestamp(max(float(known["since"]), started), timezone.utc)


def _ticks_by_time(
    instance: dg.DagsterInstance, state: TriggerState | None, start: datetime
) -> dict[datetime, Tick]:
    if state is None:
        return {}
    newest = ticks(instance, state, after=start - timedelta(seconds=1), limit=_MAX_TICKS)
    return {tick.time: tick for tick in newest}


def _expected(
    schedule: dg.ScheduleDefinition, after: datetime, until: datetime
) -> Iterator[datetime]:
    """Yield the times at which a schedule was due, in UTC."""
    for count, moment in enumerate(due_times(schedule, after)):
        if moment > until or count > _MAX_TICKS:
            return
        if moment > after:
            yield moment


def _failure(
    schedule: dg.ScheduleDefinition, moment: datetime, tick: Tick | None, partition: str | None
) -> Condition:
    facts: dict[str, object] = {
        "schedule": schedule.name,
        "cron": f"{schedule.cron_schedule} {schedule.execution_timezone}",
    }
    if tick is None:
        title = f"{schedule.name} did not tick"
        to_do = "check whether the Dagster daemon is running"
    elif tick.status is TickStatus.FAILURE:
        title = f"the tick of {schedule.name} failed"
        to_do = "fix the cause"
        facts["error"] = _error(tick)
    else:
        title = f"the tick of {schedule.name} started and did not finish"
        to_do = "check whether the Dagster daemon is running"
    if partition:
        facts["partition"] = partition
        to_do += f"; launch {schedule.job_name} for {partition}"
    return Condition(
        key=f"tick:{schedule.name}:{moment:%Y-%m-%dT%H:%MZ}",
        kind=Kind.MISSED_TICK,
        severity=Severity.ERROR,
        title=f"{title} at {moment:%Y-%m-%d %H:%M} UTC",
        since=moment,
        watched_until=moment + WATCH_PERIOD,
        to_do=to_do,
        game_date=date_in(partition),
        facts=facts,
    )


def _error(tick: Tick) -> str:
    return (tick.error or "no error was recorded")[:500]


def _requested_partition(
    schedule: dg.ScheduleDefinition, moment: datetime, repository: dg.RepositoryDefinition
) -> str | None:
    """Return the partition that a tick would request, None if it cannot be determined."""
    try:
        with dg.build_schedule_context(
            scheduled_execution_time=moment, repository_def=repository
        ) as context:
            requests: Sequence[dg.RunRequest] = schedule.evaluate_tick(context).run_requests or []
    except Exception:
        # The schedule needs resources. The alert for its missing tick has no date then.
        return None
    return next((request.partition_key for request in requests), None)


def _succeeded(instance: dg.DagsterInstance, job: str, partition: str) -> bool:
    tags = {PARTITION_TAG: partition}
    success = dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.SUCCESS], tags=tags)
    return bool(instance.get_runs(success, limit=1))


def _failing_sensors(
    instance: dg.DagsterInstance, sensors: Sequence[dg.SensorDefinition]
) -> Iterator[Condition]:
    states = sensor_states(instance)
    for sensor in sensors:
        state = states.get(sensor.name)
        if state is None or not state.is_running:
            continue
        newest = ticks(instance, state, limit=FAILING_TICKS)
        if len(newest) < FAILING_TICKS or any(t.status is not TickStatus.FAILURE for t in newest):
            continue
        yield Condition(
            key=f"sensor:{sensor.name}",
            kind=Kind.MISSED_TICK,
            severity=Severity.ERROR,
            title=f"the sensor {sensor.name} keeps failing",
            since=newest[-1].time,
            to_do="fix the cause; the sensor retries by itself",
            facts={"sensor": sensor.name, "error": _error(newest[0])},
        )
