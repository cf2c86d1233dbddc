"""The sensors that tell people: one for each kind of condition, so that none silences the others.

They launch nothing. A sensor asks the data what is wrong now and tells each destination what it
has not been told; what it was told is the sensor's cursor. Dagster's own `run_status_sensor` is
not used: its cursor moves on even when nobody could be told.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import dagster as dg

from nba_predictions.alerts.delivery import tell
from nba_predictions.alerts.port import Notifier
from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import AlertBookError
from nba_predictions.domain.policies.alerting import (
    AlertBook,
    Condition,
    Kind,
    read_cursor,
    write_cursor,
)
from nba_predictions.logs import milestone
from nba_predictions.nightly.batch_conditions import stalled_batches, unpublished_batches
from nba_predictions.orchestration.assets.staging import Batches
from nba_predictions.orchestration.conditions.checks import failed_checks
from nba_predictions.orchestration.conditions.runs import failed_runs
from nba_predictions.orchestration.conditions.ticks import missed_ticks
from nba_predictions.settings import Settings


@dataclass(frozen=True)
class Scene:
    """Where to look, and when. `memory` is what a sensor keeps beside its book; it may change."""

    instance: dg.DagsterInstance
    repository: dg.RepositoryDefinition
    batches: BatchStore
    now: datetime
    memory: dict[str, Any] = field(default_factory=dict)


def _checks(scene: Scene) -> list[Condition]:
    keys = scene.repository.asset_graph.asset_check_keys
    return failed_checks(scene.instance, list(keys), scene.now)


def _runs(scene: Scene) -> list[Condition]:
    jobs = {
        job.name: frozenset(key.to_user_string() for key in job.asset_layer.executable_asset_keys)
        for job in scene.repository.get_all_jobs()
    }
    return failed_runs(scene.instance, jobs, scene.batches, scene.now)


def _stalled(scene: Scene) -> list[Condition]:
    # By the store's clock, as what is recorded there is.
    return stalled_batches(scene.batches, scene.batches.now())


def _unpublished(scene: Scene) -> list[Condition]:
    return unpublished_batches(scene.batches, scene.batches.now())


def _ticks(scene: Scene) -> list[Condition]:
    watched = scene.memory.setdefault("watched", {})
    there = scene.repository
    return missed_ticks(
        scene.instance, there.schedule_defs, there.sensor_defs, there, watched, scene.now
    )


#: How the open conditions of each kind are found.
FIND: dict[Kind, Callable[[Scene], list[Condition]]] = {
    Kind.FAILED_CHECK: _checks,
    Kind.FAILED_RUN: _runs,
    Kind.STALLED_BATCH: _stalled,
    Kind.UNPUBLISHED_BATCH: _unpublished,
    Kind.MISSED_TICK: _ticks,
}

#: The sensors by what they watch, and what their description says of that.
SENSORS: dict[Kind, tuple[str, str]] = {
    Kind.FAILED_CHECK: ("alert_on_failed_checks", "checks that failed and did not pass since"),
    Kind.FAILED_RUN: ("alert_on_failed_runs", "runs that failed, were canceled, or do not end"),
    Kind.STALLED_BATCH: ("alert_on_stalled_batches", "batches without progress"),
    Kind.UNPUBLISHED_BATCH: ("alert_on_unpublished_batches", "batches that do not get out"),
    Kind.MISSED_TICK: ("alert_on_missed_ticks", "schedules that do not tick, sensors that fail"),
}


def _alert_sensor(kind: Kind) -> dg.SensorDefinition:
    name, watches = SENSORS[kind]

    @dg.sensor(
        name=name,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Tells the destinations of alerts of {watches}: once, and once when it ends.",
    )
    def alert(
        context: dg.SensorEvaluationContext,
        batches: Batches,
        notifier: dg.ResourceParam[Notifier],
        settings: dg.ResourceParam[Settings],
    ) -> dg.SkipReason:
        book, memory = _kept(name, context.cursor)
        repository = context.repository_def
        assert repository is not None
        scene = Scene(context.instance, repository, batches, utc_now(), memory)
        told = tell(
            book,
            FIND[kind](scene),
            notifier,
            now=scene.now,
            source=f"{settings.profile} {settings.source}",
            ui_url=settings.ui_url,
        )
        context.update_cursor(write_cursor(told.book, scene.memory))
        return dg.SkipReason(told.words)

    return alert


def _kept(sensor: str, cursor: str | None) -> tuple[AlertBook, dict[str, Any]]:
    try:
        return read_cursor(cursor)
    except AlertBookError as error:
        # Told twice is better than not told at all.
        milestone("alert_book_lost", f"{sensor}: {error}", severity=logging.WARNING, sensor=sensor)
        return AlertBook(), {}


ALERT_SENSORS = [_alert_sensor(kind) for kind in Kind]
