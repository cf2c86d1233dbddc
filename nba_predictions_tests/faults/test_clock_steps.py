"""The clock steps by hours, backward or forward, before any write of a night."""

from __future__ import annotations

import datetime as time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from nba_predictions.domain import clock
from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.nightly import leases
from nba_predictions_tests.examples import GAME_DATE
from nba_predictions_tests.faults.matrix import CALLS
from nba_predictions_tests.faults.strikes import SHORT_LEASE, Boundary, watched
from nba_predictions_tests.nights import MOVED, Scene, embedded_scene, whole_night

STEPS = (timedelta(hours=-2), timedelta(hours=2))
Step = Callable[[timedelta], None]


@pytest.fixture
def step_clock(monkeypatch: pytest.MonkeyPatch) -> Step:
    """Return a function that moves the clock of the product by a duration."""
    offset = [timedelta()]

    class Stepping(time.datetime):
        @classmethod
        def now(cls, tz: time.tzinfo | None = None) -> Any:
            return time.datetime.now(tz) + offset[0]

    monkeypatch.setattr(clock, "datetime", Stepping)

    def step(by: timedelta) -> None:
        offset[0] += by

    return step


def assert_newest_lines(scene: Scene, expected: list[dict[str, Any]]) -> None:
    audit = scene.audit()
    assert audit.verdict is Verdict.COMPLETE
    assert audit.count("staging left") == 0
    assert scene.table() == expected
    newest = scene.home.open().batches.of_date(GAME_DATE)[0]
    assert {row["batch_id"] for row in scene.whole_table().to_dicts()} == {newest.batch_id}
    assert scene.messages()[-1].execution_id == newest.batch_id


@pytest.mark.parametrize("by", STEPS, ids=str)
@pytest.mark.parametrize("call", CALLS)
def test_a_night_and_the_next_one_with_newer_lines_end_complete(
    tmp_path: Path,
    step_clock: Step,
    undisturbed: list[dict[str, Any]],
    undisturbed_after_a_move: list[dict[str, Any]],
    call: str,
    by: timedelta,
) -> None:
    scene = embedded_scene(tmp_path)
    parts, _, struck = watched(scene.home.open(), Boundary(call, "before"), lambda: step_clock(by))
    whole_night(parts, "run_1")
    assert struck
    assert_newest_lines(scene, undisturbed)
    whole_night(scene.home.open(), "run_2", MOVED)
    assert_newest_lines(scene, undisturbed_after_a_move)


@pytest.mark.parametrize("by", STEPS, ids=str)
def test_the_clock_steps_between_two_nights(
    tmp_path: Path,
    step_clock: Step,
    undisturbed: list[dict[str, Any]],
    undisturbed_after_a_move: list[dict[str, Any]],
    by: timedelta,
) -> None:
    scene = embedded_scene(tmp_path)
    whole_night(scene.home.open(), "run_1", MOVED)
    step_clock(by)
    whole_night(scene.home.open(), "run_2")
    assert_newest_lines(scene, undisturbed)
    step_clock(-by)
    whole_night(scene.home.open(), "run_3", MOVED)
    assert_newest_lines(scene, undisturbed_after_a_move)


def test_the_lease_of_a_dead_worker_whose_clock_was_ahead_does_not_hold_its_date(
    tmp_path: Path,
    step_clock: Step,
    undisturbed: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leases, "LEASE_TTL", SHORT_LEASE)
    scene = embedded_scene(tmp_path)
    step_clock(timedelta(hours=2))
    scene.home.open().batches.acquire_lease(GAME_DATE, "dead", SHORT_LEASE)
    step_clock(timedelta(hours=-2))
    whole_night(scene.home.open(), "run_1")
    assert_newest_lines(scene, undisturbed)
