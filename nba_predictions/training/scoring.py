"""How good forecasts were, on games whose outcome is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nba_predictions.systems.base import Floats, Forecast
from nba_predictions.systems.distribution import cumulative, over_probability, push_probability
from nba_predictions.systems.line_update import BaseLines

#: Bins of equal size by which probabilities are compared with frequencies.
CALIBRATION_BINS = 10


def metrics(forecast: Forecast, points: Floats) -> dict[str, float]:
    """How good forecasts were: mean absolute error and the share of outcomes in central ranges.

    An outcome's place in its distribution is the middle of its step (mid-P), since points are
    whole numbers; `coverage_50` and `coverage_80` should come out near 0.5 and 0.8.
    """
    at = cumulative(forecast.mean, forecast.spread, points)
    below = cumulative(forecast.mean, forecast.spread, points - 1)
    off_centre = np.abs((at + below) / 2 - 0.5)
    return {
        "rows": len(points),
        "mean_absolute_error": round(float(np.abs(points - forecast.mean).mean()), 4),
        "bias": round(float((forecast.mean - points).mean()), 4),
        "coverage_50": round(float((off_centre <= 0.25).mean()), 4),
        "coverage_80": round(float((off_centre <= 0.40).mean()), 4),
    }


def line_metrics(forecast: Forecast, lines: BaseLines, points: Floats) -> dict[str, float]:
    """How good the chances at the base lines were, on the rows that have one and were no push.

    `log_loss` of a coin is 0.6931; `calibration_error` is the expected one, see
    `calibration_error`; `hit_rate` is of the side that has the greater chance. Empty without lines.
    """
    quoted = ~np.isnan(lines.base)
    if not quoted.any():
        return {}
    own, line, scored = forecast[quoted], lines.base[quoted], points[quoted]
    decided = scored != line
    over, went_over = decided_over(own, line)[decided], (scored > line)[decided]
    return {
        "lines": int(quoted.sum()),
        "absolute_error_with_line": round(float(np.abs(scored - own.mean).mean()), 4),
        "absolute_error_of_line": round(float(np.abs(scored - line).mean()), 4),
        "log_loss": round(log_loss(over, went_over), 4),
        "calibration_error": round(calibration_error(over, went_over), 4),
        "hit_rate": round(float(((over > 0.5) == went_over).mean()), 4),
    }


def decided_over(forecast: Forecast, line: Floats) -> Floats:
    """P(points > line) among outcomes that are no push, once the base line is known."""
    over = over_probability(forecast.line_mean, forecast.line_spread, line)
    return over / (1.0 - push_probability(forecast.line_mean, forecast.line_spread, line))


def log_loss(chance: Floats, happened: NDArray[np.bool_]) -> float:
    """Mean negative log of the chance given to what happened; 0.6931 for a coin."""
    given = np.clip(np.where(happened, chance, 1.0 - chance), 1e-12, 1.0)
    return float(-np.log(given).mean())


def calibration_error(chance: Floats, happened: NDArray[np.bool_]) -> float:
    """Expected calibration error: mean distance of chance and frequency over bins of equal size.

    Even perfect chances do not reach 0: with n rows a bin's frequency is off by about
    1.3 / sqrt(n) by luck alone (0.017 with 6,000 rows).
    """
    order = np.argsort(chance, kind="stable")
    bins = [b for b in np.array_split(order, CALIBRATION_BINS) if len(b)]
    gaps = [len(b) * abs(float(chance[b].mean() - happened[b].mean())) for b in bins]
    return sum(gaps) / len(chance)
