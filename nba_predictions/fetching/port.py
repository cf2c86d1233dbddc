"""The port for fetching: ask the services for the inputs of a date, and store the answers."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol

from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import SettingsError
from nba_predictions.domain.league.games import EASTERN

#: The first prediction of a date needs lines that are at most this old.
LINES_MAX_AGE = timedelta(hours=3)


@dataclass(frozen=True)
class Fetched:
    """The outcome of one request, or of several for one resource.

    Attributes:
        kind: the kind of input, for example `points_lines`.
        provider: the service that answered, for example `odds_api`.
        resource: what was asked for.
        outcome: a value of `Outcome` of the landing zone.
        source_time: the moment at which the answer was true, by its own words.
        fetched_at: when it arrived; None if nothing did.
        cost: credits.
        note: what a reader must know.
    """

    kind: str
    provider: str
    resource: str
    outcome: str
    source_time: datetime | None = None
    fetched_at: datetime | None = None
    cost: int = 0
    note: str = ""


@dataclass(frozen=True)
class FetchReport:
    """What one fetch did.

    Attributes:
        game_date: the date.
        as_of: a moment at which everything that was fetched is known.
        answers: the outcome of each request.
        requests: the number of requests.
        credits: their cost.
        credits_left_today, credits_left_this_month: what the budget still allows, None if nothing
            costs credits.
        problems: what an operator should know, one sentence each.
    """

    game_date: date
    as_of: datetime
    answers: tuple[Fetched, ...] = ()
    requests: int = 0
    credits: int = 0
    credits_left_today: int | None = None
    credits_left_this_month: int | None = None
    problems: tuple[str, ...] = ()

    @property
    def news(self) -> str:
        """Return what is new: kinds and services, with the newest moment that an answer states.

        >>> at = datetime(2026, 1, 15, 17, 30, tzinfo=timezone.utc)
        >>> new = Fetched("injuries", "injury_report", "report 2026-01-15.12_30", "new", at)
        >>> FetchReport(date(2026, 1, 15), at, (new,)).news
        'new: injuries of injury_report (12:30 ET)'
        >>> FetchReport(date(2026, 1, 15), at).news
        'nothing is new'
        """
        by_service: dict[tuple[str, str], list[Fetched]] = {}
        for answer in self.answers:
            if answer.outcome == "new" and not answer.resource.startswith("events "):
                by_service.setdefault((answer.kind, answer.provider), []).append(answer)
        texts = []
        for (kind, provider), answers in by_service.items():
            stated = max((a.source_time for a in answers if a.source_time), default=None)
            facts = [f"{len(answers)} answers"] if len(answers) > 1 else []
            facts += [f"{stated.astimezone(EASTERN):%H:%M} ET"] if stated else []
            texts.append(f"{kind} of {provider}" + (f" ({', '.join(facts)})" if facts else ""))
        return f"new: {', '.join(texts)}" if texts else "nothing is new"


class InputFetcher(Protocol):
    """Asks services for inputs. A fault of a service is in the report, and raises no error.

    One process fetches at a time; the caller holds a lease.
    """

    def fetch_inputs(
        self,
        game_date: date,
        *,
        run_id: str,
        lines_of: Collection[str] | None = None,
        lines_max_age: timedelta = LINES_MAX_AGE,
    ) -> FetchReport:
        """Fetch the schedule, box scores, roster, injury report and lines of a date.

        Args:
            game_date: the date.
            run_id: the run, for the index.
            lines_of: the game_ids whose lines are asked for again if they are older than
                `lines_max_age`; None for all games. The others are asked for only if they have
                none.
            lines_max_age: the age of lines that are not asked for again.
        """
        ...

    def fetch_results(self, game_date: date, *, run_id: str) -> FetchReport:
        """Fetch the schedule and the box scores of a past date."""
        ...

    def check(self, game_date: date, *, run_id: str) -> FetchReport:
        """Ask each service once, whatever is landed."""
        ...

    def seed(
        self,
        seasons: int,
        *,
        run_id: str,
        progress: Callable[[str], None],
        injuries: bool = True,
    ) -> FetchReport:
        """Fetch the history of a number of seasons. What is landed is not asked for again."""
        ...


@dataclass(frozen=True)
class NothingToFetch:
    """The fetcher of sources whose inputs are already there."""

    source: str

    def fetch_inputs(
        self,
        game_date: date,
        *,
        run_id: str,
        lines_of: Collection[str] | None = None,
        lines_max_age: timedelta = LINES_MAX_AGE,
    ) -> FetchReport:
        return FetchReport(game_date, utc_now())

    def fetch_results(self, game_date: date, *, run_id: str) -> FetchReport:
        return FetchReport(game_date, utc_now())

    def check(self, game_date: date, *, run_id: str) -> FetchReport:
        raise self._refused()

    def seed(
        self,
        seasons: int,
        *,
        run_id: str,
        progress: Callable[[str], None],
        injuries: bool = True,
    ) -> FetchReport:
        raise self._refused()

    def _refused(self) -> SettingsError:
        return SettingsError(
            f"the source {self.source} fetches nothing; set NBA_PREDICTIONS_SOURCE=live"
        )
