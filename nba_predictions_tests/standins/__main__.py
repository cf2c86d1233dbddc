"""Run a command with the stand-ins that a night needs: `python -m ... COMMAND [ARGUMENT...]`."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack

from nba_predictions_tests.standins.processes import start

#: The services that the profile `gcp` uses.
SERVICES = ("bigquery", "firestore", "pubsub")


def main(command: list[str]) -> int:
    if not command:
        print(
            "usage: python -m nba_predictions_tests.standins COMMAND [ARGUMENT...]", file=sys.stderr
        )
        return 2
    with ExitStack() as stack:
        running = [stack.enter_context(start(service)) for service in SERVICES]
        served = ", ".join(f"{s.service} by {s.kind} at {s.address}" for s in running)
        print(f"stand-ins: {served}", file=sys.stderr)
        environment = {name: value for s in running for name, value in s.environment.items()}
        return subprocess.run(command, env={**os.environ, **environment}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
