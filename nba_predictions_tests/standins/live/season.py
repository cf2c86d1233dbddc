"""The seasons that the stand-in serves: the whole truth, without regard to the time.

The simulated league gets the names, ids and numbers of the NBA's teams and games. A folder of real
files has them already.
"""

from __future__ import annotations

import threading
import unicodedata
import zlib
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta, timezone
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from nba_predictions.domain.league.games import EASTERN, eastern_date, team_abbreviation
from nba_predictions.inputs.simulated import SimulatedLeague
from nba_predictions.inputs.simulated_names import TEAMS as SIMULATED_TEAMS
from nba_predictions_tests.standins.live.teams import TEAMS

#: The columns of the answer LeagueGameLog of players, in its order.
LOG_COLUMNS = (
    *("SEASON_ID", "PLAYER_ID", "PLAYER_NAME", "TEAM_ID", "TEAM_ABBREVIATION", "TEAM_NAME"),
    *("GAME_ID", "GAME_DATE", "MATCHUP", "WL", "MIN", "FGM", "FGA", "FG_PCT", "FG3M", "FG3A"),
    *("FG3_PCT", "FTM", "FTA", "FT_PCT", "OREB", "DREB", "REB", "AST", "STL", "BLK", "TOV", "PF"),
    *("PTS", "PLUS_MINUS", "FANTASY_PTS", "VIDEO_AVAILABLE"),
)
#: The third digit of GAME_ID by the name of the season type at stats.nba.com.
KINDS = {
    **{"Pre Season": "1", "Regular Season": "2", "All Star": "3", "Playoffs": "4"},
    **{"PlayIn": "5", "IST": "6"},
}
_REASONS = {
    "Ankle sprain": "Injury/Illness - Left Ankle; Sprain",
    "Knee soreness": "Injury/Illness - Right Knee; Patellar Tendinopathy",
    "Illness": "Injury/Illness - N/A; Illness",
    "Hamstring strain": "Injury/Illness - Left Hamstring; Strain",
    "Back spasms": "Injury/Illness - Low Back; Spasms",
}

Row = dict[str, Any]


@dataclass(frozen=True)
class Game:
    """A game as the schedule of the season has it."""

    game_id: str
    day: date
    tipoff: datetime
    away: str
    home: str

    @property
    def kind(self) -> str:
        return self.game_id[2]

    @property
    def ends(self) -> datetime:
        """Return the end: between 130 and 154 minutes after the tip-off."""
        return self.tipoff + timedelta(minutes=130 + chance(25, "end", self.game_id))


@dataclass(frozen=True)
class Quote:
    """The line that the books agree on when they open, and the American price of its over."""

    player: str
    line: float
    price: int


@dataclass(frozen=True)
class Listed:
    """A player on the injury report. `plays` is the truth, which the report learns late."""

    player: str
    team: str
    status: str
    reason: str
    plays: bool


@dataclass(frozen=True)
class Season:
    """A season. `logs` has LOG_COLUMNS; `quotes` is by GAME_ID; `listed` by date and team."""

    name: str
    games: tuple[Game, ...]
    logs: pl.DataFrame
    quotes: Mapping[str, list[Quote]]
    listed: Mapping[tuple[date, str], list[Listed]]

    @cached_property
    def by_id(self) -> dict[str, Game]:
        return {game.game_id: game for game in self.games}

    @cached_property
    def by_day(self) -> dict[date, list[Game]]:
        days: dict[date, list[Game]] = defaultdict(list)
        for game in self.games:
            days[game.day].append(game)
        return dict(days)

    @cached_property
    def rows(self) -> dict[str, list[Row]]:
        """Return the rows of the box scores by GAME_ID."""
        rows: dict[str, list[Row]] = {game.game_id: [] for game in self.games}
        for row in self.logs.iter_rows(named=True):
            rows[row["GAME_ID"]].append(row)
        return rows

    @cached_property
    def player_ids(self) -> dict[str, int]:
        """Return PLAYER_ID by the name without accents."""
        columns = self.logs.select("PLAYER_NAME", "PLAYER_ID").unique().rows()
        return {plain(name): number for name, number in columns}

    @cached_property
    def last_regular_day(self) -> date:
        return max(game.day for game in self.games if game.kind == "2")


