"""Choose the cutoff of models, and the part of the games before it that is held out."""

from datetime import date, timedelta
from typing import Final

import polars as pl

#: With this many rows before a Monday, the models of that Monday serve the whole week.
ROWS_FOR_WEEKLY: Final = 5_000
#: The held-out part: this share of the rows, and at most this many.
HELD_OUT_SHARE: Final = 0.25
HELD_OUT_MOST: Final = 26_000


def training_cutoff(game_date: date, history: pl.DataFrame) -> date:
    """Return the date before which the models for `game_date` are trained.

    It is the Monday of the week if ROWS_FOR_WEEKLY rows are before that Monday, so that one model
    serves a week. Otherwise it is `game_date` itself.
    """
    monday = game_date - timedelta(days=game_date.weekday())
    enough = (history["game_date"] < monday).sum() >= ROWS_FOR_WEEKLY
    return monday if enough else game_date


def held_out_since(history: pl.DataFrame, cutoff: date) -> date:
    """Return the first date of the held-out part of the rows before `cutoff`, whole dates only.

    Training uses lines from this date on only.
    """
    past = history.filter(pl.col("game_date") < cutoff)
    if past.is_empty():
        return cutoff
    dates = past["game_date"].sort()
    part = min(int(past.height * HELD_OUT_SHARE), HELD_OUT_MOST)
    return dates[past.height - 1 - part]
