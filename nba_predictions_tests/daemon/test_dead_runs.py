"""Runs that are cut off or hang under a real daemon: they end, and their date is completed."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import dagster as dg
import pytest

from nba_predictions_tests.daemon.conftest import MakeHome
from nba_predictions_tests.daemon.tree import DATES
from nba_predictions_tests.daemon.variables import SENSED, STRIKES
from nba_predictions_tests.dagster_internals import forget_failures
from nba_predictions_tests.waiting import wait_until

DAY = DATES[0]
_R = dg.DagsterRunStatus


def struck(call: str, moment: str, kind: str) -> dict[str, str]:
    return {
        SENSED: DAY.isoformat(),
        STRIKES: json.dumps({DAY.isoformat(): [call, moment, kind]}),
    }


@pytest.mark.parametrize(
    "call", ["MERGE", "move the batch to cleaned"], ids=["unfinished", "finished"]
)
def test_a_run_killed_with_its_daemon_is_retried_after_the_restart(
    make_home: MakeHome, undisturbed: dict[date, Any], call: str
) -> None:
    home = make_home(**struck(call, "after", "kill all"))
    home.finish([DAY])
    home.check([DAY], undisturbed)
    retry, dead = home.runs(job="nightly_predictions")
    assert (dead.status, retry.status) == (_R.FAILURE, _R.SUCCESS)
    assert retry.parent_run_id == dead.run_id
    kept = ("dagster/partition", "dagster/run_key", "dagster/max_runtime", "nba_predictions/slot")
    assert {key: retry.tags[key] for key in kept} == {key: dead.tags[key] for key in kept}


def test_a_run_killed_while_it_starts_is_retried_after_the_restart(
    make_home: MakeHome, undisturbed: dict[date, Any]
) -> None:
    home = make_home(**{SENSED: DAY.isoformat()})
    with home.daemon() as daemon:
        assert wait_until(lambda: home.runs(_R.STARTING), daemon), home.report()
    assert [run.status for run in home.runs()] == [_R.STARTING]
    home.finish([DAY])
    home.check([DAY], undisturbed)


def test_a_dead_run_that_dagster_forgets_to_retry_is_retried(
    make_home: MakeHome, undisturbed: dict[date, Any]
) -> None:
    home = make_home(**struck("MERGE", "after", "kill all"))
    with home.daemon() as daemon:
        wait_until(lambda: False, daemon)
    with home.instance() as instance:
        (dead,) = instance.get_runs()
        instance.report_run_failed(dead)
        forget_failures(instance)
    home.finish([DAY])
    home.check([DAY], undisturbed)
    retry, reported = home.runs(job="nightly_predictions")
    assert retry.parent_run_id == reported.run_id
    assert reported.tags["nba_predictions/retry_reminders"] == "1"


def test_a_hanging_run_is_ended_and_publication_does_not_wait_for_it(
    make_home: MakeHome, undisturbed: dict[date, Any]
) -> None:
    home = make_home(
        NBA_PREDICTIONS_MAX_RUN_SECONDS="60",
        **struck("move the batch to cleaned", "after", "hang"),
    )
    with home.daemon() as daemon:
        published = lambda: home.runs(_R.SUCCESS, job="publish_phase5_completion")  # noqa: E731
        assert wait_until(published, daemon), home.report()
        (hanging,) = home.runs(job="nightly_predictions")
        assert hanging.status is _R.STARTED
        assert wait_until(lambda: home.is_done([DAY]), daemon), home.report()
    retry, ended = home.runs(job="nightly_predictions")
    assert (ended.status, retry.status) == (_R.FAILURE, _R.SUCCESS)
    home.check([DAY], undisturbed)
