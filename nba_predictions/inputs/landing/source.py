"""The source that reads the landing zone of live services, as of a moment.

It does not ask any service. Of each resource it uses the newest answer that was known at the moment
and that can be read, so a later answer never changes what was known before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta, timezone
from functools import cached_property
from typing import Final

import polars as pl

from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.league.games import (
    EASTERN,
    eastern_date,
    season_of,
    start_of_eastern_day,
    team_abbreviation,
)
from nba_predictions.domain.league.players import player_lookup
from nba_predictions.inputs import box_scores, injuries, lines, schedules
from nba_predictions.inputs.account import InputAccount, Known, accounts_of
from nba_predictions.inputs.box_scores import PlayerKeys, known_logs, no_designated_homes
from nba_predictions.inputs.importing.tables import Context, Game
from nba_predictions.inputs.landing.answers import Answer, Answers, Unreadable
from nba_predictions.inputs.landing.zone import Landed, LandingZone, Resource
from nba_predictions.inputs.parsing import MAX_REJECTED_SHARE, Parsed, conform
from nba_predictions.inputs.port import (
    GAME_LOGS,
    GAMES,
    INJURIES,
    LINES,
    LOGS,
    PLAYERS,
    PROP_LINES,
    REPORT,
    ROSTER,
    SCHEDULE,
    Provenance,
)

#: A fallback replaces a schedule of this age, if it is newer.
OLD_SCHEDULE: Final = timedelta(hours=24)
#: A report has the time of its slot, or one at most this much earlier or later.
SLOT_TOLERANCE: Final = timedelta(minutes=45)
#: So many reports are read to find one of a date: each takes more than a second.
_MOST_REPORTS: Final = 8
_DAY: Final = timedelta(days=1)
#: The month in which seasons begin.
_FIRST_MONTH: Final = 10


@dataclass(frozen=True)
class _KnownLogs:
    """The box scores of some answers. `homes` are the designated home teams they depend on."""

    parsed: Parsed | None
    known: Known
    keys: PlayerKeys
    homes: pl.DataFrame | None


class _Moment:
    """What a zone held at a moment. Each folder is listed once."""

    def __init__(self, answers: Answers, as_of: datetime) -> None:
        self.as_of = as_of
        self.unreadable: dict[str, Unreadable] = {}
        self._answers = answers
        self._keys: dict[tuple[str, str, str], list[str]] = {}
        self._versions: dict[Resource, list[Landed]] = {}
        self._lines: dict[date, list[Answer]] = {}
        self._reports: dict[date, list[tuple[datetime, Answer]]] = {}

    # ------------------------------------------------------------------ answers

    def keys(self, provider: str, name: str, prefix: str = "") -> list[str]:
        asked = (provider, name, prefix)
        if asked not in self._keys:
            self._keys[asked] = self._answers.zone.keys(*asked)
        return self._keys[asked]

    def versions(self, provider: str, name: str, key: str) -> list[Landed]:
        resource = Resource(provider, name, key)
        if resource not in self._versions:
            self._versions[resource] = self._answers.zone.versions(resource, self.as_of)
        return self._versions[resource]

    def newest(self, provider: str, name: str, key: str) -> Answer | None:
        """Return the newest answer about a resource that can be read."""
        return self._newest_of(self.versions(provider, name, key))

    def _newest_of(
        self, versions: Sequence[Landed], context: Context | None = None, facts: str = ""
    ) -> Answer | None:
        for landed in reversed(versions):
            answer = self._answers.read(landed, context, facts)
            if isinstance(answer, Answer):
                return answer
            self.unreadable[landed.path] = answer
        return None

    def _all_newest(self, provider: str, name: str) -> list[Answer]:
        found = (self.newest(provider, name, key) for key in self.keys(provider, name))
        return [answer for answer in found if answer is not None]

    # --------------------------------------------------------------- box scores

    @cached_property
    def logs(self) -> _KnownLogs:
        """The box scores of the seasons, and of the games that they lack."""
        answers = self.log_answers
        key = ("logs", *(answer.landed.path for answer in answers))
        logs = self._answers.once(key, lambda: self._known_logs(answers))
        if logs.homes is not None and not logs.homes.equals(self._homes):
            # The schedule of a neutral court changed. This is rare.
            return self._known_logs(answers)
        return logs

    def _known_logs(self, answers: Sequence[Answer]) -> _KnownLogs:
        parsed = _joined(answers)
        if parsed is None:
            empty = Known(pl.DataFrame(schema=GAME_LOGS))
            return _KnownLogs(None, empty, PlayerKeys.of(empty.frame), None)
        asked: list[pl.DataFrame] = []

        def designated_homes() -> pl.DataFrame:
            asked.append(self._homes)
            return self._homes

        known = known_logs(parsed.frame, designated_homes)
        return _KnownLogs(parsed, known, PlayerKeys.of(known.frame), asked[0] if asked else None)

    @cached_property
    def _homes(self) -> pl.DataFrame:
        keys = ["game_date", "away_team", "home_team"]
        schedules_ = [*self._all_newest("nba_cdn", "schedule")]
        schedules_ += self._all_newest("espn", "scoreboard")
        frames = [answer.parsed.frame.select(keys) for answer in schedules_ if answer.parsed]
        return pl.concat([no_designated_homes().select(keys), *frames])

    @cached_property
    def log_answers(self) -> list[Answer]:
        """The logs of the seasons, then box scores of games that they lack: first the league's."""
        answers = list(self._seasons)
        games = {(g.day, frozenset(g.teams)) for a in answers for g in a.conversion.games.values()}
        ids = {game_id for answer in answers for game_id in answer.conversion.games}
        for provider, name in (("nba_cdn", "boxscore"), ("espn", "summary")):
            for key in self.keys(provider, name):
                if key in ids:
                    continue
                versions = self.versions(provider, name, key)
                answer = self._newest_of(versions, *self._context) if versions else None
                of_answer = {(g.day, frozenset(g.teams)) for g in _games(answer)}
                if answer is not None and not of_answer & games:
                    answers.append(answer)
                    games |= of_answer
        return answers

    @cached_property
    def _seasons(self) -> list[Answer]:
        return self._all_newest("nba_stats", "leaguegamelog")

    @cached_property
    def _context(self) -> tuple[Context, str]:
        """The games, names and teams for box scores of single games, and what identifies them."""
        answers = [
            *self._all_newest("nba_cdn", "schedule"),
            *self._seasons,
            *self._all_newest("nba_stats", "playerindex"),
        ]
        paths = tuple(answer.landed.path for answer in answers)

        def make() -> tuple[Context, str]:
            context = Context()
            for answer in answers:
                context.add(answer.conversion)
            # A changed schedule that names the same games changes no box score.
            facts = (context.games, context.names, context.teams)
            text = repr([sorted(each.items()) for each in facts])
            return context, hashlib.sha256(text.encode()).hexdigest()

        return self._answers.once(("context", paths), make)

    # ------------------------------------------------------------------ schedule

    def schedule_answer(self, game_date: date) -> Answer | None:
        """Return the schedule that counts for a date: that of the season, or of the fallback."""
        season = self.newest("nba_cdn", "schedule", season_of(game_date))
        board = self.newest("espn", "scoreboard", game_date.isoformat())
        if season is not None and season.parsed is not None and season.parsed.frame.is_empty():
            # Before the season, its schedule may have preseason games only.
            season = None
        if season is None or board is None:
            return season or board
        fetched_at = season.landed.fetched_at
        is_old = self.as_of - fetched_at > OLD_SCHEDULE and board.landed.fetched_at > fetched_at
        ends = _last_date(season)
        return board if is_old or ends is None or ends < game_date else season

    def known_games(self, answer: Answer) -> Known:
        parsed = answer.parsed
        assert parsed is not None, "it is a schedule"
        key = ("games", answer.landed.path)
        return self._answers.once(key, lambda: schedules.known_games(parsed.frame))

    def schedule(self, game_date: date) -> pl.DataFrame:
        answer = self.schedule_answer(game_date)
        if answer is not None:
            games = self.known_games(answer).frame
            return conform(games.filter(pl.col("game_date") == game_date), SCHEDULE)
        played = box_scores.games_of(self.logs.known.frame, game_date)
        newest = [
            answer
            for key in self.keys("odds_api", "odds", f"{game_date}.")
            if (answer := self.newest("odds_api", "odds", key)) is not None
        ]
        quoted = _joined(newest)
        return schedules.derived_games(game_date, played, None if quoted is None else quoted.frame)

    # --------------------------------------------------------------------- lines

    def line_answers(self, game_date: date) -> list[Answer]:
        """Return one answer for each event of a date: the newest one from before its tip-off."""
        if game_date not in self._lines:
            tipoffs = {
                frozenset(teams): tipoff
                for *teams, tipoff in self.schedule(game_date)
                .select("away_team", "home_team", "tipoff")
                .iter_rows()
            }
            found = (
                self._lines_of_event(key, tipoffs)
                for key in self.keys("odds_api", "odds", f"{game_date}.")
            )
            self._lines[game_date] = [answer for answer in found if answer is not None]
        return self._lines[game_date]

    def _lines_of_event(
        self, key: str, tipoffs: dict[frozenset[str], datetime | None]
    ) -> Answer | None:
        newest = before = tipoff = None
        for landed in self.versions("odds_api", "odds", key):
            answer = self._newest_of([landed])
            if answer is None:
                continue
            # An answer without quotes has the tip-off of the one before it.
            for row in answer.conversion.rows[:1]:
                teams = (team_abbreviation(row[side]) for side in ("away_team", "home_team"))
                scheduled = tipoffs.get(frozenset(team for team in teams if team is not None))
                tipoff = min(scheduled or row["commence_time"], row["commence_time"])
            if tipoff is None or landed.fetched_at < tipoff:
                before = answer
            newest = answer
        return before or newest

    def lines(self, game_date: date) -> tuple[Parsed | None, Known]:
        parsed = _joined(self.line_answers(game_date))
        if parsed is None:
            return None, Known(pl.DataFrame(schema=PROP_LINES))
        return parsed, lines.lines_of(parsed.frame, game_date, self.schedule, self.as_of)

    # ------------------------------------------------------------------ injuries

    def reports(self, game_date: date) -> list[tuple[datetime, Answer]]:
        """Return the newest report before each tip-off, and at the moment if a game is ahead.

        The moments are in order.
        """
        if game_date not in self._reports:
            tipoffs = self.schedule(game_date)["tipoff"]
            begun = {tipoff for tipoff in tipoffs if tipoff is not None and tipoff <= self.as_of}
            ahead = any(tipoff is None or tipoff > self.as_of for tipoff in tipoffs)
            moments = sorted(begun | ({self.as_of} if ahead else set()))
            found = ((moment, self._report(game_date, moment)) for moment in moments)
            self._reports[game_date] = [(m, answer) for m, answer in found if answer is not None]
        return self._reports[game_date]

    def _report(self, game_date: date, moment: datetime) -> Answer | None:
        """Return the report of the league or, if it is not of the date, a newer one of ESPN."""
        official = self._official_report(game_date, moment)
        if official is not None and eastern_date(official.made_at) >= game_date:
            return official
        fallback = next(
            (
                answer
                for landed in reversed(self.versions("espn", "injuries", "current"))
                if landed.fetched_at <= moment
                and (answer := self._newest_of([landed])) is not None
                and answer.made_at >= start_of_eastern_day(game_date - _DAY)
            ),
            None,
        )
        if fallback is None or (official is not None and official.made_at > fallback.made_at):
            return official
        return fallback

    def _official_report(self, game_date: date, moment: datetime) -> Answer | None:
        best: Answer | None = None
        keys = [
            key
            for day in (game_date, game_date - _DAY)
            for key in self.keys("injury_report", "report", f"{day}.")
        ]
        slots = sorted(((_slot(key), key) for key in keys), reverse=True)
        slots = [(slot, key) for slot, key in slots if slot <= moment + SLOT_TOLERANCE]
        for slot, key in slots[:_MOST_REPORTS]:
            if best is not None and slot + SLOT_TOLERANCE < best.made_at:
                break
            answer = self.newest("injury_report", "report", key)
            if answer is None or answer.made_at > moment or not _is_of(answer, game_date):
                continue
            if best is None or answer.made_at > best.made_at:
                best = answer
        return best

    def injuries(self, game_date: date) -> tuple[Parsed | None, Known]:
        answers = {answer.landed.path: answer for _, answer in self.reports(game_date)}
        parsed = _joined([_of_date(answer, game_date) for answer in answers.values()])
        if parsed is None:
            return None, Known(pl.DataFrame(schema=INJURIES))
        return parsed, injuries.report_of(parsed.frame, game_date, self.schedule(game_date))

    def teams_not_reported(self, game_date: date) -> tuple[str, ...]:
        """Return the teams that had not submitted their injuries before their tip-offs."""
        reports = self.reports(game_date)
        games = self.schedule(game_date).select("away_team", "home_team", "tipoff")
        missing = set()
        for away, home, tipoff in games.iter_rows():
            until = self.as_of if tipoff is None else min(self.as_of, tipoff)
            newest = [answer for moment, answer in reports if moment <= until][-1:]
            for answer in newest:
                submitted = answer.conversion.not_submitted
                missing |= {team for team in (away, home) if (game_date, team) in submitted}
        return tuple(sorted(missing))

    # -------------------------------------------------------------------- roster

    def roster_answer(self, game_date: date) -> Answer | None:
        """Return the newest list of players from before the end of a date.

        The list of a later day would tell of later trades.
        """
        end = start_of_eastern_day(game_date + _DAY)
        versions = self.versions("nba_stats", "playerindex", season_of(game_date))
        return self._newest_of([landed for landed in versions if landed.fetched_at < end])

    def roster(self, game_date: date) -> pl.DataFrame:
        answer = self.roster_answer(game_date)
        if answer is None:
            return pl.DataFrame(schema=ROSTER)
        known = dict(self.logs.keys.at(game_date).iter_rows())
        taken = set(known.values())
        rows = []
        for player, team in sorted(answer.conversion.teams.items()):
            name = answer.conversion.names[player]
            try:
                lookup = known.get(player) or player_lookup(name)
            except ValueError:
                # A name without Latin letters is the name of no line and no report.
                continue
            if player not in known and lookup in taken:
                lookup = f"{lookup}{player}"
            taken.add(lookup)
            rows.append((player, lookup, name, team, answer.landed.fetched_at))
        return pl.DataFrame(rows, schema=ROSTER, orient="row")


