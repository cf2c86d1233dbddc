"""Form features: a player's past results, minutes and shooting, averaged in several ways."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from nba_predictions.features.panel import Panel, whole_numbers
from nba_predictions.features.windows import Floats, ratio

#: Suffixes of the form features of a statistic, for example `points_last_5`.
FORM: Final = (
    *("last_1", "last_5", "last_10", "season", "last_season"),
    *("ewm", "ewm_slow", "sd_10", "sd_season", "per_minute"),
)

FAST_HALF_LIFE: Final = 8.0  # games
SLOW_HALF_LIFE: Final = 30.0  # games
LAST_SEASON_GAMES: Final = 10  # a season with fewer games has no average


def form(panel: Panel, statistics: Sequence[str]) -> dict[str, Floats]:
    """Return the form features of the statistics, of minutes and of shooting.

    The panel has a column of whole numbers per statistic of the registered markets.
    """
    out = _weighted(panel, statistics) | _minutes(panel)
    games, this_season, last_10 = panel.games, panel.this_season, panel.games.last(10)
    last_season = panel.last_season
    full_season = last_season.count >= LAST_SEASON_GAMES
    out["minutes_last_season"] = np.where(
        full_season, last_season.mean(_seconds(panel)) / 60, np.nan
    )
    for name in statistics:
        values = whole_numbers(panel.frame[name])
        out[f"{name}_last_1"] = games.last(1).mean(values)
        out[f"{name}_last_5"] = games.last(5).mean(values)
        out[f"{name}_last_10"] = last_10.mean(values)
        out[f"{name}_season"] = this_season.mean(values)
        out[f"{name}_last_season"] = np.where(full_season, last_season.mean(values), np.nan)
        out[f"{name}_sd_10"] = last_10.sd(values)
        out[f"{name}_sd_season"] = this_season.sd(values)
        out[f"{name}_per_minute"] = ratio(out[f"{name}_ewm_slow"], out["minutes_slow"])
    return out


def _seconds(panel: Panel) -> np.ndarray:
    return whole_numbers((panel.frame["minutes"] * 60).round())


def _minutes(panel: Panel) -> dict[str, Floats]:
    seconds = _seconds(panel)
    games, last_10 = panel.games, panel.games.last(10)
    mean_of_10 = last_10.mean(seconds) / 60
    return {
        "minutes_last_1": games.last(1).mean(seconds) / 60,
        "minutes_last_5": games.last(5).mean(seconds) / 60,
        "minutes_last_10": mean_of_10,
        "minutes_season": panel.this_season.mean(seconds) / 60,
        "minutes_sd_10": last_10.sd(seconds) / 60,
        "minutes_trend": games.last(3).mean(seconds) / 60 - mean_of_10,
    }


def _weighted(panel: Panel, statistics: Sequence[str]) -> dict[str, Floats]:
    """Return exponentially weighted means of the past games, and the features computed from them.

    Shooting luck fades slowly and roles change fast. Therefore `points_from_attempts` combines the
    recent attempts with the points per attempt over a long time.
    """
    twos = 2 * (pl.col("fgm") - pl.col("fg3m"))
    threes = 3 * pl.col("fg3m")
    fast = {
        "minutes_ewm": pl.col("minutes"),
        "fga_ewm": pl.col("fga"),
        "fg3a_ewm": pl.col("fg3a"),
        "fta_ewm": pl.col("fta"),
        "twos_ewm": twos,
        "threes_ewm": threes,
        "free_throws_ewm": pl.col("ftm"),
        **{f"{name}_ewm": pl.col(name) for name in statistics},
    }
    slow = {
        "minutes_slow": pl.col("minutes"),
        "twos_slow": twos,
        "twos_tried_slow": pl.col("fga") - pl.col("fg3a"),
        "threes_slow": threes,
        "fg3a_slow": pl.col("fg3a"),
        "free_throws_slow": pl.col("ftm"),
        "fta_slow": pl.col("fta"),
        **{f"{name}_ewm_slow": pl.col(name) for name in statistics},
    }
    after = panel.frame.select(
        e.ewm_mean(half_life=half_life).over("player_lookup").alias(name)
        for half_life, group in ((FAST_HALF_LIFE, fast), (SLOW_HALF_LIFE, slow))
        for name, e in group.items()
    )
    mean = {c: panel.games.latest(after[c].cast(pl.Float64).to_numpy()) for c in after.columns}
    for zone in ("twos", "threes", "free_throws"):
        mean[f"{zone}_share"] = ratio(mean[f"{zone}_ewm"], mean["points_ewm"])
    mean["two_rate"] = ratio(mean["twos_slow"], mean["twos_tried_slow"])
    mean["three_rate"] = ratio(mean["threes_slow"], mean["fg3a_slow"])
    mean["free_throw_rate"] = ratio(mean["free_throws_slow"], mean["fta_slow"])
    mean["points_from_attempts"] = (
        # Without attempts a rate is NaN, and the zone contributes no points.
        (mean["fga_ewm"] - mean["fg3a_ewm"]) * np.nan_to_num(mean["two_rate"])
        + mean["fg3a_ewm"] * np.nan_to_num(mean["three_rate"])
        + mean["fta_ewm"] * np.nan_to_num(mean["free_throw_rate"])
    )
    return mean
