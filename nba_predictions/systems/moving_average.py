"""What the player has scored of late, adjusted for his minutes and for the circumstances.

The constants were measured by least absolute deviation on NBA seasons 2021-24. Where a measured
effect could not be told from zero (rest, back-to-back: those who play tired are those who are fit
enough to play), a small value in the direction that physiology suggests is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from nba_predictions.systems.base import Floats, Forecast, System, column, shrink_to_prior

if TYPE_CHECKING:
    from nba_predictions.systems.trained_models import TrainedModels

FAST_WEIGHT = 0.75  # half-life 8 games; the rest is half-life 30
MINUTES_LAST_5 = 0.29  # share of a change of minutes that is taken to last
MINUTES_LAST_1 = 0.20

HOME = 0.0075  # at home up, away down
PER_REST_DAY = 0.0025  # per day more than one, up to three
BACK_TO_BACK = -0.005
AFTER_ABSENCE = -0.10  # first game after more than ABSENCE_DAYS
ABSENCE_DAYS = 14
AFTER_RETURN = -0.04  # second and third game since an absence: minutes are still being won back
RETURN_GAMES = 3
AFTER_TRADE = -0.07  # first games for a new team
TRADE_GAMES = 3
OPPONENT_DEFENCE = 0.8  # per unit of points allowed relative to the league
TEAM_PACE = 0.4
OPPONENT_PACE = 0.3
LINEUP = -0.25  # per unit of usual points of those who played last, relative to the league


def estimate(
    features: pl.DataFrame, models: TrainedModels, members: Mapping[str, Forecast]
) -> Floats:
    """Weighted average of past points, moved with minutes, shrunk, times the circumstances."""
    fast, slow = column(features, "points_ewm"), column(features, "points_ewm_slow")
    level = FAST_WEIGHT * fast + (1 - FAST_WEIGHT) * slow
    level = shrink_to_prior(features, level + minutes_change(features), models.prior)
    return np.maximum(level, 0.0) * circumstances(features)


def minutes_change(features: pl.DataFrame) -> Floats:
    """Points to come from minutes that differ of late from the average, at the player's rate."""
    usual = column(features, "minutes_ewm")
    minutes = MINUTES_LAST_5 * (column(features, "minutes_last_5") - usual) + MINUTES_LAST_1 * (
        column(features, "minutes_last_1") - usual
    )
    return column(features, "points_per_minute", 0.0) * minutes


def circumstances(features: pl.DataFrame) -> Floats:
    """Factor around 1; whatever is not known counts as average.

    Missing team-mates leave more shots to those who play: a line-up that lately scored less than
    usual, because some of it did not play, raises the forecast.
    """
    rest = np.minimum(column(features, "rest_days", 1.0), 3.0)
    absent = column(features, "days_since_last", 0.0) > ABSENCE_DAYS
    games = column(features, "games", 0.0)
    since_return = column(features, "games_since_return", RETURN_GAMES)
    with_team = column(features, "games_with_team", TRADE_GAMES)
    # Whose whole record is since then has neither returned nor come from anywhere.
    returning = (since_return > 0) & (since_return < RETURN_GAMES) & (games > since_return)
    new_here = (with_team < TRADE_GAMES) & (games > with_team)
    player = (
        1.0
        + HOME * (2.0 * column(features, "is_home", 0.5) - 1.0)
        + PER_REST_DAY * (rest - 1.0)
        + BACK_TO_BACK * column(features, "back_to_back", 0.0)
        + AFTER_ABSENCE * absent
        + AFTER_RETURN * returning
        + AFTER_TRADE * new_here
    )
    game = (
        1.0
        + OPPONENT_DEFENCE * (column(features, "opponent_points_allowed", 1.0) - 1.0)
        + TEAM_PACE * (column(features, "team_pace", 1.0) - 1.0)
        + OPPONENT_PACE * (column(features, "opponent_pace", 1.0) - 1.0)
        + LINEUP * (column(features, "lineup_points_last", 1.0) - 1.0)
    )
    # However odd a game of a generated league, a factor stays a factor.
    return np.maximum(player, 0.5) * np.clip(game, 0.5, 1.5)


MOVING_AVERAGE = System("moving_average", "2", estimate)
