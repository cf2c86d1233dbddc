"""The daemon, its code server and its runs are killed at random moments, again and again."""

from __future__ import annotations

import os
import random
import sys
import time
from collections import Counter
from dataclasses import replace
from datetime import date
from typing import Any

import dagster as dg

from nba_predictions_tests.daemon.conftest import MakeHome
from nba_predictions_tests.daemon.tree import DATES, UNFINISHED, Home
from nba_predictions_tests.daemon.variables import SCHEDULED, SENSED
from nba_predictions_tests.waiting import wait_until

KILLS = int(os.environ.get("NBA_PREDICTIONS_TEST_KILLS", "20"))
SEED = int(os.environ.get("NBA_PREDICTIONS_TEST_SEED", "1"))
#: The longest time in seconds that a run goes on after it was seen to start. Some runs end first.
_LONGEST_PAUSE = 8.0
#: Dates become due one after another, so that no run is killed more often than runs are retried.
_AT_ONCE = 2


def test_schedules_and_sensors_complete_every_date_after_random_kills(
    make_home: MakeHome, undisturbed: dict[date, Any]
) -> None:
    rng = random.Random(SEED)
    home, met = make_home(), Counter[str]()
    for kill in range(KILLS):
        due = DATES[: max(_AT_ONCE, len(done(home)) + 1, kill * len(DATES) // KILLS + 1)]
        wanted = rng.choice((dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED))
        with requesting(home, due).daemon() as daemon:

            def is_met() -> bool:
                return bool(home.runs(wanted)) or home.is_done(due)  # noqa: B023

            assert wait_until(is_met, daemon), home.report()
            time.sleep(rng.uniform(0, _LONGEST_PAUSE))
            met.update([run.status.value for run in home.runs(*UNFINISHED)] or ["no run"])
    requesting(home, DATES).finish(DATES)
    home.check(DATES, undisturbed)
    sys.stdout.write(f"KILLS kills={KILLS} seed={SEED} dates={len(DATES)} met={dict(met)}\n")
    assert met["STARTING"]
    assert met["STARTED"]


def requesting(home: Home, dates: tuple[date, ...]) -> Home:
    """Let the schedule request the first date, and a sensor the others."""
    first, *others = (day.isoformat() for day in dates)
    return replace(home, variables={SCHEDULED: first, SENSED: " ".join(others)})


def done(home: Home) -> list[date]:
    return [day for day in DATES if home.is_done([day])]
