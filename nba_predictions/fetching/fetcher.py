"""Decide what to ask the services for a date, and which service to ask instead of another."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from typing import Any, Final

from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import SourceDataError
from nba_predictions.domain.league.games import (
    EASTERN,
    eastern_date,
    season_of,
    start_of_eastern_day,
)
from nba_predictions.fetching import seed
from nba_predictions.fetching.budget import Budget
from nba_predictions.fetching.client import Ask, Client
from nba_predictions.fetching.port import LINES_MAX_AGE, Fetched, FetchReport
from nba_predictions.fetching.providers import espn, injury_report, nba_cdn, nba_stats, odds_api
from nba_predictions.fetching.transport import Transport
from nba_predictions.inputs.landing.zone import (
    GOOD,
    LandingZone,
    Outcome,
    RequestRecord,
    Resource,
)
from nba_predictions.inputs.port import LeagueSource
from nba_predictions.logs import milestone

#: An answer younger than this is not asked for again. The edges of stats.nba.com keep a season log
#: for half an hour.
MIN_AGE: Final = {
    nba_stats.LOG: timedelta(minutes=30),
    nba_stats.PLAYERS: timedelta(hours=24),
    nba_cdn.SCHEDULE: timedelta(minutes=15),
    espn.SCOREBOARD: timedelta(minutes=5),
    espn.INJURIES: timedelta(minutes=15),
    odds_api.EVENTS: timedelta(minutes=1),
}
#: The box scores of the final and the playoffs change seldom.
_OTHER_KINDS_MIN_AGE: Final = timedelta(hours=6)
#: How long ago the oldest injury report is that is looked for.
_REPORT_HOURS: Final = 8.0
#: So many missing reports in a row are a problem. The league may have renamed its files.
MISSING_REPORTS: Final = 6
#: The injuries of ESPN are fetched if the newest report is older.
_OLD_REPORT: Final = timedelta(hours=2)
#: The days before a date whose missing box scores are asked for game by game.
_RECENT_DAYS: Final = 3
#: The months in which the regular season has games, with a margin.
_IN_SEASON: Final = frozenset({11, 12, 1, 2, 3})


@dataclass(frozen=True)
class Services:
    """The addresses of the services, and what a request to them needs."""

    nba_stats_url: str
    nba_cdn_url: str
    espn_url: str
    odds_api_url: str
    injury_report_url: str
    odds_api_key: str | None = field(default=None, repr=False)
    odds_books: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: nba_stats.HEADERS)
    pause_seconds: float = 2.0
    credits_per_day: int = 0
    credits_per_month: int = 0


class LiveFetcher:
    """Fetches the inputs of a date. See `InputFetcher`.

    Args:
        zone: where answers go.
        services: the addresses and limits.
        league: reads the zone.
        transport: returns a new HTTP client.
        secrets: texts that nothing may contain, besides the key.
        sleep: waits for a number of seconds.
    """

    def __init__(
        self,
        zone: LandingZone,
        services: Services,
        league: LeagueSource,
        transport: Callable[[], Transport],
        secrets: Collection[str] = (),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.zone = zone
        self.services = services
        self.league = league
        self._transport = transport
        self._secrets = [*secrets, services.odds_api_key or ""]
        self._sleep = sleep

    def fetch_inputs(
        self,
        game_date: date,
        *,
        run_id: str,
        lines_of: Collection[str] | None = None,
        lines_max_age: timedelta = LINES_MAX_AGE,
    ) -> FetchReport:
        """Fetch the schedule, box scores, roster, injury report and lines of a date."""
        fetch = self._fetch(game_date, run_id)
        fetch.schedule()
        fetch.box_scores()
        fetch.roster()
        fetch.injuries()
        fetch.lines(lines_of, lines_max_age)
        return fetch.report("inputs_fetched")

    def fetch_results(self, game_date: date, *, run_id: str) -> FetchReport:
        """Fetch the schedule and the box scores of a past date."""
        fetch = self._fetch(game_date, run_id)
        fetch.schedule()
        fetch.box_scores()
        return fetch.report("results_fetched")

    def check(self, game_date: date, *, run_id: str) -> FetchReport:
        """Ask each service once, whatever is landed."""
        fetch = self._fetch(game_date, run_id, whatever_is_landed=True)
        fetch.schedule()
        fetch.box_scores()
        fetch.roster()
        fetch.injuries()
        fetch.espn_once()
        fetch.lines(None, timedelta(), only_one=True)
        return fetch.report("services_checked")

    def seed(
        self,
        seasons: int,
        *,
        run_id: str,
        progress: Callable[[str], None],
        injuries: bool = True,
    ) -> FetchReport:
        """Fetch the history of a number of seasons. What is landed is not asked for again."""
        today = eastern_date(utc_now())
        fetch = self._fetch(today, run_id)
        seed.fetch_history(fetch, today, seasons, progress, injuries=injuries)
        return fetch.report("history_fetched")

    def _fetch(self, game_date: date, run_id: str, *, whatever_is_landed: bool = False) -> Fetch:
        services = self.services
        budget = Budget(self.zone, services.credits_per_day, services.credits_per_month)
        client = Client(
            self.zone,
            self._transport(),
            budget,
            run_id,
            services.pause_seconds,
            self._secrets,
            self._sleep,
        )
        return Fetch(client, services, self.league, game_date, run_id, whatever_is_landed)


class Fetch:
    """One fetch: the requests that were sent, and the problems that were found."""

    def __init__(
        self,
        client: Client,
        services: Services,
        league: LeagueSource,
        game_date: date,
        run_id: str,
        whatever_is_landed: bool = False,
    ) -> None:
        self.client = client
        self.zone = client.zone
        self.services = services
        self.game_date = game_date
        self._league = league
        self._run_id = run_id
        self._whatever_is_landed = whatever_is_landed
        self._problems: list[str] = []
        self._recent: dict[Resource, datetime] | None = None

    # What to ask for

    def schedule(self) -> None:
        """Fetch the schedule; from ESPN if the schedule of the league does not reach the date."""
        season = season_of(self.game_date)
        resource = Resource(nba_cdn.PROVIDER, nba_cdn.SCHEDULE, season)
        before = self._days_of(resource)
        ask = nba_cdn.schedule(
            self.services.nba_cdn_url, season, self.services.headers, len(before)
        )
        fresh = self._is_fresh(resource, MIN_AGE[nba_cdn.SCHEDULE])
        good = fresh or self._good(ask)
        days = self._days_of(resource)
        reaches = bool(days) and days[0] <= self.game_date <= days[-1]
        if not reaches and self.game_date.month in _IN_SEASON:
            self._problem(f"the schedule of the league does not reach {self.game_date}")
        if not good or (not reaches and self.game_date.month in _IN_SEASON):
            self.scoreboard(self.game_date)

    def scoreboard(self, day: date) -> bytes | None:
        """Return the scoreboard of ESPN for a date; None if there is none."""
        ask = espn.scoreboard(self.services.espn_url, day, self.services.headers)
        if not self._is_fresh(ask.resource, MIN_AGE[espn.SCOREBOARD]):
            self._good(ask)
        return self._landed(ask.resource)

    def box_scores(self) -> None:
        """Fetch the season; the games that it lacks from ESPN."""
        season = season_of(self.game_date)
        for kind in nba_stats.kinds_until(eastern_date(utc_now())):
            regular = kind == "regular-season"
            min_age = MIN_AGE[nba_stats.LOG] if regular else _OTHER_KINDS_MIN_AGE
            self.season_log(season, kind, min_age)
        self._missing_box_scores()

    def season_log(self, season: str, kind: str, min_age: timedelta) -> bool:
        """Fetch the box scores of a season; return whether they are there."""
        resource = Resource(nba_stats.PROVIDER, nba_stats.LOG, nba_stats.log_key(season, kind))
        if self._is_fresh(resource, min_age):
            return True
        landed = self._landed(resource)
        rows = 0 if landed is None else nba_stats.row_count(landed)
        ask = nba_stats.game_log(
            self.services.nba_stats_url, season, kind, self.services.headers, rows
        )
        return self._good(ask)

    def roster(self) -> None:
        """Fetch the players and their teams."""
        ask = nba_stats.players(
            self.services.nba_stats_url, season_of(self.game_date), self.services.headers
        )
        if not self._is_fresh(ask.resource, MIN_AGE[nba_stats.PLAYERS]):
            self._good(ask)

    def injuries(self) -> None:
        """Fetch the newest report of the league; the injuries of ESPN if it is old or missing.

        Around days without games, there are no reports.
        """
        if not self._whatever_is_landed and self._has_no_games():
            return
        now = utc_now()
        missing, newest, asked = 0, None, set[str]()
        for slot in injury_report.slots(now, _REPORT_HOURS):
            ask = injury_report.report(self.services.injury_report_url, slot, self.services.headers)
            # The hour in which the clocks go back has its names twice.
            if ask.url in asked:
                continue
            asked.add(ask.url)
            if self.zone.newest(ask.resource) is not None or self._good(ask, expected=False):
                newest = slot
                break
            missing += 1
            if self.client.hangs(ask):
                break
        if missing >= MISSING_REPORTS and not self._has_no_games():
            reports = f"no injury report in {missing} slots"
            found = "" if newest is None else f"; the newest is of {newest:%H:%M} Eastern"
            self._problem(reports + found)
        if newest is None or now - newest > _OLD_REPORT:
            self.espn_injuries()

    def _has_no_games(self) -> bool:
        """Return whether a schedule of the date has no games."""
        try:
            return (
                self._league.schedule(self.game_date).is_empty()
                and self._league.provenance(self.game_date).schedule_is_given
            )
        except SourceDataError:
            return False

    def espn_injuries(self) -> None:
        ask = espn.injuries(self.services.espn_url, self.services.headers)
        if not self._is_fresh(ask.resource, MIN_AGE[espn.INJURIES]):
            self._good(ask)

    def espn_once(self) -> None:
        """Ask ESPN, which is otherwise only asked if another service does not answer."""
        self.scoreboard(self.game_date)
        self.espn_injuries()

    def lines(
        self, lines_of: Collection[str] | None, max_age: timedelta, *, only_one: bool = False
    ) -> None:
        """Fetch the lines of the games of the date that have none, or old ones.

        Args:
            lines_of: the game_ids whose lines may be old; None for all.
            max_age: the age of lines that are not asked for again.
            only_one: whether one game is enough.
        """
        key = self.services.odds_api_key
        if not key:
            self._problem(f"{odds_api.KEY_SETTING} is not set; there are no lines")
            return
        if self.client.budget.is_used_up():
            self._problem("the credits of The Odds API are used up until the first of the month")
            return
        listed = odds_api.events(self.services.odds_api_url, key, self.game_date)
        if not self._is_fresh(listed.resource, MIN_AGE[odds_api.EVENTS]):
            self._good(listed)
            if self._key_is_refused():
                return
        body = self._landed(listed.resource)
        wanted = [
            event
            for event in (odds_api.events_in(body) if body else ())
            if self._wants_lines(event, lines_of, max_age)
        ]
        self._ask_for_lines(wanted[:1] if only_one else wanted, key)

    # How to ask

    def _ask_for_lines(self, events: Iterable[odds_api.Event], key: str) -> None:
        unpaid: list[str] = []
        for event in events:
            ask = odds_api.odds(
                self.services.odds_api_url,
                key,
                self.game_date,
                event.event_id,
                self.services.odds_books,
            )
            if not self.client.budget.allows(ask.cost):
                unpaid.append(_name(event))
                continue
            self._good(ask)
            if self._key_is_refused() or self.client.budget.is_used_up():
                return
        if unpaid:
            self._problem(f"no credits are left for the lines of {', '.join(unpaid)}")

    def _key_is_refused(self) -> bool:
        """Return whether the last request found that no other one can succeed."""
        if not self.client.asked:
            return False
        _, record = self.client.asked[-1]
        return odds_api.error_code(record.error) in odds_api.STOPPING

    def _wants_lines(
        self, event: odds_api.Event, lines_of: Collection[str] | None, max_age: timedelta
    ) -> bool:
        now = utc_now()
        if event.commences <= now or eastern_date(event.commences) != self.game_date:
            return False
        resource = odds_api.odds("", "", self.game_date, event.event_id, "").resource
        body = self._landed(resource)
        if body is None or not odds_api.has_lines(body):
            return True
        teams = {event.home, event.away}
        if lines_of is not None and not any(teams == set(g.split("_")[1:]) for g in lines_of):
            return False
        return not self._is_fresh(resource, max_age)

    def _missing_box_scores(self) -> None:
        """Fetch the box scores of recent games that the season lacks, game by game."""
        today = eastern_date(utc_now())
        last = min(self.game_date, today)
        for days in range(_RECENT_DAYS + 1):
            day = last - timedelta(days=days)
            missing = self._missing_on(day)
            if not missing:
                continue
            body = self.scoreboard(day)
            finals = espn.final_games(body, day) if body else {}
            for game_id in sorted(missing & finals.keys()):
                ask = espn.summary(
                    self.services.espn_url, day, finals[game_id], self.services.headers
                )
                if self.zone.newest(ask.resource) is None:
                    self._good(ask)

    def _missing_on(self, day: date) -> set[str]:
        """Return the games of a date that have begun and lack a box score."""
        now = utc_now()
        try:
            games = self._league.schedule(day)
            played = set(self._league.box_scores(day)["game_id"])
        except SourceDataError:
            # Without box scores of the season, no single game helps.
            return set()
        begun = {
            game_id
            for game_id, tipoff in games.select("game_id", "tipoff").iter_rows()
            if (tipoff or start_of_eastern_day(day + timedelta(days=1))) < now - _GAME
        }
        return begun - played

    def _good(self, ask: Ask, *, expected: bool = True) -> bool:
        """Send a request; return whether its answer is an input.

        An answer that is not there is no problem unless it is `expected`.
        """
        record = self.client.send(ask)
        if record is not None and record.outcome in GOOD:
            return True
        if record is None:
            if self.client.hangs(ask):
                self._problem(f"{ask.resource.provider} does not answer; it is not asked again")
        elif record.outcome is not Outcome.NOT_THERE:
            problem = record.error or record.outcome.value
            self._problem(f"{_label(ask.resource)}: {problem}")
        elif expected:
            self._problem(f"{_label(ask.resource)}: not there ({record.error})")
        return False

    def _landed(self, resource: Resource) -> bytes | None:
        """Return the newest good answer; None if there is none, or if its file is damaged."""
        landed = self.zone.newest(resource)
        if landed is None:
            return None
        try:
            return self.zone.read(landed)
        except SourceDataError as error:
            self._problem(str(error))
            return None

    def _days_of(self, resource: Resource) -> list[date]:
        body = self._landed(resource)
        return [] if body is None else nba_cdn.regular_days(body)

    def _is_fresh(self, resource: Resource, min_age: timedelta) -> bool:
        """Return whether a good answer came less than `min_age` ago."""
        if self._whatever_is_landed or not min_age:
            return False
        if self._recent is None:
            self._recent = _last_answers(self.zone, utc_now())
        last = self._recent.get(resource)
        return last is not None and utc_now() - last < min_age

    def _problem(self, text: str) -> None:
        text = self.client.redacted(text)
        if text in self._problems:
            return
        self._problems.append(text)
        milestone(
            "fetch_problem",
            text,
            severity=logging.WARNING,
            game_date=self.game_date,
            run_id=self._run_id,
        )

    def report(self, event: str) -> FetchReport:
        """Return what the fetch did, and log it."""
        records = [record for _, record in self.client.asked]
        stamps = [record.fetched_at for record in records if record.fetched_at]
        paid = self.services.odds_api_key is not None
        budget = self.client.budget
        report = FetchReport(
            self.game_date,
            max([utc_now(), *stamps]),
            tuple(_fetched(ask, record) for ask, record in self.client.asked),
            len(records),
            sum(record.cost for record in records),
            budget.left_today() if paid else None,
            budget.left_this_month() if paid else None,
            tuple(self._problems),
        )
        outcomes: dict[str, Any] = {}
        for record in records:
            outcomes[record.outcome.value] = outcomes.get(record.outcome.value, 0) + 1
        milestone(
            event,
            f"{report.requests} requests, {report.credits} credits, "
            f"{len(report.problems)} problems; {report.news}",
            game_date=self.game_date,
            run_id=self._run_id,
            requests=report.requests,
            credits=report.credits,
            credits_left_today=report.credits_left_today,
            credits_left_this_month=report.credits_left_this_month,
            outcomes=outcomes,
            problems=list(report.problems),
        )
        return report


#: A game lasts about this long. Its box score is not expected before.
_GAME: Final = timedelta(hours=3)


def _last_answers(zone: LandingZone, now: datetime) -> dict[Resource, datetime]:
    """Return when the last good answer about each resource came, of the last two days."""
    today = now.astimezone(timezone.utc).date()
    return {
        record.resource: record.asked_at
        for record in zone.records(today - timedelta(days=1), today)
        if record.outcome in GOOD and record.asked_at <= now
    }


def _fetched(ask: Ask, record: RequestRecord) -> Fetched:
    return Fetched(
        ask.kind,
        record.resource.provider,
        f"{record.resource.name} {record.resource.key}",
        record.outcome.value,
        record.source_time,
        record.fetched_at,
        record.cost,
        record.error,
    )


def _label(resource: Resource) -> str:
    return f"{resource.provider} {resource.name} {resource.key}"


def _name(event: odds_api.Event) -> str:
    at = event.commences.astimezone(EASTERN)
    return f"{event.away or '?'} @ {event.home or '?'} at {at:%H:%M}"
