"""A live league on a stand-in: the zone of a day, a fetcher, and a clock that stands."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from nba_predictions.domain import clock
from nba_predictions.domain.league.games import EASTERN
from nba_predictions.fetching.fetcher import LiveFetcher, Services
from nba_predictions.fetching.port import FetchReport
from nba_predictions.fetching.transport import RequestsTransport
from nba_predictions.inputs.landing.source import LiveSource
from nba_predictions.inputs.landing.zone import LandingZone
from nba_predictions.inputs.simulated import SimulatedLeague
from nba_predictions_tests.standins.live import API_KEY, LiveStandIn, SimulatedSeasons

DAY = date(2026, 1, 15)
YESTERDAY = DAY - timedelta(days=1)
#: Long enough for an answer on a busy machine, and shorter than a request that hangs.
TIMEOUT_SECONDS, HANG_SECONDS = 5.0, 30.0


def eastern(hour: int, minute: int = 0, day: date = DAY) -> datetime:
    return datetime.combine(day, time(hour, minute), EASTERN)


def at(moment: datetime) -> None:
    """Let the clock start at a moment."""
    clock.start_at(moment)


@dataclass
class LiveLeague:
    """A landing zone, and the services that it is filled from.

    `slept` has the waits of the fetcher, which takes none of them.
    """

    server: LiveStandIn
    zone: LandingZone
    services: Services
    slept: list[float] = field(default_factory=list)

    @property
    def source(self) -> LiveSource:
        """A source that has read nothing yet, as known now."""
        return LiveSource(self.zone).known_at(clock.utc_now())

    def fetcher(self, timeout_seconds: float = TIMEOUT_SECONDS) -> LiveFetcher:
        return LiveFetcher(
            self.zone,
            self.services,
            LiveSource(self.zone),
            lambda: RequestsTransport(timeout_seconds),
            sleep=self.slept.append,
        )

    def fetch(self, game_date: date = DAY, **options: object) -> FetchReport:
        timeout = float(str(options.pop("timeout_seconds", TIMEOUT_SECONDS)))
        return self.fetcher(timeout).fetch_inputs(game_date, run_id="run", **options)  # type: ignore[arg-type]

    def good_files(self) -> set[str]:
        """Return the answers that are inputs."""
        root = Path(str(self.zone.folder))
        files = {str(path.relative_to(root)) for path in root.rglob("*.gz")}
        return {name for name in files if not name.startswith("quarantine")}

    def quarantined(self) -> set[str]:
        root = Path(str(self.zone.folder)) / "quarantine"
        return {str(path.relative_to(root)) for path in root.rglob("*.gz")}


@pytest.fixture(scope="session")
def seasons() -> SimulatedSeasons:
    # Teams of nine players make a season of half the size.
    return SimulatedSeasons(SimulatedLeague(players_per_team=9))


@pytest.fixture(scope="session")
def seeded(seasons: SimulatedSeasons, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The landing zone at noon of the day before, with its lines."""
    folder = tmp_path_factory.mktemp("landing")
    with mock.patch.dict(os.environ):
        at(eastern(12, day=YESTERDAY))
        with LiveStandIn(seasons, corrections=False) as server:
            league = LiveLeague(server, LandingZone(folder), services_of(server))
            report = league.fetch(YESTERDAY)
            assert report.problems == ()
    return folder


def services_of(server: LiveStandIn) -> Services:
    server.account.calls_per_second = 10**6
    urls: dict[str, Any] = dict(server.urls)
    return Services(
        **urls,
        odds_api_key=API_KEY,
        pause_seconds=0.0,
        credits_per_day=100,
        credits_per_month=1000,
    )


@contextmanager
def live_league(
    seeded: Path, seasons: SimulatedSeasons, folder: Path, hang_seconds: float = HANG_SECONDS
) -> Iterator[LiveLeague]:
    """Yield the league at seven in the morning, with the answers of the day before."""
    shutil.copytree(seeded, folder)
    with (
        mock.patch.dict(os.environ),
        LiveStandIn(seasons, corrections=False, hang_seconds=hang_seconds) as server,
    ):
        at(eastern(7))
        yield LiveLeague(server, LandingZone(folder), services_of(server))


@pytest.fixture
def league(seeded: Path, seasons: SimulatedSeasons, tmp_path: Path) -> Iterator[LiveLeague]:
    with live_league(seeded, seasons, tmp_path / "landing") as found:
        yield found


def without_key(league: LiveLeague) -> LiveLeague:
    return replace(league, services=replace(league.services, odds_api_key=None))
