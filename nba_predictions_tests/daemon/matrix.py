"""Kill a run at a write under the real daemon and run queue: a column of the fault matrix."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg

from nba_predictions_tests.daemon.tree import (
    DATES,
    Home,
    new_home,
    rows_of,
    undisturbed_nights,
)
from nba_predictions_tests.daemon.variables import SENSED, STRIKES
from nba_predictions_tests.e2e.pipeline import Pipeline
from nba_predictions_tests.faults.strikes import Boundary

#: The players of the matrix, whose place players of a date take: two staged ones, a skipped one.
_STAGED, _SKIPPED = ("lukadoncic", "zachcollins"), "joelembiid"


def by_date(boundaries: Sequence[Boundary]) -> Iterator[dict[date, Boundary]]:
    """Assign a date to each boundary, as many at a time as there are dates."""
    for first in range(0, len(boundaries), len(DATES)):
        yield dict(zip(DATES, boundaries[first:], strict=False))


def killed(
    folder: Path,
    nights: Pipeline,
    undisturbed: Mapping[date, Any],
    boundaries: Mapping[date, Boundary],
) -> dict[Boundary, str]:
    """Let a daemon predict the dates, each with a `kill -9` of its run at a boundary.

    Returns:
        What the daemon did then, by boundary.
    """
    strikes = {
        day.isoformat(): [_of_date(nights, day, boundary.call), boundary.moment, "kill"]
        for day, boundary in boundaries.items()
    }
    variables = {SENSED: " ".join(strikes), STRIKES: json.dumps(strikes)}
    home = new_home(folder, nights, **variables)
    home.finish(tuple(boundaries))
    home.check(tuple(boundaries), undisturbed)
    return {boundary: _outcome(home, day) for day, boundary in boundaries.items()}


def column(folder: Path, boundaries: Sequence[Boundary]) -> dict[Boundary, str]:
    """Return the outcomes at all the boundaries."""
    nights = undisturbed_nights(folder)
    outcomes = {}
    for number, group in enumerate(by_date(boundaries)):
        outcomes.update(killed(folder / f"daemon-{number}", nights, rows_of(nights), group))
    return outcomes


def _of_date(nights: Pipeline, day: date, call: str) -> str:
    """Return the name of a call of the matrix in the night of a date."""
    completions = nights.batches.completions(nights.batch(day).batch_id)
    staged = sorted(c.player_lookup for c in completions if c.rows)
    skipped = sorted(c.player_lookup for c in completions if not c.rows)
    for name, player in zip((*_STAGED, _SKIPPED), (*staged[:2], skipped[0]), strict=True):
        call = call.replace(name, player)
    return call


def _outcome(home: Home, day: date) -> str:
    """Return what completed the date: the retry of the dead run, the next run of a sensor, or none.

    `none` means that the date was complete already.
    """
    runs = [run for run in home.runs() if run.tags.get("dagster/partition") == day.isoformat()]
    (dead,) = (run for run in runs if run.status is dg.DagsterRunStatus.FAILURE)
    newest = next(run for run in runs if run.job_name == dead.job_name)
    if newest.run_id == dead.run_id:
        return "none"
    assert newest.status is dg.DagsterRunStatus.SUCCESS
    return "retry" if newest.parent_run_id == dead.run_id else "sensor"
