"""How good forecasts were: errors, probabilities, bets, each with its standard error.

Arrays in, numbers out. Players of one night share its pace, overtimes and blow-outs, so rows of one
date are not independent: every standard error is clustered by date. All arrays of a call are
aligned; `dates` holds any labels that tell one date from another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nba_predictions.domain.betting.lines import implied_probability
from nba_predictions.domain.betting.predictions import MIN_EDGE, STANDARD_PRICE
from nba_predictions.systems.base import Floats
from nba_predictions.systems.distribution import cumulative

Bools = NDArray[np.bool_]
Labels = NDArray[np.int64]

#: Equal-width bins of probability, for reliability and the calibration error.
BINS: Final = 10
#: Where edges are cut: probability of the better side minus the price's break-even. The cut at
#: MIN_EDGE is the one from which a side is recommended.
EDGES: Final = (0.0, MIN_EDGE, 0.03, 0.06, 0.10)


@dataclass(frozen=True)
class Estimate:
    """A mean over rows and its standard error; the error is NaN with fewer than two dates."""

    value: float
    error: float


def clustered_mean(values: Floats, dates: Labels) -> Estimate:
    """The mean, with a standard error that lets rows of one date depend on each other.

    Raises:
        ValueError: there are no rows.
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
    """Errors of a forecast in points. `bias` is forecast minus outcome."""

    rows: int
    absolute: Estimate
    rmse: float
    bias: Estimate


def errors(points: Floats, centre: Floats, dates: Labels) -> Errors:
    """Mean absolute error, root mean squared error and bias of one forecast."""
    off = centre - points
    return Errors(
        len(points),
        clustered_mean(np.abs(off), dates),
        float(np.sqrt((off**2).mean())),
        clustered_mean(off, dates),
    )


def paired_difference(points: Floats, ours: Floats, theirs: Floats, dates: Labels) -> Estimate:
    """Absolute error of `ours` minus that of `theirs`, row by row: below zero, ours is better."""
    return clustered_mean(np.abs(ours - points) - np.abs(theirs - points), dates)


def central_shares(points: Floats, mean: Floats, spread: Floats) -> tuple[float, float]:
    """The shares of outcomes in the forecasts' central 50% and 80%.

    Points are whole: an outcome's place in its distribution is the middle of its step (mid-P).
    """
    at, below = cumulative(mean, spread, points), cumulative(mean, spread, points - 1)
    off_centre = np.abs((at + below) / 2 - 0.5)
    return float((off_centre <= 0.25).mean()), float((off_centre <= 0.40).mean())


@dataclass(frozen=True)
class ReliabilityBin:
    """Forecasts between `low` and `high`: what was forecast on average, and what happened."""

    low: float
    high: float
    rows: int
    forecast: float
    observed: Estimate


@dataclass(frozen=True)
class Probabilities:
    """How good probabilities of an over were. A coin has log loss 0.6931 and Brier score 0.25.

    `calibration_error` is the mean distance of forecast and observed share over BINS bins, weighted
    by their rows (expected calibration error).
    """

    rows: int
    log_loss: Estimate
    brier: Estimate
    calibration_error: float
    hits: Estimate


def decided(over: Floats, push: Floats) -> Floats:
    """P(over | no push), which is what a bet that returns pushes is about."""
    return np.clip(over / np.maximum(1.0 - push, 1e-12), 0.0, 1.0)


def probabilities(chance: Floats, went_over: Bools, dates: Labels) -> Probabilities:
    """Score P(over | no push) on rows that did not push."""
    said = np.clip(np.where(went_over, chance, 1.0 - chance), 1e-12, 1.0)
    bins = list(reliability(chance, went_over, dates))
    gap = sum(b.rows * abs(b.forecast - b.observed.value) for b in bins) / len(chance)
    return Probabilities(
        len(chance),
        clustered_mean(-np.log(said), dates),
        clustered_mean((chance - went_over) ** 2, dates),
        float(gap),
        clustered_mean(((chance > 0.5) == went_over).astype(np.float64), dates),
    )


def reliability(chance: Floats, went_over: Bools, dates: Labels) -> Iterator[ReliabilityBin]:
    """The bins that hold rows, from low to high."""
    at = np.minimum((chance * BINS).astype(np.int64), BINS - 1)
    for number in np.unique(at):
        here = at == number
        yield ReliabilityBin(
            int(number) / BINS,
            (int(number) + 1) / BINS,
            int(here.sum()),
            float(chance[here].mean()),
            clustered_mean(went_over[here].astype(np.float64), dates[here]),
        )


@dataclass(frozen=True)
class Bets:
    """Bets at STANDARD_PRICE on the side that a system prefers, by how much it prefers it.

    `hits` is over the bets that were won or lost; `profit` is per unit staked, a push among them
    with 0. Both are None where there was nothing to divide by.
    """

    edge: str
    bets: int
    pushes: int
    hits: Estimate | None
    profit: Estimate | None


def bets(over: Floats, push: Floats, line: Floats, points: Floats, dates: Labels) -> Iterator[Bets]:
    """Bets by edge: below zero (not worth the price), each range above, and as recommended."""
    chance = decided(over, push)
    edge = np.maximum(chance, 1.0 - chance) - implied_probability(STANDARD_PRICE)
    won = (points > line) == (chance > 0.5)
    pushed = points == line
    gain = np.where(pushed, 0.0, np.where(won, winnings(), -1.0))
    cuts = (-np.inf, *EDGES, np.inf)
    for low, high in pairwise(cuts):
        yield _bets(_edge_name(low, high), (edge >= low) & (edge < high), won, pushed, gain, dates)
    recommended = (edge >= MIN_EDGE) & (line > 0)
    yield _bets("recommended", recommended, won, pushed, gain, dates)


def winnings() -> float:
    """What a unit staked at STANDARD_PRICE wins."""
    worth = implied_probability(STANDARD_PRICE)
    return (1.0 - worth) / worth


def _bets(name: str, here: Bools, won: Bools, pushed: Bools, gain: Floats, dates: Labels) -> Bets:
    settled = here & ~pushed
    return Bets(
        name,
        int(here.sum()),
        int((here & pushed).sum()),
        clustered_mean(won[settled].astype(np.float64), dates[settled]) if settled.any() else None,
        clustered_mean(gain[here], dates[here]) if here.any() else None,
    )


def _edge_name(low: float, high: float) -> str:
    if np.isinf(low):
        return f"below {100 * high:.0f}%"
    return f"from {100 * low:.0f}%" if np.isinf(high) else f"{100 * low:.0f} to {100 * high:.0f}%"
