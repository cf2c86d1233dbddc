"""Start `nba-predictions dev` on a new home."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
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
    """`nba-predictions dev` did not start. The message ends with its log."""


@dataclass(frozen=True)
class Server:
    """A running `nba-predictions dev`, its port and its home."""

    process: subprocess.Popen[bytes]

    port: int
    home: Path
    log: Path

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def end_of_log(self) -> str:
        return end_of_log(self.log, 60)


@contextmanager
def served_ui(home: Path, settings: Mapping[str, str]) -> Iterator[Server]:
    """Start `nba-predictions dev`, wait for its definitions, and stop it at the end.

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
        "DAGSTER_HOME": str(home / "dagster"),
        **settings,
    }
    home.mkdir(parents=True, exist_ok=True)
    port, log = free_port(), home / "dev.log"
    command = [sys.executable, "-m", "nba_predictions.cli", "dev", "--port", str(port)]
    process = start_kept(command, log, folder=REPOSITORY, environment=environment)
    server = Server(process, port, home, log)
    try:
        _wait(server)
        yield server
    finally:
        kill_kept(process)


def _wait(server: Server) -> None:
    wait_until(lambda: _state(server), server.process)
    if (state := _state(server)) != "LOADED":
        raise StartError(
            f"nba-predictions dev is not ready at {server.address} {state}; the end of its log:\n"
            + server.end_of_log()
        )


def _state(server: Server) -> str:
    """Return LOADED, the error of the definitions, or an empty string while they load."""
    workspace = ask(server, _LOADED).get("workspaceOrError", {})
    entries = workspace.get("locationEntries") or []
    if not entries or any(entry["loadStatus"] != "LOADED" for entry in entries):
        return ""
    results = [entry["locationOrLoadError"] for entry in entries]
    errors = [r.get("message", "") for r in results if r["__typename"] == "PythonError"]
    return "\n".join(errors) if errors else "LOADED"


def ask(server: Server, query: str) -> dict[str, Any]:
    """Return the data of a GraphQL query, without data if the server does not answer."""
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
