"""Generate players and games of the simulated league: rosters, absences, outlooks and box scores.

An array described as a grid has one row per team and game, first the away teams of the 1,230 games
and then the home teams, and one column per roster place. The outlook of a game (`Outlook`) does not
use the random numbers that decide its outcome (`play`), so it cannot reveal the outcome.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nba_predictions.domain.market import POINTS, Market
from nba_predictions.inputs.simulated_calendar import TEAM_COUNT, Calendar, Ints

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: The years in which the first and the last season begin. There are enough names for all of them.
FIRST_YEAR, LAST_YEAR = 1996, 2059
#: The minimum number of available players of a team.
LEAST_AVAILABLE = 8
#: The number of regular players of a team. The other players take turns, one per game.
REGULARS = 10

# Minutes by place among the available players, and shots (field goal attempts) per minute by place
# on the roster. With them, the means of the league are close to those of the NBA in the 2020s.
_MINUTES = (34.0, 32.5, 31.0, 29.0, 27.0, 23.0, 20.0, 17.5, 16.5, 7.0)
_BENCH_MINUTES = 6.0
_SHOTS = (0.59, 0.49, 0.42, 0.35, 0.31, 0.34, 0.32, 0.30, 0.28, 0.28)
_BENCH_SHOTS = 0.29
_OFTEN_ON_BENCH = 0.08  # the probability that a bench player plays out of turn
_HOME = 0.012  # the relative effect on shooting
_TIRED = 0.025  # the relative effect of a game on the previous day on shooting and minutes
_OVERTIME = 0.055
_OFFENSIVE = 0.25  # the share of offensive rebounds
_FORM_MEMORY, _FORM_SPREAD = 0.975, 0.08  # per day; for the logarithm of shots per minute
_INJURED_PER_DAY, _DAYS_OUT = 0.006, 14.0
_LONGEST_ABSENCE = 40
_SUMMER_MOVES, _TRADES = 25, 6

# Each use of random numbers has its own stream. A new use must have a new number.
_CAREER, _MOVES, _TEAM, _CALENDAR, _ABSENCE, _FORM, _REPORT, _OUTCOME, _LINES = range(9)


@dataclass(frozen=True)
class Players:
    """The players of a season, one entry per roster slot."""

    number: Ints
    years: Ints
    minutes: Floats
    shots: Floats
    threes: Floats
    hit_two: Floats
    hit_three: Floats
    fouled: Floats
    hit_free: Floats
    rebounds: Floats
    assists: Floats


@dataclass(frozen=True)
class Outlook:
    """The information about every game before tip-off.

    All arrays are grids, except `team`, `opponent` and `day`, which have one entry per row of a
    grid. `expected` has the statistics that the books quote, by their column in the game logs.
    `status` is the injury report. `available` says who can play, and only `play` may use it.
    """

    calendar: Calendar
    players: Players
    team: Ints
    opponent: Ints
    day: Ints
    player: Ints
    status: NDArray[np.str_]
    available: Bools
    shots: Floats
    hit_two: Floats
    hit_three: Floats
    minutes: Floats
    expected: dict[str, Floats]


@dataclass(frozen=True)
class BoxScore:
    """The results of all games, as grids. Players who did not play have 0 minutes."""

    minutes: Ints
    stats: dict[str, Ints]


def stream(seed: int, year: int, use: int, *more: int) -> np.random.Generator:
    """Return the random number generator for one use in one season."""
    return np.random.default_rng([seed, year, use, *more])


def line_stream(seed: int, year: int, market: Market) -> np.random.Generator:
    """Return the random number generator for the lines of one market.

    Each market has its own generator, so its lines do not depend on other markets.
    """
    more = () if market == POINTS else (zlib.crc32(market.name.encode()),)
    return stream(seed, year, _LINES, *more)


def calendar_stream(seed: int, year: int) -> np.random.Generator:
    """Return the random number generator for the calendar."""
    return stream(seed, year, _CALENDAR)


def make_players(seed: int, year: int, per_team: int) -> Players:
    """Return the players of a season.

    A roster slot belongs to one player after another, each for several years. The player of a slot
    is computed directly from the year, so earlier seasons need not be simulated.
    """
    slots = TEAM_COUNT * per_team
    rng = stream(seed, 0, _CAREER, per_team)
    length = rng.integers(3, 14, slots)
    offset = rng.integers(0, 14, slots)
    holder, years = np.divmod(year - FIRST_YEAR + offset, length)
    draws = np.stack(
        [stream(seed, 1, _CAREER, s, h).normal(size=9) for s, h in enumerate(holder.tolist())]
    )
    rank = np.arange(slots) % per_team
    shots = np.array(_SHOTS + (_BENCH_SHOTS,) * per_team)[rank]
    # Rookies and veterans take fewer shots.
    age = np.select([years == 0, years == 1, years >= 10], [0.86, 0.94, 0.95], 1.0)
    return Players(
        number=holder * slots + np.arange(slots),
        years=years,
        minutes=np.exp(0.06 * draws[:, 0]),
        shots=shots * age * np.exp(0.12 * draws[:, 1]),
        threes=np.clip(0.40 + 0.15 * draws[:, 2], 0.02, 0.75),
        hit_two=np.clip(0.545 + 0.045 * draws[:, 3] - 0.02 * draws[:, 2], 0.42, 0.70),
        hit_three=np.clip(0.358 + 0.03 * draws[:, 4], 0.24, 0.45),
        fouled=np.clip(0.25 + 0.08 * draws[:, 5] - 0.04 * draws[:, 2], 0.06, 0.55),
        hit_free=np.clip(0.78 + 0.08 * draws[:, 6], 0.50, 0.94),
        rebounds=0.185 * np.exp(0.35 * draws[:, 7] - 0.2 * draws[:, 2]),
        assists=0.11 * np.exp(0.45 * draws[:, 8]),
    )


def make_rosters(seed: int, year: int, per_team: int, calendar: Calendar) -> Ints:
    """Return the roster slot of each place in a season, with the shape (day, team, place).

    Players change teams in summer and in trades during the season, always with a player of the
    same place.
    """
    roster = np.arange(TEAM_COUNT * per_team).reshape(TEAM_COUNT, per_team)
    for past in range(FIRST_YEAR, year):
        for a, b, place, _ in _moves(seed, past, per_team):
            roster[[a, b], place] = roster[[b, a], place]
    daily = np.empty((len(calendar.days), *roster.shape), dtype=np.int64)
    moves = _moves(seed, year, per_team)
    for a, b, place, _ in moves[:_SUMMER_MOVES]:
        roster[[a, b], place] = roster[[b, a], place]
    daily[:] = roster
    for a, b, place, day in sorted(moves[_SUMMER_MOVES:], key=lambda move: move[3]):
        daily[day:, [a, b], place] = daily[day:, [b, a], place]
    return daily


def _moves(seed: int, year: int, per_team: int) -> list[tuple[int, int, int, int]]:
    """Return the exchanges of a season as (team, team, place, day index), in order of time."""
    rng = stream(seed, year, _MOVES)
    count = _SUMMER_MOVES + _TRADES
    teams = np.stack([rng.permutation(TEAM_COUNT)[:2] for _ in range(count)])
    places = rng.integers(0, per_team, count)
    # From mid-December to the trade deadline in early February.
    days = np.concatenate(
        [np.zeros(_SUMMER_MOVES, np.int64), np.sort(rng.integers(55, 104, _TRADES))]
    )
    return [
        (int(a), int(b), int(p), int(d)) for (a, b), p, d in zip(teams, places, days, strict=True)
    ]


def make_outlook(seed: int, year: int, per_team: int, calendar: Calendar) -> Outlook:
    """Return the outlook of the games of a season."""
    players = make_players(seed, year, per_team)
    daily = make_rosters(seed, year, per_team, calendar)
    team = np.concatenate([calendar.away, calendar.home])
    opponent = np.concatenate([calendar.home, calendar.away])
    day = np.concatenate([calendar.day, calendar.day])
    player = daily[day, team]
    absent = _absences(seed, year, len(players.number), calendar)[day[:, None], player]
    absent &= np.cumsum(absent, axis=1) <= per_team - LEAST_AVAILABLE
    full = np.isin(day, [calendar.days.index(d) for d in calendar.full_slates])[:, None]
    status = _report(seed, year, absent, full)

    traits = _team_traits(seed, year)
    form = _form(seed, year, len(players.number), len(calendar.days))[day[:, None], player]
    pace = (traits["pace"][team] * traits["pace"][opponent])[:, None]
    home = np.repeat([-_HOME, _HOME], len(calendar.day))
    tired = _played_the_day_before(team, day, calendar)
    skill = 1 + home - _TIRED * tired
    hit_two = players.hit_two[player] * (skill * traits["two"][opponent])[:, None]
    hit_three = players.hit_three[player] * (skill * traits["three"][opponent])[:, None]
    shots = players.shots[player] * pace * form
    hopeful = ~np.isin(status, ("OUT", "DOUBTFUL"))
    place = np.cumsum(hopeful, axis=1) - 1
    minutes = _place_minutes(place) * hopeful
    bench_turn = 1 / max(per_team - REGULARS, 1) + _OFTEN_ON_BENCH
    weight = players.minutes[player] * (1 - _TIRED * tired)[:, None] * minutes
    expected = weight * np.where(place < REGULARS, 1.0, bench_turn)
    scale = 240 / expected.sum(axis=1, keepdims=True)
    threes = players.threes[player]
    per_shot = (
        2 * (1 - threes) * hit_two
        + 3 * threes * hit_three
        + players.fouled[player] * players.hit_free[player]
    )
    minutes = np.minimum(weight * scale, 44.0)
    return Outlook(
        calendar,
        players,
        team,
        opponent,
        day,
        player,
        status,
        ~absent,
        shots,
        np.clip(hit_two, 0.05, 0.95),
        np.clip(hit_three, 0.05, 0.95),
        minutes,
        {
            "points": minutes * shots * per_shot,
            "fg3m": minutes * shots * threes * hit_three,
            "oreb": minutes * players.rebounds[player] * _OFFENSIVE,
            "dreb": minutes * players.rebounds[player] * (1 - _OFFENSIVE),
            "ast": minutes * players.assists[player],
        },
    )


def _place_minutes(place: Ints) -> Floats:
    by_place = np.array((*_MINUTES, _BENCH_MINUTES))
    return by_place[np.clip(place, 0, REGULARS)]


def _team_traits(seed: int, year: int) -> dict[str, Floats]:
    """Return the pace of each team, and its effect on the shooting of opponents.

    One part of both is the same in all seasons.
    """
    lasting = stream(seed, 0, _TEAM).normal(size=(3, TEAM_COUNT))
    seasonal = stream(seed, year, _TEAM).normal(size=(3, TEAM_COUNT))
    mixed = 0.7 * lasting + 0.7 * seasonal
    return {
        "pace": 1 + 0.018 * mixed[0],
        "two": 1 + 0.03 * mixed[1],
        "three": 1 + 0.03 * mixed[2],
    }


def _form(seed: int, year: int, players: int, days: int) -> Floats:
    """Return slowly changing factors of shots per minute around 1, with the shape (day, player)."""
    shocks = stream(seed, year, _FORM).normal(size=(days, players))
    form = np.empty_like(shocks)
    form[0] = shocks[0]
    for day in range(1, days):
        form[day] = _FORM_MEMORY * form[day - 1] + np.sqrt(1 - _FORM_MEMORY**2) * shocks[day]
    return np.exp(_FORM_SPREAD * form)


def _absences(seed: int, year: int, players: int, calendar: Calendar) -> Bools:
    """Return who is absent, with the shape (day, player). No one misses a full slate."""
    rng = stream(seed, year, _ABSENCE)
    days = len(calendar.days)
    injured = rng.random((days, players)) < _INJURED_PER_DAY
    length = np.minimum(1 + rng.exponential(_DAYS_OUT, (days, players)), _LONGEST_ABSENCE)
    absent = np.zeros((days, players), dtype=bool)
    left = np.zeros(players)
    for day in range(days):
        left = np.where(injured[day] & (left <= 0), length[day], left - 1)
        absent[day] = left > 0
    absent[[calendar.days.index(day) for day in calendar.full_slates]] = False
    return absent


def _report(seed: int, year: int, absent: Bools, full: Bools) -> NDArray[np.str_]:
    """Return the injury report: a status or an empty string. Players who are OUT never play."""
    chance = stream(seed, year, _REPORT).random(absent.shape)
    hurt = np.select([chance < 0.86, chance < 0.95], ["OUT", "DOUBTFUL"], "QUESTIONABLE")
    well = np.select([chance < 0.003, chance < 0.03], ["DOUBTFUL", "QUESTIONABLE"], "")
    return np.where(full, "", np.where(absent, hurt, well))


def _played_the_day_before(team: Ints, day: Ints, calendar: Calendar) -> Floats:
    ordinal = np.array([d.toordinal() for d in calendar.days])
    played = np.zeros((TEAM_COUNT, ordinal[-1] - ordinal[0] + 2), dtype=bool)
    at = ordinal[day] - ordinal[0] + 1
    played[team, at] = True
    return played[team, at - 1].astype(np.float64)


def play(seed: int, year: int, outlook: Outlook) -> BoxScore:
    """Return the box scores of a season."""
    rng = stream(seed, year, _OUTCOME)
    players, player = outlook.players, outlook.player
    shape = player.shape
    games = len(outlook.calendar.day)
    overtime = np.tile(rng.random(games) < _OVERTIME, 2)
    real_minutes, minutes = _minutes_played(rng, outlook, np.where(overtime, 265.0, 240.0))
    # The players of a team share the ball, so shots vary less than independent events.
    fga = rng.binomial(
        np.floor(2 * real_minutes * outlook.shots + rng.random(shape)).astype(int), 0.5
    )
    fg3a = rng.binomial(fga, players.threes[player])
    fg3m = rng.binomial(fg3a, outlook.hit_three)
    fgm = fg3m + rng.binomial(fga - fg3a, outlook.hit_two)
    fta = rng.poisson(real_minutes * outlook.shots * players.fouled[player])
    ftm = rng.binomial(fta, players.hit_free[player])
    # The home player with the most minutes makes another free throw if a game is tied.
    points = 2 * fgm + fg3m + ftm
    total = points.sum(axis=1)
    tied = np.flatnonzero(total[:games] == total[games:]) + games
    scorer = minutes[tied].argmax(axis=1)
    for made in (fta, ftm, points):
        made[tied, scorer] += 1
    total = points.sum(axis=1)
    margin = total - np.concatenate([total[games:], total[:games]])
    rebounds = rng.poisson(real_minutes * players.rebounds[player])
    oreb = rng.binomial(rebounds, _OFFENSIVE)
    stats = {
        "FGM": fgm,
        "FGA": fga,
        "FG3M": fg3m,
        "FG3A": fg3a,
        "FTM": ftm,
        "FTA": fta,
        "OREB": oreb,
        "DREB": rebounds - oreb,
        "REB": rebounds,
        "AST": rng.poisson(real_minutes * players.assists[player]),
        "STL": rng.poisson(0.034 * real_minutes),
        "BLK": rng.poisson(0.021 * real_minutes),
        "TOV": rng.poisson(0.056 * real_minutes),
        "PF": np.minimum(rng.poisson(0.08 * real_minutes), 6),
        "PTS": points,
        "PLUS_MINUS": np.rint(
            margin[:, None] * real_minutes / 48 + rng.normal(0, 1, shape) * np.sqrt(real_minutes)
        ).astype(np.int64),
    }
    return BoxScore(minutes, stats)


def _minutes_played(
    rng: np.random.Generator, outlook: Outlook, total: Floats
) -> tuple[Floats, Ints]:
    """Return the exact and the rounded minutes. The exact minutes of a team sum to `total`."""
    rows, per_team = outlook.player.shape
    place = np.cumsum(outlook.available, axis=1) - 1
    bench = np.maximum(per_team - REGULARS, 1)
    # Bench players take turns by roster place, from game to game of the team.
    number = np.empty(rows, dtype=np.int64)
    order = np.lexsort((outlook.day, outlook.team))
    number[order] = np.arange(rows) % (rows // TEAM_COUNT)
    turn = np.arange(per_team) % bench == (number % bench)[:, None]
    often = rng.random((rows, per_team)) < _OFTEN_ON_BENCH
    plays = outlook.available & ((place < REGULARS) | turn | often)
    weight = _place_minutes(place) * plays * outlook.players.minutes[outlook.player]
    weight *= np.exp(rng.normal(0, 0.13, (rows, per_team)))
    most = total[:, None] / 5 * 0.95
    exact = weight
    for _ in range(6):
        exact = np.minimum(exact * total[:, None] / exact.sum(axis=1, keepdims=True), most)
    exact *= total[:, None] / exact.sum(axis=1, keepdims=True)
    whole = np.where(plays, np.maximum(np.rint(exact), 1), 0).astype(np.int64)
    return exact, whole
