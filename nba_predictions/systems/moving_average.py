"""Predict from the player's recent points, adjusted for minutes and circumstances.

The constants were measured by least absolute deviation on NBA seasons 2021-24. The effects of rest
and of back-to-backs could not be distinguished from zero, because only players who are fit enough
play tired. For those, a small value in the direction that physiology suggests is kept.
"""

import numpy as np
import polars as pl

from nba_predictions.domain.market import POINTS
from nba_predictions.systems.base import Floats, Forecasts, column, shrink_to_prior
from nba_predictions.systems.system import System
from nba_predictions.systems.trained_models import TrainedModels

FAST_WEIGHT = 0.75  # half-life 8 games; the remaining weight has half-life 30
MINUTES_LAST_5 = 0.29  # share of a change of minutes that is expected to last
MINUTES_LAST_1 = 0.20

HOME = 0.0075  # added at home, subtracted away
PER_REST_DAY = 0.0025  # per day more than one, up to three
BACK_TO_BACK = -0.005
AFTER_ABSENCE = -0.10  # first game after more than ABSENCE_DAYS
ABSENCE_DAYS = 14
AFTER_RETURN = -0.04  # second and third game since an absence: fewer minutes than usual
RETURN_GAMES = 3
AFTER_TRADE = -0.07  # first games for a new team
TRADE_GAMES = 3
OPPONENT_DEFENCE = 0.8  # per unit of points allowed relative to the league
TEAM_PACE = 0.4
OPPONENT_PACE = 0.3
LINEUP = -0.25  # per unit of the last line-up's usual points, relative to the league


def estimate(features: pl.DataFrame, models: TrainedModels, members: Forecasts) -> Floats:
    """Return the average of past points, adjusted for minutes and circumstances, and shrunk."""
    fast, slow = column(features, "points_ewm"), column(features, "points_ewm_slow")
    level = FAST_WEIGHT * fast + (1 - FAST_WEIGHT) * slow
    level = shrink_to_prior(features, level + minutes_change(features), models.prior(POINTS))
    return np.maximum(level, 0.0) * circumstances(features)


def minutes_change(features: pl.DataFrame) -> Floats:
    """Return the points that a recent change of minutes is worth, at the player's own rate."""
    usual = column(features, "minutes_ewm")
    minutes = MINUTES_LAST_5 * (column(features, "minutes_last_5") - usual) + MINUTES_LAST_1 * (
        column(features, "minutes_last_1") - usual
    )
    return column(features, "points_per_minute", 0.0) * minutes


def circumstances(features: pl.DataFrame) -> Floats:
    """Return a factor around 1. Circumstances that are not known count as average.

    Teammates who do not play leave more shots to the others. A last line-up that usually scores
    less than the league's average therefore raises the forecast.
    """
    rest = np.minimum(column(features, "rest_days", 1.0), 3.0)
    absent = column(features, "days_since_last", 0.0) > ABSENCE_DAYS
    games = column(features, "games", 0.0)
    since_return = column(features, "games_since_return", RETURN_GAMES)
    with_team = column(features, "games_with_team", TRADE_GAMES)
    # A player without earlier games is a newcomer, neither back from an absence nor traded.
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
    # Games of a generated league can be extreme, so both factors are limited.
    return np.maximum(player, 0.5) * np.clip(game, 0.5, 1.5)


MOVING_AVERAGE = System("moving_average", "2", estimate)
