"""Every name of `dagster_internals`, called against the installed version of Dagster."""

from __future__ import annotations

import json
import os
import subprocess
import time
from datetime import datetime, timedelta, timezone
from itertools import islice
from pathlib import Path

import dagster as dg
import pytest

from nba_predictions.orchestration import dagster_internals
from nba_predictions.orchestration.dagster_internals import (
    CheckRecord,
    CheckRecordStatus,
    CheckRunHealthResult,
    CodeServer,
    IWorkspaceProcessContext,
    LaunchRunContext,
    StepError,
    SubmitRunContext,
    Tick,
    TickStatus,
    TriggerState,
    WorkerProcess,
    WorkerStatus,
    check_records,
    check_records_of_partition,
    code_server,
    code_server_of,
    daemon_command,
    due_times,
    schedule_states,
    sensor_states,
    ticks,
    webserver_context,
    worker_process,
)
from nba_predictions_tests.alerts.toys import DATE, REPOSITORY, Toy
from nba_predictions_tests.dagster_internals import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    RemoteInstigatorOrigin,
    ScheduleInstigatorData,
    SensorInstigatorData,
    TickData,
)

CHECK = dg.AssetCheckKey(dg.AssetKey("predictions"), "rows_match")


def test_this_module_tests_every_name() -> None:
    assert set(dagster_internals.__all__) <= set(globals())


def test_stored_states_and_ticks_are_read(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        assert schedule_states(instance) == sensor_states(instance) == {}
        for name, kind, data in (
            ("nightly", InstigatorType.SCHEDULE, ScheduleInstigatorData("0 7 * * *", 100.0)),
            ("alerts", InstigatorType.SENSOR, SensorInstigatorData(200.0, cursor="7")),
        ):
            origin = RemoteInstigatorOrigin(REPOSITORY, name)
            instance.add_instigator_state(
                InstigatorState(origin, kind, InstigatorStatus.RUNNING, data)
            )
        schedule = schedule_states(instance)["nightly"]
        sensor = sensor_states(instance)["alerts"]
        assert isinstance(schedule, TriggerState)
        assert (schedule.is_running, schedule.started_at, schedule.cursor) == (True, 100.0, None)
        assert (sensor.is_running, sensor.last_active, sensor.cursor) == (True, 200.0, "7")
        for time, status, error in (
            (300.0, TickStatus.SUCCESS, None),
            (400.0, TickStatus.FAILURE, StepError("ValueError: no such date\n", [], "ValueError")),
        ):
            instance.create_tick(
                TickData(
                    schedule.origin_id,
                    "nightly",
                    InstigatorType.SCHEDULE,
                    status,
                    time,
                    run_ids=[],
                    selector_id=schedule.selector_id,
                    error=error,
                )
            )
        moments = [datetime.fromtimestamp(time, timezone.utc) for time in (400, 300)]
        assert ticks(instance, schedule, limit=5) == [
            Tick(moments[0], TickStatus.FAILURE, "ValueError: no such date"),
            Tick(moments[1], TickStatus.SUCCESS, None),
        ]
        between = datetime.fromtimestamp(350, timezone.utc)
        assert [tick.time for tick in ticks(instance, schedule, limit=5, after=between)] == moments[
            :1
        ]
        assert len(ticks(instance, schedule, limit=1)) == 1


@pytest.mark.parametrize(
    ("zone", "hours"), [("America/New_York", (12, 11)), (None, (7, 7))], ids=["eastern", "utc"]
)
def test_due_times_are_utc_and_follow_the_clock_of_the_schedule(
    zone: str | None, hours: tuple[int, int]
) -> None:
    schedule = dg.ScheduleDefinition(
        job_name="job", cron_schedule="0 7 * * *", execution_timezone=zone
    )
    day = datetime(2026, 3, 7, tzinfo=timezone.utc)
    assert list(islice(due_times(schedule, day), 2)) == [
        day + timedelta(days=days, hours=hour) for days, hour in enumerate(hours)
    ]


def test_records_of_checks_are_read(tmp_path: Path) -> None:
    toy = Toy.in_folder(tmp_path)
    toy.passes = False
    toy.run()
    toy.passes = True
    toy.run(date="2026-01-16")
    (newest, older) = check_records(toy.instance, CHECK, limit=5)
    assert isinstance(newest, CheckRecord)
    assert (newest.partition, newest.status) == ("2026-01-16", CheckRecordStatus.SUCCEEDED)
    assert (older.partition, older.status) == (DATE, CheckRecordStatus.FAILED)
    assert check_records(toy.instance, CHECK, limit=1) == [newest]
    assert check_records(toy.instance, CHECK, limit=5, cursor=newest.id) == [older]
    statuses = {CheckRecordStatus.FAILED, CheckRecordStatus.PLANNED}
    assert check_records(toy.instance, CHECK, limit=5, statuses=statuses) == [older]
    assert check_records_of_partition(toy.instance, CHECK, DATE, limit=5) == [older]


def test_the_webserver_and_the_daemon_find_the_code_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBA_PREDICTIONS_HOME", str(tmp_path / "home"))
    module = "nba_predictions.definitions"
    with (
        dg.DagsterInstance.local_temp(str(tmp_path)) as instance,
        code_server(instance, module) as workspace,
        webserver_context(instance, workspace, read_only=True) as context,
    ):
        assert isinstance(context, IWorkspaceProcessContext)
        with context.create_request_context() as request:
            assert request.read_only
            (location,) = request.code_locations
            assert location.name == module
        command = [*daemon_command(workspace), "--help"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def test_the_process_that_a_run_reported_is_read(tmp_path: Path) -> None:
    toy = Toy.in_folder(tmp_path)
    run = toy.run().dagster_run
    process = worker_process(toy.instance, run.run_id)
    assert isinstance(process, WorkerProcess)
    assert process.pid == os.getpid()
    assert process.reported_at <= time.time()
    assert worker_process(toy.instance, "no such run") is None


def test_the_code_server_of_a_run_is_asked_for_it(tmp_path: Path) -> None:
    assert code_server_of(dg.DagsterRun(job_name="job")) is None
    address = json.dumps({"host": "localhost", "socket": str(tmp_path / "none")})
    server = code_server_of(dg.DagsterRun(job_name="job", tags={".dagster/grpc_info": address}))
    assert isinstance(server, CodeServer)
    assert server.is_local
    assert server.has_run("a run") is None


def test_the_types_of_launchers_and_coordinators_have_these_fields() -> None:
    run = dg.DagsterRun(job_name="job")
    assert LaunchRunContext(run, workspace=None).dagster_run is run
    assert SubmitRunContext(run, workspace=None).dagster_run is run  # type: ignore[arg-type]
    assert CheckRunHealthResult(WorkerStatus.FAILED, "gone").msg == "gone"
