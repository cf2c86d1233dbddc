"""Launch runs as processes of a code server, and find the runs whose process is gone.

Dagster's default launcher cannot tell whether the process of a run still exists. After a crash of
the machine, or a `kill -9` of the daemon and its code server, the run would never end.
"""

from __future__ import annotations

import json
import socket
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import dagster as dg
import psutil

from nba_predictions.orchestration.dagster_internals import (
    CheckRunHealthResult,
    CodeServer,
    LaunchRunContext,
    WorkerProcess,
    WorkerStatus,
    code_server_of,
    worker_process,
)
from nba_predictions.orchestration.run_tags import IMAGE_TAG, MACHINE_TAG

#: A code server knows a run within this time in seconds after the run was launched.
_LAUNCH_SECONDS = 15.0
#: A run ends within this time in seconds after it was interrupted.
_END_SECONDS = 20.0
#: The accuracy in seconds of the time at which the machine was started.
_CLOCK_ACCURACY = 2.0
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Machine:
    """A machine between two restarts. `started_at` is in seconds since the epoch.

    Only Linux has a `boot_id`. A step of the clock changes `started_at`.
    """

    host: str
    boot_id: str
    started_at: float

    @classmethod
    def current(cls) -> Machine:
        boot_id = _BOOT_ID.read_text("ascii").strip() if _BOOT_ID.exists() else ""
        return cls(socket.gethostname(), boot_id, psutil.boot_time())

    def tags(self) -> dict[str, str]:
        """Return the tag of a run whose process is on this machine."""
        return {MACHINE_TAG: json.dumps(asdict(self))}


class LocalRunLauncher(dg.DefaultRunLauncher):
    """Dagster's default launcher, which can also tell whether the process of a run still exists."""

    def launch_run(self, context: LaunchRunContext) -> None:
        self._instance.add_run_tags(context.dagster_run.run_id, Machine.current().tags())
        super().launch_run(context)

    def terminate(self, run_id: str) -> bool:
        """Interrupt a run and wait until its process is gone; kill a process that does not end.

        A process that remained would hold the lease of its date and the warehouse file, and the
        retry of the run would wait for both.
        """
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        process = _local_process(self._instance, run)
        if process is None:
            is_interrupted = super().terminate(run_id)
            wait_for_end(self._instance, run_id)
            return is_interrupted
        try:
            super().terminate(run_id)
        except Exception as error:
            # The code server did not answer. The process is killed below.
            self._instance.report_engine_event(f"The run was not interrupted: {error!r}", run)
        self._end(process, run_id)
        return True

    def _end(self, process: psutil.Process, run_id: str) -> None:
        with suppress(psutil.NoSuchProcess):
            try:
                process.wait(timeout=_END_SECONDS)
            except psutil.TimeoutExpired:
                run = self._instance.get_run_by_id(run_id)
                if run is not None and not run.is_finished:
                    # Reported first: the code server reports a killed process as a failure, and
                    # Dagster would retry a run that a person terminated.
                    self._instance.report_run_canceled(run, "The process was killed.")
                process.kill()

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Return FAILED if the process of an unfinished run is certainly gone, otherwise RUNNING.

        The maximum runtime ends a run about which nothing is certain.
        """
        reason = why_run_is_gone(self._instance, run)
        if reason is not None:
            return CheckRunHealthResult(WorkerStatus.FAILED, reason)
        return CheckRunHealthResult(WorkerStatus.RUNNING)


def why_run_is_gone(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str | None:
    """Return why the process of an unfinished run is certainly gone, otherwise None."""
    process = worker_process(instance, run.run_id)
    server = code_server_of(run)
    if process is None or (server is not None and not server.is_local):
        if time.time() - _launched_at(instance, run) < _LAUNCH_SECONDS:
            return None
        return _why_not_in_server(run, server)
    machine = _machine_of(run)
    return None if machine is None else why_process_is_gone(process, machine)


def _why_not_in_server(run: dg.DagsterRun, server: CodeServer | None) -> str | None:
    """Return why the code server of a run has no process of it, None if it may have one."""
    if server is None:
        # The launcher of Kubernetes adds the tag of the image before it creates the pod.
        return None if IMAGE_TAG in run.tags else "the daemon was stopped before it launched it"
    has_run = server.has_run(run.run_id)
    if has_run is False:
        return "the code server was restarted after it launched the run"
    # A server on a local socket that does not answer is gone.
    return "the code server is gone" if has_run is None and server.is_local else None


def wait_for_end(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRun | None:
    """Wait until an interrupted run has reported its end; return it if it does not in time.

    Dagster reports the failure of a run that exceeded its maximum runtime after it was terminated.
    If the process reported its failed step later than that, Dagster would not retry the run.
    """
    deadline = time.monotonic() + _END_SECONDS
    while (run := instance.get_run_by_id(run_id)) is not None and not run.is_finished:
        if time.monotonic() > deadline:
            return run
        time.sleep(0.2)
    return None


def _local_process(instance: dg.DagsterInstance, run: dg.DagsterRun) -> psutil.Process | None:
    """Return the process of a run if it is certainly one of this machine."""
    process, server, machine = (
        worker_process(instance, run.run_id),
        code_server_of(run),
        _machine_of(run),
    )
    if process is None or server is None or not server.is_local or machine is None:
        return None
    if machine.host != Machine.current().host or why_process_is_gone(process, machine):
        return None
    return psutil.Process(process.pid)


def _machine_of(run: dg.DagsterRun) -> Machine | None:
    return Machine(**json.loads(run.tags[MACHINE_TAG])) if MACHINE_TAG in run.tags else None


def _launched_at(instance: dg.DagsterInstance, run: dg.DagsterRun) -> float:
    launched: float | None = instance.get_run_stats(run.run_id).launch_time
    return time.time() if launched is None else launched


def why_process_is_gone(process: WorkerProcess, machine: Machine) -> str | None:
    """Return why a process on a machine is gone, None if it exists or is on another machine."""
    here = Machine.current()
    if machine.host != here.host:
        return None
    if machine.boot_id != here.boot_id:
        return f"{here.host} was restarted after the run had started"
    with suppress(psutil.NoSuchProcess):
        found = psutil.Process(process.pid)
        # Both times are since the start of the machine, so a step of the clock does not matter. A
        # process that was created after the report of the run has only the same number.
        created = found.create_time() - here.started_at
        reported = process.reported_at - machine.started_at
        if created <= reported + _CLOCK_ACCURACY and found.status() != psutil.STATUS_ZOMBIE:
            return None
    return f"process {process.pid} of the run is gone"