class LiveSource:
    """Inputs from the landing zone of live services.

    Args:
        zone: the landing zone.
        max_rejected_share: the tolerated share of invalid rows of an answer. An answer with more is
            not used, and neither is one that is damaged. The one before it is used instead.
    """

    name = "live"

    def __init__(self, zone: LandingZone, max_rejected_share: float = MAX_REJECTED_SHARE) -> None:
        self.zone = zone
        self._answers = Answers(zone, max_rejected_share)
        self._known: _Moment | None = None

    def known_at(self, as_of: datetime) -> LiveSource:
        """Return the source as it was known at a moment. It shares the converted answers."""
        view = copy(self)
        # The columns of moments are in UTC, and polars compares only equal time zones.
        view._known = _Moment(self._answers, as_of.astimezone(timezone.utc))
        return view

    @property
    def _moment(self) -> _Moment:
        """The moment of the source: now, unless `known_at` made it."""
        return self._known or _Moment(self._answers, utc_now())

    @property
    def first_date(self) -> date | None:
        """October 1 of the oldest season whose box scores are landed, None without any."""
        try:
            keys = self.zone.keys("nba_stats", "leaguegamelog")
        except Exception:
            # Each object store has its own errors. The first input that is read reports them.
            return None
        years = [int(key[:4]) for key in keys if key[:4].isdecimal()]
        return date(min(years), _FIRST_MONTH, 1) if years else None

    def game_logs(self, before: date) -> pl.DataFrame:
        """Return the rows (GAME_LOGS) of all games before `before`, oldest first."""
        return self._logs(pl.col("game_date") < before, before)

    def box_scores(self, game_date: date) -> pl.DataFrame:
        """Return the rows (GAME_LOGS) of `game_date`, none while no answer has them."""
        return self._logs(pl.col("game_date") == game_date, game_date)

    def _logs(self, which: pl.Expr, game_date: date) -> pl.DataFrame:
        logs = self._moment.logs
        return logs.keys.applied(conform(logs.known.frame.filter(which), GAME_LOGS), game_date)

    def schedule(self, game_date: date) -> pl.DataFrame:
        """Return the games (SCHEDULE) of `game_date`.

        They are those of the season's schedule or, if it does not reach the date or is old, of the
        date's scoreboard. Without both, they are derived as by the source `files`.
        """
        return self._moment.schedule(game_date)

    def prop_lines(self, game_date: date) -> pl.DataFrame:
        """Return the quotes (PROP_LINES) for `game_date`."""
        return conform(self._moment.lines(game_date)[1].frame, PROP_LINES)

    def injuries(self, game_date: date) -> pl.DataFrame:
        """Return the report (INJURIES) for `game_date`."""
        return conform(self._moment.injuries(game_date)[1].frame, INJURIES)

    def roster(self, game_date: date) -> pl.DataFrame:
        """Return the players and their teams (ROSTER), as known before the end of `game_date`."""
        return self._moment.roster(game_date)

    def provenance(self, game_date: date) -> Provenance:
        """Return where the schedule comes from, and the moment of the newest injury report."""
        moment = self._moment
        answer = moment.schedule_answer(game_date)
        made_at = max((report.made_at for _, report in moment.reports(game_date)), default=None)
        return Provenance(
            schedule_is_given=answer is not None,
            schedule_until=None if answer is None else _last_date(answer) or game_date,
            injuries_made_on=None if made_at is None else eastern_date(made_at),
            injuries_made_at=made_at,
            teams_not_reported=moment.teams_not_reported(game_date),
            by_the_hour=True,
            as_of=moment.as_of,
        )

    def accounts(self, game_date: date) -> list[InputAccount]:
        """Return the outcome of each row of each answer that is used for `game_date`.

        Answers that cannot be read are among them if a newer one than the used one is damaged.
        """
        moment = self._moment
        schedule = moment.schedule_answer(game_date)
        of_date = pl.col("game_date") == game_date
        found: list[InputAccount] = []
        parts: list[tuple[str, Iterable[Answer], Parsed | None, Known, pl.Expr]] = [
            (
                LOGS,
                moment.log_answers,
                moment.logs.parsed,
                moment.logs.known,
                pl.col("game_date") < game_date,
            ),
            (
                LINES,
                moment.line_answers(game_date),
                *moment.lines(game_date),
                of_date,
            ),
            (
                REPORT,
                [answer for _, answer in moment.reports(game_date)],
                *moment.injuries(game_date),
                of_date,
            ),
        ]
        if schedule is not None:
            games = moment.known_games(schedule)
            parts.insert(1, (GAMES, [schedule], schedule.parsed, games, of_date))
        for kind, answers, parsed, known, which in parts:
            if parsed is not None:
                used = known.frame.filter(which)
                notes = {answer.landed.path: answer.note for answer in answers}
                found += [
                    replace(each, note="; ".join(filter(None, (notes[each.path], each.note))))
                    for each in accounts_of(kind, parsed, known, used, moment.as_of)
                ]
        roster = moment.roster_answer(game_date)
        if roster is not None:
            found.append(_account_of_roster(roster))
        return found + [each.account for each in moment.unreadable.values()]