def chance(sides: int, *key: object) -> int:
    """Return a number from 0 to `sides` - 1 that depends only on the key.

    >>> chance(6, "a", 1) == chance(6, "a", 1)
    True
    """
    return zlib.crc32("|".join(map(str, key)).encode()) % sides


def season_of_game(game_id: str) -> str:
    """Return the season of a game.

    >>> season_of_game("0022500017")
    '2025-26'
    """
    year = 2000 + int(game_id[3:5])
    return f"{year}-{(year + 1) % 100:02d}"


def plain(name: str) -> str:
    """Return a name without accents.

    >>> plain("Luka Dončić")
    'Luka Doncic'
    """
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()


class Seasons(ABC):
    """Seasons that are made when they are asked for, once."""

    def __init__(self) -> None:
        self._made: dict[str, Season | None] = {}
        self._lock = threading.Lock()

    def season(self, name: str) -> Season | None:
        """Return a season (`2025-26`), None if there is none."""
        with self._lock:
            if name not in self._made:
                self._made[name] = self._make(name)
            return self._made[name]

    def move_game(self, game_id: str, tipoff: datetime) -> None:
        """Let a game begin at another moment, also on another date, in all services.

        Raises:
            KeyError: there is no such game.
        """
        season = self.season(season_of_game(game_id))
        if season is None:
            raise KeyError(game_id)
        old = season.by_id[game_id]
        new = replace(old, tipoff=tipoff.astimezone(timezone.utc), day=eastern_date(tipoff))
        listed = dict(season.listed)
        if new.day != old.day:
            for team in (old.away, old.home):
                listed[new.day, team] = listed.pop((old.day, team), [])
        day = pl.when(pl.col("GAME_ID") == game_id).then(pl.lit(new.day.isoformat()))
        logs = season.logs.with_columns(day.otherwise(pl.col("GAME_DATE")).alias("GAME_DATE"))
        games = tuple(new if game is old else game for game in season.games)
        with self._lock:
            self._made[season.name] = replace(season, games=games, logs=logs, listed=listed)

    @abstractmethod
    def _make(self, name: str) -> Season | None: ...


class SimulatedSeasons(Seasons):
    """The simulated league with the teams of the NBA, a Cup final, a play-in and playoffs."""

    def __init__(self, league: SimulatedLeague | None = None) -> None:
        super().__init__()
        self.league = league or SimulatedLeague()

    def _make(self, name: str) -> Season | None:
        try:
            schedule = self.league.league_schedule(name)
        except ValueError:
            return None
        prefix = f"002{name[2:4]}"
        games = tuple(
            Game(f"{prefix}{number:05d}", day, tipoff, _NBA[away], _NBA[home])
            for number, (day, away, home, tipoff) in enumerate(schedule.rows(), start=1)
        )
        logs = self.league.league_game_log(name).with_columns(
            pl.col("GAME_ID").str.replace("^9..", prefix),
            pl.col("TEAM_ABBREVIATION").replace(_NBA),
            pl.col("MATCHUP").str.replace_many(list(_NBA), list(_NBA.values())),
        )
        lines = self.league.league_lines(name).filter(
            pl.col("market") == "player_points",
            pl.col("bookmaker") == "Simulated Book A",
            pl.col("side") == "Over",
        )
        quotes: dict[str, list[Quote]] = defaultdict(list)
        columns = lines.select("game_id", "player", "line", "price").rows()
        for game, player, line, price in columns:
            number = int(game.removeprefix("sim")) + 1
            quotes[f"{prefix}{number:05d}"].append(Quote(plain(player), line, price))
        listed = _listed(self.league.league_injuries(name), logs)
        return _with_other_games(Season(name, games, _completed(logs), quotes, listed))


_NBA = {ours: nba for (ours, _), nba in zip(SIMULATED_TEAMS, sorted(TEAMS), strict=True)}


