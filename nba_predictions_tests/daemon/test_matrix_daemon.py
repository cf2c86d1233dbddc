"""Runs that are killed under the real daemon: each outcome equals docs/fault-matrix.md."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from nba_predictions_tests.conftest import REPOSITORY
from nba_predictions_tests.daemon.matrix import by_date, killed
from nba_predictions_tests.e2e.pipeline import Pipeline
from nba_predictions_tests.faults.matrix import BOUNDARIES, DAEMON, documented
from nba_predictions_tests.faults.strikes import Boundary

OUTCOMES = documented((REPOSITORY / "docs" / "fault-matrix.md").read_text("utf-8"))
#: Writes to staging, the predictions, the ledger, the publisher and the batch. `make kills` strikes
#: at all of them.
CHOSEN = [
    Boundary("stage lukadoncic", "during"),
    Boundary("MERGE", "after"),
    Boundary("append 'merged' to the ledger", "after"),
    Boundary("drop staging", "during"),
    Boundary("publish the message", "after"),
    Boundary("move the batch to published", "before"),
]
STRUCK = BOUNDARIES if os.environ.get("NBA_PREDICTIONS_TEST_ALL_BOUNDARIES") else CHOSEN


@pytest.mark.parametrize("boundaries", by_date(STRUCK), ids=lambda group: str(list(group.values())))
def test_a_killed_run_is_completed_by_the_daemon(
    tmp_path: Path,
    nights: Pipeline,
    undisturbed: dict[date, Any],
    boundaries: dict[date, Boundary],
) -> None:
    outcomes = killed(tmp_path / "home", nights, undisturbed, boundaries)
    assert outcomes == {boundary: OUTCOMES[boundary, DAEMON] for boundary in boundaries.values()}
