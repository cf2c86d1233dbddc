"""Schedules that did not tick when their cron said so, and schedules and sensors that fail."""

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

from nba_predictions.domain.policies.alerting import WATCHED, Condition, Kind, Severity
from nba_predictions.orchestration.partitions import date_in
from nba_predictions.orchestration.run_tags import PARTITION_TAG

#: A tick may be late by so much.
GRACE = timedelta(minutes=15)
#: So many ticks of a sensor in a row have to fail: the next minute often mends one.
FAILING_TICKS = 3
#: No more ticks of one schedule than this are looked for.
_MOST_TICKS = 1000


def missed_ticks(
    instance: dg.DagsterInstance,
    schedules: Sequence[dg.ScheduleDefinition],
    sensors: Sequence[dg.SensorDefinition],
    repository: dg.RepositoryDefinition,
    watched: MutableMapping[str, Any],
    now: datetime,
) -> list[Condition]:
    """Return the ticks that are missing or failed, and the sensors that keep failing.

    `watched` is kept from one call to the next: since when a schedule has had its cron and been
    switched on. Before that no tick of it is expected, so one that was just deployed, switched on
    or moved to another hour raises nothing. A tick that is missing is made good by a run that
    succeeded with the partition for which the tick would have asked; `repository` is where the
    schedules find their jobs.
    """
    states = _states(instance, InstigatorType.SCHEDULE)
    conditions: list[Condition] = []
    for name in set(watched) - {schedule.name for schedule in schedules}:
        del watched[name]
    for schedule in schedules:
        state = states.get(schedule.name)
        on = state.is_running if state else _on_by_default(schedule)
        if not on:
            watched.pop(schedule.name, None)
            continue
        start = _watched_since(schedule, state, watched, now)
        ticks = _ticks_by_time(instance, state, start)
        for moment in _expected(schedule, max(start, now - WATCHED), now - GRACE):
            tick = ticks.get(moment)
            if tick is not None and tick.status in (TickStatus.SUCCESS, TickStatus.SKIPPED):
                continue
            partition = _asks_for(schedule, moment, repository)
            if partition is None or not _succeeded(instance, schedule.job_name, partition):
                conditions.append(_failure(schedule, moment, tick, partition))
    return [*conditions, *_failing_sensors(instance, sensors)]


def kept_by(instance: dg.DagsterInstance, sensor: str) -> str | None:
    """Return the cursor of a sensor, None when it has none yet."""
    state = _states(instance, InstigatorType.SENSOR).get(sensor)
    data = state.instigator_data if state else None
    return data.cursor if isinstance(data, SensorInstigatorData) else None


def _states(instance: dg.DagsterInstance, of: InstigatorType) -> dict[str, InstigatorState]:
    """Return the states by name; of those of several code locations the one that was last active.

    A code location that was renamed leaves its states behind for some hours.
    """
    if instance.schedule_storage is None:
        return {}
    found = instance.all_instigator_state(instigator_type=of)
    return {state.name: state for state in sorted(found, key=_last_active)}


def _last_active(state: InstigatorState) -> float:
    data = state.instigator_data
    if isinstance(data, ScheduleInstigatorData):
        return data.last_iteration_timestamp or data.start_timestamp or 0.0
    if isinstance(data, SensorInstigatorData):
        return data.last_tick_timestamp or 0.0
    return 0.0


def _on_by_default(schedule: dg.ScheduleDefinition) -> bool:
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
        limit=_MOST_TICKS,
    )
    # A schedule's tick carries the time for which it was due, not when it came.
    return {datetime.fromtimestamp(tick.timestamp, timezone.utc): tick for tick in ticks}


def _expected(
    schedule: dg.ScheduleDefinition, after: datetime, until: datetime
) -> Iterator[datetime]:
    """Yield when a schedule should have ticked, by Dagster's own reckoning, in UTC."""
    times = schedule_execution_time_iterator(
        after.timestamp(), schedule.cron_schedule, schedule.execution_timezone or "UTC"
    )
    for count, time in enumerate(times):
        moment = time.astimezone(timezone.utc)
        if moment > until or count > _MOST_TICKS:
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
        to_do = "look whether the Dagster daemon runs"
    elif tick.status is TickStatus.FAILURE:
        title = f"the tick of {schedule.name} failed"
        to_do = "mend the cause"
        facts["error"] = tick.error.message.strip()[:500] if tick.error else "no error was recorded"
    else:
        title = f"the tick of {schedule.name} began and did not end"
        to_do = "look whether the Dagster daemon runs"
    if partition:
        facts["partition"] = partition
        to_do += f"; launch {schedule.job_name} for {partition}"
    return Condition(
        key=f"tick:{schedule.name}:{moment:%Y-%m-%dT%H:%MZ}",
        kind=Kind.MISSED_TICK,
        severity=Severity.ERROR,
        title=f"{title} at {moment:%Y-%m-%d %H:%M} UTC",
        since=moment,
        watched_until=moment + WATCHED,
        to_do=to_do,
        game_date=date_in(partition),
        facts=facts,
    )


def _asks_for(
    schedule: dg.ScheduleDefinition, moment: datetime, repository: dg.RepositoryDefinition
) -> str | None:
    """Return the partition for which a tick would ask, None when that cannot be known here."""
    try:
        with dg.build_schedule_context(
            scheduled_execution_time=moment, repository_def=repository
        ) as context:
            requests: Sequence[dg.RunRequest] = schedule.evaluate_tick(context).run_requests or []
    except Exception:
        # A schedule that wants more than the time: its missing tick is told of without the date.
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
            to_do="mend the cause; the sensor tries again by itself",
            facts={
                "sensor": sensor.name,
                "error": error.message.strip()[:500] if error else "no error was recorded",
            },
        )