def _completed(logs: pl.DataFrame) -> pl.DataFrame:
    """Return box scores with LOG_COLUMNS and with the ids and names of the teams."""
    team = pl.col("TEAM_ABBREVIATION")
    ids = {code: t.team_id for code, t in TEAMS.items()}
    names = {code: t.full_name for code, t in TEAMS.items()}
    return logs.with_columns(
        pl.col("SEASON_ID").cast(pl.String),
        pl.col("GAME_DATE").cast(pl.String),
        team.replace_strict(ids).alias("TEAM_ID"),
        team.replace_strict(names).alias("TEAM_NAME"),
        pl.lit(1).alias("VIDEO_AVAILABLE"),
    ).select(LOG_COLUMNS)


def _listed(injuries: pl.DataFrame, logs: pl.DataFrame) -> dict[tuple[date, str], list[Listed]]:
    played = set(logs.select("GAME_DATE", "PLAYER_NAME").rows())
    listed: dict[tuple[date, str], list[Listed]] = defaultdict(list)
    columns = injuries.select("game_date", "player", "team", "status", "reason").rows()
    for day, player, team, status, reason in columns:
        team = _NBA[team]
        plays = (day, player) in played
        listed[day, team].append(Listed(plain(player), team, status, _REASONS[reason], plays))
    return listed


def _with_other_games(season: Season) -> Season:
    """Add a Cup final on December 24, a play-in and playoffs after the season.

    They are copies of games: of the first one, and of those of the last days. All teams play on
    the last day, so no team has two of them on a day.
    """
    last = season.last_regular_day
    days = sorted(season.by_day)
    cup = date(int(season.name[:4]), 12, 24)
    before = max((day for day in days if day < cup), default=days[0])
    copies = [(season.by_day[before][:1], cup, "6")]
    copies.append((season.by_day[last][:6], last + timedelta(days=2), "5"))
    for number, day in enumerate(days[-15:-1]):
        copies.append((season.by_day[day][:4], last + timedelta(days=5 + number), "4"))
    for games, day, kind in copies:
        season = _copied(season, games, day, kind)
    return season


def _copied(season: Season, originals: Iterable[Game], day: date, kind: str) -> Season:
    first = 1 + sum(game.kind == kind for game in season.games)
    games, logs = list(season.games), [season.logs]
    quotes, listed = dict(season.quotes), dict(season.listed)
    for number, old in enumerate(originals, start=first):
        shift = datetime.combine(day, time()) - datetime.combine(old.day, time())
        local = old.tipoff.astimezone(EASTERN) + shift
        tipoff = local.astimezone(timezone.utc)
        new = replace(old, game_id=f"00{kind}{season.name[2:4]}{number:05d}", day=day)
        new = replace(new, tipoff=tipoff)
        games.append(new)
        logs.append(
            season.logs.filter(pl.col("GAME_ID") == old.game_id).with_columns(
                GAME_ID=pl.lit(new.game_id),
                GAME_DATE=pl.lit(day.isoformat()),
                SEASON_ID=pl.lit(f"{kind}20{season.name[2:4]}"),
            )
        )
        quotes[new.game_id] = season.quotes.get(old.game_id, [])
        for team in (old.away, old.home):
            listed[day, team] = season.listed.get((old.day, team), [])
    return replace(season, games=tuple(games), logs=pl.concat(logs), quotes=quotes, listed=listed)