def _account_of_roster(answer: Answer) -> InputAccount:
    players, of_teams = len(answer.conversion.names), len(answer.conversion.teams)
    dropped = {"without_a_team": players - of_teams} if players > of_teams else {}
    return InputAccount(
        PLAYERS, answer.landed.path, True, players, of_teams, dropped=dropped, note=answer.note
    )


def _joined(answers: Sequence[Answer]) -> Parsed | None:
    parts = [answer.parsed for answer in answers if answer.parsed is not None]
    return Parsed.joined(parts) if parts else None


def _games(answer: Answer | None) -> Iterable[Game]:
    return () if answer is None else answer.conversion.games.values()


def _last_date(answer: Answer) -> date | None:
    last = None if answer.parsed is None else answer.parsed.frame["game_date"].max()
    return last if isinstance(last, date) else None


def _slot(key: str) -> datetime:
    """Return the moment in the key of a report, for example `2026-11-25.17_30`, US Eastern."""
    day, _, clock = key.partition(".")
    hour, _, minute = clock.partition("_")
    return datetime.combine(
        date.fromisoformat(day), time(int(hour), int(minute or 0)), tzinfo=EASTERN
    )


def _is_of(answer: Answer, game_date: date) -> bool:
    """Return whether a report has players or teams of a date."""
    days = {day for day, _ in answer.conversion.not_submitted}
    days |= {row["game_date"] for row in answer.conversion.rows}
    return game_date in days


def _of_date(answer: Answer, game_date: date) -> Answer:
    """Return a report for a date. The entries of ESPN have none: they are about the next game."""
    if answer.landed.resource.provider != "espn" or answer.parsed is None:
        return answer
    frame = answer.parsed.frame.with_columns(pl.lit(game_date, pl.Date).alias("game_date"))
    return replace(answer, parsed=replace(answer.parsed, frame=frame))
