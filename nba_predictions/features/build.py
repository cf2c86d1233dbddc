"""Compute the features of a player before a game, from facts known before tip-off only.

Training and the nights use the same code. The slate is appended to the history as games without an
outcome, and every row, past or coming, is described by the rows before its own date. Therefore the
features of training rows and of tonight's rows cannot differ.
"""

from collections.abc import Collection
from datetime import date
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nba_predictions.domain.market import registered_markets
from nba_predictions.features.form import FORM, form
from nba_predictions.features.panel import Panel, flag, season_start_year, whole_numbers
from nba_predictions.features.similar import Situations, similar_games
from nba_predictions.features.teams import TeamGames
from nba_predictions.features.windows import Floats, Ints, Slices, first_of_run, ratio

#: The columns that identify a row.
KEYS: Final = ("game_date", "game_id", "player_lookup")

#: The features of the systems for points, all Float64, null where not known. Points, minutes and
#: attempts are per game, days are days, and `*_allowed` and `*_pace` are relative to the league (1
#: is average). Systems of another market find its form features in `market_features()`.
FEATURES: Final = (
    *("games", "games_season"),
    *("points_last_1", "points_last_5", "points_last_10", "points_season"),
    *("points_ewm", "points_ewm_slow", "points_sd_10", "points_sd_season"),
    *("minutes_last_1", "minutes_last_5", "minutes_last_10", "minutes_season"),
    *("minutes_ewm", "minutes_sd_10", "minutes_trend", "points_per_minute"),
    *("fga_ewm", "fg3a_ewm", "fta_ewm", "twos_ewm", "threes_ewm", "free_throws_ewm"),
    *("twos_share", "threes_share", "free_throws_share"),
    *("two_rate", "three_rate", "free_throw_rate", "points_from_attempts"),
    *("days_since_last", "rest_days", "back_to_back", "games_7_days", "is_home"),
    *("opponent_points_allowed", "opponent_twos_allowed", "opponent_threes_allowed"),
    *("opponent_free_throws_allowed", "opponent_pace", "opponent_rest_days", "team_pace"),
    *("lineup_points_last", "lineup_points_10", "lineup_minutes_last", "lineup_minutes_10"),
    *("team_season_games", "season_days", "season_start", "versus_opponent"),
    *("games_since_return", "games_with_team", "points_last_season", "minutes_last_season"),
    *("team_margin", "opponent_margin"),
)

#: The player's most similar past games (see `similar.py`).
SIMILAR: Final = ("similar_surplus", "similar_sd", "similar_games")

REST_CAP: Final = 7  # days; a longer pause is an absence, see `days_since_last`
SEASON_START_GAMES: Final = 5
VERSUS_SHRINKAGE: Final = 8.0  # games
ABSENCE_DAYS: Final = 9  # a longer pause is an absence, from which a player returns
RETURN_CAP: Final = 20  # games after which an absence no longer matters
TEAM_CAP: Final = 60  # games after which a player is settled in a team

_HISTORY = (
    *("game_date", "game_id", "player_lookup", "team", "opponent", "is_home", "minutes"),
    *("points", "fgm", "fga", "fg3m", "fg3a", "ftm", "fta", "oreb", "tov"),
)
_SLATE = ("game_date", "game_id", "player_lookup", "team", "opponent", "is_home")


def history_columns() -> tuple[str, ...]:
    """Return the columns of the game logs from which features and outcomes are computed."""
    of_markets = (column for market in registered_markets() for column in market.columns)
    return tuple(dict.fromkeys((*_HISTORY, *of_markets)))


def statistics() -> tuple[str, ...]:
    """Return the statistics of the registered markets, each once; points are always among them."""
    return tuple(dict.fromkeys(("points", *(m.statistic for m in registered_markets()))))


def market_features() -> tuple[str, ...]:
    """Return the names of the features of other markets than points, for example `rebounds_ewm`.

    Raises:
        ValueError: a feature of that name exists already and means something else.
    """
    added: list[str] = []
    for name in statistics():
        if name != "points":
            added += [*(f"{name}_{suffix}" for suffix in FORM), f"opponent_{name}_allowed"]
    if taken := sorted(set(added) & set(FEATURES)):
        raise ValueError(
            f"the features {taken} exist already; give the statistic of the market another name"
        )
    return tuple(added)


