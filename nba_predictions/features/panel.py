"""The panel: rows of players and games in order, each with the slices of its own past."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nba_predictions.features.windows import Floats, Ints, Slices, first_of_run


@dataclass(frozen=True)
class Panel:
    """Games of players, sorted by player and date, past games and coming ones together.

    The past of a row ends before the player's first row of the same date, so that two rows of one
    date (namesakes, a player listed twice) never see each other.

    Attributes:
        frame: the rows, with the columns `day` (since 1970-01-01) and `season` added.
        player: a code per player, increasing.
        season: the year in which the row's season began.
        start: the first row of the row's player.
        today: the first row of the row's player on the row's date.
    """

    frame: pl.DataFrame
    player: Ints
    day: Ints
    season: Ints
    start: Ints
    today: Ints

    @classmethod
    def of(cls, games: pl.DataFrame) -> Panel:
        """Sort the rows and locate the past of each."""
        frame = games.sort("player_lookup", "game_date", "game_id").with_columns(
            day=pl.col("game_date").to_physical().cast(pl.Int64),
            season=season_start_year(pl.col("game_date")),
        )
        player = frame["player_lookup"].rle_id().to_numpy().astype(np.int64)
        day, season = frame["day"].to_numpy(), frame["season"].to_numpy()
        return cls(frame, player, day, season, first_of_run(player), first_of_run(player, day))

    @property
    def games(self) -> Slices:
        """All past games."""
        return Slices(self.start, self.today)

    @property
    def this_season(self) -> Slices:
        """The past games of the row's season."""
        first = first_of_run(self.player, self.season)
        return Slices(np.minimum(first, self.today), self.today)

    @property
    def last_season(self) -> Slices:
        """The games of the season before the row's."""
        key = self.player * 10_000 + self.season
        return Slices(np.searchsorted(key, key - 1), first_of_run(self.player, self.season))


def season_start_year(days: pl.Expr) -> pl.Expr:
    """Return the year in which the season of a date began. Seasons begin on August 1."""
    return (days.dt.year() - (days.dt.month() < 8).cast(pl.Int32)).cast(pl.Int64)


def whole_numbers(values: pl.Series) -> Ints:
    """Return a column as integers, 0 for coming games (such rows are never in a past)."""
    return values.fill_null(0).cast(pl.Int64).to_numpy()


def flag(condition: NDArray[np.bool_], known: NDArray[np.bool_] | None = None) -> Floats:
    """Return 1 where the condition holds and 0 elsewhere; NaN where it is not known."""
    value = condition.astype(np.float64)
    return value if known is None else np.where(known, value, np.nan)
