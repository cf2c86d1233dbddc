"""Fetch the injuries: the newest report of the league, and those of ESPN if it is old."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from nba_predictions.domain.clock import utc_now
from nba_predictions.fetching.fetch import Fetch
from nba_predictions.fetching.games import has_no_games
from nba_predictions.fetching.providers import espn, injury_report
from nba_predictions.inputs.landing.zone import GOOD, Outcome

#: How long ago the oldest report is that is looked for.
_HOURS: Final = 8.0
#: So many missing reports in a row are a problem. The league may have renamed its files.
MISSING: Final = 6
#: After so many reports that cannot be used, no older one is asked for. The league may have changed
#: their layout.
UNUSABLE: Final = 3
#: The injuries of ESPN are fetched if the newest report is older.
_OLD: Final = timedelta(hours=2)
_ESPN_MIN_AGE: Final = timedelta(minutes=15)


def fetch_injuries(fetch: Fetch) -> None:
    """Fetch the newest report, and the injuries of ESPN if it is old or missing.

    A report never changes, so one that is landed is not asked for again. Without games, there are
    no reports.
    """
    if has_no_games(fetch) and not fetch.whatever_is_landed:
        return
    newest, missing, unusable = _newest(fetch)
    if missing >= MISSING:
        found = "" if newest is None else f"; the newest is of {newest:%H:%M} Eastern"
        fetch.problem(f"no injury report in {missing} slots{found}")
    if unusable >= UNUSABLE:
        fetch.problem(f"{unusable} injury reports cannot be used; those of ESPN are used instead")
    if newest is None or utc_now() - newest > _OLD:
        fetch_espn_injuries(fetch)


def fetch_espn_injuries(fetch: Fetch) -> None:
    ask = espn.injuries(fetch.services.espn_url, fetch.services.headers)
    if not fetch.is_fresh(ask.resource, _ESPN_MIN_AGE):
        fetch.good(ask)


def _newest(fetch: Fetch) -> tuple[datetime | None, int, int]:
    """Return the moment of the newest report, and how many newer ones are missing or unusable."""
    missing = unusable = 0
    for slot in injury_report.slots(utc_now(), _HOURS):
        ask = injury_report.report(fetch.services.injury_report_url, slot, fetch.services.headers)
        if not fetch.whatever_is_landed and fetch.landed(ask.resource) is not None:
            return slot, missing, unusable
        outcome = fetch.outcome_of(ask, expected=False)
        if outcome in GOOD:
            return slot, missing, unusable
        missing += outcome is Outcome.NOT_THERE
        unusable += outcome is not Outcome.NOT_THERE
        if outcome is None or unusable == UNUSABLE:
            break
    return None, missing, unusable
