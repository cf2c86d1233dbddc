"""Run a command until the parent process ends, which closes standard input."""

import os
import select
import signal
import subprocess
import sys


def main() -> int:
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    while child.poll() is None:
        if select.select([sys.stdin], [], [], 0.5)[0]:
            os.killpg(0, signal.SIGKILL)
    return child.returncode


if __name__ == "__main__":
    sys.exit(main())
