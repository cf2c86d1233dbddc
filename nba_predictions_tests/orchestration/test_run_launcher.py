"""Whether the process of a run still exists: what the launcher concludes from each observation."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import dagster as dg
import psutil
import pytest

from nba_predictions.orchestration.dagster_internals import (
    LaunchRunContext,
    WorkerProcess,
    WorkerStatus,
)
from nba_predictions.orchestration.run_launcher import (
    LocalRunLauncher,
    Machine,
    why_process_is_gone,
    why_run_is_gone,
)
from nba_predictions.orchestration.sensors.dead_runs import end_dead_runs
from nba_predictions_tests.dagster_internals import DagsterEvent, EngineEventData

HERE = Machine.current()
GRPC_TAG = ".dagster/grpc_info"


def this_process() -> WorkerProcess:
    return WorkerProcess(os.getpid(), psutil.Process().create_time() + 5)


def dead_process() -> WorkerProcess:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return WorkerProcess(process.pid, time.time())


def test_an_existing_process_is_not_gone() -> None:
    assert why_process_is_gone(this_process(), HERE) is None


def test_a_process_that_ended_is_gone() -> None:
    process = dead_process()
    assert why_process_is_gone(process, HERE) == f"process {process.pid} of the run is gone"


def test_a_process_that_nobody_waited_for_is_gone() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read()
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert why_process_is_gone(WorkerProcess(process.pid, time.time()), HERE)
    process.wait()


def test_a_process_is_gone_when_a_later_one_has_its_number() -> None:
    earlier = WorkerProcess(os.getpid(), psutil.Process().create_time() - 60)
    assert why_process_is_gone(earlier, HERE)


@pytest.mark.parametrize("step", [-3600.0, 3600.0])
def test_a_step_of_the_clock_changes_nothing(step: float) -> None:
    # Before the step, the machine seemed to start earlier or later, and so did the process.
    process = this_process()
    before = replace(process, reported_at=process.reported_at - step)
    machine = replace(HERE, started_at=HERE.started_at - step)
    assert why_process_is_gone(before, machine) is None


def test_no_process_survives_a_restart_of_its_machine() -> None:
    reason = why_process_is_gone(this_process(), replace(HERE, boot_id="another"))
    assert reason == f"{HERE.host} was restarted after the run had started"


def test_nothing_is_known_about_a_process_of_another_machine() -> None:
    assert why_process_is_gone(dead_process(), replace(HERE, host="another", boot_id="x")) is None


@pytest.fixture
def instance(tmp_path: Path) -> dg.DagsterInstance:
    return dg.DagsterInstance.local_temp(str(tmp_path))


def launched(
    instance: dg.DagsterInstance,
    tags: dict[str, str],
    pid: int | None = None,
    seconds_ago: float = 60,
) -> dg.DagsterRun:
    """Record a run that the daemon began to launch, and the process that it then reported."""
    run = instance.add_run(
        dg.DagsterRun(job_name="job", tags=tags, status=dg.DagsterRunStatus.NOT_STARTED)
    )
    starting = DagsterEvent("PIPELINE_STARTING", "job")
    instance.report_dagster_event(starting, run.run_id, timestamp=time.time() - seconds_ago)
    if pid is not None:
        instance.report_engine_event("Started", run, EngineEventData.in_process(pid))
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    assert found.status is dg.DagsterRunStatus.STARTING
    return found


def on_socket(folder: Path) -> dict[str, str]:
    address = {"host": "localhost", "socket": str(folder / "no-server")}
    return {GRPC_TAG: json.dumps(address), **HERE.tags()}


def test_a_run_that_no_launcher_received_is_dead(instance: dg.DagsterInstance) -> None:
    assert why_run_is_gone(instance, launched(instance, {}))
    assert why_run_is_gone(instance, launched(instance, {}, seconds_ago=1)) is None


def test_a_run_that_its_code_server_never_started_is_dead(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    run = launched(instance, on_socket(tmp_path))
    assert why_run_is_gone(instance, run) == "the code server is gone"
    assert why_run_is_gone(instance, launched(instance, on_socket(tmp_path), seconds_ago=1)) is None


def test_a_pod_that_is_starting_is_not_dead(instance: dg.DagsterInstance) -> None:
    assert why_run_is_gone(instance, launched(instance, {"dagster/image": "x"})) is None


def test_a_code_server_elsewhere_that_does_not_answer_proves_nothing(
    instance: dg.DagsterInstance,
) -> None:
    address = {GRPC_TAG: json.dumps({"host": "localhost", "port": 1})}
    run = launched(instance, {**address, **HERE.tags()}, dead_process().pid)
    assert why_run_is_gone(instance, run) is None


def test_a_process_outlives_the_code_server_that_started_it(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    assert why_run_is_gone(instance, launched(instance, on_socket(tmp_path), os.getpid())) is None
    dead = launched(instance, on_socket(tmp_path), dead_process().pid)
    assert "is gone" in str(why_run_is_gone(instance, dead))


def test_the_monitoring_of_dagster_asks_this_launcher(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    launcher = LocalRunLauncher()
    launcher.register_instance(instance)
    assert launcher.supports_check_run_worker_health
    dead = launched(instance, on_socket(tmp_path), dead_process().pid)
    alive = launched(instance, on_socket(tmp_path), os.getpid())
    assert launcher.check_run_worker_health(dead).status is WorkerStatus.FAILED
    assert launcher.check_run_worker_health(alive).status is WorkerStatus.RUNNING


@pytest.mark.parametrize("error", [None, ConnectionError("no answer")], ids=["silent", "raises"])
def test_a_terminated_run_leaves_no_process_if_its_code_server_does_not_interrupt_it(
    instance: dg.DagsterInstance,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception | None,
) -> None:
    monkeypatch.setattr("nba_predictions.orchestration.run_launcher._END_SECONDS", 0.2)
    interrupt = Mock(side_effect=error, return_value=False)
    monkeypatch.setattr(dg.DefaultRunLauncher, "terminate", interrupt)
    launcher = LocalRunLauncher()
    launcher.register_instance(instance)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        run = launched(instance, on_socket(tmp_path), process.pid)
        assert launcher.terminate(run.run_id)
    assert process.returncode == -signal.SIGKILL
    interrupt.assert_called_once_with(run.run_id)
    ended = instance.get_run_by_id(run.run_id)
    assert ended is not None
    assert ended.status is dg.DagsterRunStatus.CANCELED
    assert not launcher.terminate(run.run_id)


def test_a_run_has_its_machine_before_it_is_launched(instance: dg.DagsterInstance) -> None:
    launcher = LocalRunLauncher()
    launcher.register_instance(instance)
    run = launched(instance, {})
    with pytest.raises(dg.DagsterInvariantViolationError, match="workspace"):
        launcher.launch_run(LaunchRunContext(run, workspace=None))
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    assert found.tags["nba_predictions/machine"] == HERE.tags()["nba_predictions/machine"]


def test_the_sensor_ends_dead_runs_and_no_others(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    dead = launched(instance, on_socket(tmp_path))
    alive = launched(instance, on_socket(tmp_path), os.getpid())
    result = end_dead_runs(dg.build_sensor_context(instance=instance))
    assert isinstance(result, dg.SkipReason)
    assert result.skip_message == f"ended {dead.run_id}"
    statuses = {run.run_id: run.status for run in instance.get_runs()}
    assert statuses[dead.run_id] is dg.DagsterRunStatus.FAILURE
    assert statuses[alive.run_id] is dg.DagsterRunStatus.STARTING
