"""Races of two workers: each ends without duplicate keys and without lost rows."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from tenacity import wait_none

from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.nightly.leases import date_lease
from nba_predictions.nightly.replay import batch_to_replay, players_to_replay
from nba_predictions.nightly.staging import stage_players
from nba_predictions_tests.examples import GAME_DATE, rows_of
from nba_predictions_tests.faults.matrix import recovery
from nba_predictions_tests.faults.strikes import in_another_process
from nba_predictions_tests.nights import (
    ROWS,
    SLATE,
    Parts,
    Scene,
    clean,
    embedded_scene,
    merge,
    publish,
    stage,
)

#: Races depend on chance, so each is repeated. `make races` runs a hundred of each.
TRIALS = int(os.environ.get("NBA_PREDICTIONS_TEST_RACES", "20"))
#: On the stand-ins, each trial takes seconds.
CLOUD_TRIALS = 2
REPLAYED = "lukadoncic"


def at_once(*actions: Callable[[], Any]) -> list[Any]:
    """Start all actions at the same moment; return the result or exception of each."""
    start = Barrier(len(actions))

    def run(action: Callable[[], Any]) -> Any:
        start.wait()
        # The workers meet at a different moment in each trial.
        time.sleep(random.uniform(0, 0.02))
        try:
            return action()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))


def check(scene: Scene, undisturbed: list[dict[str, Any]]) -> None:
    recovery(scene)
    assert scene.table() == undisturbed
    parts = scene.home.open()
    newest = parts.batches.of_date(GAME_DATE)[0]
    target = parts.warehouse.count(PREDICTIONS, GAME_DATE, newest.batch_id)
    assert (target.batch_rows, target.duplicate_keys) == (ROWS, 0)
    assert scene.staging_left() == []
    assert scene.audit().verdict is Verdict.COMPLETE


def two_consolidations(scene: Scene) -> list[Any]:
    one, other = scene.home.open(), scene.home.open()
    stage(one, "run_1")

    def merge_and_clean(parts: Parts, run_id: str) -> list[str]:
        problems = merge(parts, run_id)
        clean(parts, run_id)
        return problems

    return at_once(lambda: merge_and_clean(one, "run_1"), lambda: merge_and_clean(other, "run_2"))


def two_nights(scene: Scene) -> list[Any]:
    runs = ("run_1", "run_2")
    at_once(*(lambda run_id=run_id: in_another_process(scene.home, run_id) for run_id in runs))
    return []


def replay(parts: Parts, mean: float) -> None:
    """Do what the job `replay_players` does up to the merge."""
    batch = batch_to_replay(parts.batches, SLATE)
    players = players_to_replay(batch, SLATE, parts.batches, [REPLAYED])
    with date_lease(batch.game_date, parts.batches, run_id="replay") as lease:
        staged = stage_players(
            batch,
            players,
            lambda player: rows_of(player, batch.batch_id, mean=mean),
            parts.batches,
            parts.warehouse,
            run_id="replay",
            wait=wait_none(),
            replay_lease=lease,
        )
        assert [player.error for player in staged] == [None]


def a_replay_during_a_consolidation(scene: Scene) -> list[Any]:
    one, other = scene.home.open(), scene.home.open()
    stage(one, "run_1")

    def consolidation() -> None:
        merge(one, "run_1")
        clean(one, "run_1")
        publish(one, "run_1")

    def replaying() -> None:
        # The mean of an undisturbed night, so that the tables can be compared.
        replay(other, 21.37)
        merge(other, "replay")
        clean(other, "replay")

    return at_once(consolidation, replaying)


RACES = (two_consolidations, two_nights, a_replay_during_a_consolidation)


@pytest.mark.usefixtures("short_leases")
@pytest.mark.parametrize("race", RACES, ids=lambda race: race.__name__)
def test_races_end_in_the_table_of_an_undisturbed_night(
    tmp_path: Path, undisturbed: list[dict[str, Any]], race: Callable[[Scene], list[Any]]
) -> None:
    for trial in range(TRIALS):
        scene = embedded_scene(tmp_path / str(trial))
        race(scene)
        check(scene, undisturbed)


@pytest.mark.usefixtures("short_leases")
@pytest.mark.parametrize("trial", range(CLOUD_TRIALS))
@pytest.mark.parametrize("race", RACES, ids=lambda race: race.__name__)
def test_races_on_google_cloud(
    gcp_scene: Scene,
    undisturbed: list[dict[str, Any]],
    race: Callable[[Scene], list[Any]],
    trial: int,
) -> None:
    race(gcp_scene)
    check(gcp_scene, undisturbed)
