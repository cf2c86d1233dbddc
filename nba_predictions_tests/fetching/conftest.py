"""A landing zone on a game day, the stand-in of the services, and a fetcher between them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path

import pytest

from nba_predictions.domain.league.games import EASTERN
from nba_predictions.fetching.fetch import Services
from nba_predictions.fetching.fetcher import LiveFetcher
from nba_predictions.fetching.port import FetchReport
from nba_predictions.fetching.transport import RequestsTransport
from nba_predictions.inputs.landing.source import LiveSource
from nba_predictions.inputs.landing.zone import LandingZone, Resource
from nba_predictions.inputs.port import LeagueSource
from nba_predictions.inputs.simulated import SimulatedLeague
from nba_predictions_tests.fetching.toys import set_clock
from nba_predictions_tests.standins.live import API_KEY, Fault, LiveStandIn, SimulatedSeasons
from nba_predictions_tests.standins.live.season import Game, Season

#: A day of the simulated league with games on it and on the days around it.
DAY = date(2026, 1, 15)
SEASON = "2025-26"
#: Of a request, in seconds. Tests of services that hang have a shorter one.
TIMEOUT, SHORT_TIMEOUT = 20.0, 0.5
SEASONS = SimulatedSeasons(
    SimulatedLeague(players_per_team=8, line_share=0.5, seasons_of_history=0)
)


def eastern(hour: int, minute: int = 0, day: date = DAY) -> datetime:
    return datetime.combine(day, time(hour, minute), EASTERN)


def _live(league: LeagueSource) -> LiveSource:
    assert isinstance(league, LiveSource)
    return league


@dataclass
class Live:
    """The services, the landing zone, and what fetches and reads.

    Attributes:
        slept: the pauses of the fetcher, in seconds. It does not really sleep.
    """

    standin: LiveStandIn
    zone: LandingZone
    monkeypatch: pytest.MonkeyPatch
    fetcher: LiveFetcher = field(init=False)
    slept: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.configure()

    @property
    def folder(self) -> Path:
        return Path(str(self.zone.folder))

    @property
    def league(self) -> LiveSource:
        return _live(self.fetcher.league)

    def at(self, moment: datetime) -> Live:
        """Set the clocks of the pipeline and of the services."""
        set_clock(self.monkeypatch, moment)
        self.standin.now = moment
        self.standin.requests.clear()
        self.slept.clear()
        return self

    def fetch(self, day: date = DAY, **options: object) -> FetchReport:
        return self.fetcher.fetch_inputs(day, run_id="run", **options)  # type: ignore[arg-type]

    def source(self, report: FetchReport) -> LiveSource:
        """Return what is known after a fetch."""
        return self.league.known_at(report.as_of)

    def break_it(self, *faults: Fault) -> None:
        self.standin.faults = list(faults)

    def forget(self, provider: str) -> None:
        """Remove the answers of a provider, and the records of all of them."""
        for name in (provider, "requests"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def quarantined(self, provider: str) -> list[Path]:
        return [p for p in (self.folder / "quarantine" / provider).rglob("*") if p.is_file()]

    def asked(self, provider: str, part: str = "") -> int:
        return len(self.standin.requests_to(provider, part))

    def versions(self, *resource: str) -> int:
        return len(self.zone.versions(Resource(*resource)))

    @property
    def season(self) -> Season:
        season = self.standin.seasons.season(SEASON)
        assert season is not None
        return season

    def games(self, day: date = DAY) -> list[Game]:
        return self.season.by_day[day]

    def configure(self, timeout: float = TIMEOUT, **changes: object) -> None:
        """Use a fetcher with other settings."""
        league = self.league if hasattr(self, "fetcher") else None
        self.fetcher = fetcher_of(self.standin, self.zone, self.slept, timeout, league, **changes)


def services_of(standin: LiveStandIn, **changes: object) -> Services:
    values: dict[str, object] = {
        **standin.urls,
        "odds_api_key": API_KEY,
        "pause_seconds": 0.0,
        "credits_per_day": 64,
        "credits_per_month": 500,
    }
    return Services(**{**values, **changes})  # type: ignore[arg-type]


def fetcher_of(
    standin: LiveStandIn,
    zone: LandingZone,
    slept: list[float],
    timeout: float = TIMEOUT,
    league: LiveSource | None = None,
    **changes: object,
) -> LiveFetcher:
    return LiveFetcher(
        zone,
        services_of(standin, **changes),
        league or LiveSource(zone),
        lambda: RequestsTransport(timeout),
        sleep=lambda seconds: slept.append(seconds),
    )


@pytest.fixture(scope="session")
def before(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, LiveSource]:
    """Return the landing zone of 16:40 Eastern on DAY, when all was well, and its reader."""
    folder = tmp_path_factory.mktemp("before") / "landing"
    with LiveStandIn(SEASONS, eastern(16, 40)) as standin, pytest.MonkeyPatch.context() as patch:
        set_clock(patch, eastern(16, 40))
        fetcher = fetcher_of(standin, LandingZone(folder), [])
        report = fetcher.fetch_inputs(DAY, run_id="before")
        assert not report.problems
        return folder, _live(fetcher.league)


@pytest.fixture
def standin() -> Iterator[LiveStandIn]:
    with LiveStandIn(SEASONS, eastern(17), hang_seconds=2.0) as standin:
        yield standin


@pytest.fixture
def empty(standin: LiveStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Live:
    """Services at 17:00 Eastern on DAY, and an empty zone."""
    return Live(standin, LandingZone(tmp_path / "landing"), monkeypatch).at(eastern(17))


@pytest.fixture
def live(empty: Live, before: tuple[Path, LiveSource]) -> Live:
    """Services at 17:00 Eastern on DAY, and a zone with the answers of 16:40."""
    folder, league = before
    shutil.copytree(folder, empty.folder)
    # The answers have the same paths in all copies of the zone. They are converted once.
    empty.league._answers._results.update(league._answers._results)
    return empty
