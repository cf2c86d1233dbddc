"""Serve the Dagster UI behind its guard, alone or with the daemon and a code server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import dagster as dg
import uvicorn
from dagster_webserver.app import create_app_from_workspace_process_context

from nba_predictions.domain.errors import SettingsError
from nba_predictions.orchestration.dagster_internals import (
    IWorkspaceProcessContext,
    code_server,
    daemon_command,
    webserver_context,
)
from nba_predictions.orchestration.ui_guard import Guard
from nba_predictions.settings import Settings

_LOCAL = "127.0.0.1"
#: How long the webserver waits for its connections when it ends, and `dev` for its daemon.
_GRACE_SECONDS = 5
_DAEMON_GRACE_SECONDS = 60


def run_dev(settings: Settings, port: int) -> int:
    """Serve the UI on this machine with a daemon and a code server, until a signal.

    The last line of the start is the address of the UI.

    Raises:
        SettingsError: another program uses the port.
    """
    # Before the slow start, so that a used port is reported at once.
    listener = _listen(_LOCAL, port, f"make dev PORT={port + 1}")
    with (
        _ended_by_signals(),
        dg.DagsterInstance.get() as instance,
        code_server(instance, "nba_predictions.definitions") as workspace,
        _daemon(workspace) as daemon,
        webserver_context(instance, workspace) as context,
    ):
        server = _server(context, settings, f"The Dagster UI is at http://localhost:{port}")
        # A UI without a daemon would accept runs that nothing starts.
        threading.Thread(target=lambda: _end_with(daemon, server), daemon=True).start()
        server.run(sockets=[listener])
        print("nba-predictions: the Dagster daemon ended by itself", file=sys.stderr)
        return 1
    return 0


def run_webserver(
    settings: Settings, workspace: Path, host: str, port: int, *, read_only: bool
) -> int:
    """Serve the UI for the code locations of a workspace file, until a signal.

    Raises:
        SettingsError: another program uses the port.
    """
    listener = _listen(host, port, f"--port {port + 1}")
    with (
        _ended_by_signals(),
        dg.DagsterInstance.get() as instance,
        webserver_context(instance, workspace, read_only=read_only) as context,
    ):
        server = _server(context, settings, f"The Dagster UI listens on {host}, port {port}")
        server.run(sockets=[listener])
    return 0


class _Server(uvicorn.Server):
    """A server that prints a line when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: str) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(self._ready, flush=True)


def _server(context: IWorkspaceProcessContext, settings: Settings, ready: str) -> _Server:
    """Return a server of Dagster's webserver behind the guard."""
    app = create_app_from_workspace_process_context(context)
    token = settings.ui_token.get_secret_value() if settings.ui_token else None
    guard = Guard(app, settings.ui_url, settings.ui_hosts, token)
    # An open page of the UI keeps a connection open.
    config = uvicorn.Config(guard, log_level="warning", timeout_graceful_shutdown=_GRACE_SECONDS)
    return _Server(config, ready)


def _listen(host: str, port: int, fix: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise SettingsError(
            f"cannot listen on port {port} of {host}: {os.strerror(error.errno or 0)}; end the "
            f"program that uses the port, or choose another one, for example {fix}"
        ) from error


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """End the block, and all that it started, at Ctrl+C, SIGTERM or the end of the terminal."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        yield


@contextmanager
def _daemon(workspace: Path) -> Iterator[subprocess.Popen[bytes]]:
    daemon = subprocess.Popen(daemon_command(workspace))
    try:
        yield daemon
    finally:
        daemon.terminate()
        try:
            daemon.wait(_DAEMON_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            daemon.kill()


def _end_with(daemon: subprocess.Popen[bytes], server: uvicorn.Server) -> None:
    daemon.wait()
    server.should_exit = True
