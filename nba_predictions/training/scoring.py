"""Score forecasts on games with known outcomes, for the card of the models."""

import numpy as np
from numpy.typing import NDArray

from nba_predictions.systems.base import Floats, Forecast
from nba_predictions.systems.distribution import cumulative, over_probability, push_probability
from nba_predictions.systems.line_update import BaseLines

#: Number of bins of equal size in which probabilities are compared with frequencies.
CALIBRATION_BINS = 10


def metrics(forecast: Forecast, outcomes: Floats) -> dict[str, float]:
    """Return the mean absolute error, the bias and the share of outcomes in central ranges.

    `coverage_50` and `coverage_80` should be near 0.5 and 0.8.
    """
    half, most = central_shares(outcomes, forecast.mean, forecast.spread)
    return {
        "rows": len(outcomes),
        "mean_absolute_error": round(float(np.abs(outcomes - forecast.mean).mean()), 4),
        "bias": round(float((forecast.mean - outcomes).mean()), 4),
        "coverage_50": round(half, 4),
        "coverage_80": round(most, 4),
    }


def central_shares(outcomes: Floats, mean: Floats, spread: Floats) -> tuple[float, float]:
    """Return the shares of outcomes in the central 50% and 80% of the forecasts.

    Outcomes are whole numbers: an outcome's position is the middle of its step (mid-P).
    """
    upto, below = cumulative(mean, spread, outcomes), cumulative(mean, spread, outcomes - 1)
    off_center = np.abs((upto + below) / 2 - 0.5)
    return float((off_center <= 0.25).mean()), float((off_center <= 0.40).mean())


def line_metrics(forecast: Forecast, lines: BaseLines, outcomes: Floats) -> dict[str, float]:
    """Return scores of the probabilities at base lines, on rows with a line that did not push.

    `log_loss` is 0.6931 for a coin flip. `calibration_error` is the expected calibration error.
    `hit_rate` is that of the more probable side. The result is empty without lines.
    """
    has_line = ~np.isnan(lines.base)
    if not has_line.any():
        return {}
    own, line, result = forecast[has_line], lines.base[has_line], outcomes[has_line]
    decided = result != line
    over, went_over = decided_over(own, line)[decided], (result > line)[decided]
    return {
        "lines": int(has_line.sum()),
        "absolute_error_with_line": round(float(np.abs(result - own.mean).mean()), 4),
        "absolute_error_of_line": round(float(np.abs(result - line).mean()), 4),
        "log_loss": round(log_loss(over, went_over), 4),
        "calibration_error": round(calibration_error(over, went_over), 4),
        "hit_rate": round(float(((over > 0.5) == went_over).mean()), 4),
    }


def decided_over(forecast: Forecast, line: Floats) -> Floats:
    """Return P(result > line) given that the result is not a push, updated by the base line."""
    over = over_probability(forecast.line_mean, forecast.line_spread, line)
    return over / (1.0 - push_probability(forecast.line_mean, forecast.line_spread, line))


def log_loss(probability: Floats, happened: NDArray[np.bool_]) -> float:
    """Return the mean negative log of the probability of what happened; 0.6931 for a coin flip."""
    given = np.clip(np.where(happened, probability, 1.0 - probability), 1e-12, 1.0)
    return float(-np.log(given).mean())


def calibration_error(probability: Floats, happened: NDArray[np.bool_]) -> float:
    """Return the expected calibration error: mean distance of probability and frequency over bins.

    The bins are of equal size. Even perfect probabilities do not reach 0, because with n rows the
    frequency of a bin is off by about 1.3 / sqrt(n) by chance (0.017 with 6,000 rows).
    """
    order = np.argsort(probability, kind="stable")
    bins = [b for b in np.array_split(order, CALIBRATION_BINS) if len(b)]
    gaps = [len(b) * abs(float(probability[b].mean() - happened[b].mean())) for b in bins]
    return sum(gaps) / len(probability)