def build_features(
    history: pl.DataFrame, slate: pl.DataFrame, absent: Collection[str] = ()
) -> pl.DataFrame:
    """Describe every player of a slate by the games before its date.

    Args:
        history: GAME_LOGS rows. Rows on or after the slate's date are ignored.
        slate: game_date, game_id, player_lookup, team, opponent, is_home, one row per player, all
            on one game_date. The last three may be null: context features are then null.
        absent: players (player_lookup) who are known not to play. Line-up features omit them.

    Returns:
        KEYS, FEATURES, SIMILAR and `market_features()`, one row per slate row, in slate order.

    Raises:
        ValueError: the slate has more than one game_date, a frame lacks a column, or game_date is
            not a Date.
    """
    _require(history, history_columns(), "history")
    _require(slate, _SLATE, "slate")
    dates = slate["game_date"].unique().to_list()
    if len(dates) > 1:
        raise ValueError(
            f"a slate has one game_date, this one has {sorted(dates)}; build features per date"
        )
    before = pl.col("game_date") < pl.lit(*dates) if dates else pl.lit(False)
    past = _with_statistics(history.lazy()).filter(before).collect()
    # A player's features need their own games and team totals, not the rows of other players.
    own = past.join(slate, on="player_lookup", how="semi")
    panel = Panel.of(
        pl.concat([own, slate.select(_SLATE).with_row_index("slate_row")], how="diagonal_relaxed")
    )
    on_slate = panel.frame["slate_row"].is_not_null()
    described = _describe(panel, past, on_slate.to_numpy(), absent)
    order = panel.frame.filter(on_slate)["slate_row"].arg_sort()
    return described.filter(on_slate)[order]


def training_features(history: pl.DataFrame, similar_since: date | None = None) -> pl.DataFrame:
    """Describe every row of GAME_LOGS as it was known before its date, together with its outcomes.

    Return KEYS, FEATURES, SIMILAR (null before `similar_since`), `market_features()` and the
    outcomes (Int64), which are the columns `statistics()`, for example `points`. Sorted by KEYS.

    Raises:
        ValueError: the frame lacks a column, or game_date is not a Date.
    """
    _require(history, history_columns(), "history")
    panel = Panel.of(_with_statistics(history.lazy()).collect())
    since = panel.frame["game_date"] >= (similar_since or date.min)
    described = _describe(panel, panel.frame, since.to_numpy())
    return described.with_columns(panel.frame[name] for name in statistics()).sort(KEYS)


def _require(frame: pl.DataFrame, columns: tuple[str, ...], name: str) -> None:
    missing = [c for c in columns if c not in frame.columns]
    if missing:
        raise ValueError(f"the {name} frame lacks the columns {missing}; see inputs/port.py")
    if frame.schema["game_date"] != pl.Date:
        raise ValueError(
            f"game_date of the {name} frame is {frame.schema['game_date']}; "
            "cast it to Date, in US Eastern time"
        )


def _with_statistics(history: pl.LazyFrame) -> pl.LazyFrame:
    """Select the columns that features need, and add the statistics that are sums of columns."""
    return history.select(history_columns()).with_columns(
        pl.sum_horizontal(market.sum_of, ignore_nulls=False).alias(market.statistic)
        for market in registered_markets()
        if market.sum_of
    )


def _describe(
    panel: Panel,
    past: pl.DataFrame,
    similar: NDArray[np.bool_],
    absent: Collection[str] = (),
) -> pl.DataFrame:
    """Compute all features of a panel, SIMILAR only for the rows of the mask.

    `past` has the rows that describe teams and league. A row uses only the rows before its own
    date, whatever dates `past` has.
    """
    added = market_features()
    out = form(panel, statistics())
    out |= _schedule(panel)
    out |= _career(panel)
    out |= _teams(panel, past, absent)
    points = whole_numbers(panel.frame["points"]).astype(np.float64)
    scored = np.where(panel.frame["points"].is_null().to_numpy(), np.nan, points)
    out["versus_opponent"] = _versus_opponent(panel.frame, scored - out["points_ewm"])
    out |= _similar(panel, out, scored, np.flatnonzero(similar))
    columns = [pl.Series(c, out[c], nan_to_null=True) for c in (*FEATURES, *SIMILAR, *added)]
    return panel.frame.select(KEYS).with_columns(columns)


