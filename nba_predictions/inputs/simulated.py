"""A league that does not exist, complete with schedule, injury report, lines and box scores.

Everything follows from the seed: a season is generated whole, by arithmetic from the seed and its
year, so that no answer depends on which others were asked for before. The frames are made in the
layout of the input files and normalised by the same code as those.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import polars as pl

from nba_predictions.domain.errors import SettingsError
from nba_predictions.domain.league.games import season_of
from nba_predictions.domain.market import registered_markets
from nba_predictions.inputs import simulated_games as games
from nba_predictions.inputs.box_scores import normalise_game_logs
from nba_predictions.inputs.markets import (
    normalise_injuries,
    normalise_lines,
    normalise_schedule,
)
from nba_predictions.inputs.parsing import Parsed, RawTable, conform
from nba_predictions.inputs.port import (
    GAME_LOGS,
    INJURIES,
    PROP_LINES,
    SCHEDULE,
    Provenance,
)
from nba_predictions.inputs.simulated_calendar import make_calendar, season_days
from nba_predictions.inputs.simulated_frames import (
    game_log_frame,
    injuries_frame,
    lines_frame,
    schedule_frame,
    season_name,
)


class SimulatedLeague:
    """Answers for the seasons 1996-97 to 2059-60 of a simulated league; before and after, nothing.

    Args:
        seed: what everything follows from, not negative.
        players_per_team: 8 to 20.
        line_share: the share of a team's likely players (not reported OUT or DOUBTFUL) that the
            books quote, in the order of expected points. On a full slate no player is reported,
            so that with 1.0 all 30 * players_per_team players have lines.
        seasons_of_history: how many earlier seasons `game_logs` gives beside the current one.

    Raises:
        SettingsError: an argument is out of its range.
    """

    name = "simulated"
    #: The first day of the season 2024-25. The league has older seasons, but two are enough to try
    #: out the pipeline, and each date is a partition in the UI.
    first_date: date | None = season_days(2024)[0][0]

    def __init__(
        self,
        seed: int = 2026,
        players_per_team: int = 15,
        line_share: float = 0.6,
        seasons_of_history: int = 1,
    ) -> None:
        for setting, value, least, most in (
            ("seed", seed, 0, 2**63),
            ("players_per_team", players_per_team, games.LEAST_AVAILABLE, 20),
            ("line_share", line_share, 0.0, 1.0),
            ("seasons_of_history", seasons_of_history, 0, 60),
        ):
            if not least <= value <= most:
                raise SettingsError(f"{setting} is {value}; choose {least} to {most}")
        self.seed = seed
        self.players_per_team = players_per_team
        self.line_share = line_share
        self.seasons_of_history = seasons_of_history
        self._made: dict[tuple[str, int], Any] = {}
        self._lock = threading.RLock()

    def game_logs(self, before: date) -> pl.DataFrame:
        """All rows (GAME_LOGS) of games before `before`: of its season and those of the history."""
        year = _year(season_of(before))
        seasons = [
            self._normalised_logs(y)
            for y in range(year - self.seasons_of_history, year + 1)
            if _exists(y)
        ]
        if not seasons:
            return pl.DataFrame(schema=GAME_LOGS)
        return pl.concat(seasons).filter(pl.col("game_date") < before)

    def box_scores(self, game_date: date) -> pl.DataFrame:
        """The rows (GAME_LOGS) of the games of `game_date`."""
        return self._of_date(self._normalised_logs, game_date, GAME_LOGS)

    def schedule(self, game_date: date) -> pl.DataFrame:
        """The games (SCHEDULE) of `game_date`; empty on days off and outside the season."""
        return self._of_date(self._normalised_schedule, game_date, SCHEDULE)

    def prop_lines(self, game_date: date) -> pl.DataFrame:
        """The quotes (PROP_LINES) of both books for `game_date`."""
        return self._of_date(self._normalised_lines, game_date, PROP_LINES)

    def injuries(self, game_date: date) -> pl.DataFrame:
        """The report (INJURIES) for `game_date`; who is OUT does not play."""
        return self._of_date(self._normalised_injuries, game_date, INJURIES)

    def provenance(self, game_date: date) -> Provenance:
        """The league's own schedule, without an end, and the report of the day."""
        return Provenance(True, None, game_date)

    def league_game_log(self, season: str) -> pl.DataFrame:
        """All player rows of a season in the columns of nba_api's `LeagueGameLog`.

        Raises:
            ValueError: `season` is no season of the league.
        """

        def make(year: int) -> pl.DataFrame:
            outlook = self._outlook(year)
            return game_log_frame(year, outlook, games.play(self.seed, year, outlook))

        return self._once("game_log", _existing_year(season), make)

    def league_lines(self, season: str) -> pl.DataFrame:
        """All quotes of a season in the layout of `points_lines` files.

        The books quote every registered market whose statistic the simulation expects
        (`Outlook.expected`).
        """

        def make(year: int) -> pl.DataFrame:
            outlook = self._outlook(year)
            return pl.concat(
                lines_frame(
                    outlook, market, self.line_share, games.line_stream(self.seed, year, market)
                )
                for market in registered_markets()
                if set(market.columns) <= set(outlook.expected)
            )

        return self._once("lines", _existing_year(season), make)

    def league_schedule(self, season: str) -> pl.DataFrame:
        """All games of a season in the layout of `schedule` files."""

        def make(year: int) -> pl.DataFrame:
            return schedule_frame(self._outlook(year).calendar)

        return self._once("schedule", _existing_year(season), make)

    def league_injuries(self, season: str) -> pl.DataFrame:
        """All injury reports of a season in the layout of `injuries` files."""

        def make(year: int) -> pl.DataFrame:
            return injuries_frame(self._outlook(year))

        return self._once("injuries", _existing_year(season), make)

    def _once(self, what: str, year: int, make: Callable[[int], Any]) -> Any:
        with self._lock:
            if (what, year) not in self._made:
                self._made[what, year] = make(year)
            return self._made[what, year]

    def _of_date(
        self, season: Callable[[int], pl.DataFrame], game_date: date, schema: dict[str, Any]
    ) -> pl.DataFrame:
        year = _year(season_of(game_date))
        if not _exists(year):
            return pl.DataFrame(schema=schema)
        return season(year).filter(pl.col("game_date") == game_date)

    def _normalised_logs(self, year: int) -> pl.DataFrame:
        return self._normalised("logs", year, self.league_game_log, normalise_game_logs, GAME_LOGS)

    def _normalised_schedule(self, year: int) -> pl.DataFrame:
        make = self.league_schedule
        return self._normalised("games", year, make, normalise_schedule, SCHEDULE)

    def _normalised_lines(self, year: int) -> pl.DataFrame:
        return self._normalised("quotes", year, self.league_lines, normalise_lines, PROP_LINES)

    def _normalised_injuries(self, year: int) -> pl.DataFrame:
        make = self.league_injuries
        return self._normalised("report", year, make, normalise_injuries, INJURIES)

    def _normalised(
        self,
        what: str,
        year: int,
        raw: Callable[[str], pl.DataFrame],
        normalise: Callable[[Sequence[RawTable]], Parsed],
        schema: dict[str, Any],
    ) -> pl.DataFrame:
        season = season_name(year)

        def make(_: int) -> pl.DataFrame:
            table = RawTable(f"simulated {season}", raw(season))
            return conform(normalise([table]).frame, schema)

        frame: pl.DataFrame = self._once(f"normalised {what}", year, make)
        return frame

    def _outlook(self, year: int) -> games.Outlook:
        def make(year: int) -> games.Outlook:
            calendar = make_calendar(year, games.calendar_stream(self.seed, year))
            return games.make_outlook(self.seed, year, self.players_per_team, calendar)

        outlook: games.Outlook = self._once("outlook", year, make)
        return outlook


def _year(season: str) -> int:
    """Return the year in which `season` begins."""
    if not re.fullmatch(r"\d{4}-\d{2}", season) or season_name(int(season[:4])) != season:
        raise ValueError(f"{season!r} is no season; write it as in 2025-26")
    return int(season[:4])


def _existing_year(season: str) -> int:
    year = _year(season)
    if not _exists(year):
        first, last = season_name(games.FIRST_YEAR), season_name(games.LAST_YEAR)
        raise ValueError(f"the simulated league has no season {season}; {first} to {last} it has")
    return year


def _exists(year: int) -> bool:
    return games.FIRST_YEAR <= year <= games.LAST_YEAR
