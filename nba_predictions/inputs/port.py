"""The port for input sources, and the schemas of the frames that they return.

A source is queried for one `game_date` in US Eastern time. It returns only history from before that
date, and only facts that were known at its moment (`known_at`), so no later step can use
information from the future.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

import polars as pl

from nba_predictions.inputs.account import InputAccount

#: The kinds of input, which file names begin with.
LOGS, LINES, GAMES, REPORT = "player_game_logs", "points_lines", "schedule", "injuries"
#: The list of players and their teams. It is not an input of files.
PLAYERS = "roster"

#: One row per player and game played. `player_id` identifies the player. `player_lookup` is one
#: value per player_id: the key of the newest name before the queried date. `player_name` is the
#: name in the row. In all frames, `observed_at` is the moment from which the row was known, in UTC;
#: null if that is unknown.
GAME_LOGS: dict[str, pl.DataType | type[pl.DataType]] = {
    "game_date": pl.Date,
    "game_id": pl.String,
    "season": pl.String,
    "player_id": pl.Int64,
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
    "observed_at": pl.Datetime("us", "UTC"),
}

#: One row per game of the date. `tipoff` is in UTC, and null if the source does not know it.
SCHEDULE: dict[str, pl.DataType | type[pl.DataType]] = {
    "game_date": pl.Date,
    "game_id": pl.String,
    "away_team": pl.String,
    "home_team": pl.String,
    "tipoff": pl.Datetime("us", "UTC"),
    "observed_at": pl.Datetime("us", "UTC"),
}

#: One row per player, market, book, side and quoted line. `market` is the name of a registered
#: market, `line` is exact, `price` is in American odds, and `line_source` is "sportsbook" or "dfs".
#: `book` is the key of the book, and `book_name` the book's name in the input. `quoted_on` is the
#: date of the quote and `quoted_at` its moment in UTC, or null.
PROP_LINES: dict[str, pl.DataType | type[pl.DataType]] = {
    "game_date": pl.Date,
    "game_id": pl.String,
    "player_lookup": pl.String,
    "player_name": pl.String,
    "market": pl.String,
    "book": pl.String,
    "book_name": pl.String,
    "line_source": pl.String,
    "side": pl.String,
    "line": pl.Decimal(5, 1),
    "price": pl.Int64,
    "away_team": pl.String,
    "home_team": pl.String,
    "quoted_on": pl.Date,
    "quoted_at": pl.Datetime("us", "UTC"),
}

#: One row per player on the injury report. `status` is one of INJURY_STATUSES, and `team` is null
#: if the report does not name it.
INJURIES: dict[str, pl.DataType | type[pl.DataType]] = {
    "game_date": pl.Date,
    "player_lookup": pl.String,
    "player_name": pl.String,
    "team": pl.String,
    "status": pl.String,
    "reason": pl.String,
    "observed_at": pl.Datetime("us", "UTC"),
}

#: One row per player with a team, from the league's list of players. `player_lookup` is the key of
#: the player in the box scores or, for a player without any, the key of the name.
ROSTER: dict[str, pl.DataType | type[pl.DataType]] = {
    "player_id": pl.Int64,
    "player_lookup": pl.String,
    "player_name": pl.String,
    "team": pl.String,
    "observed_at": pl.Datetime("us", "UTC"),
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
        injuries_made_at: the moment of the injury report in UTC; None if only its date is known.
        teams_not_reported: the teams that have not submitted their injuries yet, sorted.
        by_the_hour: whether lines and injury report are fetched from services during the day, so
            that their age counts in hours.
        as_of: the moment of the source, in UTC. Only a source by the hour needs it.
    """

    schedule_is_given: bool
    schedule_until: date | None
    injuries_made_on: date | None
    injuries_made_at: datetime | None = None
    teams_not_reported: tuple[str, ...] = ()
    by_the_hour: bool = False
    as_of: datetime | None = None


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


class Roster(Protocol):
    """The teams of the players."""

    def roster(self, game_date: date) -> pl.DataFrame:
        """Return the players (ROSTER) before `game_date` begins, no rows if they are unknown."""
        ...


class LeagueSource(BoxScores, Schedule, Lines, Injuries, Roster, Protocol):
    """A source of all inputs. Logs and metadata contain its name."""

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

    def known_at(self, as_of: datetime) -> LeagueSource:
        """Return the source as it was known at a moment: later facts do not exist in it.

        The source itself is known_at(now).
        """
        ...

    def accounts(self, game_date: date) -> list[InputAccount]:
        """Return the outcome of each row of each input, for `game_date`."""
        ...
