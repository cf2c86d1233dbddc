"""The input gates: rules that decide whether the inputs of a night are good enough.

Each gate returns a finding with its numbers. A finding below the threshold makes the night wait, or
warns. An input that cannot be checked, for example a line without a date, warns and never passes.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, timezone
from difflib import get_close_matches
from enum import Enum
from typing import Any

from nba_predictions.domain.betting.slate import Game, Slate
from nba_predictions.domain.league.games import EASTERN, season_of
from nba_predictions.domain.market import registered_markets

#: A team needs five players on the court. Fewer expected players are an error of the input.
MIN_PLAYERS_PER_TEAM = 5
#: A game with lines for fewer players is not quoted yet. The minimum on 66 real nights with
#: complete lines was 4.
MIN_LINES_PER_GAME = 3
#: If a larger share of the quotes is for games that are not scheduled, lines and schedule are of
#: different dates. On a small slate, one postponed game can have a quarter of the quotes.
MAX_OFF_SLATE_SHARE = 1 / 3
#: With this many games, an injury report without players is a missing one.
GAMES_WITH_INJURIES = 3
#: The beginning of the reason for which a row is left out because of the label of its market.
UNKNOWN_MARKET = "other_market: "
#: Reasons that count games which are kept, without their tip-off.
KEPT_REASONS = frozenset({"tipoff_unknown", "tipoff_not_on_date"})
# Rows of other dates and moments say nothing about the rules.
_NOT_LEFT_OUT = KEPT_REASONS | {"other_dates", "not_yet_known"}
#: The number of days before the date whose box scores are checked.
RESULT_DAYS = 7
#: The longest break within a season is that of the All-Star week.
MAX_DAYS_WITHOUT_GAMES = 10
#: A source by the hour needs lines of at most this age, and in the last hours before a tip-off
#: (REPORT_WATCH) an injury report of at most that age.
MAX_LINE_AGE, MAX_REPORT_AGE = timedelta(hours=3), timedelta(hours=2)
REPORT_WATCH = timedelta(hours=4)
#: Lines of the first prediction of a date may be this old later on, until this time before tip-off.
FIRST_PREDICTION, LAST_HOUR = time(7), timedelta(hours=1)
#: If no tip-off is known, a night waits until this time US Eastern.
LATEST_TIPOFF = time(19)
#: No schedule is expected from July to September.
OFF_SEASON = frozenset({7, 8, 9})

#: What a night does if an input is below a threshold. The first is the default.
MODES = (WAIT, WARN) = ("wait", "warn")
#: The tag of a run that overrides the setting for this run.
GATES_TAG = "nba_predictions/gates"

GATES: Mapping[str, str] = {
    "schedule_is_known": "The games of the date come from a schedule that covers the date.",
    "no_game_is_missing": "The box scores contain every game of the days before the date.",
    "injury_report_is_there": "There is an injury report of the date.",
    "lines_are_fresh": "The newest line of each game is not older than the limit.",
    "every_game_has_players": "Each team of each game has enough players who are expected to play.",
    "every_game_has_lines": "The books quote lines for every game of the date.",
    "enough_players_have_lines": "Enough of the players to predict have a line.",
    "lines_are_of_the_games": "The quoted games are on the schedule of the date.",
    "rows_are_valid": "No row of the inputs is invalid, and no file of them is left unread.",
}


@dataclass(frozen=True)
class GateThresholds:
    """The thresholds of the gates. A line share of 0 means that lines are not needed."""

    min_line_share: float = 0.35
    max_line_age_days: int = 1
    max_games_missing: int = 1

    @property
    def lines_wanted(self) -> bool:
        return self.min_line_share > 0


class Level(Enum):
    """How good an input is; a higher value is worse."""

    GOOD = 0
    UNSURE = 1
    BELOW = 2


@dataclass(frozen=True)
class Finding:
    """The result of one gate: a level, a sentence, and the numbers behind it."""

    gate: str
    level: Level
    sentence: str
    numbers: Mapping[str, Any] = field(default_factory=dict)


class Outcome(str, Enum):
    PASSES = "passes"
    WARNS = "warns"
    WAITS = "waits"


def outcome(finding: Finding, mode: str, *, past: bool, only_warn: Collection[str]) -> Outcome:
    """Return whether a night waits, warns or continues after a finding.

    Only a finding below the threshold makes a night wait. A past date does not wait, because its
    inputs no longer change.
    """
    if finding.level is Level.GOOD:
        return Outcome.PASSES
    waits = (
        finding.level is Level.BELOW and mode == WAIT and not past and finding.gate not in only_warn
    )
    return Outcome.WAITS if waits else Outcome.WARNS


def deadline(game_date: date, first_tipoff: datetime | None) -> datetime:
    """Return the time, in UTC, until which a night waits: first tip-off, else 19:00 Eastern."""
    latest = datetime.combine(game_date, LATEST_TIPOFF, tzinfo=EASTERN)
    return (first_tipoff or latest).astimezone(timezone.utc)


def schedule_is_known(
    game_date: date, games: int, *, is_given: bool, until: date | None = None
) -> Finding:
    """Check that the games of the date are known.

    Args:
        game_date: the date.
        games: the number of its games.
        is_given: False if the schedule was derived from lines and box scores. A game that these
            lack is missing there too, and cannot be noticed.
        until: the last date of the schedule, None if it has no end.
    """
    gate = "schedule_is_known"
    numbers = {
        "games": games,
        "schedule_is_given": is_given,
        "schedule_until": until.isoformat() if until else None,
    }
    if games:
        if is_given:
            return Finding(gate, Level.GOOD, f"{games} games are scheduled", numbers)
        sentence = (
            f"the {games} games were derived from the lines; a game without lines is not noticed"
        )
        return Finding(gate, Level.UNSURE, sentence, numbers)
    if not is_given:
        sentence = "neither schedule nor lines name a game: no games look the same as missing input"
        return Finding(gate, Level.BELOW, sentence, numbers)
    if until is not None and game_date > until:
        level = Level.UNSURE if game_date.month in OFF_SEASON else Level.BELOW
        return Finding(gate, level, f"the schedule ends on {until}, before {game_date}", numbers)
    return Finding(gate, Level.GOOD, "no games are scheduled", numbers)


def no_game_is_missing(
    game_date: date,
    scheduled: Iterable[Game],
    appearances: Mapping[tuple[str, str], int],
    newest: date | None,
    thresholds: GateThresholds,
    *,
    is_given: bool,
) -> Finding:
    """Check that the box scores are complete up to the date.

    Args:
        game_date: the date.
        scheduled: the games of the RESULT_DAYS before the date.
        appearances: the number of players in the box scores, by game and team.
        newest: the date of the newest box score.
        thresholds: the thresholds of the gates.
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
        "bar_max_games_missing": thresholds.max_games_missing,
    }
    if newest is None:
        return Finding(gate, Level.BELOW, "there are no box scores", numbers)
    gap = (game_date - newest).days
    numbers["days_without_games"] = gap
    if gap > MAX_DAYS_WITHOUT_GAMES and season_of(newest) == season_of(game_date):
        sentence = f"the newest box score is of {newest}, {gap} days before the date"
        return Finding(gate, Level.BELOW, sentence, numbers)
    if missing and is_given:
        level = Level.BELOW if len(missing) > thresholds.max_games_missing else Level.UNSURE
        sentence = (
            f"{len(missing)} of {len(games)} games of the {RESULT_DAYS} days before have no "
            f"complete box score ({', '.join(missing[:5])}): late, or postponed"
        )
        return Finding(gate, level, sentence, numbers)
    if not is_given or not games:
        sentence = (
            f"no schedule lists the games of the {RESULT_DAYS} days before; the newest box score "
            f"is of {newest}"
        )
        return Finding(gate, Level.UNSURE, sentence, numbers)
    return Finding(gate, Level.GOOD, f"all {len(games)} games have box scores", numbers)


