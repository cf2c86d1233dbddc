"""Score errors, probabilities and bets of forecasts, each with its standard error.

All functions take aligned arrays and return numbers. Rows of one date are not independent, because
its players share pace, overtime and blowouts. Therefore every standard error is clustered by date.
`dates` has any label per date.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nba_predictions.domain.betting.lines import implied_probability
from nba_predictions.domain.betting.predictions import MIN_EDGE, STANDARD_PRICE
from nba_predictions.systems.base import Floats

Bools = NDArray[np.bool_]
Labels = NDArray[np.int64]

#: Number of bins of equal width, for reliability and the calibration error.
BINS: Final = 10
#: Limits of the ranges of edges. An edge is the probability of the better side minus the break-even
#: probability of the price. From MIN_EDGE on a side is recommended.
EDGES: Final = (0.0, MIN_EDGE, 0.03, 0.06, 0.10)


@dataclass(frozen=True)
class Estimate:
    """A mean over rows and its standard error; the error is NaN with fewer than two dates."""

    value: float
    error: float


def clustered_mean(values: Floats, dates: Labels) -> Estimate:
    """Return the mean, with a standard error for rows of one date that depend on each other.

    Raises:
        ValueError: the arrays are empty.
    """
    if len(values) == 0:
        raise ValueError("a mean needs at least one row")
    mean = float(values.mean())
    _, codes = np.unique(dates, return_inverse=True)
    sums = np.bincount(codes, weights=values - mean)
    clusters = len(sums)
    if clusters < 2:
        return Estimate(mean, float("nan"))
    variance = (sums**2).sum() * clusters / (clusters - 1)
    return Estimate(mean, float(np.sqrt(variance) / len(values)))


@dataclass(frozen=True)
class Errors:
    """Errors of a forecast, in units of the market. `bias` is forecast minus outcome."""

    rows: int
    absolute: Estimate
    rmse: float
    bias: Estimate


def errors(outcomes: Floats, center: Floats, dates: Labels) -> Errors:
    """Return the mean absolute error, root mean squared error and bias of one forecast."""
    off = center - outcomes
    return Errors(
        len(outcomes),
        clustered_mean(np.abs(off), dates),
        float(np.sqrt((off**2).mean())),
        clustered_mean(off, dates),
    )


def paired_difference(outcomes: Floats, ours: Floats, theirs: Floats, dates: Labels) -> Estimate:
    """Return the absolute error of `ours` minus that of `theirs`: below zero ours is better."""
    return clustered_mean(np.abs(ours - outcomes) - np.abs(theirs - outcomes), dates)


@dataclass(frozen=True)
class ReliabilityBin:
    """Forecasts between `low` and `high`: their mean, and the observed share of overs."""

    low: float
    high: float
    rows: int
    forecast: float
    observed: Estimate


@dataclass(frozen=True)
class Probabilities:
    """Scores of probabilities of an over. A coin flip has log loss 0.6931 and Brier score 0.25.

    `calibration_error` is the expected calibration error: the mean distance of forecast and
    observed share over BINS bins, weighted by their rows.
    """

    rows: int
    log_loss: Estimate
    brier: Estimate
    calibration_error: float
    hits: Estimate


def decided(over: Floats, push: Floats) -> Floats:
    """Return P(over | no push): a push returns the stake, so it does not count."""
    return np.clip(over / np.maximum(1.0 - push, 1e-12), 0.0, 1.0)


def probabilities(probability: Floats, went_over: Bools, dates: Labels) -> Probabilities:
    """Score P(over | no push) on rows that did not push."""
    given = np.clip(np.where(went_over, probability, 1.0 - probability), 1e-12, 1.0)
    bins = list(reliability(probability, went_over, dates))
    gap = sum(b.rows * abs(b.forecast - b.observed.value) for b in bins) / len(probability)
    return Probabilities(
        len(probability),
        clustered_mean(-np.log(given), dates),
        clustered_mean((probability - went_over) ** 2, dates),
        float(gap),
        clustered_mean(((probability > 0.5) == went_over).astype(np.float64), dates),
    )


def reliability(probability: Floats, went_over: Bools, dates: Labels) -> Iterator[ReliabilityBin]:
    """Yield the bins that have rows, from low to high."""
    bins = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
    for number in np.unique(bins):
        mask = bins == number
        yield ReliabilityBin(
            int(number) / BINS,
            (int(number) + 1) / BINS,
            int(mask.sum()),
            float(probability[mask].mean()),
            clustered_mean(went_over[mask].astype(np.float64), dates[mask]),
        )


@dataclass(frozen=True)
class Bets:
    """Bets at STANDARD_PRICE on the more probable side, with an edge in one range.

    `hits` is the share of won bets among those that did not push. `profit` is per unit staked, with
    0 for a push. Both are None if there were no such bets.
    """

    edge: str
    bets: int
    pushes: int
    hits: Estimate | None
    profit: Estimate | None


def bets(
    over: Floats, push: Floats, line: Floats, outcomes: Floats, dates: Labels
) -> Iterator[Bets]:
    """Yield the bets by edge: below zero, each range above, and the recommended ones."""
    probability = decided(over, push)
    edge = np.maximum(probability, 1.0 - probability) - implied_probability(STANDARD_PRICE)
    won = (outcomes > line) == (probability > 0.5)
    pushed = outcomes == line
    gain = np.where(pushed, 0.0, np.where(won, winnings(), -1.0))
    cuts = (-np.inf, *EDGES, np.inf)
    for low, high in pairwise(cuts):
        yield _bets(_edge_name(low, high), (edge >= low) & (edge < high), won, pushed, gain, dates)
    recommended = (edge >= MIN_EDGE) & (line > 0)
    yield _bets("recommended", recommended, won, pushed, gain, dates)


def winnings() -> float:
    """Return what a unit staked at STANDARD_PRICE wins."""
    break_even = implied_probability(STANDARD_PRICE)
    return (1.0 - break_even) / break_even


def _bets(name: str, mask: Bools, won: Bools, pushed: Bools, gain: Floats, dates: Labels) -> Bets:
    settled = mask & ~pushed
    return Bets(
        name,
        int(mask.sum()),
        int((mask & pushed).sum()),
        clustered_mean(won[settled].astype(np.float64), dates[settled]) if settled.any() else None,
        clustered_mean(gain[mask], dates[mask]) if mask.any() else None,
    )


def _edge_name(low: float, high: float) -> str:
    if np.isinf(low):
        return f"below {100 * high:.0f}%"
    return f"from {100 * low:.0f}%" if np.isinf(high) else f"{100 * low:.0f} to {100 * high:.0f}%"
