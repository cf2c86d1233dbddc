"""Describe what teams concede and how fast they play, relative to the league, before a date."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from nba_predictions.features.windows import Floats, Ints, Slices, first_of_run, ratio

#: The last games of a team that describe it.
TEAM_WINDOW = 25
#: Games of an average team mixed into a team's record, so that two games in October count little.
TEAM_SHRINKAGE = 8
#: Team-games (two per game) of the league average: about 25 per team.
LEAGUE_WINDOW = 750

#: Games over which a team's usual line-up is averaged, and the half-life of a player's part in it.
LINEUP_WINDOW = 10
LINEUP_HALF_LIFE = 8.0

_POSSESSIONS = "possessions"
_CONCEDED = ("points", "twos", "threes", "free_throws", _POSSESSIONS)
_LINEUP = ("usual_points", "usual_minutes")
#: The same without players who are known to be absent now, and the team's own points.
_PRESENT = ("present_points", "present_minutes")
_OWN = ("scored",)


@dataclass(frozen=True)
class TeamForm:
    """The state of one team per row; NaN where the team is unknown or has not played.

    Attributes:
        allowed: per zone and statistic, the total that the team conceded, relative to the league.
        pace: possessions relative to the league.
        lineup_points_last: the sum of what the players of the last game usually score, relative to
            the league's team points. Players who are known to be absent now are left out.
        lineup_points_10: the mean of that sum over LINEUP_WINDOW games. Missing stars make
            `lineup_points_last` lower than this. Minutes likewise.
        margin: points scored minus conceded per game over TEAM_WINDOW games, shrunk to 0.
    """

    allowed: dict[str, Floats]
    pace: Floats
    days_since_last: Floats
    season_games: Floats
    lineup_points_last: Floats
    lineup_points_10: Floats
    lineup_minutes_last: Floats
    lineup_minutes_10: Floats
    margin: Floats


@dataclass(frozen=True)
class TeamGames:
    """All team-games of a history, sorted by team and date."""

    codes: dict[str, int]
    keys: Ints
    days: Ints
    team_starts: Ints
    values: dict[str, Ints]
    league_days: Ints
    league_values: dict[str, Ints]

    @classmethod
    def of(
        cls, history: pl.DataFrame, statistics: Sequence[str], absent: Collection[str] = ()
    ) -> TeamGames:
        """Collect from GAME_LOGS rows what every team conceded in every game, and who played.

        The rows have a column of whole numbers per statistic. Players (player_lookup) who are
        `absent` now are left out of the line-up of their team's last game.
        """
        conceded = tuple(dict.fromkeys((*_CONCEDED, *statistics)))
        games = (
            _conceded(history.lazy(), conceded)
            .join(_lineups(history.lazy(), absent), on=["team", "game_date", "game_id"], how="left")
            .sort("team", "game_date", "game_id")
            .with_columns(day=pl.col("game_date").to_physical().cast(pl.Int64))
            .collect()
        )
        names = games["team"].unique(maintain_order=True).to_list()
        codes = {name: code for code, name in enumerate(names)}
        team = _encode(games["team"], codes)
        days = games["day"].to_numpy()
        by_date = np.argsort(days, kind="stable")
        values = {
            m: games[m].cast(pl.Int64).fill_null(0).to_numpy()
            for m in (*conceded, *_LINEUP, *_PRESENT, *_OWN)
        }
        return cls(
            codes=codes,
            keys=_key(team, days),
            days=days,
            team_starts=first_of_run(team),
            values=values,
            league_days=days[by_date],
            league_values={m: values[m][by_date] for m in conceded},
        )

    def before(self, team: pl.Series, days: Ints, season_starts: Ints) -> TeamForm:
        """Return the form of `team` on each of `days`, from the games before that day.

        Teams are abbreviations, null where unknown. Days count since 1970-01-01. The season of
        each row begins on the day in `season_starts`.
        """
        code = _encode(team, self.codes)
        high = np.searchsorted(self.keys, _key(code, days))
        low = np.searchsorted(self.keys, _key(code, np.zeros_like(days)))
        # An unknown team has the code -1, which sorts before every team, so its slice is empty.
        past = Slices(low, high)
        recent = past.last(TEAM_WINDOW)
        league_high = np.searchsorted(self.league_days, days)
        league = Slices(np.zeros_like(league_high), league_high).last(LEAGUE_WINDOW)
        known = past.count > 0

        def relative(measure: str) -> Floats:
            average = league.mean(self.league_values[measure])
            total = recent.sum(self.values[measure]) + TEAM_SHRINKAGE * average
            value = ratio(total, (recent.count + TEAM_SHRINKAGE) * average)
            return np.where(known, value, np.nan)

        team_points = 100 * league.mean(self.league_values["points"])
        lineup, last = past.last(LINEUP_WINDOW), past.last(1)
        last_day = past.latest(self.days.astype(np.float64))
        season_low = np.searchsorted(self.keys, _key(code, season_starts))
        return TeamForm(
            allowed={m: relative(m) for m in self.league_values if m != _POSSESSIONS},
            pace=relative(_POSSESSIONS),
            days_since_last=days - last_day,
            season_games=np.where(known, (high - season_low).astype(np.float64), np.nan),
            lineup_points_last=ratio(last.mean(self.values["present_points"]), team_points),
            lineup_points_10=ratio(lineup.mean(self.values["usual_points"]), team_points),
            lineup_minutes_last=last.mean(self.values["present_minutes"]) / 100,
            lineup_minutes_10=lineup.mean(self.values["usual_minutes"]) / 100,
            margin=np.where(
                known,
                recent.sum(self.values["scored"] - self.values["points"])
                / (recent.count + TEAM_SHRINKAGE),
                np.nan,
            ),
        )


def _conceded(history: pl.LazyFrame, measures: Sequence[str]) -> pl.LazyFrame:
    """Return the totals that each team conceded per game.

    Possessions are the usual box score estimate `fga + 0.44 fta - oreb + tov` (Oliver, 2004), in
    hundredths. Both teams have about as many, so the opponent's possessions measure the pace.
    """
    zones = {
        "twos": 2 * (pl.col("fgm").sum() - pl.col("fg3m").sum()),
        "threes": 3 * pl.col("fg3m").sum(),
        "free_throws": pl.col("ftm").sum(),
        _POSSESSIONS: 100 * (pl.col("fga").sum() - pl.col("oreb").sum() + pl.col("tov").sum())
        + 44 * pl.col("fta").sum(),
    }
    return (
        history.filter(pl.col("opponent").is_not_null())
        .group_by("opponent", "game_date", "game_id")
        .agg(zones.get(m, pl.col(m).sum()).alias(m) for m in measures)
        .rename({"opponent": "team"})
    )


def _lineups(history: pl.LazyFrame, absent: Collection[str]) -> pl.LazyFrame:
    """Return per team and game the usual points and minutes of those who played, summed."""
    present = pl.col("present")
    return (
        history.filter(pl.col("team").is_not_null())
        .sort("player_lookup", "game_date", "game_id")
        .select(
            "team",
            "game_date",
            "game_id",
            "points",
            present=~pl.col("player_lookup").is_in(sorted(absent)),
            usual_points=_usual("points"),
            usual_minutes=_usual("minutes"),
        )
        .group_by("team", "game_date", "game_id")
        .agg(
            pl.col(_LINEUP).sum(),
            present_points=pl.col("usual_points").filter(present).sum(),
            present_minutes=pl.col("usual_minutes").filter(present).sum(),
            scored=pl.col("points").sum(),
        )
    )


def _usual(column: str) -> pl.Expr:
    """Return a player's usual value before each game, in hundredths; 0 in the first game.

    Whole hundredths, so that a sum over a line-up does not depend on the order of its players.
    """
    usual = pl.col(column).ewm_mean(half_life=LINEUP_HALF_LIFE).shift(1).over("player_lookup")
    return (usual * 100).round().cast(pl.Int64).fill_null(0)


def _encode(team: pl.Series, codes: dict[str, int]) -> Ints:
    if not codes:
        return np.full(len(team), -1, dtype=np.int64)
    return team.replace_strict(codes, default=-1, return_dtype=pl.Int64).fill_null(-1).to_numpy()


def _key(code: Ints, days: Ints) -> Ints:
    return code * 1_000_000 + days
