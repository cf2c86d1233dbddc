"""The other systems together, by weights learned on games that none of them was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from nba_predictions.systems.base import Floats, Forecast, System
from nba_predictions.systems.gradient_boosting import XGBOOST
from nba_predictions.systems.moving_average import MOVING_AVERAGE
from nba_predictions.systems.similarity import SIMILARITY
from nba_predictions.systems.zone_matchup import ZONE_MATCHUP

if TYPE_CHECKING:
    from nba_predictions.systems.trained_models import TrainedModels

MEMBERS = (MOVING_AVERAGE, ZONE_MATCHUP, SIMILARITY, XGBOOST)


def estimate(
    features: pl.DataFrame, models: TrainedModels, members: Mapping[str, Forecast]
) -> Floats:
    """Weighted mean of the members' centres."""
    total = np.zeros(features.height)
    # Added one by one, in a fixed order: a matrix product may round differently by its size.
    for name, weight in models.weights.items():
        total = total + weight * members[name].mean
    return total


def nearer_to_the_best(weights: Mapping[str, float], best: str) -> dict[str, float]:
    """Weights half-way to the best member alone, in hundredths.

    Trees learn again from the games that weights are learned on, and get better by it; formulas
    stay as good as they were. So the weights found there give the formulas too much.
    """
    half = {name: round(50 * weight) / 100 for name, weight in weights.items() if name != best}
    return {name: half.get(name, round(1.0 - sum(half.values()), 2)) for name in weights}


def learn_weights(centres: Mapping[str, Floats], points: Floats) -> dict[str, float]:
    """Weights, none negative, summing to 1, of least mean absolute error on held-out rows.

    Starts at the best single member and moves weight between pairs for as long as that helps,
    in ever smaller steps down to 1%: on these rows the result is never worse than the best member.
    Ties go to the earlier name, so the same rows give the same weights.

    Raises:
        ValueError: there is no row to learn from.
    """
    if len(points) == 0:
        raise ValueError("ensemble weights cannot be learned from no rows")
    names = list(centres)
    hundredths = dict.fromkeys(names, 0)

    def error(parts: Mapping[str, int]) -> float:
        blend = np.zeros(len(points))
        for name in names:
            blend = blend + parts[name] / 100 * centres[name]
        return float(np.abs(points - blend).mean())

    best = min(names, key=lambda name: float(np.abs(points - centres[name]).mean()))
    hundredths[best] = 100
    least = error(hundredths)
    for step in (32, 16, 8, 4, 2, 1):
        improved = True
        while improved:
            improved = False
            for giver in names:
                for taker in names:
                    if giver == taker or hundredths[giver] < step:
                        continue
                    trial = dict(hundredths)
                    trial[giver] -= step
                    trial[taker] += step
                    if (e := error(trial)) < least - 1e-12:
                        hundredths, least, improved = trial, e, True
    return {name: part / 100 for name, part in hundredths.items()}


ENSEMBLE = System("ensemble", "2", estimate, MEMBERS)
