"""The calendar of the simulated league: 30 teams, 82 games each, 41 of them at home.

The games come in 82 rounds; in a round every team plays once. A round takes two or three days, and
the next begins the day after, so that no team ever plays twice on a day, an ordinary day has 5 to 9
games, and back-to-backs happen. A round that takes a single day makes a full slate.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

TEAM_COUNT = 30
ROUNDS = 82

Ints = NDArray[np.int64]
_TUESDAY, _THURSDAY, _SUNDAY = 1, 3, 6
_TWO_DAYS = (6, 7, 8, 9)  # games on the first of a round's two days
_THREE_DAYS = (5, 5, 5)


@dataclass(frozen=True)
class Calendar:
    """The game days of a season and its 1,230 games in order: day (an index), teams, tip-off.

    `tipoff` is the minute of the Eastern day.
    """

    days: tuple[date, ...]
    full_slates: tuple[date, ...]
    day: Ints
    away: Ints
    home: Ints
    tipoff: Ints


def season_days(year: int) -> tuple[list[date], list[date]]:
    """Return the game days of the season that begins in `year`, and those with a full slate.

    It lasts from the Tuesday of October 18 to 24 to the Sunday of April 9 to 15. Nobody plays on
    Thanksgiving, December 24, and from the Friday before the third Sunday of February for six days.
    Everybody plays on the second Tuesdays of December to March and on the last day.
    """
    start = _weekday_from(date(year, 10, 18), _TUESDAY)
    end = _weekday_from(date(year + 1, 4, 9), _SUNDAY)
    thanksgiving = _weekday_from(date(year, 11, 22), _THURSDAY)
    all_star = _weekday_from(date(year + 1, 2, 15), _SUNDAY)
    off = {thanksgiving, date(year, 12, 24)}
    off |= {all_star + timedelta(days=n) for n in range(-2, 4)}
    span = [start + timedelta(days=n) for n in range((end - start).days + 1)]
    months = (date(year, 12, 8), date(year + 1, 1, 8), date(year + 1, 2, 8), date(year + 1, 3, 8))
    full = [_weekday_from(month, _TUESDAY) for month in months]
    return [day for day in span if day not in off], [*full, end]


def make_calendar(year: int, rng: np.random.Generator) -> Calendar:
    """Return the calendar of the season that begins in `year`."""
    days, full = season_days(year)
    pairs = _rounds(rng)
    pairs = pairs[rng.permutation(ROUNDS)]
    games: list[tuple[int, Ints]] = []
    at = 0
    for sizes in _round_sizes(days, full, rng):
        pair, pairs = rng.permutation(pairs[0]), pairs[1:]
        for size in sizes:
            games.append((at, pair[:size]))
            pair = pair[size:]
            at += 1
    day = np.repeat([d for d, _ in games], [len(g) for _, g in games])
    teams = np.concatenate([g for _, g in games])
    # 19:00 to 22:30 Eastern, every half hour, more of them early.
    half_hours = np.minimum(rng.integers(0, 8, len(day)), rng.integers(0, 8, len(day)))
    return Calendar(
        tuple(days), tuple(full), day, teams[:, 0], teams[:, 1], 19 * 60 + 30 * half_hours
    )


def _weekday_from(day: date, weekday: int) -> date:
    return day + timedelta(days=(weekday - day.weekday()) % 7)


def _round_sizes(
    days: list[date], full: list[date], rng: np.random.Generator
) -> list[tuple[int, ...]]:
    """Return for each round in order how many games each of its days has."""
    bounds = [-1, *(days.index(day) for day in full)]
    lengths = [b - a - 1 for a, b in pairwise(bounds)]
    # Rounds of two days fill a stretch of even length; an odd one needs a round of three.
    long = [length % 2 for length in lengths]
    spare = len(days) - len(full) - 2 * (ROUNDS - len(full)) - sum(long)
    if spare < 0 or spare % 2:
        raise AssertionError(f"{len(days)} days do not hold {ROUNDS} rounds")
    for n in range(spare // 2):
        long[n % len(long)] += 2
    sizes: list[tuple[int, ...]] = []
    for length, threes in zip(lengths, long, strict=True):
        count = threes + (length - 3 * threes) // 2
        # The first round after a full slate has two days, as most.
        chosen = set((1 + rng.permutation(count - 1)[:threes]).tolist())
        for n in range(count):
            first = int(rng.choice(_TWO_DAYS))
            sizes.append(_THREE_DAYS if n in chosen else (first, 15 - first))
        sizes.append((15,))
    return sizes


def _rounds(rng: np.random.Generator) -> Ints:
    """Return (82, 15, 2) away and home teams: everybody twice, home and away, and 24 a third time.

    The 29 rounds in which everybody meets everybody once come from the circle method
    (https://en.wikipedia.org/wiki/Round-robin_tournament#Circle_method).
    """
    teams = rng.permutation(TEAM_COUNT)
    once = []
    for _ in range(TEAM_COUNT - 1):
        half = TEAM_COUNT // 2
        once.append(np.stack([teams[:half], teams[: half - 1 : -1]], axis=1))
        teams = np.concatenate([teams[:1], teams[-1:], teams[1:-1]])
    third = rng.permutation(TEAM_COUNT - 1)[: ROUNDS - 2 * len(once)]
    rounds = once + [pairs[:, ::-1] for pairs in once]
    for one, two in zip(third[::2], third[1::2], strict=True):
        rounds += _balanced(once[one], once[two])
    return np.stack(rounds)


def _balanced(one: Ints, two: Ints) -> list[Ints]:
    """Turn the pairs of two rounds so that every team is once at home and once away.

    Two rounds together are cycles of teams; walking round one, each team plays away at the next.
    """
    partner: list[dict[int, int]] = [
        {int(a): int(b) for pair in pairs for a, b in (pair, pair[::-1])} for pairs in (one, two)
    ]
    turned: list[list[tuple[int, int]]] = [[], []]
    left = set(range(TEAM_COUNT))
    while left:
        team = start = min(left)
        while True:
            for n in (0, 1):
                other = partner[n][team]
                turned[n].append((team, other))
                left.discard(team)
                team = other
            if team == start:
                break
    return [np.array(pairs) for pairs in turned]
