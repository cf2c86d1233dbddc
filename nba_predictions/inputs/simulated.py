"""The source of a simulated league, with schedule, injury reports, lines and box scores.

Each season is generated as a whole from the seed and its year. The result therefore does not depend
on earlier calls. The frames have the layout of the input files, and the same code parses them.
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
from nba_predictions.inputs.box_scores import normalize_game_logs
from nba_predictions.inputs.markets import (
    normalize_injuries,
    normalize_lines,
    normalize_schedule,
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
    """A simulated league with the seasons 1996-97 to 2059-60. Other seasons have no games.

    Args:
        seed: the seed of all random numbers, not negative.
        players_per_team: from 8 to 20.
        line_share: the share of a team's likely players (not reported OUT or DOUBTFUL) that have
            lines: those with the most expected points. On a full slate no player is on the injury
            report, so with 1.0 all 30 * players_per_team players have lines.
        seasons_of_history: the number of earlier seasons that `game_logs` returns in addition to
            the current one.

    Raises:
        SettingsError: an argument is outside its range.
    """

    name = "simulated"
    #: The first day of the season 2024-25. The league has older seasons, but two are enough for a
    #: demonstration, and each date is a partition in the UI.
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
                raise SettingsError(f"{setting} is {value}; choose a value from {least} to {most}")
        self.seed = seed
        self.players_per_team = players_per_team
        self.line_share = line_share
        self.seasons_of_history = seasons_of_history
        self._cache: dict[tuple[str, int], Any] = {}
        self._lock = threading.RLock()

    def game_logs(self, before: date) -> pl.DataFrame:
        """Return the rows (GAME_LOGS) before `before`, of its season and the history."""
        year = _year(season_of(before))
        seasons = [
            self._normalized_logs(y)
            for y in range(year - self.seasons_of_history, year + 1)
            if _exists(y)
        ]
        if not seasons:
            return pl.DataFrame(schema=GAME_LOGS)
        return pl.concat(seasons).filter(pl.col("game_date") < before)

    def box_scores(self, game_date: date) -> pl.DataFrame:
        """Return the rows (GAME_LOGS) of the games of `game_date`."""
        return self._of_date(self._normalized_logs, game_date, GAME_LOGS)

    def schedule(self, game_date: date) -> pl.DataFrame:
        """Return the games (SCHEDULE) of `game_date`, none on days off and outside the season."""
        return self._of_date(self._normalized_schedule, game_date, SCHEDULE)

    def prop_lines(self, game_date: date) -> pl.DataFrame:
        """Return the quotes (PROP_LINES) of both books for `game_date`."""
        return self._of_date(self._normalized_lines, game_date, PROP_LINES)

    def injuries(self, game_date: date) -> pl.DataFrame:
        """Return the report (INJURIES) for `game_date`. Players who are OUT do not play."""
        return self._of_date(self._normalized_injuries, game_date, INJURIES)

    def provenance(self, game_date: date) -> Provenance:
        """Return the provenance: a schedule without an end, and an injury report of the date."""
        return Provenance(True, None, game_date)

    def league_game_log(self, season: str) -> pl.DataFrame:
        """Return all player rows of a season with the columns of nba_api's `LeagueGameLog`.

        Raises:
            ValueError: the league does not have the season.
        """

        def make(year: int) -> pl.DataFrame:
            outlook = self._outlook(year)
            return game_log_frame(year, outlook, games.play(self.seed, year, outlook))

        return self._cached("game_log", _existing_year(season), make)

    def league_lines(self, season: str) -> pl.DataFrame:
        """Return all quotes of a season in the layout of `points_lines` files.

        The books quote every registered market whose statistic is in `Outlook.expected`.
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

        return self._cached("lines", _existing_year(season), make)

    def league_schedule(self, season: str) -> pl.DataFrame:
        """Return all games of a season in the layout of `schedule` files."""

        def make(year: int) -> pl.DataFrame:
            return schedule_frame(self._outlook(year).calendar)

        return self._cached("schedule", _existing_year(season), make)

    def league_injuries(self, season: str) -> pl.DataFrame:
        """Return all injury reports of a season in the layout of `injuries` files."""

        def make(year: int) -> pl.DataFrame:
            return injuries_frame(self._outlook(year))

        return self._cached("injuries", _existing_year(season), make)

    def _cached(self, what: str, year: int, make: Callable[[int], Any]) -> Any:
        with self._lock:
            if (what, year) not in self._cache:
                self._cache[what, year] = make(year)
            return self._cache[what, year]

    def _of_date(
        self, season: Callable[[int], pl.DataFrame], game_date: date, schema: dict[str, Any]
    ) -> pl.DataFrame:
        year = _year(season_of(game_date))
        if not _exists(year):
            return pl.DataFrame(schema=schema)
        return season(year).filter(pl.col("game_date") == game_date)

    def _normalized_logs(self, year: int) -> pl.DataFrame:
        return self._normalized("logs", year, self.league_game_log, normalize_game_logs, GAME_LOGS)

    def _normalized_schedule(self, year: int) -> pl.DataFrame:
        make = self.league_schedule
        return self._normalized("games", year, make, normalize_schedule, SCHEDULE)

    def _normalized_lines(self, year: int) -> pl.DataFrame:
        return self._normalized("quotes", year, self.league_lines, normalize_lines, PROP_LINES)

    def _normalized_injuries(self, year: int) -> pl.DataFrame:
        make = self.league_injuries
        return self._normalized("report", year, make, normalize_injuries, INJURIES)

    def _normalized(
        self,
        what: str,
        year: int,
        raw: Callable[[str], pl.DataFrame],
        normalize: Callable[[Sequence[RawTable]], Parsed],
        schema: dict[str, Any],
    ) -> pl.DataFrame:
        season = season_name(year)

        def make(_: int) -> pl.DataFrame:
            table = RawTable(f"simulated {season}", raw(season))
            return conform(normalize([table]).frame, schema)

        frame: pl.DataFrame = self._cached(f"normalized {what}", year, make)
        return frame

    def _outlook(self, year: int) -> games.Outlook:
        def make(year: int) -> games.Outlook:
            calendar = make_calendar(year, games.calendar_stream(self.seed, year))
            return games.make_outlook(self.seed, year, self.players_per_team, calendar)

        outlook: games.Outlook = self._cached("outlook", year, make)
        return outlook


def _year(season: str) -> int:
    """Return the year in which `season` begins."""
    if not re.fullmatch(r"\d{4}-\d{2}", season) or season_name(int(season[:4])) != season:
        raise ValueError(f"{season!r} is not a season; write it as in 2025-26")
    return int(season[:4])


def _existing_year(season: str) -> int:
    year = _year(season)
    if not _exists(year):
        first, last = season_name(games.FIRST_YEAR), season_name(games.LAST_YEAR)
        raise ValueError(f"the simulated league has no season {season}, only {first} to {last}")
    return year


def _exists(year: int) -> bool:
    return games.FIRST_YEAR <= year <= games.LAST_YEAR
