"""What a night and a player's night are called."""

from __future__ import annotations

from datetime import date, datetime

import dagster as dg

from nba_predictions.domain.league.games import EASTERN

#: One partition per game date, US Eastern; today's is there from midnight on.
game_dates = dg.DailyPartitionsDefinition(
    start_date="2000-10-01", timezone=str(EASTERN), end_offset=1
)

#: One partition per player of a batch: `2026-01-01|paulgeorge`.
player_nights = dg.DynamicPartitionsDefinition(name="player_nights")


def game_date_of(partition_key: str) -> date:
    """Return the date of a partition key of `game_dates`."""
    return datetime.strptime(partition_key, "%Y-%m-%d").replace(tzinfo=EASTERN).date()


def player_night(game_date: date, player_lookup: str) -> str:
    """Return the partition key of a player's night."""
    return f"{game_date.isoformat()}|{player_lookup}"


def parse_player_night(partition_key: str) -> tuple[date, str]:
    """Return date and player of a partition key of `player_nights`.

    Raises:
        ValueError: the key has another form.
    """
    day, separator, lookup = partition_key.partition("|")
    if not separator or not lookup:
        raise ValueError(f"{partition_key!r} is no player's night; expected 2026-01-01|paulgeorge")
    return game_date_of(day), lookup


def date_in(partition_key: str | None) -> date | None:
    """Return the date of a partition key of either kind; None when it has none."""
    try:
        return game_date_of((partition_key or "").partition("|")[0])
    except ValueError:
        return None
