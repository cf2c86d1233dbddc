"""The port for input sources, and the schemas of the frames that they return.

A source is queried for one `game_date` in US Eastern time. It returns only history from before that
date, so no later step can use information from the future.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Protocol

import polars as pl

#: One row per player and game played.
GAME_LOGS: dict[str, pl.DataType | type[pl.DataType]] = {
    "game_date": pl.Date,
    "game_id": pl.String,
    "season": pl.String,
    "player_lookup": pl.String,
    "player_name": pl.String,
    "team": pl.String,
    "opponent": pl.String,
    "is_home": pl.Boolean,
    "minutes": pl.Float64,
    "points": pl.Int64,
    "fgm": pl.Int64,
    "fga": pl.Int64,
    "fg3m": pl.Int64,
    "fg3a": pl.Int64,
    "ftm": pl.Int64,
    "fta": pl.Int64,
    "oreb": pl.Int64,
    "dreb": pl.Int64,
    "ast": pl.Int64,
    "stl": pl.Int64,
    "blk": pl.Int64,
    "tov": pl.Int64,
    "pf": pl.Int64,
}

#: One row per game of the date. `tipoff` is in UTC, and null if the source does not know it.
SCHEDULE: dict[str, pl.DataType | type[pl.DataType]] = {
    "game_date": pl.Date,
    "game_id": pl.String,
    "away_team": pl.String,
    "home_team": pl.String,
    "tipoff": pl.Datetime("us", "UTC"),
}

#: One row per player, market, book, side and quoted line. `market` is the name of a registered
#: market, `line` is exact, `price` is in American odds, and `line_source` is "sportsbook" or "dfs".
#: `quoted_on` is the date of the quote, or null.
PROP_LINES: dict[str, pl.DataType | type[pl.DataType]] = {
    "game_date": pl.Date,
    "player_lookup": pl.String,
    "player_name": pl.String,
    "market": pl.String,
    "book": pl.String,
    "line_source": pl.String,
    "side": pl.String,
    "line": pl.Decimal(5, 1),
    "price": pl.Int64,
    "away_team": pl.String,
    "home_team": pl.String,
    "quoted_on": pl.Date,
}

#: One row per player on the injury report. `status` is one of INJURY_STATUSES.
INJURIES: dict[str, pl.DataType | type[pl.DataType]] = {
    "game_date": pl.Date,
    "player_lookup": pl.String,
    "player_name": pl.String,
    "status": pl.String,
    "reason": pl.String,
}

INJURY_STATUSES = ("OUT", "DOUBTFUL", "QUESTIONABLE", "PROBABLE", "AVAILABLE")


@dataclass(frozen=True)
class Provenance:
    """The origin and age of a source's data for a date. The gates evaluate it.

    Attributes:
        schedule_is_given: whether the games come from a schedule. Otherwise they are derived from
            lines or box scores, and a game without them is missing.
        schedule_until: the last date of the schedule; None if it has no end.
        injuries_made_on: the date of the injury report in US Eastern time; None if it is unknown.
    """

    schedule_is_given: bool
    schedule_until: date | None
    injuries_made_on: date | None


class BoxScores(Protocol):
    """Box scores of finished games."""

    def game_logs(self, before: date) -> pl.DataFrame:
        """Return the rows (GAME_LOGS) of all games before the date `before`, oldest first."""
        ...

    def box_scores(self, game_date: date) -> pl.DataFrame:
        """Return the rows (GAME_LOGS) of `game_date`, none while they are unknown."""
        ...


class Schedule(Protocol):
    """The schedule of games."""

    def schedule(self, game_date: date) -> pl.DataFrame:
        """Return the games (SCHEDULE) of `game_date`, none on a date without games."""
        ...


class Lines(Protocol):
    """The lines of the books."""

    def prop_lines(self, game_date: date) -> pl.DataFrame:
        """Return the quotes (PROP_LINES) for `game_date`, none if no book has any."""
        ...


class Injuries(Protocol):
    """The injury report."""

    def injuries(self, game_date: date) -> pl.DataFrame:
        """Return the report (INJURIES) for `game_date`, no rows if there is none."""
        ...


class LeagueSource(BoxScores, Schedule, Lines, Injuries, Protocol):
    """A source of all four inputs. Logs and metadata contain its name."""

    @property
    def name(self) -> str: ...

    @property
    def first_date(self) -> date | None:
        """The first date of the source, None if it is unknown.

        Dagster reads it each time that it loads the definitions. It must be fast and not raise.
        """
        ...

    def provenance(self, game_date: date) -> Provenance:
        """Return the origin and age of the data for `game_date`."""
        ...
