"""Fetch the lines of the games of a date, within the budget."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Final

from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.league.games import EASTERN, eastern_date
from nba_predictions.fetching.client import Ask
from nba_predictions.fetching.fetch import Fetch
from nba_predictions.fetching.providers import odds_api
from nba_predictions.inputs.landing.zone import Outcome

#: Prices change once a minute.
_EVENTS_MIN_AGE: Final = timedelta(minutes=1)
_HTTP_UNAUTHORIZED: Final = 401


def fetch_lines(
    fetch: Fetch,
    lines_of: Collection[str] | None,
    max_age: timedelta,
    *,
    only_one: bool = False,
) -> None:
    """Fetch the lines of the games of the date that have none, or old ones.

    A game that has begun is not asked for: its prices are in-play. A game that moved over midnight
    belongs to its new date.

    Args:
        fetch: the fetch.
        lines_of: the game_ids whose lines may be old; None for all.
        max_age: the age of lines that are not asked for again.
        only_one: whether one game is enough.
    """
    key = fetch.services.odds_api_key
    if not key:
        fetch.problem(f"{odds_api.KEY_SETTING} is not set; there are no lines")
        return
    if fetch.client.budget.is_used_up():
        fetch.problem(
            "the credits of The Odds API are used up until the first of the month; if the plan was "
            "changed, `nba-predictions fetch --check` asks again"
        )
        return
    listed = odds_api.events(fetch.services.odds_api_url, key, fetch.game_date)
    if not fetch.is_fresh(listed.resource, _EVENTS_MIN_AGE):
        fetch.good(listed)
        if _is_refused(fetch):
            return
    events = odds_api.events_in(fetch.landed(listed.resource) or b"")
    wanted = [event for event in events if _wants_lines(fetch, event, lines_of, max_age)]
    _ask_for_lines(fetch, wanted[:1] if only_one else wanted, key)


def _ask_for_lines(fetch: Fetch, events: Iterable[odds_api.Event], key: str) -> None:
    unpaid: list[str] = []
    for event in events:
        ask = _ask(fetch, event, key)
        if not fetch.client.budget.allows(ask.cost):
            unpaid.append(_name(event))
            continue
        # A game that the service no longer has is over, or off.
        fetch.outcome_of(ask, expected=False)
        if _is_refused(fetch):
            return
    if unpaid:
        fetch.problem(f"no credits are left for the lines of {', '.join(unpaid)}")


def _ask(fetch: Fetch, event: odds_api.Event, key: str) -> Ask:
    services = fetch.services
    return odds_api.odds(
        services.odds_api_url, key, fetch.game_date, event.event_id, services.odds_books
    )


def _is_refused(fetch: Fetch) -> bool:
    """Return whether the last answer says that no other request can succeed."""
    if not fetch.client.asked:
        return False
    _, record = fetch.client.asked[-1]
    return record.outcome is Outcome.REFUSED and (
        record.status == _HTTP_UNAUTHORIZED
        or odds_api.error_code(record.error) in odds_api.STOPPING
    )


def _wants_lines(
    fetch: Fetch,
    event: odds_api.Event,
    lines_of: Collection[str] | None,
    max_age: timedelta,
) -> bool:
    if event.commences <= utc_now() or eastern_date(event.commences) != fetch.game_date:
        return False
    resource = _ask(fetch, event, "").resource
    body = fetch.landed(resource)
    if body is None or not odds_api.has_lines(body):
        return True
    teams = {event.home, event.away}
    if lines_of is not None and not any(teams == set(g.split("_")[1:]) for g in lines_of):
        return False
    return not fetch.is_fresh(resource, max_age)


def _name(event: odds_api.Event) -> str:
    at = event.commences.astimezone(EASTERN)
    return f"{event.away or '?'} @ {event.home or '?'} at {at:%H:%M}"
