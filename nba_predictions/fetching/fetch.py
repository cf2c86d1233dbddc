"""One fetch: ask a service, unless a good answer is young, and note what is wrong.

What to ask for is in `games`, `injuries`, `lines` and `seed`.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone

from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import SourceDataError
from nba_predictions.domain.league.games import EASTERN
from nba_predictions.fetching.client import Ask, Client
from nba_predictions.fetching.port import Fetched, FetchReport
from nba_predictions.fetching.providers import nba_stats
from nba_predictions.inputs.landing.zone import (
    GOOD,
    Landed,
    LandingZone,
    Outcome,
    RequestRecord,
    Resource,
)
from nba_predictions.inputs.port import LeagueSource
from nba_predictions.logs import milestone


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


class Fetch:
    """One fetch: the requests that were sent, and the problems that were found.

    Args:
        client: sends the requests.
        services: the addresses of the services.
        league: reads the landing zone.
        game_date: the date.
        run_id: the run, for the log.
        whatever_is_landed: whether to ask also for what is young.
    """

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
        self.league = league
        self.game_date = game_date
        self.whatever_is_landed = whatever_is_landed
        self._run_id = run_id
        self._problems: list[str] = []
        self._before: dict[Resource, RequestRecord] | None = None

    def good(self, ask: Ask, *, expected: bool = True) -> bool:
        """Send a request; return whether its answer is an input. See `outcome_of`."""
        return self.outcome_of(ask, expected=expected) in GOOD

    def outcome_of(self, ask: Ask, *, expected: bool = True) -> Outcome | None:
        """Send a request; return the outcome, None if it was not sent.

        Any other outcome than an input is a problem; NOT_THERE only if an answer is `expected`.
        """
        record = self.client.send(ask)
        usual = GOOD if expected else GOOD | {Outcome.NOT_THERE}
        if record is not None and record.outcome not in usual:
            self._problem_with(record)
        provider = ask.resource.provider
        if self.client.gives_up(provider):
            self.problem(f"{provider} does not answer; it is not asked again in this fetch")
        elif record is None:
            self.problem(f"no credits are left for {_label(ask.resource)}")
        return None if record is None else record.outcome

    def landed(self, resource: Resource) -> bytes | None:
        """Return the newest good answer whose file is not damaged; None if there is none."""
        for landed in reversed(self.zone.versions(resource)):
            try:
                return self.zone.read(landed)
            except SourceDataError as error:
                self.problem(str(error))
        return None

    def is_fresh(self, resource: Resource, min_age: timedelta) -> bool:
        """Return whether a good answer came less than `min_age` ago, or in this fetch.

        It is not if its file was removed or is damaged.
        """
        in_this_fetch = [
            record
            for _, record in self.client.asked
            if record.resource == resource and record.outcome in GOOD
        ]
        if in_this_fetch:
            return True
        if self.whatever_is_landed or not min_age:
            return False
        if self._before is None:
            self._before = _last_answers(self.zone, utc_now())
        last, newest = self._before.get(resource), self.zone.newest(resource)
        if last is None or newest is None or last.path != newest.path:
            return False
        return utc_now() - last.asked_at < min_age and self._is_intact(newest)

    def problem(self, text: str) -> None:
        """Note what an operator should know, once, and log it."""
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
            outcomes=Counter(record.outcome.value for record in records),
            problems=list(report.problems),
        )
        return report

    def _is_intact(self, landed: Landed) -> bool:
        try:
            self.zone.read(landed)
        except SourceDataError as error:
            self.problem(str(error))
            return False
        return True

    def _problem_with(self, record: RequestRecord) -> None:
        """Note why an answer is not an input, and which one is used instead."""
        text = f"{_label(record.resource)}: {record.error or record.outcome.value}"
        newest = self.zone.newest(record.resource)
        if newest is not None:
            at = newest.fetched_at.astimezone(EASTERN)
            text += f"; the answer of {at:%Y-%m-%d %H:%M} Eastern is used"
        self.problem(text)


def _last_answers(zone: LandingZone, now: datetime) -> dict[Resource, RequestRecord]:
    """Return the last request with a good answer about each resource, of the last two days."""
    today = now.astimezone(timezone.utc).date()
    return {
        record.resource: record
        for record in zone.records(today - timedelta(days=1), today, outcomes=GOOD)
        if record.asked_at <= now
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
