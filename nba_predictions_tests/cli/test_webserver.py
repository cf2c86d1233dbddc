"""`nba-predictions dev` as a program: its UI is attacked, and all its parts start and end."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from nba_predictions.cli import main
from nba_predictions.settings import Settings
from nba_predictions_tests.ui.server import Server, ask, served_ui
from nba_predictions_tests.waiting import wait_until

EVIL = "https://evil.example"
#: The mutation with which the UI launches a run.
LAUNCH = """mutation { launchRun(executionParams: {
    selector: { repositoryLocationName: "nba_predictions.definitions",
                repositoryName: "__repository__", jobName: "maintenance" },
    runConfigData: "{ops: {remove_expired_data: {config: {dry_run: true}}}}"
}) { __typename ... on PythonError { message } ... on LaunchRunSuccess { run { runId } } } }"""
BODY = json.dumps({"query": LAUNCH})
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served_ui(tmp_path_factory.mktemp("dev"), {}) as running:
        yield running


def send(
    server: Server, method: str, target: str, headers: dict[str, str], body: str | None = None
) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    try:
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def runs(server: Server) -> int:
    found = ask(server, "{ runsOrError { ... on Runs { results { runId } } } }")
    return len(found["runsOrError"]["results"])


@pytest.mark.parametrize(
    ("method", "target", "headers", "body", "status"),
    [
        # <img src="...">, a link, and a form that sends its fields in the address.
        ("GET", f"/graphql?{urlencode({'query': LAUNCH})}", {}, None, 405),
        ("POST", f"/graphql?{urlencode({'query': LAUNCH})}", {"Origin": EVIL}, None, 403),
        # fetch(..., {mode: "no-cors"}) and a form send this type without permission.
        ("POST", "/graphql", {"Content-Type": "text/plain", "Origin": EVIL}, BODY, 403),
        ("POST", "/graphql", {"Content-Type": "text/plain"}, BODY, 415),
        ("POST", "/graphql", {"Content-Type": "text/plain; application/json"}, BODY, 415),
        ("POST", "/graphql", {**JSON, "Origin": EVIL}, BODY, 403),
        ("POST", "/graphql", {**JSON, "Sec-Fetch-Site": "cross-site"}, BODY, 403),
        # The name of the page resolves to 127.0.0.1: both have the same origin.
        ("POST", "/graphql", {**JSON, "Host": "evil.example", "Origin": EVIL}, BODY, 403),
        ("POST", "/graphql", {**JSON, "Host": "evil.example"}, BODY, 403),
        ("POST", "/report_asset_materialization/slate", {"Origin": EVIL}, "", 403),
        ("POST", "/report_asset_materialization/slate", {}, "", 415),
    ],
)
def test_another_page_cannot_launch_a_run(
    server: Server,
    method: str,
    target: str,
    headers: dict[str, str],
    body: str | None,
    status: int,
) -> None:
    before = runs(server)
    answered, text = send(server, method, target, headers, body)
    assert answered == status
    assert text.startswith("nba-predictions: ")
    assert runs(server) == before


def test_the_same_mutation_from_the_ui_launches_a_run(server: Server) -> None:
    before = runs(server)
    headers = {**JSON, "Origin": server.address, "Sec-Fetch-Site": "same-origin"}
    status, text = send(server, "POST", "/graphql", headers, BODY)
    assert (status, json.loads(text)["data"]["launchRun"]["__typename"]) == (
        200,
        "LaunchRunSuccess",
    )
    assert runs(server) == before + 1


def test_only_pages_of_the_ui_open_a_web_socket(server: Server) -> None:
    address = f"ws://127.0.0.1:{server.port}/graphql"
    protocols = [Subprotocol("graphql-ws")]
    with connect(address, subprotocols=protocols, origin=Origin(server.address)) as socket_of_page:
        socket_of_page.send(json.dumps({"type": "connection_init"}))
        assert json.loads(socket_of_page.recv()) == {"type": "connection_ack"}
    with pytest.raises(InvalidStatus) as refused:
        connect(address, subprotocols=protocols, origin=Origin(EVIL))
    assert refused.value.response.status_code == 403


def test_the_last_line_of_the_start_is_the_address_which_alerts_link_to(server: Server) -> None:
    address = f"http://localhost:{server.port}"
    wait_until(lambda: address in server.end_of_log(), server.process)
    assert server.end_of_log().splitlines()[-1] == f"The Dagster UI is at {address}"
    query = """{ topLevelResourceDetailsOrError(resourceSelector: {
        repositoryLocationName: "nba_predictions.definitions",
        repositoryName: "__repository__", resourceName: "settings"
    }) { ... on ResourceDetails { configuredValues { key value } } } }"""
    details = ask(server, query)["topLevelResourceDetailsOrError"]
    values = {each["key"]: each["value"] for each in details["configuredValues"]}
    # The definitions that evaluate the alert sensors.
    assert json.loads(values["values"])["ui_url"] == address


def test_all_processes_end_with_it(tmp_path: Path) -> None:
    with served_ui(tmp_path, {}) as server:
        group = os.getpgid(server.process.pid)
        processes = processes_of(group)
        for part in ("dagster._daemon", "code-server"):
            assert any(part in command for command in processes.values()), processes
        (dev,) = (p for p, c in processes.items() if "cli dev" in c and p != server.process.pid)
        os.kill(dev, signal.SIGTERM)
        assert wait_until(lambda: server.process.poll() is not None)
        assert server.process.returncode == 0, server.end_of_log()
        assert wait_until(lambda: not processes_of(group)), processes_of(group)


def processes_of(group: int) -> dict[int, str]:
    """Return the commands of a process group by process."""
    listed = subprocess.run(
        ["ps", "-eo", "pid=,pgid=,args="], capture_output=True, text=True, check=True
    )
    lines = (line.split(maxsplit=2) for line in listed.stdout.splitlines())
    return {int(pid): args for pid, pgid, args in lines if int(pgid) == group}


def test_a_used_port_is_named_with_another_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("NBA_PREDICTIONS_HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", f"{tmp_path}/dagster")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["dev", "--port", str(port)]) == 2
    assert capsys.readouterr().err == (
        f"nba-predictions: cannot listen on port {port} of 127.0.0.1: Address already in use; end "
        "the program that uses the port, or choose another one, for example "
        f"make dev PORT={port + 1}\n"
    )


@pytest.mark.parametrize(
    ("configured", "used"),
    [("", "http://localhost:3999"), ("https://ui.example.com", "https://ui.example.com")],
)
def test_alerts_link_to_the_configured_address_or_to_the_port(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, configured: str, used: str
) -> None:
    monkeypatch.setenv("NBA_PREDICTIONS_HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", f"{tmp_path}/dagster")
    monkeypatch.setenv("NBA_PREDICTIONS_UI_URL", configured)
    served: list[tuple[str, int]] = []

    def run_dev(settings: Settings, port: int) -> int:
        served.append((settings.ui_url, port))
        return 0

    monkeypatch.setattr("nba_predictions.cli.webserver.run_dev", run_dev)
    assert main(["dev", "--port", "3999"]) == 0
    # The processes that it starts read the variable.
    assert served == [(os.environ["NBA_PREDICTIONS_UI_URL"], 3999)] == [(used, 3999)]


def test_a_port_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dev", "--port", "70000"]) == 2
    assert "'--port': Input should be less than or equal to 65535" in capsys.readouterr().err
