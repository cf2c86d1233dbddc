"""Wrap what the pipeline needs from private modules of Dagster.

Dagster may change a private module in any release, so only this module imports them. A smoke test
calls every name of `__all__` against the installed version.
"""

import json
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import dagster as dg
import yaml
from dagster._cli.proxy_server_manager import ProxyServerManager
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._core.run_coordinator import SubmitRunContext
from dagster._core.scheduler.instigation import (
    InstigatorState,
    ScheduleInstigatorData,
    SensorInstigatorData,
    TickStatus,
)
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord as CheckRecord,
)
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecordStatus as CheckRecordStatus,
)
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._core.workspace.context import IWorkspaceProcessContext, WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget, WorkspaceFileTarget
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value
from dagster._utils.schedules import schedule_execution_time_iterator
from dagster_shared.error import SerializableErrorInfo as StepError

__all__ = [
    "CheckRecord",
    "CheckRecordStatus",
    "CheckRunHealthResult",
    "CodeServer",
    "IWorkspaceProcessContext",
    "LaunchRunContext",
    "StepError",
    "SubmitRunContext",
    "Tick",
    "TickStatus",
    "TriggerState",
    "WorkerProcess",
    "WorkerStatus",
    "check_records",
    "check_records_of_partition",
    "code_server",
    "code_server_of",
    "daemon_command",
    "due_times",
    "schedule_states",
    "sensor_states",
    "ticks",
    "webserver_context",
    "worker_process",
]


@dataclass(frozen=True)
class TriggerState:
    """The stored state of a schedule or a sensor. Times are seconds since the epoch."""

    name: str
    is_running: bool
    #: The time at which a schedule was switched on; 0 for a sensor.
    started_at: float
    last_active: float
    #: The cursor of a sensor; None for a schedule.
    cursor: str | None
    origin_id: str
    selector_id: str


@dataclass(frozen=True)
class Tick:
    """One tick of a schedule or a sensor, with the message of its error.

    `time` is the time at which the tick of a schedule was due, not the time of its evaluation.
    """

    time: datetime
    status: TickStatus
    error: str | None


def schedule_states(instance: dg.DagsterInstance) -> dict[str, TriggerState]:
    """Return the stored states of the schedules by name."""
    return _states(instance, InstigatorType.SCHEDULE)


def sensor_states(instance: dg.DagsterInstance) -> dict[str, TriggerState]:
    """Return the stored states of the sensors by name."""
    return _states(instance, InstigatorType.SENSOR)


def _states(instance: dg.DagsterInstance, kind: InstigatorType) -> dict[str, TriggerState]:
    """Return the states by name. If several code locations have one, the last active one counts.

    The states of a renamed code location remain for some hours.
    """
    if instance.schedule_storage is None:
        return {}
    states = [
        _trigger_state(state) for state in instance.all_instigator_state(instigator_type=kind)
    ]
    return {state.name: state for state in sorted(states, key=lambda state: state.last_active)}


def _trigger_state(state: InstigatorState) -> TriggerState:
    data = state.instigator_data
    started_at = last_active = 0.0
    cursor = None
    if isinstance(data, ScheduleInstigatorData):
        started_at = data.start_timestamp or 0.0
        last_active = data.last_iteration_timestamp or started_at
    elif isinstance(data, SensorInstigatorData):
        last_active = data.last_tick_timestamp or 0.0
        cursor = data.cursor
    return TriggerState(
        name=state.name,
        is_running=state.is_running,
        started_at=started_at,
        last_active=last_active,
        cursor=cursor,
        origin_id=state.instigator_origin_id,
        selector_id=state.selector_id,
    )


def ticks(
    instance: dg.DagsterInstance, state: TriggerState, *, limit: int, after: datetime | None = None
) -> list[Tick]:
    """Return the newest ticks of a schedule or a sensor, newest first."""
    seconds = after.timestamp() if after else None
    found = instance.get_ticks(state.origin_id, state.selector_id, after=seconds, limit=limit)
    return [
        Tick(
            datetime.fromtimestamp(tick.timestamp, timezone.utc),
            tick.status,
            tick.error.message.strip() if tick.error else None,
        )
        for tick in found
    ]


def due_times(schedule: dg.ScheduleDefinition, start: datetime) -> Iterator[datetime]:
    """Yield the times from `start` on at which a schedule is due, in UTC, without end."""
    for time in schedule_execution_time_iterator(
        start.timestamp(), schedule.cron_schedule, schedule.execution_timezone or "UTC"
    ):
        yield time.astimezone(timezone.utc)


