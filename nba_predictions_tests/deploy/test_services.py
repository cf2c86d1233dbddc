"""The parts of a deployment as the processes that they are, on one PostgreSQL server."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import requests
from dagster_graphql import DagsterGraphQLClient
from google.cloud import storage

from nba_predictions.definitions import defs
from nba_predictions_tests.conftest import REPOSITORY
from nba_predictions_tests.dagster_internals import InstigatorState, InstigatorTick, TickStatus
from nba_predictions_tests.deploy.conftest import OpenInstance
from nba_predictions_tests.deploy.containers import DEPLOY, confined, installed, read_image, written
from nba_predictions_tests.deploy.manifests import containers, render
from nba_predictions_tests.e2e.pipeline import NO_GAMES_DATE
from nba_predictions_tests.servers import free_port
from nba_predictions_tests.waiting import wait_until


@contextmanager
def running(
    command: list[str], folder: Path, writable: Sequence[Path]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run one part, with its output in a file; stop it as its platform would.

    Like its pod, it writes only to its volumes.
    """
    log = folder / f"{Path(command[0]).name}_{len(list(folder.glob('*.log')))}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            confined(installed(command), *writable),
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            # Where this package is found, installed or not.
            cwd=REPOSITORY,
            start_new_session=True,
            env={**os.environ, "TMPDIR": str(folder / "tmp"), "HOME": "/home/nba"},
        )
    try:
        yield process
    except BaseException as error:
        error.args = (*error.args, f"the end of {log.name}: {log.read_text('utf-8')[-2000:]}")
        raise
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=20)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(what: str, true: Callable[[], Any], *parts: subprocess.Popen[bytes]) -> None:
    found = wait_until(true, *parts)
    ended = [part.args for part in parts if part.poll() is not None]
    assert found, f"{what} did not happen; processes that ended: {ended}"


def succeeds(command: list[str]) -> bool:
    return subprocess.run(installed(command), capture_output=True, check=False).returncode == 0


def commands(port: int, grpc_port: int, workspace: Path) -> dict[str, list[str]]:
    """Return what Kubernetes starts in each container, on free ports and with this workspace."""
    here = {
        **{"3000": str(port), "4000": str(grpc_port), "0.0.0.0": "127.0.0.1"},
        "/opt/dagster/workspace.yaml": str(workspace),
    }
    found = {}
    for manifest in render():
        for container in containers(manifest):
            found[container["name"]] = [here.get(word, word) for word in container["args"]]
    return found


def test_a_part_that_writes_elsewhere_would_fail(tmp_path: Path) -> None:
    command = ["touch", str(tmp_path / "elsewhere")]
    confined_command = confined(command, tmp_path)
    if confined_command == command:
        pytest.skip("this system does not permit `unshare --mount`")
    assert subprocess.run(confined_command, check=False).returncode == 0
    (tmp_path / "volume").mkdir()
    confined_command = confined(command, tmp_path / "volume")
    failed = subprocess.run(confined_command, check=False, capture_output=True, text=True)
    assert "Read-only file system" in failed.stderr


def test_a_run_asked_for_in_the_webserver_is_done_and_sensors_tick(
    dagster_home: Path,
    home: Path,
    open_instance: OpenInstance,
    compute_logs: storage.Bucket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(dagster_home))
    monkeypatch.setenv("DAGSTER_CODE_SERVER_HOST", "127.0.0.1")
    port, grpc_port = free_port(), free_port()
    workspace = dagster_home / "workspace.yaml"
    text = (DEPLOY / "workspace.yaml").read_text("utf-8")
    workspace.write_text(text.replace("port: 4000", f"port: {grpc_port}"), "utf-8")
    command = commands(port, grpc_port, workspace)
    mounts = {c["name"]: c["volumeMounts"] for each in render() for c in containers(each)}
    healthcheck = [
        {"4000": str(grpc_port)}.get(word, word).replace("localhost", "127.0.0.1")
        for word in read_image().healthcheck
    ]
    assert not succeeds(healthcheck)
    # Its tables: of two that make them at once, one may fail, and is started again.
    instance = open_instance()
    with ExitStack() as parts:
        # Together, as a cluster starts them: two find no code server yet.
        code_server, webserver, daemon = (
            parts.enter_context(
                running(command[name], dagster_home, written(mounts[name], dagster_home, home))
            )
            for name in ("code-server", "webserver", "daemon")
        )
        wait_for("the code server", lambda: succeeds(healthcheck), code_server)
        wait_for("the webserver", lambda: answers(port), webserver)
        client = DagsterGraphQLClient("127.0.0.1", port_number=port)
        client.reload_repository_location("nba_predictions")
        run_id = client.submit_job_execution(
            "nightly_predictions", tags={"dagster/partition": NO_GAMES_DATE.isoformat()}
        )

        def ended() -> bool:
            run = instance.get_run_by_id(run_id)
            return run is not None and run.is_finished

        wait_for("the run", ended, code_server, webserver, daemon)
        run = instance.get_run_by_id(run_id)
        assert run is not None
        assert run.status is dg.DagsterRunStatus.SUCCESS

        def ticked() -> bool:
            sensors = {sensor.name for sensor in defs.get_repository_def().sensor_defs}
            last = {s.name: ticks(instance, s) for s in instance.all_instigator_state()}
            ended = {name for name, found in last.items() if found and found[0].is_completed}
            return ended >= sensors

        wait_for("a tick of each sensor", ticked, daemon)
        last = [tick for s in instance.all_instigator_state() for tick in ticks(instance, s)]
        assert [tick.error for tick in last if tick.status is TickStatus.FAILURE] == []
        alive = ["dagster-daemon", "liveness-check"]
        wait_for("a sign of life of all daemons", lambda: succeeds(alive), daemon)
        (log,) = (blob for blob in compute_logs.list_blobs() if blob.name.endswith(".out"))
        key = log.name.removeprefix("nba_predictions/storage/").removesuffix(".out").split("/")
        assert key[0] == run_id
        # The webserver shows the milestones of the run.
        assert '"event": "' in shown_output(port, key)


def shown_output(port: int, key: list[str]) -> str:
    """Return the standard output of a run as the page of the run requests it."""
    query = "query($key: [String!]!) { capturedLogs(logKey: $key) { stdout } }"
    body: Any = {"query": query, "variables": {"key": key}}
    answer = requests.post(f"http://127.0.0.1:{port}/graphql", json=body).json()
    return str(answer["data"]["capturedLogs"]["stdout"])


def ticks(instance: dg.DagsterInstance, state: InstigatorState) -> Sequence[InstigatorTick]:
    return instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/server_info")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
