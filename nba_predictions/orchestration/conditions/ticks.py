"""Find missing and failed ticks of schedules, and sensors that keep failing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorTick,
    ScheduleInstigatorData,
    SensorInstigatorData,
    TickStatus,
)
from dagster._utils.schedules import schedule_execution_time_iterator

from nba_predictions.domain.policies.alerting import WATCH_PERIOD, Condition, Kind, Severity
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

    Args:
        instance: has the ticks and the runs.
        schedules: the schedules of the pipeline.
        sensors: the sensors of the pipeline.
        repository: has the jobs of the schedules.
        watched: the times since when each schedule has its cron. The caller keeps it between
            calls. No tick is expected before such a time, so a schedule that was just deployed,
            switched on or moved to another hour has no missing ticks.
        now: the current time.
    """
    states = _states(instance, InstigatorType.SCHEDULE)
    conditions: list[Condition] = []
    for name in set(watched) - {schedule.name for schedule in schedules}:
        del watched[name]
    for schedule in schedules:
        state = states.get(schedule.name)
        is_on = state.is_running if state else _is_on_by_default(schedule)
        if not is_on:
            watched.pop(schedule.name, None)
            continue
        start = _watched_since(schedule, state, watched, now)
        ticks = _ticks_by_time(instance, state, start)
        for moment in _expected(schedule, max(start, now - WATCH_PERIOD), now - GRACE):
            tick = ticks.get(moment)
            if tick is not None and tick.status in (TickStatus.SUCCESS, TickStatus.SKIPPED):
                continue
            partition = _requested_partition(schedule, moment, repository)
            if partition is None or not _succeeded(instance, schedule.job_name, partition):
                conditions.append(_failure(schedule, moment, tick, partition))
    return [*conditions, *_failing_sensors(instance, sensors)]


def sensor_cursor(instance: dg.DagsterInstance, sensor: str) -> str | None:
    """Return the cursor of a sensor, None if it has none yet."""
    state = _states(instance, InstigatorType.SENSOR).get(sensor)
    data = state.instigator_data if state else None
    return data.cursor if isinstance(data, SensorInstigatorData) else None


def _states(instance: dg.DagsterInstance, of: InstigatorType) -> dict[str, InstigatorState]:
    """Return the states by name. If several code locations have one, the last active one counts.

    The states of a renamed code location remain for some hours.
    """
    if instance.schedule_storage is None:
        return {}
    states = instance.all_instigator_state(instigator_type=of)
    return {state.name: state for state in sorted(states, key=_last_active)}


def _last_active(state: InstigatorState) -> float:
    data = state.instigator_data
    if isinstance(data, ScheduleInstigatorData):
        return data.last_iteration_timestamp or data.start_timestamp or 0.0
    if isinstance(data, SensorInstigatorData):
        return data.last_tick_timestamp or 0.0
    return 0.0


def _is_on_by_default(schedule: dg.ScheduleDefinition) -> bool:
    return schedule.default_status is dg.DefaultScheduleStatus.RUNNING


def _watched_since(
    schedule: dg.ScheduleDefinition,
    state: InstigatorState | None,
    watched: MutableMapping[str, Any],
    now: datetime,
) -> datetime:
    rule = {"cron": schedule.cron_schedule, "timezone": schedule.execution_timezone}
    known = watched.get(schedule.name)
    if not isinstance(known, dict) or {k: known.get(k) for k in rule} != rule:
        known = watched[schedule.name] = {**rule, "since": now.timestamp()}
    started = 0.0
    if state and isinstance(state.instigator_data, ScheduleInstigatorData):
        started = state.instigator_data.start_timestamp or 0.0
    return datetime.fromtimestamp(max(float(known["since"]), started), timezone.utc)


def _ticks_by_time(
    instance: dg.DagsterInstance, state: InstigatorState | None, start: datetime
) -> dict[datetime, InstigatorTick]:
    if state is None:
        return {}
    ticks = instance.get_ticks(
        state.instigator_origin_id,
        state.selector_id,
        after=start.timestamp() - 1,
        limit=_MAX_TICKS,
    )
    # The timestamp of a tick is the time at which it was due, not the time of its evaluation.
    return {datetime.fromtimestamp(tick.timestamp, timezone.utc): tick for tick in ticks}


def _expected(
    schedule: dg.ScheduleDefinition, after: datetime, until: datetime
) -> Iterator[datetime]:
    """Yield the times at which a schedule was due, in UTC."""
    times = schedule_execution_time_iterator(
        after.timestamp(), schedule.cron_schedule, schedule.execution_timezone or "UTC"
    )
    for count, time in enumerate(times):
        moment = time.astimezone(timezone.utc)
        if moment > until or count > _MAX_TICKS:
            return
        if moment > after:
            yield moment


def _failure(
    schedule: dg.ScheduleDefinition,
    moment: datetime,
    tick: InstigatorTick | None,
    partition: str | None,
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
        facts["error"] = tick.error.message.strip()[:500] if tick.error else "no error was recorded"
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
    return bool(
        instance.get_runs(
            dg.RunsFilter(
                job_name=job,
                statuses=[dg.DagsterRunStatus.SUCCESS],
                tags={PARTITION_TAG: partition},
            ),
            limit=1,
        )
    )


def _failing_sensors(
    instance: dg.DagsterInstance, sensors: Sequence[dg.SensorDefinition]
) -> Iterator[Condition]:
    states: Mapping[str, InstigatorState] = _states(instance, InstigatorType.SENSOR)
    for sensor in sensors:
        state = states.get(sensor.name)
        if state is None or not state.is_running:
            continue
        ticks = instance.get_ticks(
            state.instigator_origin_id, state.selector_id, limit=FAILING_TICKS
        )
        if len(ticks) < FAILING_TICKS or any(t.status is not TickStatus.FAILURE for t in ticks):
            continue
        error = ticks[0].error
        yield Condition(
            key=f"sensor:{sensor.name}",
            kind=Kind.MISSED_TICK,
            severity=Severity.ERROR,
            title=f"the sensor {sensor.name} keeps failing",
            since=datetime.fromtimestamp(ticks[-1].timestamp, timezone.utc),
            to_do="fix the cause; the sensor retries by itself",
            facts={
                "sensor": sensor.name,
                "error": error.message.strip()[:500] if error else "no error was recorded",
            },
        )
