"""Names of a night and of a player's night."""

from __future__ import annotations

from datetime import date, datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_predictions.orchestration.partitions import (
    game_date_of,
    game_dates,
    parse_player_night,
    player_night,
)

dates = st.dates(date(2000, 10, 1), date(2100, 1, 1))
lookups = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1)


@given(dates, lookups)
def test_a_players_night_reads_back_as_written(game_date: date, lookup: str) -> None:
    assert parse_player_night(player_night(game_date, lookup)) == (game_date, lookup)


def test_a_players_night_looks_like_this() -> None:
    assert player_night(date(2026, 1, 1), "paulgeorge") == "2026-01-01|paulgeorge"


@pytest.mark.parametrize(
    "key", ["2026-01-01", "2026-01-01|", "paulgeorge", "|paulgeorge", "01/01/2026|paulgeorge", ""]
)
def test_another_form_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match=r"no player's night|does not match format"):
        parse_player_night(key)


@given(dates)
def test_a_partition_key_is_its_date(game_date: date) -> None:
    assert game_date_of(game_date.isoformat()) == game_date


def test_the_partition_of_a_date_begins_at_midnight_eastern() -> None:
    late_evening = datetime(2026, 1, 16, 4, 59, tzinfo=timezone.utc)  # 23:59 Eastern on the 15th
    midnight = datetime(2026, 1, 16, 5, 0, tzinfo=timezone.utc)
    assert game_dates.get_partition_keys(current_time=late_evening)[-1] == "2026-01-15"
    assert game_dates.get_partition_keys(current_time=midnight)[-1] == "2026-01-16"


def test_past_seasons_can_be_predicted_again() -> None:
    keys = game_dates.get_partition_keys(current_time=datetime(2026, 1, 1, tzinfo=timezone.utc))
    assert {"2021-10-19", "2024-01-26", "2025-01-10"} <= set(keys)
