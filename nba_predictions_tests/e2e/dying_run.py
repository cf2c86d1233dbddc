"""A night that is killed in the middle, in a process of its own: no clean-up, no farewell.

    python -m nba_predictions_tests.e2e.dying_run HOME DAGSTER_HOME MODELS MOMENT

MOMENT is `staging` (after ten players are staged, before their completions can all be recorded) or
`merge` (after the MERGE is in the target, before the ledger knows of it).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg

from nba_predictions_tests.e2e.pipeline import Pipeline, small_league

STAGED_BEFORE_DEATH = 10


def die(real: Any, *arguments: Any) -> Any:
    real(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)


class DieAfter:
    """Lets a number of calls through, and kills the process in the next one."""

    def __init__(self, calls: int) -> None:
        self._left = calls
        self._lock = threading.Lock()

    def __call__(self, real: Any, *arguments: Any) -> Any:
        with self._lock:
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            self._left -= 1
            return real(*arguments)


def main(home: str, dagster_home: str, models: str, moment: str) -> None:
    instance = dg.DagsterInstance.local_temp(dagster_home)
    pipeline = Pipeline.build(Path(home), small_league(), instance=instance, models_in=Path(models))
    faults: dict[str, tuple[str, Callable[..., Any]]] = {
        "staging": ("stage", DieAfter(STAGED_BEFORE_DEATH)),
        "merge": ("merge", die),
    }
    method, fault = faults[moment]
    with pipeline.warehouse.broken(method, fault):
        pipeline.predict()


if __name__ == "__main__":
    main(*sys.argv[1:])
