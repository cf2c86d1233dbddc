"""Private names of Dagster with which tests read what the UI shows, write stored states and move
its clock."""

import dagster as dg
from dagster._config import ConfigType
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.events import DagsterEvent, EngineEventData
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorTick,
    ScheduleInstigatorData,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.test_utils import freeze_time
from dagster._utils.tags import TagConcurrencyLimitsCounter

__all__ = [
    "ConfigType",
    "DagsterEvent",
    "EngineEventData",
    "InstigatorState",
    "InstigatorStatus",
    "InstigatorTick",
    "InstigatorType",
    "RegisteredCodeLocationOrigin",
    "RemoteInstigatorOrigin",
    "RemoteJobOrigin",
    "RemoteRepositoryOrigin",
    "RepositorySnap",
    "ScheduleInstigatorData",
    "SensorInstigatorData",
    "TagConcurrencyLimitsCounter",
    "TickData",
    "TickStatus",
    "forget_failures",
    "freeze_time",
]


def forget_failures(instance: dg.DagsterInstance) -> None:
    """Let the daemon, which retries runs, pass over all failures of runs until now."""
    newest = instance.event_log_storage.get_maximum_record_id()
    key = f"EVENT_LOG_CONSUMER_CURSOR-{dg.DagsterEventType.RUN_FAILURE.value}"
    instance.daemon_cursor_storage.set_cursor_values({key: str(newest)})