def injury_report_is_there(
    game_date: date,
    games: int,
    reported: int,
    made_on: date | None,
    unmatched: Sequence[str] = (),
) -> Finding:
    """Check the injury report.

    Args:
        game_date: the date.
        games: the number of its games.
        reported: the number of players on the report.
        made_on: the date of the report in US Eastern time, None if it is unknown.
        unmatched: the reported names that are not the name of exactly one player. These players
            are predicted although they may be out.
    """
    found = _injury_report(game_date, games, reported, made_on)
    if not unmatched:
        return found
    sentence = (
        f"{len(unmatched)} of {reported} names on the injury report match no player, or several "
        f"({', '.join(unmatched[:5])})"
    )
    return _with_doubts(found, [sentence], names_unmatched=list(unmatched))


def _with_doubts(found: Finding, sentences: Sequence[str], **numbers: Any) -> Finding:
    """Return a finding with more reasons to be unsure, and their numbers."""
    numbers = {**found.numbers, **numbers}
    if not sentences:
        return replace(found, numbers=numbers)
    told = [] if found.level is Level.GOOD else [found.sentence]
    level = max(found.level, Level.UNSURE, key=lambda level: level.value)
    return Finding(found.gate, level, "; ".join([*told, *sentences]), numbers)


def injury_report_is_current(
    found: Finding,
    games: Iterable[Game],
    as_of: datetime,
    made_at: datetime | None,
    not_reported: Collection[str],
) -> Finding:
    """Check the age of the injury report in hours, and that all teams have submitted theirs.

    A report is old if a game begins within REPORT_WATCH and the report is more than MAX_REPORT_AGE
    old. Games that have begun do not count.

    Args:
        found: the finding of `injury_report_is_there`.
        games: the games of the date.
        as_of: the moment of the run.
        made_at: the moment of the report, None if there is none.
        not_reported: the teams that have not submitted their injuries.
    """
    ahead = _ahead(games, as_of)
    near = [g for g in ahead if g.tipoff is not None and g.tipoff - as_of <= REPORT_WATCH]
    age = None if made_at is None else as_of - made_at
    old = near if age is not None and age > MAX_REPORT_AGE else []
    missing = [
        f"{team} ({tip_off(game)})"
        for game in ahead
        for team in (game.away_team, game.home_team)
        if team in not_reported
    ]
    sentences = []
    if old and age is not None:
        sentences.append(
            f"the injury report is {_hours(age)} old, and {', '.join(map(game_name, old))} "
            f"begin{'s' if len(old) == 1 else ''} within {_hours(REPORT_WATCH)}"
        )
    if missing:
        verb = "has" if len(missing) == 1 else "have"
        sentences.append(f"{', '.join(missing)} {verb} not submitted an injury report yet")
    return _with_doubts(
        found,
        sentences,
        made_at=None if made_at is None else made_at.isoformat(),
        age_hours=None if age is None else _in_hours(age),
        games_with_old_report=[game.game_id for game in old],
        teams_not_reported=missing,
    )


