"""The code location of a live week: the real definitions with sensors that tick often.

A waiting night is retried soon. The schedules are left out, because they follow the clock of the
machine.
"""

from __future__ import annotations

import functools
import os
from datetime import timedelta
from typing import Any
from unittest import mock

import dagster as dg

from nba_predictions.orchestration import schedules
from nba_predictions.settings import Settings


def _sensor(real: Any, **options: Any) -> Any:
    return real(**{**options, "minimum_interval_seconds": 1})


with mock.patch.object(dg, "sensor", functools.partial(_sensor, dg.sensor)):
    from nba_predictions import definitions
    from nba_predictions.orchestration.sensors import gate_retry

gate_retry.RETRY_INTERVAL = timedelta(seconds=1)

with mock.patch.object(schedules, "SCHEDULES", []):
    defs = definitions.build_definitions(
        definitions.configured_resources(Settings.from_environment(os.environ))
    )
