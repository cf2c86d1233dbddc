"""Convert a simulated season to frames in the layout of the input files (docs/input-files.md)."""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np
import polars as pl

from nba_predictions.domain.league.games import EASTERN
from nba_predictions.domain.market import Market
from nba_predictions.inputs import simulated_games as games
from nba_predictions.inputs.simulated_calendar import Calendar
from nba_predictions.inputs.simulated_names import TEAMS, player_name

BOOKS = ("Simulated Book A", "Simulated Book B")

_ABBREVIATIONS = np.array([abbreviation for abbreviation, _ in TEAMS])
_TEAM_NAMES = np.array([name for _, name in TEAMS])
_REASONS = ("Ankle sprain", "Knee soreness", "Illness", "Hamstring strain", "Back spasms")
# The mean minus the line. Lines are close to the median, and the distribution of points is skewed.
_MEAN_ABOVE_LINE = 0.3
_WHOLE_LINES = 0.3
_MARGIN = 1.045
# The change of the probability per point between the estimate and the line.
_PER_POINT = 0.05
_LOG_COLUMNS = (
    *("season", "SEASON_ID", "PLAYER_ID", "PLAYER_NAME", "TEAM_ID", "TEAM_ABBREVIATION"),
    *("TEAM_NAME", "GAME_ID", "GAME_DATE", "MATCHUP", "WL", "MIN", "FGM", "FGA", "FG_PCT"),
    *("FG3M", "FG3A", "FG3_PCT", "FTM", "FTA", "FT_PCT", "OREB", "DREB", "REB", "AST", "STL"),
    *("BLK", "TOV", "PF", "PTS", "PLUS_MINUS", "FANTASY_PTS"),
)
_LINE_COLUMNS = (
    *("snap", "player", "market", "bookmaker", "side", "line", "price", "home_team"),
    *("away_team", "game_id", "commence_time"),
)


def season_name(year: int) -> str:
    """Return the name of the season that begins in `year`, for example `2025-26`."""
    return f"{year}-{(year + 1) % 100:02d}"


def schedule_frame(calendar: Calendar) -> pl.DataFrame:
    """Return all games of a season in the layout of `schedule` files, as in the calendar."""
    midnight = pl.col("game_date").cast(pl.Datetime("us"))
    tipoff = (midnight + pl.duration(minutes="minute")).dt.replace_time_zone(EASTERN.key)
    return pl.DataFrame(
        {
            "game_date": [calendar.days[d] for d in calendar.day],
            "away_team": _ABBREVIATIONS[calendar.away],
            "home_team": _ABBREVIATIONS[calendar.home],
            "minute": calendar.tipoff,
        }
    ).select(
        "game_date",
        "away_team",
        "home_team",
        tipoff.dt.convert_time_zone("UTC").alias("tipoff"),
    )


def game_log_frame(year: int, outlook: games.Outlook, box: games.BoxScore) -> pl.DataFrame:
    """Return all player rows of a season in the columns of nba_api's `LeagueGameLog`."""
    row, place = np.nonzero(box.minutes)
    who = outlook.player[row, place]
    number_of_game = row % len(outlook.calendar.day)
    team, opponent = outlook.team[row], outlook.opponent[row]
    at_home = row >= len(outlook.calendar.day)
    total = box.stats["PTS"].sum(axis=1)
    half = len(total) // 2
    won = total > np.concatenate([total[half:], total[:half]])
    stats = {name: grid[row, place] for name, grid in box.stats.items()}
    names = _names(outlook)
    days = np.array(outlook.calendar.days, dtype="datetime64[D]")
    venue = np.where(at_home, " vs. ", " @ ")
    matchup = np.char.add(np.char.add(_ABBREVIATIONS[team], venue), _ABBREVIATIONS[opponent])
    game = pl.Series(number_of_game + 1).cast(pl.String).str.zfill(5)

    def share(made: str, tried: str) -> pl.Expr:
        return pl.when(pl.col(tried) > 0).then((pl.col(made) / pl.col(tried)).round(3))

    frame = pl.DataFrame(
        {
            "season": pl.repeat(season_name(year), len(row), eager=True),
            "SEASON_ID": pl.repeat(20_000 + year, len(row), dtype=pl.Int64, eager=True),
            "PLAYER_ID": 10_000_000 + outlook.players.number[who],
            "PLAYER_NAME": names[who],
            "TEAM_ID": 90_001 + team,
            "TEAM_ABBREVIATION": _ABBREVIATIONS[team],
            "TEAM_NAME": _TEAM_NAMES[team],
            "GAME_ID": f"9{year % 100:02d}" + game,
            "GAME_DATE": days[outlook.day[row]],
            "MATCHUP": matchup,
            "WL": np.where(won[row], "W", "L"),
            "MIN": box.minutes[row, place],
            **stats,
        }
    ).with_columns(
        share("FGM", "FGA").alias("FG_PCT"),
        share("FG3M", "FG3A").alias("FG3_PCT"),
        share("FTM", "FTA").alias("FT_PCT"),
        (
            pl.col("PTS")
            + 1.2 * pl.col("REB")
            + 1.5 * pl.col("AST")
            + 3 * (pl.col("STL") + pl.col("BLK"))
            - pl.col("TOV")
        )
        .round(1)
        .alias("FANTASY_PTS"),
    )
    return frame.select(_LOG_COLUMNS).sort("GAME_DATE", "GAME_ID", "TEAM_ID", "PLAYER_ID")