def _schedule(panel: Panel) -> dict[str, Floats]:
    """Return days between the player's games, and the venue."""
    pause = panel.day - panel.games.latest(panel.day.astype(np.float64))
    key = panel.player * 1_000_000 + panel.day
    return {
        "days_since_last": pause,
        "rest_days": np.clip(pause - 1, 0, REST_CAP),
        "back_to_back": flag(pause == 1, known=panel.games.count > 0),
        "games_7_days": (panel.today - np.searchsorted(key, key - 7)).astype(np.float64),
        "is_home": panel.frame["is_home"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
    }


def _career(panel: Panel) -> dict[str, Floats]:
    """Return games played, and games since the last absence and the last change of team.

    The row of the date itself says when a pause ended and for which team the player plays now.
    """
    pause = np.diff(panel.day, prepend=panel.day[:1]) > ABSENCE_DAYS
    stint = first_of_run(panel.player, np.cumsum(pause))
    team = panel.frame["team"]
    first_with_team = first_of_run(panel.player, team.fill_null("").rle_id().to_numpy())
    with_team = np.clip(panel.today - first_with_team, 0, TEAM_CAP).astype(np.float64)
    season_games = panel.this_season.count
    return {
        "games": panel.games.count.astype(np.float64),
        "games_season": season_games.astype(np.float64),
        "season_start": flag(season_games < SEASON_START_GAMES),
        "games_since_return": np.clip(panel.today - stint, 0, RETURN_CAP).astype(np.float64),
        "games_with_team": np.where(team.is_null().to_numpy(), np.nan, with_team),
    }


def _teams(panel: Panel, past: pl.DataFrame, absent: Collection[str]) -> dict[str, Floats]:
    """Return the form of the player's team and of the opponent, and the day of the season."""
    season_starts = _season_starts(past, panel.season, panel.day)
    teams = TeamGames.of(past, statistics(), absent)
    opponent = teams.before(panel.frame["opponent"], panel.day, season_starts)
    team = teams.before(panel.frame["team"], panel.day, season_starts)
    return {
        **{f"opponent_{name}_allowed": values for name, values in opponent.allowed.items()},
        "opponent_pace": opponent.pace,
        "opponent_rest_days": np.clip(opponent.days_since_last - 1, 0, REST_CAP),
        "opponent_margin": opponent.margin,
        "team_pace": team.pace,
        "team_margin": team.margin,
        "team_season_games": team.season_games,
        "lineup_points_last": team.lineup_points_last,
        "lineup_points_10": team.lineup_points_10,
        "lineup_minutes_last": team.lineup_minutes_last,
        "lineup_minutes_10": team.lineup_minutes_10,
        "season_days": (panel.day - season_starts).astype(np.float64),
    }


def _season_starts(past: pl.DataFrame, season: Ints, days: Ints) -> Ints:
    """Return per row the day of the season's first known game; the row's own day if none is."""
    first = past.group_by(season=season_start_year(pl.col("game_date"))).agg(
        day=pl.col("game_date").min().to_physical().cast(pl.Int64)
    )
    starts = pl.Series(season).replace_strict(first["season"], first["day"], default=None)
    return np.minimum(starts.cast(pl.Int64).fill_null(np.iinfo(np.int64).max).to_numpy(), days)


def _similar(
    panel: Panel, known: dict[str, Floats], scored: Floats, rows: Ints
) -> dict[str, Floats]:
    """Return SIMILAR for the given rows, NaN for the others."""
    situations = Situations(
        opponent=known["opponent_points_allowed"],
        rest=known["rest_days"],
        home=known["is_home"],
        form=ratio(known["points_last_5"], known["points_ewm_slow"]),
        expected=known["points_ewm"],
        points=scored,
    )
    out = {name: np.full(len(scored), np.nan) for name in SIMILAR}
    for name, values in similar_games(situations, panel.start, panel.today, rows).items():
        out[name][rows] = values
    return out


def _versus_opponent(panel: pl.DataFrame, surplus: Floats) -> Floats:
    """Return the mean surplus (points above expectation) against this opponent, shrunk to 0."""
    meetings = (
        panel.select("player_lookup", "opponent", "day")
        .with_columns(surplus=pl.Series(surplus, nan_to_null=True))
        .with_row_index("row")
        .sort("player_lookup", "opponent", "day", "row")
    )
    codes = meetings.select(
        pl.col("player_lookup").rle_id(), pl.col("opponent").fill_null("").rle_id()
    )
    player, opponent = (codes[c].to_numpy() for c in codes.columns)
    known = meetings["surplus"].is_not_null().to_numpy()
    start = first_of_run(player, opponent)
    today = first_of_run(player, opponent, meetings["day"].to_numpy())
    past = Slices(start, today)
    # Integers (hundredths of a point), so that sums do not depend on other rows.
    n = past.sum(known.astype(np.int64))
    total = past.sum(whole_numbers((meetings["surplus"] * 100).round())) / 100
    value = np.where(n > 0, total / (n + VERSUS_SHRINKAGE), np.nan)
    value[meetings["opponent"].is_null().to_numpy()] = np.nan
    out = np.empty(len(panel))
    out[meetings["row"].to_numpy()] = value
    return out
