"""The fetcher of the live services: which inputs it asks for, for a date or for the history."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Collection
from datetime import date, timedelta
from urllib.parse import unquote, urlsplit

from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.league.games import eastern_date
from nba_predictions.fetching.budget import Budget
from nba_predictions.fetching.client import Client
from nba_predictions.fetching.fetch import Fetch, Services
from nba_predictions.fetching.games import (
    fetch_box_scores,
    fetch_roster,
    fetch_schedule,
    fetch_scoreboard,
)
from nba_predictions.fetching.injuries import fetch_espn_injuries, fetch_injuries
from nba_predictions.fetching.lines import fetch_lines
from nba_predictions.fetching.port import LINES_MAX_AGE, FetchReport
from nba_predictions.fetching.seed import fetch_history
from nba_predictions.fetching.transport import Transport
from nba_predictions.inputs.landing.zone import LandingZone
from nba_predictions.inputs.port import LeagueSource


class LiveFetcher:
    """Fetches the inputs of a date. See `InputFetcher`.

    Args:
        zone: where answers go.
        services: the addresses and limits.
        league: reads the zone.
        transport: returns a new HTTP client.
        secrets: texts that nothing may contain, besides the key; with a URL, also its password.
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
        self._secrets = [services.odds_api_key or "", *secrets]
        self._secrets += [part for secret in secrets for part in _passwords(secret)]
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
        fetch_schedule(fetch)
        fetch_box_scores(fetch)
        fetch_roster(fetch)
        fetch_injuries(fetch)
        fetch_lines(fetch, lines_of, lines_max_age)
        return fetch.report("inputs_fetched")

    def fetch_results(self, game_date: date, *, run_id: str) -> FetchReport:
        """Fetch the schedule and the box scores of a past date."""
        fetch = self._fetch(game_date, run_id)
        fetch_schedule(fetch)
        fetch_box_scores(fetch)
        return fetch.report("results_fetched")

    def check(self, game_date: date, *, run_id: str) -> FetchReport:
        """Ask each service once, whatever is landed."""
        fetch = self._fetch(game_date, run_id, whatever_is_landed=True)
        fetch_schedule(fetch)
        fetch_box_scores(fetch)
        fetch_roster(fetch)
        fetch_injuries(fetch)
        # ESPN is otherwise only asked if another service does not answer.
        fetch_scoreboard(fetch, game_date)
        fetch_espn_injuries(fetch)
        fetch_lines(fetch, None, timedelta(), only_one=True)
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
        fetch_schedule(fetch)
        fetch_roster(fetch)
        fetch_history(fetch, seasons, progress, injuries=injuries)
        return fetch.report("history_fetched")

    def _fetch(self, game_date: date, run_id: str, *, whatever_is_landed: bool = False) -> Fetch:
        services = self.services
        client = Client(
            self.zone,
            self._transport(),
            Budget(
                self.zone,
                services.credits_per_day,
                services.credits_per_month,
                tries_again=whatever_is_landed,
            ),
            run_id,
            services.pause_seconds,
            self._secrets,
            self._sleep,
        )
        return Fetch(client, services, self.league, game_date, run_id, whatever_is_landed)


def _passwords(url: str) -> list[str]:
    """Return the password in a URL as it is written, as it is, and as a header has it."""
    parts = urlsplit(url)
    if not parts.password:
        return []
    plain = unquote(parts.password)
    user = unquote(parts.username or "")
    return [parts.password, plain, b64encode(f"{user}:{plain}".encode()).decode()]
