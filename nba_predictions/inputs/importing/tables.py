"""What a conversion gets and returns: the context of the call, and rows of one kind of input."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import polars as pl

from nba_predictions.domain.league.players import NameIndex, PlayerNames, player_lookup
from nba_predictions.inputs.importing.values import ConversionError, MissingContextError
from nba_predictions.inputs.parsing import MOMENT

Row = dict[str, Any]

_COUNTS = (
    *("FGM", "FGA", "FG3M", "FG3A", "FTM", "FTA", "OREB", "DREB", "REB", "AST", "STL", "BLK"),
    *("TOV", "PF", "PTS"),
)

#: The columns of each kind of input file.
SCHEMAS: dict[str, dict[str, pl.DataType | type[pl.DataType]]] = {
    "player_game_logs": {
        "SEASON_ID": pl.Int64,
        "GAME_ID": pl.String,
        "GAME_DATE": pl.Date,
        "PLAYER_ID": pl.Int64,
        "PLAYER_NAME": pl.String,
        "TEAM_ABBREVIATION": pl.String,
        "MATCHUP": pl.String,
        "MIN": pl.Int64,
        **dict.fromkeys(_COUNTS, pl.Int64),
        "observed_at": MOMENT,
    },
    "points_lines": {
        "player": pl.String,
        "team": pl.String,
        "market": pl.String,
        "bookmaker": pl.String,
        "side": pl.String,
        "line": pl.Float64,
        "line_kind": pl.String,
        "price": pl.Int64,
        "home_team": pl.String,
        "away_team": pl.String,
        "commence_time": MOMENT,
        "snap": pl.Date,
        "observed_at": MOMENT,
    },
    "schedule": {
        "game_date": pl.Date,
        "away_team": pl.String,
        "home_team": pl.String,
        "tipoff": MOMENT,
        "GAME_ID": pl.String,
        "SEASON_ID": pl.Int64,
        "observed_at": MOMENT,
    },
    "injuries": {
        "game_date": pl.Date,
        "team": pl.String,
        "player": pl.String,
        "status": pl.String,
        "reason": pl.String,
        "observed_at": MOMENT,
    },
}
#: Columns that are omitted if no row has a value.
OPTIONAL = frozenset({"SEASON_ID", "GAME_ID", "REB", "team", "line_kind", "snap", "observed_at"})


@dataclass(frozen=True)
class Game:
    """The date and teams of a game; `home` is None on a neutral court."""

    day: date
    teams: tuple[str, str]
    home: str | None

    def matchup(self, team: str) -> str:
        """Return the matchup of a team as nba_api writes it, for example `DAL @ ATL`."""
        if team not in self.teams:
            raise ConversionError(f"{team} does not play in the game {' - '.join(self.teams)}")
        other = self.teams[1] if team == self.teams[0] else self.teams[0]
        return f"{team} {'vs.' if team == self.home else '@'} {other}"


@dataclass
class Context:
    """What the documents of one call share.

    Attributes:
        observed_at: the moment of facts whose document has none; None if it is unknown.
        games: the games by GAME_ID.
        names: the names of players by PLAYER_ID.
        teams: the teams of players by PLAYER_ID, as far as they are known.
    """

    observed_at: datetime | None = None
    games: dict[str, Game] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    teams: dict[int, str] = field(default_factory=dict)

    def add(self, conversion: Conversion) -> None:
        """Add the facts of a converted document."""
        self.games |= conversion.games
        self.names |= conversion.names
        self.teams |= conversion.teams

    def players(self) -> NameIndex:
        """Return the players by their names. The key of a player is the PLAYER_ID as text."""
        names = []
        for identifier, name in self.names.items():
            # A name without Latin letters has no key.
            with suppress(ValueError):
                names.append(PlayerNames(str(identifier), player_lookup(name)))
        return NameIndex(names)

    def game(self, game_id: str) -> Game:
        """Return a game.

        Raises:
            MissingContextError: no document of the call contains it.
        """
        if game_id not in self.games:
            raise MissingContextError(
                f"the date and the teams of game {game_id} are missing; import the schedule "
                "(scheduleLeagueV2.json) or a league game log with this game in the same call"
            )
        return self.games[game_id]

    def game_of(self, team: str, day: date) -> Game | None:
        """Return the game of a team on a date, None if no document of the call has it."""
        games = (g for g in self.games.values() if g.day == day and team in g.teams)
        return next(games, None)


@dataclass
class Conversion:
    """The rows of one document.

    Attributes:
        kind: the kind of input; empty for a document that only adds to the context.
        rows: rows with columns of SCHEMAS.
        rejected: the invalid rows, each with its place and problem.
        dropped: the number of rows that a rule omits, by reason.
        games, names, teams: facts for the context.
        not_submitted: the dates and teams of an injury report that are not submitted yet.
        made_at: the moment of a report as a whole.
        notes: sentences about the whole document.
        incomplete: whether rows lack a fact that another document may contain.
    """

    kind: str
    rows: list[Row] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    games: dict[str, Game] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    teams: dict[int, str] = field(default_factory=dict)
    not_submitted: list[tuple[date, str]] = field(default_factory=list)
    made_at: datetime | None = None
    notes: list[str] = field(default_factory=list)
    incomplete: bool = False

    def add(self, make: Callable[..., Iterable[Row]], *arguments: Any) -> None:
        """Add the rows that `make(*arguments)` returns, or the problem if it raises."""
        try:
            self.rows.extend(make(*arguments))
        except ConversionError as error:
            self.incomplete |= isinstance(error, MissingContextError)
            self.rejected.append(str(error))

    def drop(self, reason: str) -> list[Row]:
        """Count an omitted row and return no rows."""
        self.dropped[reason] += 1
        return []

    def frame(self) -> pl.DataFrame:
        """Return the rows with the columns and types of the kind.

        Raises:
            ConversionError: a value is outside the range of its type.
        """
        schema = SCHEMAS[self.kind]
        frame = pl.DataFrame(self.rows, schema=schema, orient="row")
        empty = [c for c in schema if c in OPTIONAL and frame[c].null_count() == frame.height]
        return frame.drop(empty)
