"""A run is frozen by SIGSTOP, and thawed after another run has published newer lines.

`test_matrix_embedded.py` pauses a run at each write of a night. Here the whole process stands
still, with the thread that renews its lease.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions_tests.faults.matrix import check
from nba_predictions_tests.faults.strikes import Boundary, Kind, frozen_in_another_process
from nba_predictions_tests.nights import MOVED, embedded_scene, whole_night


@pytest.mark.usefixtures("short_leases")
@pytest.mark.parametrize(
    "call",
    [
        "stage zachcollins",
        "acquire the lease",
        "MERGE",
        "retire rows",
        "drop staging",
        "publish the message",
    ],
)
def test_a_run_that_is_thawed_changes_nothing_that_a_later_run_wrote(
    tmp_path: Path, undisturbed_after_a_move: list[dict[str, Any]], call: str
) -> None:
    scene = embedded_scene(tmp_path)

    def newer_night() -> None:
        whole_night(scene.home.open(), "run_2", MOVED)
        assert scene.audit().verdict is Verdict.COMPLETE

    frozen_in_another_process(scene.home, "run_1", Boundary(call, "before"), newer_night)
    check(scene, undisturbed_after_a_move, Kind.ZOMBIE)
