"""The keys of both kinds of partitions."""

from __future__ import annotations

from datetime import date, datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_predictions.orchestration.partitions import (
    date_in,
    game_date_of,
    game_dates,
    is_old_player_partition_key,
    parse_player_partition_key,
    player_partition_key,
)

dates = st.dates(date(2000, 10, 1), date(2100, 1, 1))
lookups = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1)


@given(dates, lookups)
def test_a_player_key_is_parsed_as_written(game_date: date, lookup: str) -> None:
    key = player_partition_key(game_date, lookup)
    assert parse_player_partition_key(key) == (game_date, lookup)
    assert date_in(key) == game_date
    assert not is_old_player_partition_key(key)
    # Dagster reads "|" as the separator of dimensions.
    assert "|" not in key


def test_an_example_of_a_player_key() -> None:
    assert player_partition_key(date(2026, 1, 1), "paulgeorge") == "2026-01-01:paulgeorge"


@given(dates, lookups)
def test_a_key_of_an_older_version_is_still_parsed(game_date: date, lookup: str) -> None:
    key = f"{game_date}|{lookup}"
    assert parse_player_partition_key(key) == (game_date, lookup)
    assert date_in(key) == game_date
    assert is_old_player_partition_key(key)


@pytest.mark.parametrize(
    "key",
    [
        *("2026-01-01", "2026-01-01:", "paulgeorge", ":paulgeorge", "2026-01-01 paulgeorge", ""),
        *("01/01/2026:paulgeorge", "2026-13-45:paulgeorge", "2026-01-01|"),
    ],
)
def test_a_key_of_another_form_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match=r"is not the partition of a player|does not match format"):
        parse_player_partition_key(key)
    assert not is_old_player_partition_key(key)


@pytest.mark.parametrize("key", [None, "", "paulgeorge", "by hand", "2026-13-45:paulgeorge"])
def test_a_key_without_a_date_has_none(key: str | None) -> None:
    assert date_in(key) is None


@given(dates)
def test_a_partition_key_is_its_date(game_date: date) -> None:
    assert game_date_of(game_date.isoformat()) == game_date
    assert date_in(game_date.isoformat()) == game_date


def test_the_partition_of_a_date_begins_at_midnight_eastern() -> None:
    before_midnight = datetime(2026, 1, 16, 4, 59, tzinfo=timezone.utc)  # 23:59 Eastern, the 15th
    midnight = datetime(2026, 1, 16, 5, 0, tzinfo=timezone.utc)
    assert game_dates.get_partition_keys(current_time=before_midnight)[-1] == "2026-01-15"
    assert game_dates.get_partition_keys(current_time=midnight)[-1] == "2026-01-16"


def test_past_seasons_can_be_predicted_again() -> None:
    keys = game_dates.get_partition_keys(current_time=datetime(2026, 1, 1, tzinfo=timezone.utc))
    assert {"2021-10-19", "2024-01-26", "2025-01-10"} <= set(keys)