class FolderSeasons(Seasons):
    """Real seasons, from a folder with Parquet files of box scores and points lines.

    The schedule follows from the box scores. Where the lines have no tip-off, it is between 19:00
    and 22:00 Eastern. Players without a line get one from their last ten games. Regular players
    who miss a game are on the injury report, with a few others who play.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._logs = pl.read_parquet(folder / "player_game_logs*.parquet")
        lines = [pl.read_parquet(path) for path in sorted(folder.glob("points_lines*.parquet"))]
        self._lines = pl.concat(lines) if lines else None

    def _make(self, name: str) -> Season | None:
        logs = self._logs.filter(pl.col("season") == name)
        if logs.is_empty():
            return None
        quotes, tipoffs = self._real_quotes()
        games = tuple(
            Game(game, day, tipoffs.get((day, home)) or _evening(day, game), away, home)
            for game, day, away, home in _schedule(logs).rows()
        )
        by_game: dict[str, list[Quote]] = {}
        expected = _expected(logs)
        for game in games:
            real = quotes.get((game.day, game.home))
            made = [Quote(plain(p), line, -110) for p, line in expected.get(game.game_id, [])]
            by_game[game.game_id] = real or made
        listed = _missing(logs)
        ordered = tuple(sorted(games, key=lambda game: (game.tipoff, game.game_id)))
        return Season(name, ordered, _completed(logs), by_game, listed)

    def _real_quotes(
        self,
    ) -> tuple[dict[tuple[date, str], list[Quote]], dict[tuple[date, str], datetime]]:
        quotes: dict[tuple[date, str], dict[str, Quote]] = defaultdict(dict)
        tipoffs: dict[tuple[date, str], datetime] = {}
        if self._lines is None:
            return {}, {}
        rows = self._lines.filter(pl.col("side") == "Over", pl.col("price") > -10000)
        for player, line, price, home, start in rows.select(
            "player", "line", "price", "home_team", "commence_time"
        ).rows():
            game = (eastern_date(start), team_abbreviation(home) or home)
            tipoffs[game] = start
            quotes[game].setdefault(player, Quote(plain(player), line, price))
        return {game: list(by.values()) for game, by in quotes.items()}, tipoffs


def _schedule(logs: pl.DataFrame) -> pl.DataFrame:
    """Return GAME_ID, day, away and home of each game."""
    return (
        logs.filter(pl.col("MATCHUP").str.contains(" @ "))
        .select(
            "GAME_ID",
            "GAME_DATE",
            pl.col("MATCHUP").str.slice(0, 3).alias("away"),
            pl.col("MATCHUP").str.slice(-3).alias("home"),
        )
        # On a neutral court, both teams may be written as the away team.
        .unique("GAME_ID", keep="first", maintain_order=True)
        .sort("GAME_DATE", "GAME_ID")
    )


def _evening(day: date, game: str) -> datetime:
    minutes = 19 * 60 + 30 * chance(7, "tipoff", game)
    local = datetime.combine(day, time(minutes // 60, minutes % 60), tzinfo=EASTERN)
    return local.astimezone(timezone.utc)


def _expected(logs: pl.DataFrame) -> dict[str, list[tuple[str, float]]]:
    """Return a line for the eight players of each team with the most points in ten games."""
    recent = pl.col("PTS").shift(1).rolling_mean(10, min_samples=3).over("PLAYER_ID")
    rows = (
        logs.sort("GAME_DATE", "GAME_ID")
        .with_columns(recent.alias("recent"))
        .filter(pl.col("recent") >= 5)
        .filter(pl.col("recent").rank("ordinal", descending=True).over("GAME_ID", "TEAM_ID") <= 8)
    )
    lines: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for game, player, mean in rows.select("GAME_ID", "PLAYER_NAME", "recent").rows():
        lines[game].append((player, int(mean) + 0.5))
    return lines


def _missing(logs: pl.DataFrame) -> dict[tuple[date, str], list[Listed]]:
    """Return the regular players who miss a game of their team, and some who do not."""
    listed: dict[tuple[date, str], list[Listed]] = defaultdict(list)
    teams: dict[str, dict[str, int]] = defaultdict(dict)
    reasons = list(_REASONS.values())
    for (day, team), rows in logs.sort("GAME_DATE").group_by(
        "GAME_DATE", "TEAM_ABBREVIATION", maintain_order=True
    ):
        played = set(rows["PLAYER_NAME"].to_list())
        games = teams[team]
        for player, age in list(games.items()):
            reason = reasons[chance(len(reasons), "reason", player, day)]
            plays = player in played
            if not plays or chance(12, "listed", player, day) == 0:
                late = plays or chance(3, "late", player, day) == 0
                status = "QUESTIONABLE" if late else "OUT"
                listed[day, team].append(Listed(plain(player), str(team), status, reason, plays))
            games[player] = age + 1
            # A player who misses ten games in a row, or plays elsewhere, is not listed any more.
            if games[player] > 10:
                del games[player]
        games.update(dict.fromkeys(played, 0))
    return listed
