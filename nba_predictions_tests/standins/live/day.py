"""What is true and public at a moment: states of games, box scores, rosters and injuries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from functools import cached_property

import polars as pl

from nba_predictions.domain.league.games import EASTERN, eastern_date, season_of
from nba_predictions_tests.standins.live.season import (
    Game,
    Listed,
    Row,
    Season,
    Seasons,
    chance,
    season_of_game,
)

SCHEDULED, LIVE, FINAL = 1, 2, 3
#: From the end of a game to its box score.
BOX_SCORE_DELAY = timedelta(minutes=15)
#: From the end of uncertainty about a player to the tip-off.
DECISION = timedelta(hours=1)
#: The Eastern times until which a team must submit: on the day before a game, or on the day of a
#: game if the team plays on the day before, too.
SUBMISSION, SUBMISSION_BACK_TO_BACK = time(17), time(13)
#: The Eastern time at which a box score of the day before is corrected.
CORRECTION = time(12)
#: Cup final, play-in and playoffs appear in the schedule this many days before.
_DECIDED_BEFORE = timedelta(days=3)
#: A traded player is on the roster of the new team this many days before their first game.
_TRADED_BEFORE = timedelta(days=3)


@dataclass(frozen=True)
class Moment:
    """The league at `now`.

    Attributes:
        corrections: whether one box score of each day is wrong until 12:00 of the next day.
    """

    now: datetime
    seasons: Seasons
    corrections: bool = True

    @property
    def today(self) -> date:
        return eastern_date(self.now)

    @cached_property
    def season(self) -> Season | None:
        """Return the current season, None if the league has none."""
        return self.seasons.season(season_of(self.today))

    def games(self, first: date, last: date) -> list[Game]:
        """Return the games from `first` to `last` by tip-off."""
        if self.season is None:
            return []
        found = [
            game
            for day, games in self.season.by_day.items()
            for game in games
            if first <= day <= last and self.is_decided(game)
        ]
        return sorted(found, key=lambda game: (game.tipoff, game.game_id))

    def game(self, game_id: str) -> tuple[Season, Game] | None:
        """Return a game of any season by its id."""
        if len(game_id) != 10 or not game_id.isdigit():
            return None
        season = self.seasons.season(season_of_game(game_id))
        game = None if season is None else season.by_id.get(game_id)
        return None if season is None or game is None else (season, game)

    def is_decided(self, game: Game) -> bool:
        """Return whether the schedule has the game."""
        return game.kind == "2" or self.today >= game.day - _DECIDED_BEFORE

    def state(self, game: Game) -> int:
        """Return SCHEDULED, LIVE or FINAL."""
        if self.now < game.tipoff:
            return SCHEDULED
        return LIVE if self.now < game.ends else FINAL

    def share_played(self, game: Game) -> float:
        """Return the share of a game that is over, from 0 to 1."""
        return min(max((self.now - game.tipoff) / (game.ends - game.tipoff), 0.0), 1.0)

    def period(self, game: Game) -> int:
        """Return the quarter, 0 before the game and 4 after it."""
        if self.state(game) == SCHEDULED:
            return 0
        return min(1 + int(4 * self.share_played(game)), 4)

    def state_text(self, game: Game) -> str:
        """Return the state as the NBA writes it: `7:30 pm ET`, `Q2 5:31`, `Final`."""
        state = self.state(game)
        if state == SCHEDULED:
            return f"{clock_time(game.tipoff)} ET"
        if state == FINAL:
            return "Final"
        left = 720 - int(4 * self.share_played(game) % 1 * 720)
        return f"Q{self.period(game)} {left // 60}:{left % 60:02d}"

    def score(self, season: Season, game: Game, team: str) -> int:
        """Return the points of a team until now."""
        if self.state(game) == SCHEDULED:
            return 0
        points = sum(
            row["PTS"] for row in season.rows[game.game_id] if row["TEAM_ABBREVIATION"] == team
        )
        return int(points * self.share_played(game))

    def has_box_score(self, game: Game) -> bool:
        return self.now >= game.ends + BOX_SCORE_DELAY

    def box_score(self, season: Season, game: Game) -> list[Row]:
        """Return the rows of a game as published, which may be corrected later."""
        wrong = self.wrong_rows(season)
        return [
            uncorrected(row) if (row["GAME_ID"], row["PLAYER_ID"]) in wrong else row
            for row in season.rows[game.game_id]
        ]

    def wrong_rows(self, season: Season) -> frozenset[tuple[str, int]]:
        """Return GAME_ID and PLAYER_ID of the published rows that are not corrected yet."""
        wrong = set()
        for day in (self.today - timedelta(days=1), self.today):
            games = season.by_day.get(day, [])
            corrected = eastern(day + timedelta(days=1), CORRECTION)
            if self.corrections and games and self.now < corrected:
                game = games[chance(len(games), "corrected game", day)]
                rows = season.rows[game.game_id]
                row = rows[chance(len(rows), "corrected player", day)]
                wrong.add((game.game_id, row["PLAYER_ID"]))
        return frozenset(wrong)

    def published(self, season: Season, kind: str) -> list[Game]:
        """Return the games of a kind that have box scores, in the order of the season."""
        return [game for game in season.games if game.kind == kind and self.has_box_score(game)]

    def roster(self, season: Season) -> pl.DataFrame:
        """Return the last known row of the box scores of each player of a season.

        Before their first game, players have the team of that game.
        """
        known = (self.today + _TRADED_BEFORE).isoformat()
        past = season.logs.filter(pl.col("GAME_DATE") <= known).sort("GAME_DATE")
        future = season.logs.filter(pl.col("GAME_DATE") > known).sort("GAME_DATE")
        last = past.unique("PLAYER_ID", keep="last")
        first = future.unique("PLAYER_ID", keep="first").join(last, on="PLAYER_ID", how="anti")
        return pl.concat([last, first]).sort("PLAYER_ID")

    def listed(self, game: Game) -> Iterator[tuple[str, list[Listed] | None]]:
        """Yield both teams of a game with their injured players; None: not yet submitted."""
        assert self.season is not None, "the game is of this season"
        for team in (game.away, game.home):
            players = self.season.listed.get((game.day, team), [])
            submitted = self.has_submitted(game, team)
            yield team, players if submitted else None

    def has_submitted(self, game: Game, team: str) -> bool:
        """Return whether a team has submitted its injuries for a game."""
        assert self.season is not None, "the game is of this season"
        before = game.day - timedelta(days=1)
        plays_before = any(team in (g.away, g.home) for g in self.season.by_day.get(before, []))
        if plays_before:
            return self.now >= eastern(game.day, SUBMISSION_BACK_TO_BACK)
        return self.now >= eastern(before, SUBMISSION)

    def status(self, game: Game, player: Listed) -> str:
        """Return the status of a player; one hour before tip-off it is OUT or AVAILABLE."""
        if self.now < game.tipoff - DECISION:
            return player.status
        return "AVAILABLE" if player.plays else "OUT"


def uncorrected(row: Row) -> Row:
    """Return a row with one field goal too many."""
    made, tried = row["FGM"] + 1, row["FGA"] + 1
    return {
        **row,
        **{"FGM": made, "FGA": tried, "FG_PCT": round(made / tried, 3), "PTS": row["PTS"] + 2},
        "FANTASY_PTS": round(row["FANTASY_PTS"] + 2, 1),
    }


def eastern(day: date, at: time) -> datetime:
    """Return a local Eastern time as UTC."""
    return datetime.combine(day, at, tzinfo=EASTERN).astimezone(timezone.utc)


def clock_time(moment: datetime) -> str:
    """Return an Eastern time as in `7:30 pm`."""
    local = moment.astimezone(EASTERN)
    return f"{local.hour % 12 or 12}:{local:%M} {'pm' if local.hour >= 12 else 'am'}"


def utc_text(moment: datetime, seconds: str = ":%S") -> str:
    """Return a moment as in `2026-11-26T00:30:00Z`."""
    return moment.astimezone(timezone.utc).strftime(f"%Y-%m-%dT%H:%M{seconds}Z")
