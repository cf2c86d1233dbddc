"""The partitions: one per game date, and one per player on a game date.

`game_dates` partitions every asset except `player_staging`, which is partitioned by
`player_nights`. https://docs.dagster.io/guides/build/partitions-and-backfills
"""

from __future__ import annotations

import re
from datetime import date, datetime

import dagster as dg

from nba_predictions.domain.league.games import EASTERN

#: One partition per game date, US Eastern. The partition of a date exists from its midnight on.
game_dates = dg.DailyPartitionsDefinition(
    start_date="2000-10-01", timezone=str(EASTERN), end_offset=1
)

#: One partition per player of a batch, for example `2026-01-01:paulgeorge`.
player_nights = dg.DynamicPartitionsDefinition(name="player_nights")

#: Version 0.1.0 wrote `2026-01-01|paulgeorge`. Dagster reads `|` as the separator of the
#: dimensions of a partition, so the partition could not be launched from its own page.
_SEPARATOR, _OLD_SEPARATOR = ":", "|"
_PLAYER_KEY = re.compile(r"(?P<date>\d{4}-\d{2}-\d{2})[:|](?P<player_lookup>.+)")


def game_date_of(partition_key: str) -> date:
    """Return the date of a partition key of `game_dates`."""
    return datetime.strptime(partition_key, "%Y-%m-%d").replace(tzinfo=EASTERN).date()


def player_partition_key(game_date: date, player_lookup: str) -> str:
    """Return the key in `player_nights` of a player on a game date."""
    return f"{game_date.isoformat()}{_SEPARATOR}{player_lookup}"


def parse_player_partition_key(partition_key: str) -> tuple[date, str]:
    """Return the game date and the player of a key of `player_nights`, current or old.

    Raises:
        ValueError: the key has another form.
    """
    match = _PLAYER_KEY.fullmatch(partition_key)
    if match is None:
        raise ValueError(
            f"{partition_key!r} is not the partition of a player; expected 2026-01-01:paulgeorge"
        )
    return game_date_of(match["date"]), match["player_lookup"]


def is_old_player_partition_key(partition_key: str) -> bool:
    """Return whether an older version wrote a key of `player_nights`."""
    match = _PLAYER_KEY.fullmatch(partition_key)
    return match is not None and partition_key[match.end("date")] == _OLD_SEPARATOR


def date_in(partition_key: str | None) -> date | None:
    """Return the game date in a partition key of either kind, None if it contains none."""
    try:
        return game_date_of(re.split("[:|]", partition_key or "", maxsplit=1)[0])
    except ValueError:
        return None
