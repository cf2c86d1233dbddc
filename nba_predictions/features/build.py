"""Features of a player before a game: nothing in them is known only at or after tip-off.

There is one way to compute them. The slate is appended to the history as games without an outcome,
and every row, past or coming, is described by the rows before its own date. What a model learns
from and what it is asked about therefore cannot be computed differently.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nba_predictions.features.similar import Situations, similar_games
from nba_predictions.features.teams import TeamGames
from nba_predictions.features.windows import Floats, Ints, Slices, first_of_run, ratio

#: Columns that say which row it is.
KEYS: Final = ("game_date", "game_id", "player_lookup")

#: What the systems may look at, all Float64, null where not known. Points, minutes and attempts
#: are per game; days are days; `*_allowed` and `*_pace` are relative to the league (1 = average).
FEATURES: Final = (
    "games",
    "games_season",
    "points_last_1",
    "points_last_5",
    "points_last_10",
    "points_season",
    "points_ewm",
    "points_ewm_slow",
    "points_sd_10",
    "points_sd_season",
    "minutes_last_1",
    "minutes_last_5",
    "minutes_last_10",
    "minutes_season",
    "minutes_ewm",
    "minutes_sd_10",
    "minutes_trend",
    "points_per_minute",
    "fga_ewm",
    "fg3a_ewm",
    "fta_ewm",
    "twos_ewm",
    "threes_ewm",
    "free_throws_ewm",
    "twos_share",
    "threes_share",
    "free_throws_share",
    "two_rate",
    "three_rate",
    "free_throw_rate",
    "points_from_attempts",
    "days_since_last",
    "rest_days",
    "back_to_back",
    "games_7_days",
    "is_home",
    "opponent_points_allowed",
    "opponent_twos_allowed",
    "opponent_threes_allowed",
    "opponent_free_throws_allowed",
    "opponent_pace",
    "opponent_rest_days",
    "team_pace",
    "lineup_points_last",
    "lineup_points_10",
    "lineup_minutes_last",
    "lineup_minutes_10",
    "team_season_games",
    "season_days",
    "season_start",
    "versus_opponent",
    "games_since_return",
    "games_with_team",
    "points_last_season",
    "minutes_last_season",
    "team_margin",
    "opponent_margin",
)

#: The player's most similar past games (see `similar.py`).
SIMILAR: Final = ("similar_surplus", "similar_sd", "similar_games")

FAST_HALF_LIFE: Final = 8.0  # games
SLOW_HALF_LIFE: Final = 30.0  # games
REST_CAP: Final = 7  # days; a longer pause is an absence, which days_since_last tells
SEASON_START_GAMES: Final = 5
VERSUS_SHRINKAGE: Final = 8.0  # games
ABSENCE_DAYS: Final = 9  # a longer pause is an absence, from which a player returns
RETURN_CAP: Final = 20  # games after which nobody remembers an absence
TEAM_CAP: Final = 60  # games after which a player belongs to his team
LAST_SEASON_GAMES: Final = 10  # fewer say nothing of a season

_HISTORY = (
    *("game_date", "game_id", "player_lookup", "team", "opponent", "is_home", "minutes"),
    *("points", "fgm", "fga", "fg3m", "fg3a", "ftm", "fta", "oreb", "tov"),
)
_SLATE = ("game_date", "game_id", "player_lookup", "team", "opponent", "is_home")


def build_features(
    history: pl.DataFrame, slate: pl.DataFrame, absent: Collection[str] = ()
) -> pl.DataFrame:
    """Describe every player of a slate by the games before its date.

    Args:
        history: GAME_LOGS rows; those on or after the slate's date are not looked at.
        slate: game_date, game_id, player_lookup, team, opponent, is_home, one row per player, all
            on one game_date. The last three may be null: context features are then null.
        absent: players who are known not to play (player_lookup): their team-mates' line-up
            features are without them.

    Returns:
        KEYS, FEATURES and SIMILAR, one row per slate row, in the slate's order.

    Raises:
        ValueError: the slate holds more than one game_date, a frame lacks a column, or game_date is
            not a Date.
    """
    _require(history, _HISTORY, "history")
    _require(slate, _SLATE, "slate")
    dates = slate["game_date"].unique().to_list()
    if len(dates) > 1:
        raise ValueError(
            f"a slate is one game_date, this one holds {sorted(dates)}; ask once per date"
        )
    past = (
        history.lazy().select(_HISTORY).filter(pl.col("game_date") < pl.lit(*dates)).collect()
        if dates
        else history.clear()
    )
    # A player's features rest on his own games and on team totals; others' rows are not needed.
    own = past.join(slate, on="player_lookup", how="semi")
    panel = _sorted(
        pl.concat([own, slate.select(_SLATE).with_row_index("asked")], how="diagonal_relaxed")
    )
    asked = panel["asked"].is_not_null()
    described = _describe(panel, past, asked.to_numpy(), absent)
    order = panel.filter(asked)["asked"].arg_sort()
    return described.filter(asked)[order]


def training_features(history: pl.DataFrame, similar_since: date | None = None) -> pl.DataFrame:
    """Describe every historical row as it was known before its date, and what came of it.

    Args:
        history: GAME_LOGS rows.
        similar_since: compute SIMILAR only for rows from this date on (null before); all if None.

    Returns:
        KEYS, FEATURES, SIMILAR and the outcome `points` (Int64), sorted by KEYS.

    Raises:
        ValueError: the frame lacks a column, or game_date is not a Date.
    """
    _require(history, _HISTORY, "history")
    panel = _sorted(history.select(_HISTORY))
    since = panel["game_date"] >= (similar_since or date.min)
    described = _describe(panel, panel, since.to_numpy())
    return described.with_columns(panel["points"]).sort(KEYS)


def _require(frame: pl.DataFrame, columns: tuple[str, ...], name: str) -> None:
    missing = [c for c in columns if c not in frame.columns]
    if missing:
        raise ValueError(f"the {name} frame lacks the columns {missing}; see inputs/port.py")
    if frame.schema["game_date"] != pl.Date:
        raise ValueError(
            f"game_date of the {name} frame is {frame.schema['game_date']}; "
            "cast it to Date, in US Eastern time"
        )


def _sorted(panel: pl.DataFrame) -> pl.DataFrame:
    return panel.sort("player_lookup", "game_date", "game_id").with_columns(
        day=pl.col("game_date").to_physical().cast(pl.Int64), season=_season(pl.col("game_date"))
    )


def _season(days: pl.Expr) -> pl.Expr:
    """The year in which the season of a date began; seasons turn on the first of August."""
    return (days.dt.year() - (days.dt.month() < 8).cast(pl.Int32)).cast(pl.Int64)


def _season_starts(past: pl.DataFrame, season: Ints, days: Ints) -> Ints:
    """For each row, the day of the first known game of its season; its own day if there is none."""
    first = past.group_by(season=_season(pl.col("game_date"))).agg(
        day=pl.col("game_date").min().to_physical().cast(pl.Int64)
    )
    starts = pl.Series(season).replace_strict(first["season"], first["day"], default=None)
    return np.minimum(starts.cast(pl.Int64).fill_null(np.iinfo(np.int64).max).to_numpy(), days)


def _describe(
    panel: pl.DataFrame,
    past: pl.DataFrame,
    similar: NDArray[np.bool_],
    absent: Collection[str] = (),
) -> pl.DataFrame:
    """Compute KEYS, FEATURES and SIMILAR for a sorted panel, SIMILAR only where the mask says.

    `past` are the rows that the teams and the league are described by. Whatever its dates, a row
    sees only what is before its own.
    """
    player = panel["player_lookup"].rle_id().to_numpy().astype(np.int64)
    day, season = panel["day"].to_numpy(), panel["season"].to_numpy()

    # A player's past ends before the first row of the date itself, so that two rows of one date
    # (namesakes, a double booking) never see each other.
    start = first_of_run(player)
    today = first_of_run(player, day)
    games = Slices(start, today)
    this_season = Slices(np.minimum(first_of_run(player, season), today), today)
    last_5, last_10 = games.last(5), games.last(10)

    points = _ints(panel["points"])
    seconds = _ints((panel["minutes"] * 60).round())
    out: dict[str, Floats] = {
        "games": games.count.astype(np.float64),
        "games_season": this_season.count.astype(np.float64),
        "points_last_1": games.last(1).mean(points),
        "points_last_5": last_5.mean(points),
        "points_last_10": last_10.mean(points),
        "points_season": this_season.mean(points),
        "points_sd_10": last_10.sd(points),
        "points_sd_season": this_season.sd(points),
        "minutes_last_1": games.last(1).mean(seconds) / 60,
        "minutes_last_5": last_5.mean(seconds) / 60,
        "minutes_last_10": last_10.mean(seconds) / 60,
        "minutes_season": this_season.mean(seconds) / 60,
        "minutes_sd_10": last_10.sd(seconds) / 60,
    }
    out["minutes_trend"] = games.last(3).mean(seconds) / 60 - out["minutes_last_10"]
    out |= _weighted(panel, games)

    last_day = games.latest(day.astype(np.float64))
    out["days_since_last"] = day - last_day
    out["rest_days"] = np.clip(day - last_day - 1, 0, REST_CAP)
    out["back_to_back"] = _flag(day - last_day == 1, known=games.count > 0)
    key = player * 1_000_000 + day
    out["games_7_days"] = (today - np.searchsorted(key, key - 7)).astype(np.float64)
    out["is_home"] = panel["is_home"].cast(pl.Float64).fill_null(np.nan).to_numpy()

    # The row of the date itself tells when a pause ended and for whom he plays now.
    pause = np.diff(day, prepend=day[:1]) > ABSENCE_DAYS
    stint = first_of_run(player, np.cumsum(pause))
    out["games_since_return"] = np.clip(today - stint, 0, RETURN_CAP).astype(np.float64)
    club = panel["team"].fill_null("").rle_id().to_numpy()
    with_team = np.clip(today - first_of_run(player, club), 0, TEAM_CAP).astype(np.float64)
    out["games_with_team"] = np.where(panel["team"].is_null().to_numpy(), np.nan, with_team)
    season_key = player * 10_000 + season
    last_season = Slices(np.searchsorted(season_key, season_key - 1), first_of_run(player, season))
    telling = last_season.count >= LAST_SEASON_GAMES
    out["points_last_season"] = np.where(telling, last_season.mean(points), np.nan)
    out["minutes_last_season"] = np.where(telling, last_season.mean(seconds) / 60, np.nan)

    season_starts = _season_starts(past, season, day)
    out["season_days"] = (day - season_starts).astype(np.float64)
    out["season_start"] = _flag(this_season.count < SEASON_START_GAMES)
    teams = TeamGames.of(past, absent)
    opponent = teams.before(panel["opponent"], day, season_starts)
    out["opponent_points_allowed"] = opponent.points_allowed
    out["opponent_twos_allowed"] = opponent.twos_allowed
    out["opponent_threes_allowed"] = opponent.threes_allowed
    out["opponent_free_throws_allowed"] = opponent.free_throws_allowed
    out["opponent_pace"] = opponent.pace
    out["opponent_rest_days"] = np.clip(opponent.days_since_last - 1, 0, REST_CAP)
    team = teams.before(panel["team"], day, season_starts)
    out["team_pace"] = team.pace
    out["lineup_points_last"] = team.lineup_points_last
    out["lineup_points_10"] = team.lineup_points_10
    out["lineup_minutes_last"] = team.lineup_minutes_last
    out["lineup_minutes_10"] = team.lineup_minutes_10
    out["team_season_games"] = team.season_games
    out["team_margin"] = team.margin
    out["opponent_margin"] = opponent.margin

    scored = np.where(panel["points"].is_null().to_numpy(), np.nan, points.astype(np.float64))
    out["versus_opponent"] = _versus_opponent(panel, scored - out["points_ewm"])

    situations = Situations(
        opponent=out["opponent_points_allowed"],
        rest=out["rest_days"],
        home=out["is_home"],
        form=ratio(out["points_last_5"], out["points_ewm_slow"]),
        expected=out["points_ewm"],
        points=scored,
    )
    rows = np.flatnonzero(similar)
    for name, values in similar_games(situations, start, today, rows).items():
        out[name] = np.full(len(panel), np.nan)
        out[name][rows] = values

    columns = [pl.Series(c, out[c], nan_to_null=True) for c in (*FEATURES, *SIMILAR)]
    return panel.select(KEYS).with_columns(columns)


def _weighted(panel: pl.DataFrame, games: Slices) -> dict[str, Floats]:
    """Exponentially weighted means of the past games, and what is made of them.

    Shooting luck washes out slowly and roles change fast: `points_from_attempts` therefore takes
    the attempts of late and the points per attempt of a long while.
    """
    twos_tried = pl.col("fga") - pl.col("fg3a")
    twos = 2 * (pl.col("fgm") - pl.col("fg3m"))
    threes = 3 * pl.col("fg3m")
    fast = {
        "points_ewm": pl.col("points"),
        "minutes_ewm": pl.col("minutes"),
        "fga_ewm": pl.col("fga"),
        "fg3a_ewm": pl.col("fg3a"),
        "fta_ewm": pl.col("fta"),
        "twos_ewm": twos,
        "threes_ewm": threes,
        "free_throws_ewm": pl.col("ftm"),
    }
    slow = {
        "points_ewm_slow": pl.col("points"),
        "minutes_slow": pl.col("minutes"),
        "twos_slow": twos,
        "twos_tried_slow": twos_tried,
        "threes_slow": threes,
        "fg3a_slow": pl.col("fg3a"),
        "free_throws_slow": pl.col("ftm"),
        "fta_slow": pl.col("fta"),
    }
    after = panel.select(
        e.ewm_mean(half_life=half_life).over("player_lookup").alias(name)
        for half_life, group in ((FAST_HALF_LIFE, fast), (SLOW_HALF_LIFE, slow))
        for name, e in group.items()
    )
    mean = {c: games.latest(after[c].cast(pl.Float64).to_numpy()) for c in after.columns}
    mean["points_per_minute"] = ratio(mean["points_ewm_slow"], mean["minutes_slow"])
    for zone in ("twos", "threes", "free_throws"):
        mean[f"{zone}_share"] = ratio(mean[f"{zone}_ewm"], mean["points_ewm"])
    mean["two_rate"] = ratio(mean["twos_slow"], mean["twos_tried_slow"])
    mean["three_rate"] = ratio(mean["threes_slow"], mean["fg3a_slow"])
    mean["free_throw_rate"] = ratio(mean["free_throws_slow"], mean["fta_slow"])
    mean["points_from_attempts"] = (
        # Without a single attempt there is no rate, and nothing to be scored that way either.
        (mean["fga_ewm"] - mean["fg3a_ewm"]) * np.nan_to_num(mean["two_rate"])
        + mean["fg3a_ewm"] * np.nan_to_num(mean["three_rate"])
        + mean["fta_ewm"] * np.nan_to_num(mean["free_throw_rate"])
    )
    return {name: values for name, values in mean.items() if name in FEATURES}


def _versus_opponent(panel: pl.DataFrame, surplus: Floats) -> Floats:
    """Mean surplus (points above the expectation of the day) against this opponent, shrunk to 0."""
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
    # In hundredths of a point: integers, so that sums do not depend on other rows.
    n = past.sum(known.astype(np.int64))
    total = past.sum(_ints((meetings["surplus"] * 100).round())) / 100
    value = np.where(n > 0, total / (n + VERSUS_SHRINKAGE), np.nan)
    value[meetings["opponent"].is_null().to_numpy()] = np.nan
    out = np.empty(len(panel))
    out[meetings["row"].to_numpy()] = value
    return out


def _ints(values: pl.Series) -> Ints:
    """Whole numbers of a column, 0 where the game is to come (such rows are never past)."""
    return values.fill_null(0).cast(pl.Int64).to_numpy()


def _flag(condition: NDArray[np.bool_], known: NDArray[np.bool_] | None = None) -> Floats:
    value = condition.astype(np.float64)
    return value if known is None else np.where(known, value, np.nan)
