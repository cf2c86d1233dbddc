"""The conditions of failed checks, by the newest result of each partition."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.league.games import eastern_date
from nba_predictions.domain.policies.alerting import Kind, Severity
from nba_predictions_tests.alerts.toys import DATE, Toy


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return Toy.in_folder(tmp_path)


def test_a_failed_check_is_reported_with_its_date_batch_numbers_and_run(toy: Toy) -> None:
    toy.passes = False
    failed = toy.run()
    (condition,) = toy.checks()
    assert condition.kind is Kind.FAILED_CHECK
    assert condition.title == f"the check rows_match failed for {DATE}"
    assert condition.severity is Severity.ERROR
    assert condition.game_date == date.fromisoformat(DATE)
    assert condition.batch_id == "batch_1"
    assert condition.run_id == failed.run_id
    # A long text is not a number.
    assert condition.facts == {"found": "30 of 31 tables were found", "tables_found": 30}


def test_a_check_that_passes_is_not_reported_and_one_that_passes_later_clears(toy: Toy) -> None:
    toy.run()
    assert toy.checks() == []
    toy.passes = False
    toy.run()
    assert len(toy.checks()) == 1
    toy.passes = True
    toy.run()
    assert toy.checks() == []


def test_each_partition_has_its_own_result(toy: Toy) -> None:
    toy.passes = False
    toy.run(date="2026-01-14")
    toy.run()
    toy.passes = True
    toy.run(date="2026-01-14")
    (condition,) = toy.checks()
    assert condition.key == f"check:predictions:rows_match:{DATE}"


def test_a_warning_has_its_own_severity(toy: Toy) -> None:
    toy.passes, toy.severity = False, dg.AssetCheckSeverity.WARN
    assert toy.run(date=eastern_date(utc_now()).isoformat()).success
    assert [c.severity for c in toy.checks()] == [Severity.WARNING]


def test_a_warning_of_an_old_date_is_not_reported_but_an_error_is(toy: Toy) -> None:
    """A backfill of a season warns on every date."""
    toy.passes, toy.severity = False, dg.AssetCheckSeverity.WARN
    assert toy.run().success
    assert toy.checks() == []
    toy.severity = dg.AssetCheckSeverity.ERROR
    toy.run()
    assert [c.severity for c in toy.checks()] == [Severity.ERROR]


def test_warnings_of_old_dates_add_no_query(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = toy.instance.event_log_storage
    history, queries = storage.get_asset_check_execution_history, []

    def counted(*arguments: Any, **options: Any) -> Any:
        queries.append(options)
        return history(*arguments, **options)

    monkeypatch.setattr(storage, "get_asset_check_execution_history", counted)
    toy.passes, toy.severity = False, dg.AssetCheckSeverity.WARN
    for day in range(10, 15):
        assert toy.run(date=f"2026-01-{day}").success
    queries.clear()
    assert toy.checks() == []
    assert len(queries) == 1
    toy.severity = dg.AssetCheckSeverity.ERROR
    toy.run(date="2026-01-12")
    queries.clear()
    assert len(toy.checks()) == 1
    assert len(queries) == 2


def test_a_warning_after_an_error_of_an_old_date_ends_the_alert(toy: Toy) -> None:
    toy.passes = False
    toy.run()
    assert len(toy.checks()) == 1
    toy.severity = dg.AssetCheckSeverity.WARN
    toy.run()
    assert toy.checks() == []


def test_a_run_that_fails_before_its_check_does_not_change_the_result(toy: Toy) -> None:
    toy.fails = True
    toy.run()
    assert toy.checks() == []
    toy.fails, toy.passes = False, False
    toy.run()
    toy.fails = True
    toy.run()
    (condition,) = toy.checks()
    assert condition.facts["tables_found"] == 30


def test_a_check_without_a_result_in_a_successful_run_does_not_count_as_passed(toy: Toy) -> None:
    toy.run()
    toy.answers = False
    assert toy.run().success
    (condition,) = toy.checks()
    assert condition.title == f"the check rows_match returned no result for {DATE}"
    toy.answers = True
    toy.run()
    assert toy.checks() == []


def test_a_check_whose_records_cannot_be_read_is_reported(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*arguments: Any, **options: Any) -> Any:
        raise ValueError("no such class")

    toy.run()
    storage = toy.instance.event_log_storage
    monkeypatch.setattr(storage, "get_asset_check_execution_history", unreadable)
    (condition,) = toy.checks()
    assert condition.title == "the results of the check rows_match cannot be read"
    assert condition.facts == {"error": "ValueError: no such class"}


def test_a_failure_is_reported_for_eight_days(toy: Toy) -> None:
    toy.passes = False
    toy.run()
    assert len(toy.checks(days_later=7)) == 1
    assert toy.checks(days_later=8) == []
