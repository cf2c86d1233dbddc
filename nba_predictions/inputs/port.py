"""What the pipeline asks of the outside world, and the frames in which it wants the answers.

A source answers for one `game_date` (US Eastern). Everything it returns about the past is cut off
before that date here, at the edge, so that nothing downstream can look ahead.
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

#: One row per game of the date. `tipoff` is UTC, null where the source does not know it.
SCHEDULE: dict[str, pl.DataType | type[pl.DataType]] = {
    "game_date": pl.Date,
    "game_id": pl.String,
    "away_team": pl.String,
    "home_team": pl.String,
    "tipoff": pl.Datetime("us", "UTC"),
}

#: One row per player, market, book, side and quoted line. `market` is the name of a registered
#: market; `line` is exact; `price` is American odds; `line_source` is "sportsbook" or "dfs";
#: `quoted_on` orders one book's quotes, or is null.
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

#: One row per player on the injury report; `status` is one of INJURY_STATUSES.
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
    """What a source can say of its own answers for a date, for the gates to judge them by.

    Attributes:
        schedule_is_given: the games come from a schedule. False when they were drawn from lines or
            box scores: such a schedule cannot lack a game that those lack.
        schedule_until: the last date that the schedule knows; None if it has no such end.
        injuries_made_on: the Eastern day of the injury report; None if it is not known.
    """

    schedule_is_given: bool
    schedule_until: date | None
    injuries_made_on: date | None


class BoxScores(Protocol):
    """Box scores of games that have been played."""

    def game_logs(self, before: date) -> pl.DataFrame:
        """All rows (GAME_LOGS) of games played strictly before `before`, oldest first."""
        ...

    def box_scores(self, game_date: date) -> pl.DataFrame:
        """The rows (GAME_LOGS) of the games of `game_date`; empty while they are not known."""
        ...


class Schedule(Protocol):
    """Which games are on."""

    def schedule(self, game_date: date) -> pl.DataFrame:
        """The games (SCHEDULE) of `game_date`; empty on a date without games."""
        ...


class Lines(Protocol):
    """Points lines of the books."""

    def prop_lines(self, game_date: date) -> pl.DataFrame:
        """The quotes (PROP_LINES) for `game_date`; empty where no book has any."""
        ...


class Injuries(Protocol):
    """The injury report."""

    def injuries(self, game_date: date) -> pl.DataFrame:
        """The report (INJURIES) for `game_date`; empty where there is none."""
        ...


class LeagueSource(BoxScores, Schedule, Lines, Injuries, Protocol):
    """One provider that answers all four questions, with a name for logs and metadata."""

    @property
    def name(self) -> str: ...

    @property
    def first_date(self) -> date | None:
        """The first date of the source, None if it cannot be found.

        It is read whenever the definitions are loaded, so it must be cheap and never raise.
        """
        ...

    def provenance(self, game_date: date) -> Provenance:
        """What is known of where the answers for `game_date` come from, and how old they are."""
        ...
