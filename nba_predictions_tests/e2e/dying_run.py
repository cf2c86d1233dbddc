"""Run a night that kills its own process at a write, without any cleanup.

    python -m nba_predictions_tests.e2e.dying_run HOME DAGSTER_HOME MODELS "before|after CALL"

CALL is a write of the night, named as in nba_predictions_tests.faults.strikes. The night is the
nightly job and the runs that its sensor then requests.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import dagster as dg

from nba_predictions.nightly import leases
from nba_predictions_tests.e2e.pipeline import Pipeline, two_game_league
from nba_predictions_tests.faults.strikes import SHORT_LEASE, Boundary, watched
from nba_predictions_tests.nights import Parts


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(home: str, dagster_home: str, models: str, moment: str) -> None:
    instance = dg.DagsterInstance.local_temp(dagster_home)
    pipeline = Pipeline.build(
        Path(home), two_game_league(), instance=instance, models_in=Path(models)
    )
    when, _, call = moment.partition(" ")
    names = ("batches", "warehouse", "publisher")
    real: dict[str, Any] = {name: pipeline.resources[name] for name in names}
    parts, _, _ = watched(Parts(**real), Boundary(call, when), die)
    dying = pipeline.with_resources(**{name: getattr(parts, name) for name in names})
    # These tests do not exercise leases: the lease of a dead worker expires soon.
    with mock.patch.object(leases, "LEASE_TTL", SHORT_LEASE):
        dying.predict()
        for request in dying.tick():
            dying.publish(request)


if __name__ == "__main__":
    main(*sys.argv[1:])
