"""Run a command with stand-ins for all three services: `python -m ... COMMAND [ARGUMENT...]`."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack

from nba_predictions_tests.standins.processes import VARIABLES, start


def main(command: list[str]) -> int:
    if not command:
        print(
            "usage: python -m nba_predictions_tests.standins COMMAND [ARGUMENT...]", file=sys.stderr
        )
        return 2
    with ExitStack() as stack:
        running = [stack.enter_context(start(service)) for service in VARIABLES]
        served = ", ".join(f"{s.service} by {s.kind} at {s.address}" for s in running)
        print(f"stand-ins: {served}", file=sys.stderr)
        environment = {name: value for s in running for name, value in s.environment.items()}
        return subprocess.run(command, env={**os.environ, **environment}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
