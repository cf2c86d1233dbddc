"""The alert sensors: one per kind of condition, so that a broken one does not silence the others.

They launch no runs. The cursor records what each destination received. Dagster's
`run_status_sensor` is not used because its cursor advances even if the evaluation raises.
https://docs.dagster.io/guides/automate/sensors
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg

from nba_predictions.alerts.delivery import deliver
from nba_predictions.alerts.port import Notifier
from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.clock import machine_now
from nba_predictions.domain.errors import AlertBookError
from nba_predictions.domain.policies.alerting import (
    AlertBook,
    Condition,
    Kind,
    read_cursor,
    write_cursor,
)
from nba_predictions.logs import milestone
from nba_predictions.nightly.batch_conditions import stalled_conditions, unpublished_conditions
from nba_predictions.nightly.standing_audit import differing_conditions
from nba_predictions.orchestration.assets.staging import Batches
from nba_predictions.orchestration.conditions.checks import failed_checks
from nba_predictions.orchestration.conditions.runs import failed_runs
from nba_predictions.orchestration.conditions.ticks import missed_ticks
from nba_predictions.orchestration.standing_audit import stored_audit
from nba_predictions.settings import Settings


@dataclass(frozen=True)
class AlertContext:
    """What the finders of conditions read. They may change `memory`, which the cursor keeps."""

    instance: dg.DagsterInstance
    repository: dg.RepositoryDefinition
    batches: BatchStore
    home: Path
    now: datetime
    memory: dict[str, Any] = field(default_factory=dict)


def _failed_checks(context: AlertContext) -> list[Condition]:
    keys = context.repository.asset_graph.asset_check_keys
    return failed_checks(context.instance, list(keys), context.now)


def _failed_runs(context: AlertContext) -> list[Condition]:
    jobs = {
        job.name: frozenset(key.to_user_string() for key in job.asset_layer.executable_asset_keys)
        for job in context.repository.get_all_jobs()
    }
    return failed_runs(context.instance, jobs, context.batches, context.now)


def _stalled_batches(context: AlertContext) -> list[Condition]:
    # The clock of the store, like the times that it recorded.
    return stalled_conditions(context.batches, context.batches.now())


def _unpublished_batches(context: AlertContext) -> list[Condition]:
    return unpublished_conditions(context.batches, context.batches.now())


def _missed_ticks(context: AlertContext) -> list[Condition]:
    watched = context.memory.setdefault("watched", {})
    repository = context.repository
    return missed_ticks(
        context.instance,
        repository.schedule_defs,
        repository.sensor_defs,
        repository,
        watched,
        context.now,
    )


def _changed_rows(context: AlertContext) -> list[Condition]:
    audit = stored_audit(context.home)
    return [] if audit is None else differing_conditions(audit)


#: The function that finds the open conditions of a kind.
CONDITION_FINDERS: dict[Kind, Callable[[AlertContext], list[Condition]]] = {
    Kind.FAILED_CHECK: _failed_checks,
    Kind.FAILED_RUN: _failed_runs,
    Kind.STALLED_BATCH: _stalled_batches,
    Kind.UNPUBLISHED_BATCH: _unpublished_batches,
    Kind.MISSED_TICK: _missed_ticks,
    Kind.CHANGED_ROWS: _changed_rows,
}

#: The sensor of a kind.
SENSOR_NAMES: dict[Kind, str] = {
    Kind.FAILED_CHECK: "alert_on_failed_checks",
    Kind.FAILED_RUN: "alert_on_failed_runs",
    Kind.STALLED_BATCH: "alert_on_stalled_batches",
    Kind.UNPUBLISHED_BATCH: "alert_on_unpublished_batches",
    Kind.MISSED_TICK: "alert_on_missed_ticks",
    Kind.CHANGED_ROWS: "alert_on_changed_rows",
}
_WATCHED_CONDITIONS: dict[Kind, str] = {
    Kind.FAILED_CHECK: "checks whose newest result is a failure",
    Kind.FAILED_RUN: "runs that failed, were canceled or do not finish",
    Kind.STALLED_BATCH: "batches without progress",
    Kind.UNPUBLISHED_BATCH: "batches that are merged but not published",
    Kind.MISSED_TICK: "schedules that miss a tick and sensors that keep failing",
    Kind.CHANGED_ROWS: "rows of past nights that are missing or changed",
}


def _alert_sensor(kind: Kind) -> dg.SensorDefinition:
    name = SENSOR_NAMES[kind]

    @dg.sensor(
        name=name,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Sends alerts about {_WATCHED_CONDITIONS[kind]}: once when a condition begins "
        "and once when it ends.",
    )
    def alert(
        context: dg.SensorEvaluationContext,
        batches: Batches,
        notifier: dg.ResourceParam[Notifier],
        settings: dg.ResourceParam[Settings],
    ) -> dg.SkipReason:
        book, memory = _read_cursor(name, context.cursor)
        repository = context.repository_def
        assert repository is not None
        alert_context = AlertContext(
            context.instance, repository, batches, settings.home, machine_now(), memory
        )
        delivery = deliver(
            book,
            CONDITION_FINDERS[kind](alert_context),
            notifier,
            now=alert_context.now,
            source=f"{settings.profile} {settings.source}",
            ui_url=settings.ui_url,
        )
        context.update_cursor(write_cursor(delivery.book, alert_context.memory))
        return dg.SkipReason(delivery.summary)

    return alert


def _read_cursor(sensor: str, cursor: str | None) -> tuple[AlertBook, dict[str, Any]]:
    try:
        return read_cursor(cursor)
    except AlertBookError as error:
        # An alert that is sent twice is better than one that is lost.
        milestone("alert_book_lost", f"{sensor}: {error}", severity=logging.WARNING, sensor=sensor)
        return AlertBook(), {}


ALERT_SENSORS = [_alert_sensor(kind) for kind in Kind]
