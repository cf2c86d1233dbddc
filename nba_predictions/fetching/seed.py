"""Fetch the history: box scores of past seasons, and one injury report for each game day."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Final

from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.league.games import EASTERN, season_of
from nba_predictions.fetching.fetch import Fetch
from nba_predictions.fetching.games import fetch_log
from nba_predictions.fetching.providers import injury_report, nba_stats
from nba_predictions.inputs.landing.zone import Outcome, Resource

#: The first season with reports that can still be fetched.
_FIRST_REPORTS: Final = 2021
#: How often the progress of the reports is printed.
_PROGRESS_EVERY: Final = 20


def fetch_history(
    fetch: Fetch, seasons: int, progress: Callable[[str], None], *, injuries: bool
) -> None:
    """Fetch the newest `seasons` seasons, the oldest first. Interrupted, it continues later."""
    newest = int(season_of(fetch.game_date)[:4])
    for year in range(newest - seasons + 1, newest + 1):
        season = season_of(date(year, 10, 1))
        for kind in nba_stats.kinds_until(season, fetch.game_date):
            _fetch_log(fetch, season, kind, progress)
        if injuries and year >= _FIRST_REPORTS:
            _fetch_reports(fetch, season, progress)


def _fetch_log(fetch: Fetch, season: str, kind: str, progress: Callable[[str], None]) -> None:
    asked = len(fetch.client.asked)
    if not fetch_log(fetch, season, kind):
        progress(f"{season} {kind}: not fetched")
    elif len(fetch.client.asked) == asked:
        progress(f"{season} {kind}: there already")
    else:
        body = fetch.landed(_log(season, kind))
        progress(f"{season} {kind}: {0 if body is None else nba_stats.row_count(body)} rows")


def _fetch_reports(fetch: Fetch, season: str, progress: Callable[[str], None]) -> None:
    """Fetch one report of each past game day of a season."""
    known = set(fetch.zone.keys(injury_report.PROVIDER, injury_report.NAME))
    absent = _asked_in_vain(fetch)
    days = [day for day in _game_days(fetch, season) if day < fetch.game_date]
    there = 0
    for number, day in enumerate(days, start=1):
        slot = datetime.combine(day, injury_report.OF_HISTORY, EASTERN)
        key = injury_report.key_of(slot)
        if key in known:
            there += 1
        elif key not in absent:
            if fetch.client.gives_up(injury_report.PROVIDER):
                progress(f"{season} injury reports: the service does not answer")
                return
            there += fetch.good(
                injury_report.report(
                    fetch.services.injury_report_url, slot, fetch.services.headers
                ),
                expected=False,
            )
        if number % _PROGRESS_EVERY == 0 or number == len(days):
            progress(f"{season} injury reports: {number} of {len(days)} days, {there} there")


def _asked_in_vain(fetch: Fetch) -> set[str]:
    """Return the keys of reports that the service said do not exist, in the last month."""
    today = utc_now().date()
    records = fetch.zone.records(
        today - timedelta(days=31), today, injury_report.PROVIDER, {Outcome.NOT_THERE}
    )
    return {record.resource.key for record in records}


def _game_days(fetch: Fetch, season: str) -> list[date]:
    """Return the dates of the landed games of a season, in order."""
    days = set()
    for kind in nba_stats.SEASON_TYPES:
        body = fetch.landed(_log(season, kind))
        if body is None:
            continue
        table = json.loads(body)["resultSets"][0]
        at = table["headers"].index("GAME_DATE")
        days |= {date.fromisoformat(str(row[at])[:10]) for row in table["rowSet"]}
    return sorted(days)


def _log(season: str, kind: str) -> Resource:
    return Resource(nba_stats.PROVIDER, nba_stats.LOG, nba_stats.log_key(season, kind))
