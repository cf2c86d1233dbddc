"""The clock of the pipeline, and moments that are read from text."""

import subprocess
import sys
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_predictions.domain.clock import (
    from_machine,
    is_set,
    machine_now,
    read_as_of,
    start_at,
    utc_now,
)
from nba_predictions.domain.errors import SettingsError

TICK = timedelta(seconds=1)
NOW = datetime(2026, 1, 15, 23, 30, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-15T18:00:00-05:00",
        "2026-01-15T23:00:00Z",
        "2026-01-15 23:00:00+00:00",
        "2026-01-15T23:00:00.000000+00:00",
    ],
)
def test_a_moment_with_an_offset_is_read_in_utc(text: str) -> None:
    assert read_as_of(text, NOW, "--as-of") == datetime(2026, 1, 15, 23, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2026-01-15T18:00:00", "has no offset"),
        ("2026-01-15", "has no offset"),
        ("tonight", "is not a moment"),
        ("", "is not a moment"),
        ("2026-01-15T23:30:01Z", "is in the future"),
        ("2026-01-15T18:30:01-05:00", "is in the future"),
    ],
)
def test_any_other_text_is_refused_with_its_name_and_the_problem(text: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem) as refused:
        read_as_of(text, NOW, "--as-of")
    assert str(refused.value).startswith(f"--as-of is {text!r}")


@given(age=st.timedeltas(timedelta(), timedelta(days=9000)), hours=st.integers(-12, 14))
def test_a_stored_moment_is_read_back(age: timedelta, hours: int) -> None:
    stored = NOW - age
    shown = stored.astimezone(timezone(timedelta(hours=hours)))
    assert read_as_of(shown.isoformat(), NOW, "") == stored


def test_the_clock_starts_at_the_given_moment_and_runs_on(monkeypatch: pytest.MonkeyPatch) -> None:
    started = machine_now()
    monkeypatch.setenv("NBA_PREDICTIONS_NOW", "2026-01-15T07:00:00-05:00")
    monkeypatch.setenv("_NBA_PREDICTIONS_CLOCK_STARTED", "")
    assert is_set()
    first = utc_now()
    second = utc_now()
    morning = datetime(2026, 1, 15, 12, tzinfo=timezone.utc)
    assert morning <= first < second <= morning + (machine_now() - started) + TICK
    assert abs(from_machine(machine_now()) - utc_now()) < timedelta(seconds=5)
    assert abs(from_machine(machine_now().timestamp()) - utc_now()) < timedelta(seconds=5)


def test_a_process_that_is_started_has_the_same_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBA_PREDICTIONS_NOW", "")
    start_at(datetime(2020, 2, 29, 12, tzinfo=timezone.utc))
    before = utc_now()
    program = "from nba_predictions.domain.clock import utc_now; print(utc_now().isoformat())"
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert before < datetime.fromisoformat(printed.strip()) < utc_now()


def test_without_the_variable_the_clock_is_that_of_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NBA_PREDICTIONS_NOW", raising=False)
    assert not is_set()
    assert machine_now() <= utc_now() <= machine_now()
    assert from_machine(0.0) == datetime(1970, 1, 1, tzinfo=timezone.utc)


def test_a_wrong_moment_is_refused_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBA_PREDICTIONS_NOW", "yesterday")
    with pytest.raises(SettingsError, match="NBA_PREDICTIONS_NOW is 'yesterday'"):
        utc_now()