def check_records(
    instance: dg.DagsterInstance,
    key: dg.AssetCheckKey,
    *,
    limit: int,
    cursor: int | None = None,
    statuses: Collection[CheckRecordStatus] | None = None,
) -> Sequence[CheckRecord]:
    """Return the newest records of an asset check in all partitions, newest first.

    Only records older than the one with the id `cursor`, and only those with the given statuses.
    """
    return instance.event_log_storage.get_asset_check_execution_history(
        key, limit=limit, cursor=cursor, status=set(statuses) if statuses else None
    )


def check_records_of_partition(
    instance: dg.DagsterInstance, key: dg.AssetCheckKey, partition: str | None, *, limit: int
) -> Sequence[CheckRecord]:
    """Return the newest records of an asset check in one partition, newest first."""
    return instance.event_log_storage.get_asset_check_execution_history(
        key, limit=limit, partition_filter=PartitionKeyFilter(key=partition)
    )


@contextmanager
def code_server(instance: dg.DagsterInstance, module: str) -> Iterator[Path]:
    """Serve the definitions of a module, and yield a workspace file that leads to them.

    The server is restarted if its process ends. It ends with this process.
    """
    target = ModuleTarget(
        module_name=module, attribute=None, working_directory=None, location_name=module
    )
    with (
        ProxyServerManager(instance, target, code_server_log_level="WARNING") as servers,
        tempfile.TemporaryDirectory() as folder,
    ):
        workspace = Path(folder) / "workspace.yaml"
        workspace.write_text(yaml.safe_dump({"load_from": servers.get_code_server_specs()}))
        yield workspace


def daemon_command(workspace: Path) -> list[str]:
    """Return the command of a daemon that logs only warnings and errors."""
    arguments = ["run", "--log-level", "warning", "--workspace", str(workspace)]
    return [sys.executable, "-m", "dagster._daemon", *arguments]


@contextmanager
def webserver_context(
    instance: dg.DagsterInstance, workspace: Path, *, read_only: bool = False
) -> Iterator[IWorkspaceProcessContext]:
    """Yield what Dagster's webserver needs to serve the code locations of a workspace file."""
    # The values of `dagster-webserver`: milliseconds, seconds, connections.
    instance.optimize_for_webserver(15_000, 3_600, 20)
    target = WorkspaceFileTarget([str(workspace)])
    with WorkspaceProcessContext(instance, target, dg.__version__, read_only) as context:
        yield context


@dataclass(frozen=True)
class WorkerProcess:
    """The process of a run, and when it reported itself, in seconds since the epoch."""

    pid: int
    reported_at: float


def worker_process(instance: dg.DagsterInstance, run_id: str) -> WorkerProcess | None:
    """Return the process that a run reported when it started, None if it has not started."""
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT).records
    for record in records:
        event = record.event_log_entry.dagster_event
        pid = event.engine_event_data.metadata.get("pid") if event else None
        if pid is not None:
            return WorkerProcess(int(str(pid.value)), record.event_log_entry.timestamp)
    return None


@dataclass(frozen=True)
class CodeServer:
    """The code server that a run was launched in.

    `is_local` means that it listens on a socket of this machine, as the servers that Dagster starts
    itself do.
    """

    is_local: bool
    _client: DagsterGrpcClient

    def has_run(self, run_id: str) -> bool | None:
        """Return whether the server executes a run, None if it does not answer."""
        request = CanCancelExecutionRequest(run_id=run_id)
        try:
            answer = self._client.can_cancel_execution(request, timeout=_ANSWER_SECONDS)
        except dg.DagsterError:
            return None
        return deserialize_value(answer, CanCancelExecutionResult).can_cancel


#: The time in seconds within which a code server answers.
_ANSWER_SECONDS = 10


def code_server_of(run: dg.DagsterRun) -> CodeServer | None:
    """Return the code server that a run was launched in, None for a run of another process."""
    if GRPC_INFO_TAG not in run.tags:
        return None
    address = json.loads(run.tags[GRPC_INFO_TAG])
    client = DagsterGrpcClient(
        host=address["host"],
        port=address.get("port"),
        socket=address.get("socket"),
        use_ssl=bool(address.get("use_ssl", False)),
    )
    return CodeServer("socket" in address, client)