def lines_frame(
    outlook: games.Outlook, market: Market, line_share: float, rng: np.random.Generator
) -> pl.DataFrame:
    """Return a season's quotes of one market in the layout of `points_lines` files.

    The books know only the outlook and not the outcome of the games. In all markets they quote the
    same players: those with the most expected points.
    """
    points = outlook.expected["points"]
    likely = ~np.isin(outlook.status, ("OUT", "DOUBTFUL"))
    order = np.argsort(-np.where(likely, points, -1.0), axis=1, kind="stable")
    rank = np.argsort(order, axis=1, kind="stable")
    wanted = np.ceil(line_share * likely.sum(axis=1, keepdims=True) - 1e-9)
    row, place = np.nonzero(likely & (rank < wanted))
    expected = sum(outlook.expected[column][row, place] for column in market.columns)
    names = _names(outlook)[outlook.player[row, place]]
    schedule = schedule_frame(outlook.calendar)
    game = schedule[(row % len(outlook.calendar.day)).tolist()]
    common = game.select(
        pl.Series("player", names),
        pl.lit(market.input_labels[0]).alias("market"),
        "home_team",
        "away_team",
        pl.concat_str(pl.lit("sim"), pl.Series(row % len(outlook.calendar.day))).alias("game_id"),
        pl.col("tipoff").alias("commence_time"),
        pl.col("game_date").dt.strftime("%m_%d_%Y").alias("snap"),
    )
    quotes = []
    for book in BOOKS:
        estimate = expected - _MEAN_ABOVE_LINE
        estimate = estimate + rng.normal(size=len(row)) * (0.3 + 0.04 * expected)
        line = np.maximum(np.floor(estimate) + 0.5, 0.5)
        whole = rng.random(len(row)) < _WHOLE_LINES
        if book == BOOKS[1]:
            line = np.where(whole & (estimate > 1), np.rint(estimate), line)
        over = np.clip(0.5 + _PER_POINT * (estimate - line), 0.42, 0.58)
        for side, chance in (("Over", over), ("Under", 1 - over)):
            quotes.append(
                common.with_columns(
                    pl.lit(book).alias("bookmaker"),
                    pl.lit(side).alias("side"),
                    pl.Series("line", line),
                    pl.Series("price", _american(chance * _MARGIN)),
                    # The second book writes names without accents, like many real ones.
                    pl.Series("player", names if book == BOOKS[0] else _plain(names)),
                )
            )
    return pl.concat(quotes).select(_LINE_COLUMNS)


def injuries_frame(outlook: games.Outlook) -> pl.DataFrame:
    """Return all injury reports of a season in the layout of `injuries` files."""
    row, place = np.nonzero(outlook.status != "")
    who = outlook.player[row, place]
    days = np.array(outlook.calendar.days, dtype="datetime64[D]")
    return pl.DataFrame(
        {
            "game_date": days[outlook.day[row]],
            "player": _names(outlook)[who],
            "team": _ABBREVIATIONS[outlook.team[row]],
            "status": outlook.status[row, place],
            "reason": np.array(_REASONS)[(who + outlook.day[row] // 20) % len(_REASONS)],
        }
    ).sort("game_date", "team", "player")


def _names(outlook: games.Outlook) -> np.ndarray[Any, np.dtype[np.str_]]:
    return np.array([player_name(n) for n in outlook.players.number.tolist()])


def _american(implied: games.Floats) -> games.Ints:
    """Return the American odds whose break-even probability is `implied`, in steps of 5."""
    favorite = -100 * implied / (1 - implied)
    underdog = 100 * (1 - implied) / implied
    odds = np.where(implied >= 0.5, favorite, underdog)
    return (5 * np.rint(odds / 5)).astype(np.int64)


def _plain(names: np.ndarray[Any, np.dtype[np.str_]]) -> list[str]:
    plain = {
        name: unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        for name in set(names.tolist())
    }
    return [plain[name] for name in names.tolist()]
