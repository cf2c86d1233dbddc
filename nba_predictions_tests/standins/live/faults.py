"""Faults of the services, by name: what replaces an answer, and what changes it.

`FAULTS` has all of them. The faults of the transport are here; those of the content are in
`content_faults`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from nba_predictions_tests.standins.live.day import Moment
from nba_predictions_tests.standins.live.messages import HTML, Answer, Request
from nba_predictions_tests.standins.live.odds import error_answer, event_id

PROVIDERS = ("stats", "cdn", "espn", "odds", "injury")


@dataclass(frozen=True)
class Strike:
    """A request that a fault may strike. `answer` is what the service answers."""

    request: Request
    answer: Answer
    moment: Moment
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Attributes:
        make: returns the answer with the fault, None if the fault does not apply to the request.
        replaces: whether the fault strikes before the service answers, so nothing is charged.
    """

    make: Callable[[Strike], Answer | None]
    providers: tuple[str, ...]
    replaces: bool


FAULTS: dict[str, Kind] = {}


class Fault:
    """A fault of one provider.

    Args:
        name: a name of FAULTS.
        provider: stats, cdn, espn, odds or injury.
        times: how often it strikes, None for always.
        probability: the chance that it strikes a request.
        options: details of the kind, and `match`: text that the address must have.

    Raises:
        ValueError: the fault does not exist, or not at this provider.
    """

    def __init__(
        self,
        name: str,
        provider: str,
        times: int | None = None,
        probability: float = 1.0,
        **options: Any,
    ) -> None:
        if name not in FAULTS:
            raise ValueError(f"there is no fault {name!r}; there are {', '.join(sorted(FAULTS))}")
        if provider not in FAULTS[name].providers:
            raise ValueError(f"{name} is a fault of {FAULTS[name].providers}, not of {provider!r}")
        self.name, self.provider = name, provider
        self.times, self.probability, self.options = times, probability, options
        self.strikes = 0
        #: The paid requests that out_of_credits let pass.
        self.passed = 0

    def __repr__(self) -> str:
        return f"Fault({self.name!r}, {self.provider!r}, strikes={self.strikes})"

    def concerns(self, request: Request) -> bool:
        """Return whether the fault can strike a request, apart from chance."""
        address = f"{request.path}?{'&'.join(f'{key}={value}' for key, value in request.query)}"
        is_left = self.times is None or self.strikes < self.times
        return (
            request.provider == self.provider
            and is_left
            and str(self.options.get("match", "")) in address
        )


def struck(
    faults: Iterable[Fault],
    request: Request,
    moment: Moment,
    answer: Callable[[], Answer],
    rng: random.Random,
) -> tuple[Answer, tuple[str, ...]]:
    """Return the answer to a request with the faults that strike it, and their names."""
    concerned = [fault for fault in faults if fault.concerns(request)]
    striking = [fault for fault in concerned if rng.random() < fault.probability]
    for fault in striking:
        if FAULTS[fault.name].replaces:
            replaced = FAULTS[fault.name].make(Strike(request, Answer(), moment, fault.options))
            if replaced is not None:
                fault.strikes += 1
                return replaced, (fault.name,)
    current, names = answer(), []
    for fault in striking:
        if not FAULTS[fault.name].replaces:
            options = {**fault.options, "fault": fault}
            changed = FAULTS[fault.name].make(Strike(request, current, moment, options))
            if changed is not None:
                fault.strikes += 1
                current = changed
                names.append(fault.name)
    return current, tuple(names)


def register(
    *providers: str, replaces: bool = False
) -> Callable[[Callable[[Strike], Answer | None]], Callable[[Strike], Answer | None]]:
    """Register a fault under the name of its function."""

    def add(make: Callable[[Strike], Answer | None]) -> Callable[[Strike], Answer | None]:
        FAULTS[make.__name__] = Kind(make, providers or PROVIDERS, replaces)
        return make

    return add


@register(replaces=True)
def hang(strike: Strike) -> Answer | None:
    """The connection is accepted, and there is no answer."""
    return Answer(hangs=True)


@register(replaces=True)
def html_200(strike: Strike) -> Answer | None:
    """A page instead of the answer."""
    return Answer("<!DOCTYPE html><html><body>We'll be right back.</body></html>", 200, HTML)


@register(replaces=True)
def empty_200(strike: Strike) -> Answer | None:
    """An empty body."""
    return Answer(b"")


@register(replaces=True)
def empty_object(strike: Strike) -> Answer | None:
    """An empty JSON object."""
    return Answer({})


@register()
def truncated(strike: Strike) -> Answer | None:
    """Half of the body. The Content-Length is that of the whole body, unless `announced` is set."""
    content = strike.answer.content
    half = content[: len(content) // 2]
    promised = len(half) if strike.options.get("announced") else len(content)
    return replace(strike.answer, value=half, promised=promised)


@register()
def wrong_gzip(strike: Strike) -> Answer | None:
    """A body that is not compressed, although its header says so."""
    return replace(strike.answer, value=strike.answer.content, encoding="gzip")


@register(replaces=True)
def error_500(strike: Strike) -> Answer | None:
    if strike.request.provider == "stats":
        return Answer({"Message": "An error has occurred."}, 500)
    return Answer("<h1>500 Internal Server Error</h1>", 500, HTML)


@register(replaces=True)
def error_502(strike: Strike) -> Answer | None:
    return Answer("<h1>502 Bad Gateway</h1>", 502, HTML)


@register(replaces=True)
def error_503(strike: Strike) -> Answer | None:
    return Answer("<h1>503 Service Unavailable</h1>", 503, HTML)


@register(replaces=True)
def too_many_429(strike: Strike) -> Answer | None:
    """Too many requests. `retry_after` is the number of seconds of the header; without it, none."""
    answer = Answer("<h1>429 Too Many Requests</h1>", 429, HTML)
    if strike.request.provider == "odds":
        answer = error_answer(429, "EXCEEDED_FREQ_LIMIT", "Requests are coming too fast.")
    seconds = strike.options.get("retry_after")
    return answer if seconds is None else replace(answer, headers={"Retry-After": str(seconds)})


@register("odds")
def out_of_credits(strike: Strike) -> Answer | None:
    """The credits end after `after` paid requests, by default at once."""
    if not strike.answer.cost:
        return None
    fault: Fault = strike.options["fault"]
    if fault.passed < strike.options.get("after", 0):
        fault.passed += 1
        return None
    return error_answer(401, "OUT_OF_USAGE_CREDITS", "Usage quota has been reached.")


def _is_chosen_event(strike: Strike) -> bool:
    """Return whether the request is for the odds of an event: of `game_id`, or of any."""
    path = strike.request.path
    if not ("/events/" in path and path.endswith("/odds")):
        return False
    chosen = strike.options.get("game_id")
    found = None if chosen is None else strike.moment.game(chosen)
    return chosen is None or (found is not None and event_id(found[1]) in path)


@register("odds", replaces=True)
def event_not_found(strike: Strike) -> Answer | None:
    """The event is gone: that of `game_id`, or all."""
    if not _is_chosen_event(strike):
        return None
    return error_answer(404, "EVENT_NOT_FOUND", "Event not found. The event may have expired.")


@register("odds", replaces=True)
def invalid_market(strike: Strike) -> Answer | None:
    """The market is refused for the event of `game_id`, or for all."""
    if not _is_chosen_event(strike):
        return None
    return error_answer(422, "INVALID_MARKET", "Markets not supported by this endpoint.")
