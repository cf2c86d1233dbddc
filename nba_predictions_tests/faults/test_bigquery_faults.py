"""Faults between the client and BigQuery: each ends in the same table, or in an error with all
staging tables kept."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core.exceptions import GoogleAPIError

from nba_predictions.domain.batches.reconciliation import MergeCounts, TargetCounts
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.warehouse.port import StagingTable
from nba_predictions_tests.examples import GAME_DATE, NOON, rows_of, slate_player
from nba_predictions_tests.faults.conftest import BigQuery
from nba_predictions_tests.faults.script import Kind

UPLOAD = r"^POST /upload/|^PUT /upload/"
INSERT_JOB = r"^POST /bigquery/.*/jobs"
RESULTS = r"^GET /bigquery/.*/queries/"

FAULTS = {
    "unavailable": (Kind.REFUSED, "unavailable"),
    "internal": (Kind.REFUSED, "internal"),
    "too many requests": (Kind.REFUSED, "too_many_requests"),
    "connection cut during the request": (Kind.REQUEST_CUT, ""),
    "error after execution": (Kind.ANSWER_LOST, "unavailable"),
    "connection cut after execution": (Kind.ANSWER_CUT, ""),
    "delivered twice": (Kind.DUPLICATED, ""),
}


def stage(
    bigquery: BigQuery, lookup: str = "paulgeorge", base: str | None = "22.5"
) -> StagingTable:
    rows = rows_of(slate_player(lookup, base))
    return bigquery.warehouse.stage(PREDICTIONS, "batch_1", lookup, rows)


def merge(bigquery: BigQuery, *staged: StagingTable) -> MergeCounts:
    return bigquery.warehouse.merge(PREDICTIONS, GAME_DATE, [s.name for s in staged], NOON, 1)


def table(bigquery: BigQuery) -> list[dict[str, Any]]:
    found = bigquery.warehouse.query("predictions_of_date", PREDICTIONS, partition=GAME_DATE)
    return [dict(row) for row in found.to_pylist()]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_load_job_creates_the_same_staging_table(bigquery: BigQuery, fault: str) -> None:
    kind, error = FAULTS[fault]
    with bigquery.script.fault(UPLOAD, kind, error):
        staged = stage(bigquery)
    assert staged.rows == 25
    assert merge(bigquery, staged) == MergeCounts(1, 25, 25, 25, 0, 0)
    assert len(table(bigquery)) == 25


@pytest.mark.parametrize("fault", FAULTS)
def test_a_merge_ends_in_the_same_table(bigquery: BigQuery, fault: str) -> None:
    kind, error = FAULTS[fault]
    merge(bigquery, stage(bigquery, base="30.5"))
    staged = [stage(bigquery), stage(bigquery, "other", None)]
    with bigquery.script.fault(INSERT_JOB, kind, error):
        counts = merge(bigquery, *staged)
    assert (counts.tables_found, counts.rows_staged, counts.distinct_keys) == (2, 30, 30)
    assert counts.affected == 30
    assert bigquery.warehouse.count(PREDICTIONS, GAME_DATE, "batch_1") == TargetCounts(30, 0)
    assert len(table(bigquery)) == 30


@pytest.mark.parametrize("nth", range(5))
@pytest.mark.parametrize("fault", ["connection cut after execution", "unavailable"])
def test_a_merge_survives_a_fault_of_each_job(bigquery: BigQuery, nth: int, fault: str) -> None:
    kind, error = FAULTS[fault]
    staged = stage(bigquery)
    jobs_before = bigquery.script.count(INSERT_JOB)
    with bigquery.script.fault(INSERT_JOB, kind, error, skip=nth):
        counts = merge(bigquery, staged)
    assert bigquery.script.count(INSERT_JOB) > jobs_before + 5
    assert counts == MergeCounts(1, 25, 25, 25, 0, 0)
    assert len(table(bigquery)) == 25


@pytest.mark.parametrize("error", ["unavailable", "internal"])
def test_reading_results_is_retried(bigquery: BigQuery, error: str) -> None:
    staged = stage(bigquery)
    with bigquery.script.fault(RESULTS, Kind.REFUSED, error, times=3):
        assert merge(bigquery, staged).inserted == 25


def test_a_delay_of_five_seconds_is_tolerated(bigquery: BigQuery) -> None:
    with bigquery.script.fault(UPLOAD, Kind.SLOW, seconds=5.0):
        assert stage(bigquery).rows == 25


@pytest.mark.parametrize("fault", ["error after execution", "unavailable"])
def test_a_dropped_table_is_counted_once(bigquery: BigQuery, fault: str) -> None:
    kind, error = FAULTS[fault]
    names = [stage(bigquery).name, stage(bigquery, "other").name]
    with bigquery.script.fault(r"^DELETE ", kind, error):
        assert bigquery.warehouse.drop_staging(names) == 2
    assert bigquery.warehouse.existing_staging(names) == set()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("calls", [INSERT_JOB, RESULTS])
def test_a_permanent_fault_is_an_error_and_keeps_the_staging_tables(
    bigquery: BigQuery, calls: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged = [stage(bigquery), stage(bigquery, "other")]
    with (
        bigquery.script.fault(calls, Kind.REFUSED, times=None),
        pytest.raises(GoogleAPIError),
    ):
        merge(bigquery, *staged)
    assert bigquery.warehouse.existing_staging([s.name for s in staged]) == {s.name for s in staged}
    counts = merge(bigquery, *staged)
    assert counts.affected == 50
    assert len(table(bigquery)) == 50