def _ahead(games: Iterable[Game], as_of: datetime) -> list[Game]:
    """Return the games that have not begun, in the order of their tip-offs."""
    latest = datetime.max.replace(tzinfo=timezone.utc)
    games = (g for g in games if g.tipoff is None or g.tipoff > as_of)
    return sorted(games, key=lambda g: (g.tipoff or latest, g.game_id))


def tip_off(game: Game) -> str:
    """Return the tip-off as sentences have it, for example `19:30 ET`."""
    if game.tipoff is None:
        return "tip-off unknown"
    return f"{game.tipoff.astimezone(EASTERN):%H:%M} ET"


def game_name(game: Game) -> str:
    """Return the teams and the tip-off of a game, for example `PHI @ DAL (19:30 ET)`."""
    return f"{game.away_team} @ {game.home_team} ({tip_off(game)})"


def _in_hours(age: timedelta) -> float:
    return round(age / timedelta(hours=1), 1)


def _hours(age: timedelta) -> str:
    return f"{_in_hours(age):g} h"


def _injury_report(game_date: date, games: int, reported: int, made_on: date | None) -> Finding:
    gate = "injury_report_is_there"
    numbers = {
        "games": games,
        "players_reported": reported,
        "made_on": made_on.isoformat() if made_on else None,
    }
    if not games:
        return Finding(gate, Level.GOOD, "no games are scheduled", numbers)
    if not reported:
        level = Level.BELOW if games >= GAMES_WITH_INJURIES else Level.UNSURE
        sentence = f"the injury report has no player of {games} games: it is missing, or empty"
        return Finding(gate, level, sentence, numbers)
    if made_on is None:
        sentence = f"the date of the injury report ({reported} players) is unknown"
        return Finding(gate, Level.UNSURE, sentence, numbers)
    if made_on < game_date:
        sentence = f"the injury report is of {made_on}, not of {game_date}"
        return Finding(gate, Level.BELOW, sentence, numbers)
    return Finding(gate, Level.GOOD, f"{reported} players are on the injury report", numbers)


