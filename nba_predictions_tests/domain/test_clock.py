"""The moment of a run is read from text."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_predictions.domain.clock import read_as_of
from nba_predictions.domain.errors import SettingsError

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
