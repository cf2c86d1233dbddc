"""Are the inputs of a night good enough? Findings with their numbers, from what sources can tell.

Each gate asks one question. What is below its bar makes the night wait, or warns; what cannot be
judged (a line without a date, a schedule that was drawn from the lines) warns, and never passes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from enum import Enum
from typing import Any

from nba_predictions.domain.betting.slate import Game, Slate
from nba_predictions.domain.league.games import EASTERN, season_of

#: A team takes the floor with five. Fewer expected players are a fault of the input.
MIN_PLAYERS_PER_TEAM = 5
#: A game with fewer players with a line is not quoted yet. On 66 real nights whose lines were
#: complete the least was 4.
MIN_LINES_PER_GAME = 3
#: From this share of quotes for games that are not on, lines and schedule are of different dates.
#: A postponed game of a small slate has a quarter.
MAX_OFF_SLATE_SHARE = 1 / 3
#: On so many games somebody in the league is hurt.
GAMES_WITH_INJURIES = 3
#: Results are looked for over this many days before the date.
RESULT_DAYS = 7
#: The longest break within a season is the All-Star week.
MAX_DAYS_WITHOUT_GAMES = 10
#: Without a known tip-off a night is waited for until this time US Eastern.
LATEST_TIPOFF = time(19)
#: From July to September nobody misses a schedule.
OFF_SEASON = frozenset({7, 8, 9})

#: What a night does whose inputs are below a bar; the first is the default.
MODES = (WAIT, WARN) = ("wait", "warn")
#: The tag of a run that decides for it alone, above the setting.
GATES_TAG = "nba_predictions/gates"

GATES: Mapping[str, str] = {
    "schedule_is_known": "Which games are on is known from a schedule that reaches the date.",
    "no_game_is_missing": "The box scores have every game that was on in the days before.",
    "injury_report_is_there": "There is an injury report, and it is of today.",
    "lines_are_fresh": "The newest line of each game is no older than the bar.",
    "every_game_has_players": "Each team of each game has players who are expected to play.",
    "every_game_has_lines": "The books quote every game, not only some of them.",
    "enough_players_have_lines": "Enough of the players to predict have a line.",
    "lines_are_of_the_games": "The quoted games are those of the schedule.",
}


@dataclass(frozen=True)
class Bars:
    """What the inputs have to reach. A share of 0 says that lines are not wanted at all."""

    min_line_share: float = 0.35
    max_line_age_days: int = 1
    max_games_missing: int = 1

    @property
    def lines_wanted(self) -> bool:
        return self.min_line_share > 0


class Level(Enum):
    """How good the answer is; a higher one is worse."""

    GOOD = 0
    UNSURE = 1
    BELOW = 2


@dataclass(frozen=True)
class Finding:
    """The answer of one gate, in a sentence, with the numbers behind it."""

    gate: str
    level: Level
    sentence: str
    numbers: Mapping[str, Any] = field(default_factory=dict)


class Outcome(str, Enum):
    PASSES = "passes"
    WARNS = "warns"
    WAITS = "waits"


def outcome(finding: Finding, mode: str, *, past: bool, only_warn: Collection[str]) -> Outcome:
    """Return what follows from a finding.

    Only what is below the bar lets a night wait, and only one that is not over: for a past date
    nothing more will come.
    """
    if finding.level is Level.GOOD:
        return Outcome.PASSES
    waits = (
        finding.level is Level.BELOW and mode == WAIT and not past and finding.gate not in only_warn
    )
    return Outcome.WAITS if waits else Outcome.WARNS


def deadline(game_date: date, first_tipoff: datetime | None) -> datetime:
    """Return until when a night is waited for: its first tip-off, else 19:00 Eastern; in UTC."""
    latest = datetime.combine(game_date, LATEST_TIPOFF, tzinfo=EASTERN)
    return (first_tipoff or latest).astimezone(timezone.utc)


def schedule_is_known(
    game_date: date, games: int, *, is_given: bool, until: date | None = None
) -> Finding:
    """Judge whether the games of the date are known.

    `is_given` is False for a schedule that was drawn from lines and box scores: it cannot lack a
    game that its lines lack. `until` is the last date of the schedule, None if it has no end.
    """
    gate = "schedule_is_known"
    numbers = {
        "games": games,
        "schedule_is_given": is_given,
        "schedule_until": until.isoformat() if until else None,
    }
    if games:
        if is_given:
            return Finding(gate, Level.GOOD, f"{games} games are on", numbers)
        said = f"the {games} games were drawn from the lines; one without any would not be seen"
        return Finding(gate, Level.UNSURE, said, numbers)
    if not is_given:
        said = "neither schedule nor lines name a game: a day off looks the same as missing input"
        return Finding(gate, Level.BELOW, said, numbers)
    if until is not None and game_date > until:
        level = Level.UNSURE if game_date.month in OFF_SEASON else Level.BELOW
        return Finding(gate, level, f"the schedule ends on {until}, before {game_date}", numbers)
    return Finding(gate, Level.GOOD, "by the schedule no games are on", numbers)


def no_game_is_missing(
    game_date: date,
    scheduled: Iterable[Game],
    appearances: Mapping[tuple[str, str], int],
    newest: date | None,
    bars: Bars,
    *,
    is_given: bool,
) -> Finding:
    """Judge whether the box scores are complete up to the date.

    Args:
        scheduled: the games of the RESULT_DAYS before the date.
        appearances: how many players the box scores have of a game and team.
        newest: the date of the newest box score.
        is_given: as in `schedule_is_known`.
    """
    gate = "no_game_is_missing"
    games = sorted(scheduled, key=lambda g: g.game_id)
    missing = [
        g.game_id
        for g in games
        if any(
            appearances.get((g.game_id, team), 0) < MIN_PLAYERS_PER_TEAM
            for team in (g.away_team, g.home_team)
        )
    ]
    numbers: dict[str, Any] = {
        "games_looked_for": len(games) if is_given else None,
        "games_missing": len(missing),
        "missing": missing,
        "newest_box_score": newest.isoformat() if newest else None,
        "bar_max_games_missing": bars.max_games_missing,
    }
    if newest is None:
        return Finding(gate, Level.BELOW, "there is no box score at all", numbers)
    silent = (game_date - newest).days
    numbers["days_without_games"] = silent
    if silent > MAX_DAYS_WITHOUT_GAMES and season_of(newest) == season_of(game_date):
        said = f"the newest box score is of {newest}, {silent} days before"
        return Finding(gate, Level.BELOW, said, numbers)
    if missing and is_given:
        level = Level.BELOW if len(missing) > bars.max_games_missing else Level.UNSURE
        said = (
            f"{len(missing)} of {len(games)} games of the {RESULT_DAYS} days before have no "
            f"complete box score ({', '.join(missing[:5])}): not in yet, or postponed"
        )
        return Finding(gate, level, said, numbers)
    if not is_given or not games:
        said = (
            f"no schedule of the {RESULT_DAYS} days before says which games there were; the "
            f"newest box score is of {newest}"
        )
        return Finding(gate, Level.UNSURE, said, numbers)
    return Finding(gate, Level.GOOD, f"all {len(games)} games before are there", numbers)


def injury_report_is_there(
    game_date: date, games: int, reported: int, made_on: date | None
) -> Finding:
    """Judge the injury report: `reported` players, made on an Eastern day, None if not known."""
    gate = "injury_report_is_there"
    numbers = {
        "games": games,
        "players_reported": reported,
        "made_on": made_on.isoformat() if made_on else None,
    }
    if not games:
        return Finding(gate, Level.GOOD, "no games are on", numbers)
    if not reported:
        level = Level.BELOW if games >= GAMES_WITH_INJURIES else Level.UNSURE
        said = f"nobody of {games} games is on the injury report: it is missing, or empty"
        return Finding(gate, level, said, numbers)
    if made_on is None:
        said = f"the age of the injury report ({reported} players) is unknown"
        return Finding(gate, Level.UNSURE, said, numbers)
    if made_on < game_date:
        said = f"the injury report is of {made_on}, not of {game_date}"
        return Finding(gate, Level.BELOW, said, numbers)
    return Finding(gate, Level.GOOD, f"{reported} players are reported", numbers)


def lines_are_fresh(
    game_date: date, games: int, newest_by_game: Mapping[str, date | None], bars: Bars
) -> Finding:
    """Judge the age of the newest line of each quoted game; None where no quote has a date."""
    gate = "lines_are_fresh"
    ages = {
        game: (game_date - newest).days
        for game, newest in newest_by_game.items()
        if newest is not None
    }
    stale = sorted(game for game, age in ages.items() if age > bars.max_line_age_days)
    unknown = sorted(game for game, newest in newest_by_game.items() if newest is None)
    numbers = {
        "games_quoted": len(newest_by_game),
        "games_with_stale_lines": stale,
        "games_with_lines_of_unknown_age": unknown,
        "oldest_days": max(ages.values(), default=None),
        "bar_max_line_age_days": bars.max_line_age_days,
    }
    if not games or not bars.lines_wanted:
        return Finding(gate, Level.GOOD, "no line is wanted", numbers)
    if not newest_by_game:
        return Finding(gate, Level.BELOW, "there is no line whose age could be told", numbers)
    if stale:
        said = (
            f"the newest lines of {len(stale)} of {len(newest_by_game)} games are more than "
            f"{bars.max_line_age_days} days old ({', '.join(stale[:5])})"
        )
        return Finding(gate, Level.BELOW, said, numbers)
    if unknown:
        said = f"the age of the lines of {len(unknown)} of {len(newest_by_game)} games is unknown"
        return Finding(gate, Level.UNSURE, said, numbers)
    said = f"the lines of {len(ages)} games are at most {max(ages.values())} days old"
    return Finding(gate, Level.GOOD, said, numbers)


def every_game_has_players(slate: Slate) -> Finding:
    """Judge the slate against the schedule: each team needs MIN_PLAYERS_PER_TEAM players.

    A player whose side is not known counts for either team of his game.
    """
    gate = "every_game_has_players"
    of_side = Counter((p.game_id, p.team) for p in slate.players)
    counts = {
        (game.game_id, team): of_side[game.game_id, team] + of_side[game.game_id, None]
        for game in slate.games
        for team in (game.away_team, game.home_team)
    }
    short = sorted(f"{g} {t}: {n}" for (g, t), n in counts.items() if n < MIN_PLAYERS_PER_TEAM)
    numbers = {
        "games": len(slate.games),
        "players": len(slate.players),
        "teams_too_few": short,
        "fewest_of_a_team": min(counts.values(), default=None),
        "bar_players_per_team": MIN_PLAYERS_PER_TEAM,
    }
    if short:
        said = (
            f"{len(short)} of {len(counts)} teams have fewer than {MIN_PLAYERS_PER_TEAM} players "
            f"to predict ({', '.join(short[:5])})"
        )
        return Finding(gate, Level.BELOW, said, numbers)
    said = f"{len(slate.players)} players of {len(slate.games)} games"
    return Finding(gate, Level.GOOD, said, numbers)


def every_game_has_lines(slate: Slate, bars: Bars) -> Finding:
    """Judge whether the books have quoted every game, or some games only as yet."""
    gate = "every_game_has_lines"
    quoted = Counter(p.game_id for p in slate.players if p.base_line is not None)
    counts = {game.game_id: quoted[game.game_id] for game in slate.games}
    without = [game for game, lines in counts.items() if lines < MIN_LINES_PER_GAME]
    numbers = {
        "games": len(counts),
        "games_without_lines": without,
        "lines_by_game": counts,
        "bar_lines_per_game": MIN_LINES_PER_GAME,
    }
    if not counts or not bars.lines_wanted:
        return Finding(gate, Level.GOOD, "no line is wanted", numbers)
    if without:
        said = (
            f"{len(without)} of {len(counts)} games have lines of fewer than "
            f"{MIN_LINES_PER_GAME} players ({', '.join(without[:5])})"
        )
        return Finding(gate, Level.BELOW, said, numbers)
    return Finding(gate, Level.GOOD, f"all {len(counts)} games have lines", numbers)


def enough_players_have_lines(slate: Slate, bars: Bars) -> Finding:
    """Judge the share of the players to predict who have a line."""
    gate = "enough_players_have_lines"
    players = len(slate.players)
    share = slate.with_line / players if players else 0.0
    numbers = {
        "players": players,
        "with_line": slate.with_line,
        "line_share": round(share, 3),
        "bar_min_line_share": bars.min_line_share,
    }
    if not slate.games or not bars.lines_wanted:
        return Finding(gate, Level.GOOD, "no line is wanted", numbers)
    said = f"{slate.with_line} of {players} players have a line ({share:.0%})"
    if share < bars.min_line_share:
        said += f", fewer than {bars.min_line_share:.0%}"
        return Finding(gate, Level.BELOW, said, numbers)
    return Finding(gate, Level.GOOD, said, numbers)


def lines_are_of_the_games(slate: Slate, quotes: int) -> Finding:
    """Judge how many of the date's quotes are for games that are not on."""
    gate = "lines_are_of_the_games"
    off = slate.quotes_off_slate if slate.games else quotes
    share = off / quotes if quotes else 0.0
    numbers = {
        "quotes": quotes,
        "quotes_off_slate": off,
        "off_slate_share": round(share, 3),
        "bar_max_off_slate_share": round(MAX_OFF_SLATE_SHARE, 3),
    }
    if not off:
        return Finding(gate, Level.GOOD, f"all {quotes} quotes are for games of the date", numbers)
    said = f"{off} of {quotes} quotes are for games that are not on"
    if not slate.games:
        said += ": by the schedule there is none"
    return Finding(
        gate, Level.BELOW if share > MAX_OFF_SLATE_SHARE else Level.UNSURE, said, numbers
    )


def oldest_result(game_date: date) -> date:
    """Return the first of the days whose results are looked for."""
    return game_date - timedelta(days=RESULT_DAYS)
