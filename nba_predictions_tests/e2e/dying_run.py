"""A night that is killed in the middle, in a process of its own: no clean-up, no farewell.

    python -m nba_predictions_tests.e2e.dying_run HOME DAGSTER_HOME MODELS "before|after CALL"

CALL is a write of the night, as nba_predictions_tests.faults.strikes names it. The night is the job
of the schedule, and then whatever its sensor asks for.
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
    # A dead worker's lease is not what these tests are about: it runs out at once.
    with mock.patch.object(leases, "LEASE_TTL", SHORT_LEASE):
        dying.predict()
        for request in dying.tick():
            dying.publish(request)


if __name__ == "__main__":
    main(*sys.argv[1:])
