"""The calendar of the simulated league: 30 teams, 82 games each, 41 of them at home.

A season has 82 rounds, and every team plays once per round. A round takes two or three days, and
the next round begins on the following day. Therefore no team plays twice on a day, an ordinary day
has 5 to 9 games, and some teams play on consecutive days. A round on a single day is a full slate.
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
_TWO_DAYS = (6, 7, 8, 9)  # numbers of games on the first day of a round with two days
_THREE_DAYS = (5, 5, 5)


@dataclass(frozen=True)
class Calendar:
    """The game days of a season, and its 1,230 games in order.

    `day` has the index of the day of each game. `tipoff` is the minute of the day in US Eastern
    time.
    """

    days: tuple[date, ...]
    full_slates: tuple[date, ...]
    day: Ints
    away: Ints
    home: Ints
    tipoff: Ints


def season_days(year: int) -> tuple[list[date], list[date]]:
    """Return the game days of the season that begins in `year`, and those with a full slate.

    The season begins on the Tuesday between October 18 and 24, and ends on the Sunday between April
    9 and 15. There are no games on Thanksgiving, on December 24, and on the six days from the
    Friday before the third Sunday of February. The slate is full on the second Tuesdays of December
    to March and on the last day.
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
    """Return the number of games on each day of each round, in order."""
    bounds = [-1, *(days.index(day) for day in full)]
    lengths = [b - a - 1 for a, b in pairwise(bounds)]
    # Rounds of two days fill an even number of days. An odd number needs a round of three days.
    long = [length % 2 for length in lengths]
    spare = len(days) - len(full) - 2 * (ROUNDS - len(full)) - sum(long)
    if spare < 0 or spare % 2:
        raise AssertionError(f"{ROUNDS} rounds do not fit into {len(days)} days")
    for n in range(spare // 2):
        long[n % len(long)] += 2
    sizes: list[tuple[int, ...]] = []
    for length, threes in zip(lengths, long, strict=True):
        count = threes + (length - 3 * threes) // 2
        # The first round after a full slate always has two days.
        chosen = set((1 + rng.permutation(count - 1)[:threes]).tolist())
        for n in range(count):
            first = int(rng.choice(_TWO_DAYS))
            sizes.append(_THREE_DAYS if n in chosen else (first, 15 - first))
        sizes.append((15,))
    return sizes


def _rounds(rng: np.random.Generator) -> Ints:
    """Return the away and home teams of all games, with the shape (82, 15, 2).

    Each team plays every other team at home and away, and 24 of them a third time. In 29 rounds,
    made with the circle method, each team meets every other team once
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
    """Order the pairs of two rounds so that every team plays once at home and once away.

    The pairs of both rounds form cycles of teams. Along a cycle, each team plays away against the
    next one.
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
