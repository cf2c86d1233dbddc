"""Wait for something without a time limit that a busy machine exceeds."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import Any

#: The time in seconds after which a test that waits has failed. Nothing takes so long, even on a
#: busy machine.
CEILING_SECONDS = 900.0


def wait_until(holds: Callable[[], Any], *processes: subprocess.Popen[bytes]) -> bool:
    """Wait until `holds()` is true, and return whether it is.

    The wait ends early when one of the processes ends.
    """
    deadline = time.monotonic() + CEILING_SECONDS
    while not holds():
        if time.monotonic() > deadline or any(p.poll() is not None for p in processes):
            return bool(holds())
        time.sleep(0.05)
    return True
