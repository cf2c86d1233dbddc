"""Calibration and drift of the systems, from rows of the warehouse."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from nba_predictions.backtest import plots, scores
from nba_predictions.domain.policies.drift import Drift
from nba_predictions.inputs.port import GAME_LOGS
from nba_predictions.nightly.grading import grade_date
from nba_predictions.nightly.model_monitoring import calibration_of, drift_of
from nba_predictions_tests.examples import GAME_DATE
from nba_predictions_tests.nightly.conftest import Night

PNG = b"\x89PNG"


class Answers:
    """A warehouse that answers each query with the same rows."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        self.query_arguments: dict[str, Any] = {}

    def query(self, name: str, table: object, **parameters: Any) -> pa.Table:
        self.query_arguments = {"name": name, **parameters}
        return pa.Table.from_pylist(self.rows)


def answering(rows: list[dict[str, Any]]) -> Any:
    """Return a warehouse that can only be read."""
    return Answers(rows)


def test_calibration_equals_the_scores_of_the_backtest() -> None:
    random = np.random.default_rng(0)
    nights = np.repeat(np.arange(12), 30)
    chance = random.uniform(0.05, 0.95, len(nights))
    over = random.uniform(size=len(nights)) < chance
    rows = []
    for night in range(12):
        for tenth in range(10):
            here = (nights == night) & ((chance * 10).astype(int) == tenth)
            if here.any():
                rows.append(
                    {
                        "market": "points",
                        "system_id": "ensemble",
                        "game_date": GAME_DATE + timedelta(days=night),
                        "bin": tenth,
                        "row_count": int(here.sum()),
                        "forecast": float(chance[here].sum()),
                        "overs": int(over[here].sum()),
                    }
                )
    found = calibration_of(GAME_DATE, answering(rows)).to_dicts()
    expected = list(scores.reliability(chance, over, nights.astype(np.int64)))
    assert len(found) == len(expected) == 10
    for ours, theirs in zip(found, expected, strict=True):
        assert ours["n"] == theirs.rows
        assert ours["from"] == pytest.approx(theirs.low)
        assert ours["forecast"] == pytest.approx(theirs.forecast)
        assert ours["observed"] == pytest.approx(theirs.observed.value)
        assert ours["observed_se"] == pytest.approx(theirs.observed.error)


def test_without_graded_rows_calibration_and_drift_are_empty(night: Night) -> None:
    assert calibration_of(GAME_DATE, night.warehouse).is_empty()
    found = drift_of(GAME_DATE, night.warehouse, run_id="run")
    assert (found.findings, found.alarming, found.rolling.height) == ([], [], 0)
    assert found.table().is_empty()


def test_calibration_and_errors_are_read_from_graded_rows(night: Night) -> None:
    night.published()
    boxes = [{"player_lookup": "lukadoncic", "points": 33, "minutes": 30.5}]
    grade_date(
        GAME_DATE,
        pl.DataFrame(boxes, schema=GAME_LOGS),
        night.store,
        night.warehouse,
        run_id="grader",
    )
    found = calibration_of(GAME_DATE, night.warehouse)
    # The other players have no box score and are void. None of Luka's five lines can be a push.
    assert dict(found.group_by("system").agg(pl.col("n").sum()).iter_rows()) == dict.fromkeys(
        found["system"].unique(), 5
    )
    assert found["observed_se"].null_count() == found.height
    (finding, *_) = drift_of(GAME_DATE, night.warehouse, run_id="run").findings
    assert (finding.recent_dates, finding.recent_player_games) == (1, 1)
    assert finding.drift is Drift.TOO_FEW


def errors(dates: int, late: float) -> list[dict[str, Any]]:
    random = np.random.default_rng(1)
    rows = []
    for system, change in (("ensemble", 0.0), ("xgboost", late)):
        for n in range(dates):
            mean = 5.0 + random.normal(0, 0.3) + (change if n >= dates - 14 else 0.0)
            day = GAME_DATE - timedelta(days=dates - 1 - n)
            rows.append(
                {
                    "market": "points",
                    "system_id": system,
                    "game_date": day,
                    "player_games": 120,
                    "total_error": 120 * mean,
                }
            )
    return rows


def test_a_system_that_became_worse_is_logged(
    milestones: Callable[[], list[dict[str, Any]]],
) -> None:
    found = drift_of(GAME_DATE, answering(errors(60, late=1.0)), run_id="run_9")
    assert {j.system_id: j.drift for j in found.findings} == {
        "ensemble": Drift.IN_BAND,
        "xgboost": Drift.WORSE,
    }
    (line,) = milestones()
    assert (line["event"], line["severity"]) == ("system_drifted", "WARNING")
    assert (line["system_id"], line["drift"], line["run_id"]) == ("xgboost", "WORSE", "run_9")
    assert line["recent_error"] > line["band_high"]


def test_a_season_without_drift_logs_nothing(
    milestones: Callable[[], list[dict[str, Any]]],
) -> None:
    assert drift_of(GAME_DATE, answering(errors(60, late=0.0)), run_id="run").alarming == []
    assert milestones() == []


def test_the_query_reads_a_bounded_period() -> None:
    answers = answering(errors(40, late=0.0))
    drift_of(GAME_DATE, answers, run_id="run")
    assert answers.query_arguments["partition"] == GAME_DATE
    assert timedelta(days=100) < GAME_DATE - answers.query_arguments["since"] < timedelta(days=366)


def test_plots_are_deterministic_png_images() -> None:
    found = drift_of(GAME_DATE, answering(errors(60, late=0.0)), run_id="run")
    bands = {j.system_id: (j.band_low, j.band_high) for j in found.findings}
    picture = plots.rolling_errors(found.rolling, bands)
    assert picture.startswith(PNG)
    assert plots.rolling_errors(found.rolling, bands) == picture
    assert plots.rolling_errors(found.rolling, {}) != picture
