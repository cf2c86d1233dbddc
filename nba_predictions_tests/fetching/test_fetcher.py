"""What the fetcher asks for, what it does not ask for again, and what it says."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from nba_predictions.domain.errors import SettingsError, StorageError
from nba_predictions.domain.league.games import make_game_id
from nba_predictions.fetching.port import FetchReport, NothingToFetch
from nba_predictions.inputs.landing.zone import LandingZone
from nba_predictions_tests.fetching.conftest import DAY, Live, eastern
from nba_predictions_tests.standins.live import Fault
from nba_predictions_tests.standins.live.odds import event_id
from nba_predictions_tests.standins.live.season import Game

HOURS = timedelta(hours=1)


def asked(report: FetchReport) -> set[str]:
    return {answer.resource.split(" ")[0] for answer in report.answers}


def game_id(game: Game) -> str:
    return make_game_id(game.day, game.away, game.home)


class TestMinimumAges:
    """The zone has answers of 16:40."""

    @pytest.mark.parametrize(
        ("minute", "expected"),
        [
            # The newest report is that of 16:30, and it is landed.
            (42, {"events"}),
            (46, {"events", "report"}),
            (56, {"events", "report", "schedule"}),
        ],
    )
    def test_within_the_hour(self, live: Live, minute: int, expected: set[str]) -> None:
        live.at(eastern(16, minute))
        report = live.fetch()
        assert asked(report) == expected
        assert report.credits == 0
        assert not report.problems

    def test_later(self, live: Live) -> None:
        live.at(eastern(17, 11))
        assert asked(live.fetch()) == {"events", "report", "schedule", "leaguegamelog"}
        live.at(eastern(19, 41))
        # The lines are older than three hours, and some games have begun.
        report = live.fetch()
        assert "odds" in asked(report)
        begun = sum(game.tipoff <= eastern(19, 41) for game in live.games())
        assert report.credits == len(live.games()) - begun
        day = DAY + timedelta(days=1)
        live.at(eastern(16, 50, day=day))
        assert "playerindex" in asked(live.fetch(day))

    def test_the_events_are_young(self, live: Live) -> None:
        live.at(eastern(16, 40) + timedelta(seconds=50))
        assert asked(live.fetch()) == set()

    def test_a_file_that_was_removed(self, live: Live) -> None:
        live.at(eastern(16, 41))
        for path in (live.folder / "nba_stats/playerindex").rglob("*.gz"):
            path.unlink()
        assert "playerindex" in asked(live.fetch())

    def test_a_clock_that_was_set_back(self, live: Live) -> None:
        """Answers of the future are not young."""
        live.at(eastern(12))
        report = live.fetch()
        assert {"schedule", "leaguegamelog", "playerindex", "events"} <= asked(report)
        assert report.as_of >= eastern(16, 40)
        assert not live.source(report).schedule(DAY).is_empty()

    def test_the_roster_fails_each_time(self, live: Live) -> None:
        """It costs one request per fetch, and the former one is used."""
        for path in (live.folder / "requests").rglob("*.json"):
            path.unlink()
        live.break_it(Fault("renamed_headers", "stats", columns={"PERSON_ID": "ID"}))
        for hour in (17, 18):
            live.at(eastern(hour))
            report = live.fetch()
            assert live.asked("stats", "playerindex") == 1
            (problem,) = [p for p in report.problems if "playerindex" in p]
            assert "PERSON_ID are missing; the answer of 2026-01-15 16:40" in problem
            assert not live.source(report).roster(DAY).is_empty()


class TestLines:
    def test_only_games_that_lack_them(self, live: Live) -> None:
        first, second = live.games()[:2]
        live.forget("odds_api")
        missing = [Fault("invalid_market", "odds", game_id=g.game_id) for g in (first, second)]
        live.break_it(*missing)
        assert live.fetch().credits == len(live.games()) - 2
        live.break_it()
        live.at(eastern(17, 5))
        report = live.fetch()
        assert report.credits == 2
        assert live.asked("odds", "/odds") == 2
        assert live.asked("odds", event_id(first)) == live.asked("odds", event_id(second)) == 1

    def test_lines_of(self, live: Live) -> None:
        """Old lines of the named games only. Home and away do not matter."""
        chosen = live.games()[:2]
        names = [game_id(chosen[0]), make_game_id(DAY, chosen[1].home, chosen[1].away)]
        live.at(eastern(17, 5))
        young = live.fetch(lines_of=names)
        assert young.credits == 0
        live.at(eastern(17, 6))
        report = live.fetch(lines_of=names, lines_max_age=timedelta(minutes=2))
        assert report.credits == 2
        assert {a.resource for a in report.answers if a.cost} == {
            f"odds {DAY}.{event_id(game)}" for game in chosen
        }
        live.at(eastern(17, 9))
        assert live.fetch(lines_of=[], lines_max_age=timedelta(minutes=2)).credits == 0

    def test_no_lines_yet(self, live: Live) -> None:
        """Books offer a game two days before. An answer without markets costs nothing."""
        day = DAY + timedelta(days=1)
        live.at(eastern(10))
        report = live.fetch(day)
        odds = [a for a in report.answers if a.resource.startswith("odds ")]
        assert len(odds) == len(live.games(day))
        assert report.credits == 0
        live.at(eastern(15))
        assert live.fetch(day).credits == len(live.games(day))

    def test_games_that_have_begun(self, live: Live) -> None:
        live.at(eastern(23))
        live.fetch(lines_max_age=timedelta())
        assert live.asked("odds", "/odds") == 0

    def test_a_game_that_moved_over_midnight(self, live: Live) -> None:
        """The event list of the date does not have it. It is asked for on its new date."""
        game = live.games()[0]
        live.forget("odds_api")
        late = eastern(0, 10, day=DAY + timedelta(days=1))
        seconds = int((late - game.tipoff).total_seconds())
        live.break_it(Fault("moved_commence_time", "odds", seconds=seconds))
        report = live.fetch()
        # The others moved as far, to 00:10 and later.
        assert report.credits == 0

    @pytest.mark.parametrize("day", [date(2025, 11, 2), date(2026, 3, 8)])
    def test_days_of_23_and_25_hours(self, empty: Live, day: date) -> None:
        empty.at(eastern(12, day=day))
        report = empty.fetch(day)
        assert report.credits == len(empty.games(day)) > 0
        assert not report.problems


class TestCheck:
    def test_each_service_is_asked_whatever_is_landed(self, live: Live) -> None:
        live.at(eastern(16, 40) + timedelta(seconds=30))
        report = live.fetcher.check(DAY, run_id="check")
        assert not report.problems
        services = {answer.provider for answer in report.answers}
        assert services == {"nba_stats", "nba_cdn", "espn", "odds_api", "injury_report"}
        assert report.credits == 1
        resources = [answer.resource for answer in report.answers]
        assert len(resources) == len(set(resources))
        assert live.asked("injury") == 1

    def test_a_day_without_games(self, live: Live) -> None:
        live.at(eastern(12, day=date(2025, 8, 5)))
        report = live.fetcher.check(date(2025, 8, 5), run_id="check")
        assert live.asked("stats") == 2
        assert report.credits == 0


class TestSeasons:
    def test_a_date_of_a_past_season(self, live: Live) -> None:
        """All kinds of its season are asked for, also if the current season has fewer."""
        live.at(eastern(12, day=date(2026, 11, 25)))
        day = date(2026, 5, 1)
        report = live.fetcher.fetch_results(day, run_id="repair")
        logs = {a.resource for a in report.answers if a.resource.startswith("leaguegamelog")}
        assert logs == {
            f"leaguegamelog 2025-26.{kind}"
            for kind in ("regular-season", "cup", "play-in", "playoffs")
        }
        # The season is over. Its logs are not asked for again on the same day.
        live.at(eastern(11, day=date(2026, 11, 26)))
        report = live.fetcher.fetch_results(day, run_id="repair")
        assert "leaguegamelog" not in asked(report)

    def test_the_playoffs(self, live: Live) -> None:
        day = max(game.day for game in live.season.games if game.kind == "4")
        live.at(eastern(23, 50, day=day))
        report = live.fetch(day)
        assert "leaguegamelog 2025-26.playoffs" in {a.resource for a in report.answers}
        assert not [p for p in report.problems if "schedule" in p]
        # After the last game.
        live.at(eastern(12, day=day + timedelta(days=10)))
        assert not live.fetch(day + timedelta(days=10)).problems


class TestReport:
    def test_it(self, live: Live) -> None:
        report = live.fetch()
        assert report.as_of >= max(a.fetched_at for a in report.answers if a.fetched_at)
        assert report.requests == len(report.answers)
        assert report.credits_left_today == 64 - len(live.games())
        assert report.credits_left_this_month == 500 - len(live.games())
        kinds = {answer.kind for answer in report.answers}
        assert kinds == {"schedule", "injuries", "points_lines"}
        (schedule,) = [a for a in report.answers if a.kind == "schedule"]
        assert schedule.source_time == eastern(17)

    def test_without_a_key(self, live: Live) -> None:
        live.configure(odds_api_key=None)
        report = live.fetch()
        assert (report.credits_left_today, report.credits_left_this_month) == (None, None)

    def test_no_connection_to_any_service(self, live: Live) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            url = f"http://127.0.0.1:{server.getsockname()[1]}"
        addresses: dict[str, Any] = dict.fromkeys(live.standin.urls, url)
        live.configure(**addresses)
        report = live.fetch()
        assert {answer.outcome for answer in report.answers} == {"failed"}
        assert live.source(report).prop_lines(DAY).height > 0

    def test_a_zone_that_cannot_be_written(
        self, live: Live, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(zone: LandingZone, path: str, content: bytes) -> None:
            raise StorageError("the disk is full")

        monkeypatch.setattr(LandingZone, "_write", full)
        with pytest.raises(StorageError):
            live.fetch()

    def test_secrets_are_in_no_repr(self, live: Live) -> None:
        assert "standin-key" not in repr(live.fetcher.services) + repr(live.fetcher)


NOTHING: list[Callable[[NothingToFetch], object]] = [
    lambda nothing: nothing.check(DAY, run_id="x"),
    lambda nothing: nothing.seed(1, run_id="x", progress=print),
]


def test_nothing_to_fetch() -> None:
    nothing = NothingToFetch("files")
    assert nothing.fetch_inputs(DAY, run_id="x").answers == ()
    assert nothing.fetch_results(DAY, run_id="x").requests == 0
    assert isinstance(nothing.fetch_results(DAY, run_id="x").as_of, datetime)
    for ask in NOTHING:
        with pytest.raises(SettingsError, match="set NBA_PREDICTIONS_SOURCE=live"):
            ask(nothing)
