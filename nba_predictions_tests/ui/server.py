"""Start `dagster dev` on a new home."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nba_predictions_tests.conftest import REPOSITORY
from nba_predictions_tests.servers import end_of_log, free_port, kill_kept, start_kept
from nba_predictions_tests.waiting import wait_until

#: The longest time until web server, daemon and code location are ready, on a busy machine.
_LOADED = """{ workspaceOrError { __typename ... on Workspace { locationEntries {
    loadStatus locationOrLoadError { __typename ... on PythonError { message } } } } } }"""


class StartError(RuntimeError):
    """`dagster dev` did not start. The message ends with its log."""


@dataclass(frozen=True)
class Server:
    """A running `dagster dev`, its port and its home."""

    port: int
    home: Path
    data: Path
    log: Path

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def end_of_log(self) -> str:
        return end_of_log(self.log, 60)


@contextmanager
def dagster_dev(home: Path, data: Path) -> Iterator[Server]:
    """Start `dagster dev` like `make dev`, wait for its definitions, and stop it at the end.

    Raises:
        StartError: it exited, was not ready in time, or could not load the definitions.
    """
    environment = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("NBA_PREDICTIONS_", "DAGSTER_", "PYTEST_"))
    }
    environment |= {
        "NBA_PREDICTIONS_HOME": str(home),
        "NBA_PREDICTIONS_SOURCE": "files",
        "NBA_PREDICTIONS_DATA": str(data),
        "DAGSTER_HOME": str(home / "dagster"),
    }
    python = sys.executable
    init = [python, "-m", "nba_predictions.cli", "init"]
    subprocess.run(init, cwd=REPOSITORY, env=environment, check=True)
    server = Server(free_port(), home, data, home / "dagster_dev.log")
    dev = [python, "-m", "dagster", "dev", "--workspace", "workspace.yaml"]
    command = [*dev, "--port", str(server.port)]
    process = start_kept(command, server.log, folder=REPOSITORY, environment=environment)
    try:
        _wait(server, process)
        yield server
    finally:
        kill_kept(process)


def _wait(server: Server, process: subprocess.Popen[bytes]) -> None:
    wait_until(lambda: _state(server), process)
    if (state := _state(server)) != "LOADED":
        raise StartError(
            f"dagster dev is not ready at {server.address} {state}; the end of its log:\n"
            + server.end_of_log()
        )


def _state(server: Server) -> str:
    """Return LOADED, the error of the definitions, or an empty string while they load."""
    workspace = _ask(server, _LOADED).get("workspaceOrError", {})
    entries = workspace.get("locationEntries") or []
    if not entries or any(entry["loadStatus"] != "LOADED" for entry in entries):
        return ""
    results = [entry["locationOrLoadError"] for entry in entries]
    errors = [r.get("message", "") for r in results if r["__typename"] == "PythonError"]
    return "\n".join(errors) if errors else "LOADED"


def _ask(server: Server, query: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        body = json.dumps({"query": query})
        connection.request("POST", "/graphql", body, {"Content-Type": "application/json"})
        answer = connection.getresponse().read()
        return dict(json.loads(answer).get("data") or {})
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    finally:
        connection.close()
