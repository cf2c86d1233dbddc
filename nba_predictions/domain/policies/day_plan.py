"""The plan of a day with live sources: when to fetch, refresh, capture closing lines and grade.

The first prediction is at 07:00 US Eastern. Before each wave of tip-offs, its games are refreshed,
when most players are known to be out or in. The result of a game is graded when its box score is
there, and again when a box score changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from nba_predictions.domain.betting.slate import Game
from nba_predictions.domain.league.games import EASTERN
from nba_predictions.domain.policies.input_gates import FIRST_PREDICTION, deadline

#: The time before a tip-off at which the games of its wave are refreshed.
WAVE_LEAD = timedelta(minutes=45)
#: The time before a tip-off at which closing lines are fetched.
CLOSING_LEAD = timedelta(minutes=5)
#: Tip-offs that are at most this far apart are one wave.
WAVE_LENGTH = timedelta(minutes=15)
#: The Eastern time of the grading of the date before.
FIRST_GRADING = time(6)
#: What asks for the lines of a game, most useful first: the first prediction, the refresh before
#: its tip-off, the closing lines, and refreshes at fixed Eastern times.
WAVE, CLOSING = "wave", "closing"
POLLS: tuple[time | str, ...] = (
    *(FIRST_PREDICTION, WAVE, CLOSING),
    *(time(16, 30), time(12, 30), time(10), time(14, 30), time(18)),
)
#: The fixed times at which injuries and games are refreshed in any case. They cost nothing.
REFRESHES = frozenset({time(12, 30), time(16, 30)})
#: A date whose box scores are incomplete is graded again at this interval: on the next day, and
#: later, when a game without a box score was most likely not played.
GRADE_AGAIN, GRADE_AGAIN_LATER = timedelta(minutes=30), timedelta(hours=6)
#: Scores are corrected for some days.
GRADED_DAYS = 7
#: An action that was missed for longer is not made up.
_LATEST = timedelta(minutes=30)


@dataclass(frozen=True)
class Wave:
    """Games with nearly the same tip-off.

    Attributes:
        tipoff: the earliest tip-off of the wave, in UTC.
        games: the game_ids.
    """

    tipoff: datetime
    games: tuple[str, ...]


def waves(game_date: date, games: Iterable[Game]) -> list[Wave]:
    """Return the games of a date by tip-off, earliest first.

    A game without a tip-off belongs to the latest usual one, as in `deadline`.
    """
    tipoffs = sorted((deadline(game_date, game.tipoff), game.game_id) for game in games)
    found: list[Wave] = []
    for tipoff, game_id in tipoffs:
        if found and tipoff - found[-1].tipoff <= WAVE_LENGTH:
            found[-1] = Wave(found[-1].tipoff, (*found[-1].games, game_id))
        else:
            found.append(Wave(tipoff, (game_id,)))
    return found


@dataclass(frozen=True)
class Due:
    """Something to do now.

    Attributes:
        key: identifies the action on its date.
        lines_of: the games whose lines are asked for again; the others only if they have none.
        closing: whether only lines are fetched, and nothing is predicted.
        is_last_chance: whether games are about to begin, so that no gate may stop the prediction.
    """

    key: str
    lines_of: tuple[str, ...] = ()
    closing: bool = False
    is_last_chance: bool = False


def due_refreshes(game_date: date, games: Sequence[Game], now: datetime, polls: int) -> list[Due]:
    """Return the refreshes of a date that are due.

    Args:
        game_date: the date.
        games: its games.
        now: the current time.
        polls: how often the lines of a game are asked for on a day; the first of POLLS.
    """
    wanted = POLLS[:polls]
    due = []
    for wave in waves(game_date, games):
        at = f"{wave.tipoff.astimezone(EASTERN):%H:%M}"
        if wave.tipoff - WAVE_LEAD <= now < wave.tipoff - CLOSING_LEAD:
            lines_of = wave.games if WAVE in wanted else ()
            due.append(Due(f"wave {at}", lines_of, is_last_chance=True))
        if CLOSING in wanted and wave.tipoff - CLOSING_LEAD <= now < wave.tipoff:
            due.append(Due(f"closing {at}", wave.games, closing=True))
    open_games = tuple(g.game_id for g in games if now < deadline(game_date, g.tipoff))
    for fixed in sorted({t for t in wanted[1:] if isinstance(t, time)} | REFRESHES):
        moment = datetime.combine(game_date, fixed, EASTERN)
        if open_games and moment <= now < moment + _LATEST:
            due.append(Due(f"{fixed:%H:%M}", open_games if fixed in wanted else ()))
    return due


def dates_to_grade(today: date, now: datetime) -> list[date]:
    """Return the dates whose results may be there or change, newest first."""
    begins = datetime.combine(today, FIRST_GRADING, EASTERN)
    first = 1 if now >= begins else 2
    return [today - timedelta(days=days) for days in range(first, GRADED_DAYS + first)]


def grading_slot(game_date: date, today: date, now: datetime) -> int:
    """Return the number of the interval in which a date is graded at most once without a change."""
    interval = GRADE_AGAIN if today - game_date <= timedelta(days=1) else GRADE_AGAIN_LATER
    return int(now.timestamp() // interval.total_seconds())


def missing_results(games: Iterable[Game], players: Mapping[tuple[str, str], int]) -> list[str]:
    """Return the games that have no box score of one of their teams.

    Args:
        games: the games of a date.
        players: the number of players by game_id and team.
    """
    return [
        game.game_id
        for game in games
        if not all(players.get((game.game_id, team)) for team in (game.away_team, game.home_team))
    ]
