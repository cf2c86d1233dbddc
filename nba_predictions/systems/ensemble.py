"""Combine the other systems with weights learned on games that none of them was trained on."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from nba_predictions.systems.base import Floats, Forecasts
from nba_predictions.systems.gradient_boosting import XGBOOST
from nba_predictions.systems.moving_average import MOVING_AVERAGE
from nba_predictions.systems.similarity import SIMILARITY
from nba_predictions.systems.system import System
from nba_predictions.systems.trained_models import TrainedModels
from nba_predictions.systems.zone_matchup import ZONE_MATCHUP

MEMBERS = (MOVING_AVERAGE, ZONE_MATCHUP, SIMILARITY, XGBOOST)


def estimate(features: pl.DataFrame, models: TrainedModels, members: Forecasts) -> Floats:
    """Return the weighted mean of the members' centers."""
    total = np.zeros(features.height)
    # Added one by one in a fixed order: the rounding of a matrix product depends on its size.
    for name, weight in models.weights.items():
        total = total + weight * members[name].mean
    return total


def shift_weights_to_best(weights: Mapping[str, float], best: str) -> dict[str, float]:
    """Return weights halfway between the given ones and the best member alone, in hundredths.

    The trees are later trained again with the held-out games and improve. The formulas do not
    change. The weights learned on held-out games therefore favor the formulas too much.
    """
    half = {name: round(50 * weight) / 100 for name, weight in weights.items() if name != best}
    return {name: half.get(name, round(1.0 - sum(half.values()), 2)) for name in weights}


def learn_weights(centers: Mapping[str, Floats], outcomes: Floats) -> dict[str, float]:
    """Return the weights with the least mean absolute error on held-out rows.

    No weight is negative, and they sum to 1. The search starts at the best single member and moves
    weight between pairs as long as the error falls, in ever smaller steps down to 1%. On these rows
    the result is never worse than the best member. Ties go to the earlier name, so the same rows
    give the same weights.

    Raises:
        ValueError: there are no rows.
    """
    if len(outcomes) == 0:
        raise ValueError("ensemble weights need at least one row to learn from")
    names = list(centers)
    hundredths = dict.fromkeys(names, 0)

    def error(parts: Mapping[str, int]) -> float:
        blend = np.zeros(len(outcomes))
        for name in names:
            blend = blend + parts[name] / 100 * centers[name]
        return float(np.abs(outcomes - blend).mean())

    best = min(names, key=lambda name: float(np.abs(outcomes - centers[name]).mean()))
    hundredths[best] = 100
    least = error(hundredths)
    for step in (32, 16, 8, 4, 2, 1):
        improved = True
        while improved:
            improved = False
            for source in names:
                for target in names:
                    if source == target or hundredths[source] < step:
                        continue
                    trial = dict(hundredths)
                    trial[source] -= step
                    trial[target] += step
                    if (e := error(trial)) < least - 1e-12:
                        hundredths, least, improved = trial, e, True
    return {name: part / 100 for name, part in hundredths.items()}


ENSEMBLE = System("ensemble", "2", estimate, MEMBERS)
