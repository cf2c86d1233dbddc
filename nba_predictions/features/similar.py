"""Find the player's own past games that are most similar to the coming one."""

from dataclasses import dataclass

import numpy as np

from nba_predictions.features.windows import Floats, Ints

#: Past games considered, the most similar of them used, and the minimum for a result.
CANDIDATES = 82
BEST = 20
FEWEST = 5

#: Points of similarity, of 100, for each aspect of a game.
OPPONENT_WEIGHT = 40.0
REST_WEIGHT = 30.0
VENUE_WEIGHT = 15.0
FORM_WEIGHT = 15.0
#: The difference from which an aspect contributes no similarity.
OPPONENT_SCALE = 0.10  # of the points allowed relative to the league
REST_SCALE = 3.0  # days
FORM_SCALE = 0.40  # of the recent scoring relative to the season's

_CHUNK = 8192


@dataclass(frozen=True)
class Situations:
    """The circumstances of each game of the panel as known before tip-off, and the points."""

    opponent: Floats
    rest: Floats
    home: Floats
    form: Floats
    expected: Floats
    points: Floats


def similar_games(games: Situations, low: Ints, high: Ints, rows: Ints) -> dict[str, Floats]:
    """Average the past games `[low, high)` of the target `rows`, weighted by similarity (0..100).

    An aspect that is unknown on either side counts half. Levels change over the years, so the
    average is of the surplus: points minus the points expected before each game.

    Return per target row `similar_surplus` and `similar_sd` (weighted mean and standard deviation)
    and `similar_games` (the number of games used); NaN below FEWEST games.
    """
    parts = [_chunk(games, low, high, rows[i : i + _CHUNK]) for i in range(0, len(rows), _CHUNK)]
    if not parts:
        return {k: np.zeros(0) for k in ("similar_surplus", "similar_sd", "similar_games")}
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _chunk(games: Situations, low: Ints, high: Ints, rows: Ints) -> dict[str, Floats]:
    # Column j is the (j+1)-th game back. Clipped indices of games that do not exist are masked.
    past = high[rows, None] - 1 - np.arange(CANDIDATES)[None, :]
    exists = past >= low[rows, None]
    past = np.maximum(past, 0)
    surplus = (games.points - games.expected)[past]
    usable = exists & ~np.isnan(surplus)

    def similarity_of(aspect: Floats, scale: float) -> Floats:
        closeness = 1.0 - np.abs(aspect[past] - aspect[rows, None]) / scale
        return np.where(np.isnan(closeness), 0.5, np.maximum(closeness, 0.0))

    similarity = (
        OPPONENT_WEIGHT * similarity_of(games.opponent, OPPONENT_SCALE)
        + REST_WEIGHT * similarity_of(games.rest, REST_SCALE)
        + VENUE_WEIGHT * similarity_of(games.home, 1.0)
        + FORM_WEIGHT * similarity_of(games.form, FORM_SCALE)
    )
    similarity = np.where(usable, similarity, -1.0)
    # A stable sort prefers the more recent of equally similar games.
    best = np.argsort(-similarity, axis=1, kind="stable")[:, :BEST]
    weight = np.maximum(np.take_along_axis(similarity, best, axis=1), 0.0)
    value = np.where(weight > 0, np.take_along_axis(surplus, best, axis=1), 0.0)
    used = (weight > 0).sum(axis=1)
    total = np.where(used >= FEWEST, weight.sum(axis=1), np.nan)
    mean = (weight * value).sum(axis=1) / total
    variance = (weight * (value - mean[:, None]) ** 2).sum(axis=1) / total
    return {
        "similar_surplus": mean,
        "similar_sd": np.sqrt(variance),
        "similar_games": np.where(used >= FEWEST, used, np.nan).astype(np.float64),
    }
