"""Days with live sources under the real daemon, with faults of the services at random.

The clock of the pipeline runs at normal speed, so the daemon is started at the moments of a day at
which something is due, and stopped when that is done: in the morning, when yesterday is graded and
today is predicted, and before a wave of tip-offs. On the second day, the clocks go back.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import dagster as dg

from nba_predictions.batch_store.sqlite_store import SQLiteBatchStore
from nba_predictions.cli.fetching import seed_history
from nba_predictions.domain import clock
from nba_predictions.domain.batches.batch import BatchState
from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.domain.policies.day_plan import WAVE_LEAD, waves
from nba_predictions.domain.tables import RESULTS
from nba_predictions.inputs.landing.zone import LandingZone
from nba_predictions.nightly.slate import games_of
from nba_predictions_tests.daemon.tree import UNFINISHED, Home
from nba_predictions_tests.live import Live, eastern
from nba_predictions_tests.standins.live import Fault, LiveStandIn
from nba_predictions_tests.waiting import wait_until

DAYS = int(os.environ.get("NBA_PREDICTIONS_TEST_LIVE_DAYS", "2"))
SEED = int(os.environ.get("NBA_PREDICTIONS_TEST_SEED", "1"))
#: The Saturday before the clocks go back.
FIRST = date(2026, 10, 31)
#: The fault, the services that have it, and its options.
FAULTS: list[tuple[str, tuple[str, ...], dict[str, object]]] = [
    ("hang", ("stats", "cdn", "espn", "injury"), {}),
    ("error_500", ("stats", "cdn", "espn", "odds", "injury"), {}),
    ("error_503", ("stats", "cdn", "espn", "odds", "injury"), {}),
    ("html_200", ("stats", "cdn", "espn", "odds", "injury"), {}),
    ("empty_200", ("stats", "cdn", "espn", "injury"), {}),
    ("truncated", ("stats", "cdn", "espn", "odds"), {}),
    ("too_many_429", ("stats", "odds"), {"retry_after": 1}),
    ("reports_missing", ("injury",), {}),
]


class Week:
    """The daemon of a home that lives from moment to moment."""

    def __init__(self, live: Live, rng: random.Random) -> None:
        self.live = live
        self.met: Counter[str] = Counter()
        self._rng = rng
        self._home = Home(
            live.home, live.home, module="nba_predictions_tests.daemon.live_code_location"
        )

    def prepare(self) -> None:
        replace(self._home, variables=self.live.environment).prepare()

    def visit(self, moment: datetime, is_done: Callable[[], bool], *, faults: bool = True) -> None:
        """Start the daemon at a moment, and stop it when everything is done."""
        clock.start_at(moment)
        standin = self.live.standin
        standin.faults = self._faults() if faults else []
        variables = {
            **self.live.environment,
            **{name: os.environ[name] for name in (clock.NOW_VARIABLE, clock._STARTED_VARIABLE)},
        }
        home = replace(self._home, variables=variables)
        began = time.monotonic()
        with home.daemon() as daemon:
            done = wait_until(lambda: is_done() and not home.runs(*UNFINISHED), daemon)
            assert done, f"{moment}: {standin.faults}\n{home.report()}"
        sys.stdout.write(f"{moment:%Y-%m-%d %H:%M} took {time.monotonic() - began:.0f} s\n")
        self.met.update(name for fault in standin.faults for name in [fault.name] * fault.strikes)

    def _faults(self) -> list[Fault]:
        chosen = self._rng.sample(FAULTS, 3)
        return [
            Fault(name, self._rng.choice(providers), probability=0.4, **options)  # type: ignore[arg-type]
            for name, providers, options in chosen
        ]

    # What is expected

    def is_published(self, day: date) -> bool:
        store = SQLiteBatchStore(self.live.home / "batches.sqlite")
        newest = next(iter(store.of_date(day)), None)
        return newest is not None and newest.state is BatchState.PUBLISHED

    def is_refreshed(self, day: date) -> bool:
        """Return whether a run of the wave has ended, and its changes are published."""
        ended = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE)
        runs = self._home.runs(*ended, job="refresh_predictions")
        of_wave = [r for r in runs if r.tags["dagster/run_key"].startswith(f"{day}:wave")]
        return bool(of_wave) and self.is_published(day)

    def is_graded(self, day: date) -> bool:
        """Return whether a run graded the date with the box scores of each game."""
        ended = self._home.runs(dg.DagsterRunStatus.SUCCESS, job="grade_predictions")
        if not any(run.tags["dagster/partition"] == str(day) for run in ended):
            return False
        with self.live.pipeline() as pipeline:
            games = {game.game_id for game in games_of(pipeline.league.schedule(day))}
            return games == set(pipeline.league.box_scores(day)["game_id"])


def test_each_day_is_predicted_refreshed_published_and_graded(
    standin: LiveStandIn, tmp_path: Path
) -> None:
    standin.hang_seconds = 3
    variables = {"NBA_PREDICTIONS_REQUEST_TIMEOUT_SECONDS": "1"}
    live = Live(tmp_path / "home", standin, variables)
    week = Week(live, random.Random(SEED))
    days = [FIRST + timedelta(days=number) for number in range(DAYS)]
    live.at(6, 30, FIRST)
    assert seed_history(live.settings, 1, injuries=False) == 0
    shutil.rmtree(live.home / "dagster")
    week.prepare()
    for day in days:
        week.visit(eastern(7, 0, day), lambda: week.is_published(day))  # noqa: B023
        wave = waves(day, week.live.games(day))[-1]
        at = wave.tipoff - WAVE_LEAD + timedelta(seconds=1)
        week.visit(at, lambda: week.is_refreshed(day))  # noqa: B023
    after = days[-1] + timedelta(days=1)
    week.visit(eastern(6, 5, after), lambda: all(map(week.is_graded, days)), faults=False)
    check(week, days)


def check(week: Week, days: list[date]) -> None:
    zone = LandingZone(week.live.landing)
    with week.live.pipeline() as pipeline:
        verdicts = {day: pipeline.audit(day).verdict for day in days}
    assert set(verdicts.values()) == {Verdict.COMPLETE}, verdicts
    spent = [
        zone.spent("odds_api", eastern(0, 0, day), eastern(0, 0, day + timedelta(days=1)))
        for day in days
    ]
    assert all(0 < cost <= 32 for cost in spent)
    assert sum(spent) == week.live.standin.credits_used
    for day in days:
        assert week.live.rows(day=day) == week.live.rows(RESULTS, day) > 0
        batches = SQLiteBatchStore(week.live.home / "batches.sqlite").of_date(day)
        assert [b.state for b in batches if b.state is not BatchState.FAILED] == [
            BatchState.PUBLISHED
        ]
    requests = Counter(request.provider for request in week.live.standin.requests)
    sys.stdout.write(
        f"WEEK days={len(days)} seed={SEED} credits={spent} requests={dict(requests)} "
        f"faults={dict(week.met)}\n"
    )
    assert sum(week.met.values()) >= len(days)
