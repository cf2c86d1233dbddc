"""Start and stop the servers of the tests: free ports, process groups and logs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

#: The program that ends its command when this process ends.
_KEEPER = Path(__file__).parent / "standins" / "keeper.py"


def free_port() -> int:
    """Return a free local port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_kept(
    command: Sequence[str],
    log: Path,
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a server that ends with this process, with its output in `log`.

    It runs in a new session, so it is stopped with all its child processes, and keys of the
    terminal do not reach it.
    """
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, str(_KEEPER), *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=folder,
            env=environment,
        )


def kill_kept(process: subprocess.Popen[bytes]) -> None:
    """Kill the keeper, its command and all child processes. They are one process group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def end_of_log(log: Path, lines: int = 20) -> str:
    """Return the last lines of a log."""
    return "\n".join(log.read_text("utf-8", "replace").splitlines()[-lines:])
