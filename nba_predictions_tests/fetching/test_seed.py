"""The history: progress, no request for what is landed, and resumed after any interruption."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta

import pytest

from nba_predictions.fetching.port import FetchReport
from nba_predictions.fetching.transport import Answer, RequestsTransport
from nba_predictions.inputs.landing.zone import Resource
from nba_predictions_tests.fetching.conftest import SEASON, TIMEOUT, Live, eastern
from nba_predictions_tests.standins.live import Fault

#: Some days into the second season, so that there are few reports.
TODAY = date(2025, 10, 26)
LOGS = ("regular-season", "cup", "play-in", "playoffs")


@pytest.fixture
def seeded(empty: Live) -> Live:
    return empty.at(eastern(12, day=TODAY))


def seed(live: Live, seasons: int = 1, **options: bool) -> tuple[FetchReport, list[str]]:
    live.standin.requests.clear()
    lines: list[str] = []
    report = live.fetcher.seed(seasons, run_id="seed", progress=lines.append, **options)
    return report, lines


def game_days(live: Live) -> list[date]:
    return [day for day in sorted(live.season.by_day) if day < TODAY]


def test_a_season(seeded: Live) -> None:
    report, lines = seed(seeded)
    days = game_days(seeded)
    assert not report.problems
    assert lines[0].startswith(f"{SEASON} regular-season: ")
    assert (
        lines[-1] == f"{SEASON} injury reports: {len(days)} of {len(days)} days, {len(days)} there"
    )
    assert seeded.zone.keys("injury_report", "report") == [f"{day}.17_30" for day in days]
    assert seeded.asked("injury") == len(days) > 2
    assert not seeded.asked("odds")
    assert report.credits == 0


def test_what_is_landed_is_not_asked_for(seeded: Live) -> None:
    seed(seeded)
    seeded.at(eastern(12, 10, day=TODAY))
    report, lines = seed(seeded)
    assert report.requests == 0
    assert lines[0] == f"{SEASON} regular-season: there already"
    # An hour later, the current season has changed.
    seeded.at(eastern(13, day=TODAY))
    report, lines = seed(seeded)
    assert {a.resource.split(" ")[0] for a in report.answers} == {"schedule", "leaguegamelog"}


def test_past_seasons(seeded: Live) -> None:
    _, lines = seed(seeded, 2, injuries=False)
    assert [line.split(":")[0] for line in lines] == [
        *(f"2024-25 {kind}" for kind in LOGS),
        f"{SEASON} regular-season",
    ]
    seeded.at(eastern(13, day=TODAY))
    _, lines = seed(seeded, 2, injuries=False)
    assert lines[:4] == [f"2024-25 {kind}: there already" for kind in LOGS]
    assert seeded.asked("stats") == 1


def test_a_past_season_whose_answer_came_within_it(seeded: Live) -> None:
    """It was fetched each day until February, and then not any more."""
    february = date(2025, 2, 10)
    seeded.at(eastern(12, day=february))
    seeded.fetcher.fetch_results(february, run_id="old")
    resource = Resource("nba_stats", "leaguegamelog", "2024-25.regular-season")
    assert len(seeded.zone.versions(resource)) == 1
    seeded.at(eastern(12, day=TODAY))
    seed(seeded, 2, injuries=False)
    assert len(seeded.zone.versions(resource)) == 2
    newest = seeded.league.known_at(eastern(13, day=TODAY))
    assert not newest.box_scores(date(2025, 4, 1)).is_empty()


def test_reports_that_do_not_exist_are_not_asked_for_again(seeded: Live) -> None:
    days = game_days(seeded)
    seeded.break_it(Fault("report_third_name", "injury", match=f"{days[0]}"))
    report, lines = seed(seeded)
    assert not report.problems
    assert lines[-1].endswith(f"{len(days) - 1} there")
    seeded.break_it()
    seeded.at(eastern(12, 10, day=TODAY))
    seed(seeded)
    assert seeded.asked("injury") == 0
    # After a month, they are.
    seeded.at(eastern(12, day=TODAY + timedelta(days=40)))
    seed(seeded)
    assert seeded.asked("injury", f"{days[0]}") == 1


def test_a_service_that_does_not_answer(seeded: Live) -> None:
    seeded.break_it(Fault("error_503", "injury"))
    report, lines = seed(seeded)
    assert lines[-1] == f"{SEASON} injury reports: the service does not answer"
    assert seeded.asked("injury") == 9
    assert any("injury_report does not answer" in problem for problem in report.problems)
    seeded.break_it(Fault("error_503", "stats"))
    seeded.forget("nba_stats")
    report, lines = seed(seeded)
    assert lines[0] == f"{SEASON} regular-season: not fetched"


def test_a_report_that_cannot_be_used(seeded: Live) -> None:
    days = game_days(seeded)
    seeded.break_it(Fault("new_status", "injury", match=f"{days[0]}"))
    report, lines = seed(seeded)
    (problem,) = report.problems
    assert f"report {days[0]}.17_30: " in problem
    assert lines[-1].endswith(f"{len(days) - 1} there")


class Killed(BaseException):
    """The process ends here."""


class Mortal:
    """A transport whose process is killed at a request: before it is sent, or after its answer."""

    def __init__(self, lives: int, *, after: bool) -> None:
        self._inner, self._lives, self._after = RequestsTransport(TIMEOUT), lives, after

    def get(self, url: str, headers: Mapping[str, str]) -> Answer:
        self._lives -= 1
        if self._lives < 0 and not self._after:
            raise Killed
        answer = self._inner.get(url, headers)
        if self._lives < 0:
            raise Killed
        return answer


@pytest.mark.parametrize("after", [False, True])
def test_it_continues_after_an_interruption_at_any_request(seeded: Live, after: bool) -> None:
    kills = 0
    landed: Counter[str] = Counter()
    for _ in range(60):
        seeded.fetcher._transport = lambda: Mortal(1, after=after)
        seeded.standin.requests.clear()
        try:
            seed(seeded)
        except Killed:
            kills += 1
        else:
            break
        landed.update(seen.path for seen in seeded.standin.requests)
    else:
        raise AssertionError("it never ended")
    # Each process landed one answer, and no answer was asked for after it was landed.
    total = 3 + len(game_days(seeded))
    assert kills == total - 1
    assert max(landed.values()) <= (2 if after else 1)
    assert len(seeded.zone.keys("injury_report", "report")) == total - 3
