"""The fault matrix of docs/fault-matrix.md on the profile gcp.

A night on the stand-ins takes seconds, so only `kill -9` is tested after each write. The other two
kinds are tested after the decisive writes.
"""

from typing import Any

import pytest

from nba_predictions_tests.conftest import REPOSITORY
from nba_predictions_tests.faults.matrix import CALLS, check, disturbed, documented, recovery
from nba_predictions_tests.faults.strikes import Boundary, Kind
from nba_predictions_tests.nights import Scene

DECISIVE = (
    "create the batch",
    "stage lukadoncic",
    "move the batch to staged",
    "MERGE",
    "append 'merged' to the ledger",
    "drop staging",
    "publish the message",
)
OUTCOMES = documented((REPOSITORY / "docs" / "fault-matrix.md").read_text("utf-8"))


@pytest.mark.usefixtures("short_leases")
@pytest.mark.parametrize(
    ("call", "kind"),
    [
        *((call, Kind.KILL) for call in CALLS),
        *((call, kind) for call in DECISIVE for kind in (Kind.EXCEPTION, Kind.AGAIN, Kind.ZOMBIE)),
    ],
)
def test_a_struck_night_ends_like_any_other(
    gcp_scene: Scene,
    undisturbed: list[dict[str, Any]],
    undisturbed_after_a_move: list[dict[str, Any]],
    call: str,
    kind: Kind,
) -> None:
    boundary = Boundary(call, "after")
    disturbed(gcp_scene, boundary, kind)
    assert recovery(gcp_scene, kind) == OUTCOMES[boundary, kind]
    check(gcp_scene, undisturbed_after_a_move if kind is Kind.ZOMBIE else undisturbed, kind)