def lines_are_fresh(
    game_date: date,
    games: int,
    newest_by_game: Mapping[str, date | None],
    thresholds: GateThresholds,
) -> Finding:
    """Check the date of the newest line of each quoted game, None if no quote has a date."""
    gate = "lines_are_fresh"
    ages = {
        game: (game_date - newest).days
        for game, newest in newest_by_game.items()
        if newest is not None
    }
    stale = sorted(game for game, age in ages.items() if age > thresholds.max_line_age_days)
    unknown = sorted(game for game, newest in newest_by_game.items() if newest is None)
    numbers = {
        "games_quoted": len(newest_by_game),
        "games_with_stale_lines": stale,
        "games_with_lines_of_unknown_age": unknown,
        "oldest_days": max(ages.values(), default=None),
        "bar_max_line_age_days": thresholds.max_line_age_days,
    }
    if not games or not thresholds.lines_wanted:
        return Finding(gate, Level.GOOD, "no lines are needed", numbers)
    if not newest_by_game:
        return Finding(gate, Level.BELOW, "there are no lines", numbers)
    if stale:
        sentence = (
            f"the newest lines of {len(stale)} of {len(newest_by_game)} games are more than "
            f"{thresholds.max_line_age_days} days old ({', '.join(stale[:5])})"
        )
        return Finding(gate, Level.BELOW, sentence, numbers)
    if unknown:
        sentence = (
            f"the age of the lines of {len(unknown)} of {len(newest_by_game)} games is unknown"
        )
        return Finding(gate, Level.UNSURE, sentence, numbers)
    sentence = f"the lines of {len(ages)} games are at most {max(ages.values())} days old"
    return Finding(gate, Level.GOOD, sentence, numbers)


def lines_are_recent(
    games: Sequence[Game],
    newest_by_game: Mapping[str, datetime | None],
    as_of: datetime,
    thresholds: GateThresholds,
) -> Finding:
    """Check the age of the newest line of each quoted game in hours.

    Lines may be MAX_LINE_AGE old. Until LAST_HOUR before the tip-off, lines that were good enough
    for the first prediction of the date stay so: a day has few polls. The age of the lines of a
    game that has begun is that at its tip-off. Such games do not count while others are still
    ahead, because they are left alone.

    Args:
        games: the games of the date.
        newest_by_game: the moment of the newest line by game_id, None if it is unknown.
        as_of: the moment of the run.
        thresholds: the thresholds of the gates.
    """
    gate = "lines_are_fresh"
    quoted = [g for g in _ahead(games, as_of) or games if g.game_id in newest_by_game]
    ages: dict[str, timedelta] = {}
    for game in quoted:
        newest = newest_by_game[game.game_id]
        if newest is not None:
            ages[game.game_id] = min(as_of, game.tipoff or as_of) - newest
    stale = [g for g in quoted if ages.get(g.game_id, timedelta()) > _oldest_line(g, as_of)]
    unknown = [g for g in quoted if g.game_id not in ages]
    oldest = max(ages.values(), default=None)
    numbers = {
        "games_quoted": len(quoted),
        "games_with_stale_lines": [game.game_id for game in stale],
        "games_with_lines_of_unknown_age": [game.game_id for game in unknown],
        "oldest_hours": None if oldest is None else _in_hours(oldest),
        "bar_max_line_age_hours": _in_hours(MAX_LINE_AGE),
    }
    if not games or not thresholds.lines_wanted:
        return Finding(gate, Level.GOOD, "no lines are needed", numbers)
    if not quoted:
        return Finding(gate, Level.BELOW, "there are no lines", numbers)
    if stale:
        names = ", ".join(f"{game_name(g)}: {_hours(ages[g.game_id])}" for g in stale)
        sentence = (
            f"the newest lines of {len(stale)} of {len(quoted)} games are too old ({names}); lines "
            f"may be {_hours(MAX_LINE_AGE)} old"
        )
        return Finding(gate, Level.BELOW, sentence, numbers)
    if unknown:
        sentence = f"the age of the lines of {len(unknown)} of {len(quoted)} games is unknown"
        return Finding(gate, Level.UNSURE, sentence, numbers)
    sentence = f"the lines of {len(quoted)} games are at most {_hours(max(ages.values()))} old"
    return Finding(gate, Level.GOOD, sentence, numbers)


