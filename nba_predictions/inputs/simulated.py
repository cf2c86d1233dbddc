"""The source of a simulated league, with schedule, injury reports, lines and box scores.

Each season is generated as a whole from the seed and its year. The result therefore does not depend
on earlier calls. The frames have the layout of the input files, and the same code parses them.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import polars as pl

from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import SettingsError
from nba_predictions.domain.league.games import season_of
from nba_predictions.domain.market import registered_markets
from nba_predictions.inputs import simulated_games as games
from nba_predictions.inputs.account import InputAccount, Known, accounts_of
from nba_predictions.inputs.box_scores import known_logs, normalize_game_logs
from nba_predictions.inputs.injuries import normalize_injuries, report_of
from nba_predictions.inputs.lines import lines_of, normalize_lines
from nba_predictions.inputs.parsing import Parsed, RawTable, conform
from nba_predictions.inputs.port import (
    GAME_LOGS,
    GAMES,
    INJURIES,
    LINES,
    LOGS,
    PROP_LINES,
    REPORT,
    ROSTER,
    SCHEDULE,
    Provenance,
)
from nba_predictions.inputs.schedules import known_games, normalize_schedule
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
            self._logs(y) for y in range(year - self.seasons_of_history, year + 1) if _exists(y)
        ]
        if not seasons:
            return pl.DataFrame(schema=GAME_LOGS)
        return pl.concat(seasons).filter(pl.col("game_date") < before)

    def box_scores(self, game_date: date) -> pl.DataFrame:
        """Return the rows (GAME_LOGS) of the games of `game_date`."""
        year = _year(season_of(game_date))
        if not _exists(year):
            return pl.DataFrame(schema=GAME_LOGS)
        return self._logs(year).filter(pl.col("game_date") == game_date)

    def schedule(self, game_date: date) -> pl.DataFrame:
        """Return the games (SCHEDULE) of `game_date`, none on days off and outside the season."""
        return self._of_date(GAMES, game_date, SCHEDULE)

    def prop_lines(self, game_date: date) -> pl.DataFrame:
        """Return the quotes (PROP_LINES) of both books for `game_date`."""
        return self._of_date(LINES, game_date, PROP_LINES)

    def injuries(self, game_date: date) -> pl.DataFrame:
        """Return the report (INJURIES) for `game_date`. Players who are OUT do not play."""
        return self._of_date(REPORT, game_date, INJURIES)

    def roster(self, game_date: date) -> pl.DataFrame:
        """Return no players (ROSTER): their teams are those of the box scores."""
        del game_date
        return pl.DataFrame(schema=ROSTER)

    def provenance(self, game_date: date) -> Provenance:
        """Return the provenance: a schedule without an end, and an injury report of the date."""
        return Provenance(True, None, game_date)

    def known_at(self, as_of: datetime) -> SimulatedLeague:
        """Return the league itself: the moments of its facts are unknown."""
        return self

    def accounts(self, game_date: date) -> list[InputAccount]:
        """Return the outcome of each row of each table of the season and its history."""
        last = _year(season_of(game_date))
        day = pl.col("game_date")
        accounts: list[InputAccount] = []
        for kind in (LOGS, LINES, GAMES, REPORT):
            first = last - self.seasons_of_history if kind == LOGS else last
            for year in range(first, last + 1):
                if _exists(year):
                    season = game_date if year == last else season_days(year)[0][0]
                    known = self._known(kind, season) or Known(pl.DataFrame(schema=GAME_LOGS))
                    used = known.frame.filter(day < game_date if kind == LOGS else day == game_date)
                    accounts += accounts_of(kind, self._parsed(kind, year), known, used, utc_now())
        return accounts

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

    def _of_date(self, kind: str, game_date: date, schema: dict[str, Any]) -> pl.DataFrame:
        known = self._known(kind, game_date)
        if known is None:
            return pl.DataFrame(schema=schema)
        return conform(known.frame.filter(pl.col("game_date") == game_date), schema)

    def _logs(self, year: int) -> pl.DataFrame:
        return conform(self._known_of_season(LOGS, year).frame, GAME_LOGS)

    def _known_of_season(self, kind: str, year: int) -> Known:
        reduce = known_logs if kind == LOGS else known_games

        def make(year: int) -> Known:
            return reduce(self._parsed(kind, year).frame)

        known: Known = self._cached(f"known {kind}", year, make)
        return known

    def _known(self, kind: str, game_date: date) -> Known | None:
        """Return the facts of one kind for a date; None if the league has no such season."""
        year = _year(season_of(game_date))
        if not _exists(year):
            return None
        if kind in (LOGS, GAMES):
            return self._known_of_season(kind, year)
        rows = self._parsed(kind, year).frame
        if kind == LINES:
            return lines_of(rows, game_date, self.schedule)
        return report_of(rows, game_date, self.schedule(game_date))

    def _parsed(self, kind: str, year: int) -> Parsed:
        raw, normalize = {
            LOGS: (self.league_game_log, normalize_game_logs),
            GAMES: (self.league_schedule, normalize_schedule),
            LINES: (self.league_lines, normalize_lines),
            REPORT: (self.league_injuries, normalize_injuries),
        }[kind]
        season = season_name(year)

        def make(_: int) -> Parsed:
            return normalize([RawTable(f"simulated {season}", raw(season))])

        parsed: Parsed = self._cached(f"parsed {kind}", year, make)
        return parsed

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
