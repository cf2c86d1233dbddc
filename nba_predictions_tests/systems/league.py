"""A small league from a seeded generator: GAME_LOGS rows that follow the rules of the game."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from nba_predictions.domain.league.games import make_game_id, season_of
from nba_predictions.inputs.port import GAME_LOGS

START = date(2023, 10, 24)
SLATE_COLUMNS = ("game_date", "game_id", "player_lookup", "team", "opponent", "is_home")


def play_league(
    seed: int = 0, *, dates: int = 40, teams: int = 6, players: int = 8, start: date = START
) -> pl.DataFrame:
    """Play `dates` game dates. Teams with later letters defend worse, later players play less."""
    random = np.random.default_rng(seed)
    names = [f"T{chr(65 + t)}" for t in range(teams)]
    rows: list[dict[str, object]] = []
    day = start
    for _ in range(dates):
        order = random.permutation(teams)
        for game in range(int(random.integers(1, teams // 2 + 1))):
            away, home = (int(t) for t in order[2 * game : 2 * game + 2])
            for own, other in ((away, home), (home, away)):
                for number in range(players):
                    if random.random() < 0.15:
                        continue
                    rows.append(
                        _line(random, names, day, away, home, own, other, number, teams, players)
                    )
        day += timedelta(days=int(random.integers(1, 4)))
    return pl.DataFrame(rows, schema=GAME_LOGS).sort("game_date", "game_id", "player_lookup")


def _line(
    random: np.random.Generator,
    names: list[str],
    day: date,
    away: int,
    home: int,
    own: int,
    other: int,
    number: int,
    teams: int,
    players: int,
) -> dict[str, object]:
    minutes = float(np.clip(random.normal(36 - 28 * number / players, 4), 1, 44))
    generosity = 0.85 + 0.3 * other / max(teams - 1, 1)
    fga = int(random.poisson(minutes * 0.4))
    fg3a = int(random.binomial(fga, 0.35))
    fg3m = int(random.binomial(fg3a, min(0.36 * generosity, 1)))
    fgm = fg3m + int(random.binomial(fga - fg3a, min(0.54 * generosity, 1)))
    fta = int(random.poisson(minutes * 0.08))
    ftm = int(random.binomial(fta, 0.78))
    return {
        "game_date": day,
        "game_id": make_game_id(day, names[away], names[home]),
        "season": season_of(day),
        "player_lookup": f"player{own}x{number}",
        "player_name": f"Player {own}x{number}",
        "team": names[own],
        "opponent": names[other],
        "is_home": own == home,
        "minutes": minutes,
        "points": 2 * (fgm - fg3m) + 3 * fg3m + ftm,
        "fgm": fgm,
        "fga": fga,
        "fg3m": fg3m,
        "fg3a": fg3a,
        "ftm": ftm,
        "fta": fta,
        "oreb": int(random.poisson(1)),
        "dreb": int(random.poisson(3)),
        "ast": int(random.poisson(2)),
        "stl": int(random.poisson(1)),
        "blk": int(random.poisson(1)),
        "tov": int(random.poisson(1)),
        "pf": int(random.poisson(2)),
    }


def slate_of(history: pl.DataFrame, game_date: date) -> pl.DataFrame:
    """Return the players of a date of `history`, with their team and opponent, as a slate."""
    return history.filter(pl.col("game_date") == game_date).select(SLATE_COLUMNS)