def _oldest_line(game: Game, as_of: datetime) -> timedelta:
    """Return the age at which the lines of a game are too old."""
    if game.tipoff is None or game.tipoff - as_of <= LAST_HOUR:
        return MAX_LINE_AGE
    first = datetime.combine(game.game_date, FIRST_PREDICTION, EASTERN)
    return max(MAX_LINE_AGE, as_of - first + MAX_LINE_AGE)


def every_game_has_players(slate: Slate) -> Finding:
    """Check that each team of the games to predict has MIN_PLAYERS_PER_TEAM players on the slate.

    A player whose team is not known counts for both teams of the game.
    """
    gate = "every_game_has_players"
    players_of_team = Counter((p.game_id, p.team) for p in slate.players)
    counts = {
        (game.game_id, team): players_of_team[game.game_id, team]
        + players_of_team[game.game_id, None]
        for game in slate.open_games
        for team in (game.away_team, game.home_team)
    }
    short = sorted(f"{g} {t}: {n}" for (g, t), n in counts.items() if n < MIN_PLAYERS_PER_TEAM)
    numbers = {
        "games": len(slate.open_games),
        "players": len(slate.players),
        "teams_too_few": short,
        "fewest_of_a_team": min(counts.values(), default=None),
        "bar_players_per_team": MIN_PLAYERS_PER_TEAM,
    }
    if short:
        sentence = (
            f"{len(short)} of {len(counts)} teams have fewer than {MIN_PLAYERS_PER_TEAM} players "
            f"to predict ({', '.join(short[:5])})"
        )
        return Finding(gate, Level.BELOW, sentence, numbers)
    sentence = f"{len(slate.players)} players of {len(slate.open_games)} games"
    return Finding(gate, Level.GOOD, sentence, numbers)


def every_game_has_lines(
    slate: Slate, thresholds: GateThresholds, *, by_the_hour: bool = False
) -> Finding:
    """Check that the books quote every game.

    With `by_the_hour`, all games without lines are named with their tip-offs.
    """
    gate = "every_game_has_lines"
    quoted = Counter(p.game_id for p in slate.players if p.has_lines)
    counts = {game.game_id: quoted[game.game_id] for game in slate.open_games}
    without = [game for game, lines in counts.items() if lines < MIN_LINES_PER_GAME]
    numbers = {
        "games": len(counts),
        "games_without_lines": without,
        "lines_by_game": counts,
        "bar_lines_per_game": MIN_LINES_PER_GAME,
    }
    if not counts or not thresholds.lines_wanted:
        return Finding(gate, Level.GOOD, "no lines are needed", numbers)
    if without:
        names = without[:5]
        if by_the_hour:
            open_games = sorted(slate.open_games, key=lambda g: (str(g.tipoff), g.game_id))
            names = [game_name(game) for game in open_games if game.game_id in without]
        sentence = (
            f"{len(without)} of {len(counts)} games have lines of fewer than "
            f"{MIN_LINES_PER_GAME} players ({', '.join(names)})"
        )
        return Finding(gate, Level.BELOW, sentence, numbers)
    return Finding(gate, Level.GOOD, f"all {len(counts)} games have lines", numbers)


