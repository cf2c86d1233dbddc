"""The fault matrix on the profile `embedded`: each outcome equals docs/fault-matrix.md."""

from pathlib import Path
from typing import Any

import pytest

from nba_predictions_tests.conftest import REPOSITORY
from nba_predictions_tests.faults.matrix import (
    BOUNDARIES,
    CALLS,
    DAEMON,
    check,
    disturbed,
    documented,
    recovery,
)
from nba_predictions_tests.faults.strikes import Boundary, Kind, watched
from nba_predictions_tests.nights import Scene, embedded_scene, whole_night

OUTCOMES = documented((REPOSITORY / "docs" / "fault-matrix.md").read_text("utf-8"))


def test_the_matrix_has_every_write_of_a_night(scene: Scene) -> None:
    parts, calls, _ = watched(scene.home.open())
    whole_night(parts, "run_1")
    assert tuple(calls) == CALLS


def test_the_document_has_every_cell() -> None:
    columns = (*Kind, DAEMON)
    assert set(OUTCOMES) == {(boundary, kind) for boundary in BOUNDARIES for kind in columns}


@pytest.mark.usefixtures("short_leases")
@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.value)
@pytest.mark.parametrize("boundary", BOUNDARIES, ids=str)
def test_a_struck_night_ends_like_any_other(
    tmp_path: Path,
    undisturbed: list[dict[str, Any]],
    undisturbed_after_a_move: list[dict[str, Any]],
    boundary: Boundary,
    kind: Kind,
) -> None:
    scene = embedded_scene(tmp_path)
    disturbed(scene, boundary, kind)
    assert recovery(scene, kind) == OUTCOMES[boundary, kind]
    check(scene, undisturbed_after_a_move if kind is Kind.ZOMBIE else undisturbed, kind)
