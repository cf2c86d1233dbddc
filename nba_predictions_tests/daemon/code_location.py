"""The code location of these tests: the real definitions, with faults at writes of chosen dates.

Leases expire soon, and sensors tick often. A schedule or a sensor requests a run for each date.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import dagster as dg

from nba_predictions.nightly import leases
from nba_predictions.orchestration.run_tags import PARTITION_TAG
from nba_predictions.orchestration.sensors import dead_runs
from nba_predictions.settings import Settings
from nba_predictions_tests.daemon.variables import SCHEDULED, SENSED, STRIKES
from nba_predictions_tests.faults.strikes import SHORT_LEASE, Boundary, watched
from nba_predictions_tests.nights import Parts

_R = dg.DagsterRunStatus

leases.LEASE_TTL = SHORT_LEASE
dead_runs.RETRIED_WITHIN = timedelta(seconds=10)


def _sensor(real: Any, **options: Any) -> Any:
    return real(**{**options, "minimum_interval_seconds": 1})


with mock.patch.object(dg, "sensor", functools.partial(_sensor, dg.sensor)):
    from nba_predictions import definitions

_settings = Settings.from_environment(os.environ)
_resources = definitions.configured_resources(_settings)
_ports: dict[str, Any] = {}


def _strike(kind: str, marker: Path) -> None:
    """Kill or hang, but only once, whatever process comes here next."""
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        return
    if kind == "hang":
        time.sleep(86400)
    elif kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    os.killpg(0, signal.SIGKILL)


def _struck(name: str) -> dg.ResourceDefinition:
    """Return the resource of a port; its writes in a run of a chosen date may be struck."""

    def open_port(context: dg.InitResourceContext) -> Any:
        day = context.run.tags.get(PARTITION_TAG) if context.run else None
        chosen = json.loads(os.environ.get(STRIKES, "{}")).get(day)
        if chosen is None:
            return _resources[name].open()
        if not _ports:
            call, moment, kind = chosen
            parts = Parts(**{port: _resources[port].open() for port in _STRUCK})
            strike = functools.partial(_strike, kind, _settings.home / f"struck-{day}")
            struck, _, _ = watched(parts, Boundary(call, moment), strike)
            _ports.update({port: getattr(struck, port) for port in _STRUCK})
        return _ports[name]

    return dg.ResourceDefinition(open_port)


_STRUCK = ("batches", "warehouse", "publisher")


def _requests(variable: str) -> list[dg.RunRequest]:
    """Request one run per date, as the schedule of the pipeline does for the current date."""
    dates = os.environ.get(variable, "").split()
    return [dg.RunRequest(run_key=day, partition_key=day) for day in dates]


@dg.schedule(
    job_name="nightly_predictions",
    cron_schedule="* * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def predict_in_the_next_minute(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest]:
    # Unlike a sensor, a schedule requests a run again although its run_key was launched before.
    begun = dg.RunsFilter(statuses=[s for s in _R if s is not _R.NOT_STARTED])
    begun_dates = {run.tags.get(PARTITION_TAG) for run in context.instance.get_runs(begun)}
    return [request for request in _requests(SCHEDULED) if request.run_key not in begun_dates]


@dg.sensor(
    job_name="nightly_predictions",
    minimum_interval_seconds=1,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def predict_now() -> list[dg.RunRequest]:
    return _requests(SENSED)


defs = dg.Definitions.merge(
    definitions.build_definitions({**_resources, **{name: _struck(name) for name in _STRUCK}}),
    dg.Definitions(schedules=[predict_in_the_next_minute], sensors=[predict_now]),
)