def enough_players_have_lines(slate: Slate, thresholds: GateThresholds) -> Finding:
    """Check the share of the players to predict that have a line."""
    gate = "enough_players_have_lines"
    players = len(slate.players)
    share = slate.with_line / players if players else 0.0
    numbers = {
        "players": players,
        "with_line": slate.with_line,
        "line_share": round(share, 3),
        "bar_min_line_share": thresholds.min_line_share,
    }
    if not slate.open_games or not thresholds.lines_wanted:
        return Finding(gate, Level.GOOD, "no lines are needed", numbers)
    sentence = f"{slate.with_line} of {players} players have a line ({share:.0%})"
    if share < thresholds.min_line_share:
        sentence += f", fewer than {thresholds.min_line_share:.0%}"
        return Finding(gate, Level.BELOW, sentence, numbers)
    return Finding(gate, Level.GOOD, sentence, numbers)


def lines_are_of_the_games(slate: Slate, quotes: int) -> Finding:
    """Check the share of quotes that are for games that are not scheduled."""
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
    sentence = f"{off} of {quotes} quotes are for games that are not scheduled"
    if not slate.games:
        sentence += ": the date has no games"
    return Finding(
        gate, Level.BELOW if share > MAX_OFF_SLATE_SHARE else Level.UNSURE, sentence, numbers
    )


def rows_are_valid(rejected: Sequence[str], unread: Sequence[str]) -> Finding:
    """Check that no row was set aside and no file was left unread. A night never waits for it.

    Args:
        rejected: a description of each invalid row.
        unread: a description of each file that seems to be an input and is not read.
    """
    gate = "rows_are_valid"
    numbers = {"rejected_rows": len(rejected), "unread_files": len(unread)}
    sentences = []
    if rejected:
        count = f"{len(rejected)} rows are" if len(rejected) > 1 else "1 row is"
        sentences.append(f"{count} invalid and set aside: {rejected[0]}")
    if unread:
        count = f"{len(unread)} files are" if len(unread) > 1 else "1 file is"
        sentences.append(f"{count} not read: {unread[0]}")
    if sentences:
        return Finding(gate, Level.UNSURE, ". ".join(sentences), numbers)
    return Finding(gate, Level.GOOD, "all rows are valid", numbers)


def explained(finding: Finding, rows: int, dropped: Mapping[str, int]) -> Finding:
    """Return the finding on an input that is empty for the date, with the rows that rules left out.

    An input of which rules left out every row is below the threshold: it is there, and wrong.

    Args:
        finding: the finding on the input without rows.
        rows: the number of its rows in all files.
        dropped: how many of them a rule left out, by reason.
    """
    left_out = {reason: count for reason, count in dropped.items() if reason not in _NOT_LEFT_OUT}
    every_row = rows > 0 and sum(left_out.values()) >= rows
    if not left_out or (finding.level is Level.GOOD and not every_row):
        return finding
    reasons = sorted(left_out.items(), key=lambda item: -item[1])
    why = "; ".join(_left_out(reason, count, rows) for reason, count in reasons[:5])
    return replace(
        finding,
        level=Level.BELOW if every_row else finding.level,
        sentence=f"{finding.sentence}: {why}",
        numbers={**finding.numbers, "rows_left_out": left_out},
    )


def _left_out(reason: str, count: int, rows: int) -> str:
    label = reason.removeprefix(UNKNOWN_MARKET)
    if label == reason:
        return f"{count} of {rows} rows are left out ({reason})"
    names = {_letters(name): m for m in registered_markets() for name in (m.name, *m.input_labels)}
    close = get_close_matches(_letters(label), names, n=1)
    hint = f" (did you mean {names[close[0]].input_labels[0]}?)" if close else ""
    return f"{count} of {rows} rows have the unknown market {label!r}{hint}"


def _letters(label: str) -> str:
    return "".join(filter(str.isalnum, label.lower()))


def oldest_result(game_date: date) -> date:
    """Return the first of the dates whose box scores are checked."""
    return game_date - timedelta(days=RESULT_DAYS)
