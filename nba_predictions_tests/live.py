"""A pipeline with live sources whose clock a test moves, a stand-in of the services, and a history.

The league is small, and its season is three weeks old. A test gets copies of what takes long to
make: the landed history with trained models, and a home after its first prediction.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from nba_predictions.cli.fetching import seed_history
from nba_predictions.cli.pipeline import Pipeline
from nba_predictions.cli.startup import load_settings
from nba_predictions.domain import clock
from nba_predictions.domain.betting.slate import Game
from nba_predictions.domain.league.games import EASTERN
from nba_predictions.domain.tables import PREDICTIONS, Table
from nba_predictions.nightly.slate import games_of
from nba_predictions.orchestration.jobs import nightly_predictions
from nba_predictions.settings import Settings
from nba_predictions_tests.leagues import small_league
from nba_predictions_tests.standins.live import Fault, LiveStandIn, SimulatedSeasons
from nba_predictions_tests.standins.live.odds import event_id
from nba_predictions_tests.standins.live.server import Seen

#: A Tuesday with six games: two each at 19:00, 19:30 and 20:30 Eastern.
DAY = date(2026, 11, 10)
SEASON = "2026-27"
#: The variables that a test of a live day sets, and the clock.
_VARIABLES = ("NOW", "HOME", "SOURCE", "LANDING", "ODDS_POLLS", "ODDS_CREDITS_PER_DAY")


def eastern(hour: int, minute: int = 0, day: date = DAY) -> datetime:
    return datetime.combine(day, time(hour, minute), tzinfo=EASTERN)


@dataclass
class Live:
    """A home, the stand-in that its pipeline asks, and the actions of the daemon."""

    home: Path
    standin: LiveStandIn
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables of the pipeline; also for commands in other processes."""
        return {
            **self.standin.environment,
            "NBA_PREDICTIONS_SOURCE": "live",
            "NBA_PREDICTIONS_HOME": str(self.home),
            "NBA_PREDICTIONS_REQUEST_PAUSE_SECONDS": "0",
            "NBA_PREDICTIONS_REQUEST_TIMEOUT_SECONDS": "5",
            "DAGSTER_HOME": str(self.home / "dagster"),
            **self.variables,
        }

    @property
    def settings(self) -> Settings:
        os.environ.update(self.environment)
        return load_settings()

    @property
    def landing(self) -> Path:
        return Path(self.settings.landing)

    @contextmanager
    def pipeline(self) -> Iterator[Pipeline]:
        with Pipeline(self.settings) as pipeline:
            yield pipeline

    # The time

    def at(self, hour: int, minute: int = 0, day: date = DAY) -> datetime:
        """Move the clock to an Eastern time, and return it."""
        moment = eastern(hour, minute, day)
        clock.start_at(moment)
        return moment

    # Actions

    def tick(self, *sensors: str) -> int:
        """Evaluate sensors once and run what they request; return the number of runs."""
        with self.pipeline() as pipeline:
            return sum(pipeline.tick(sensor) for sensor in sensors or ("follow_live_day",))

    def run(self, job: str = nightly_predictions.name, day: date = DAY, **options: Any) -> bool:
        with self.pipeline() as pipeline:
            return pipeline.execute(job, day, **options)

    def publish(self, day: date = DAY) -> bool:
        with self.pipeline() as pipeline:
            return pipeline.publish(day)

    # What happened

    def games(self, day: date = DAY) -> list[Game]:
        with self.pipeline() as pipeline:
            return sorted(games_of(pipeline.league.schedule(day)), key=lambda g: str(g.tipoff))

    def table(self, name: str = "player_prop_predictions") -> pl.DataFrame:
        """Return the whole table, ordered by its key."""
        import duckdb

        with duckdb.connect(str(self.home / "warehouse.duckdb"), read_only=True) as connection:
            frame = pl.DataFrame(connection.sql(f"SELECT * FROM {name}").to_arrow_table())
        return frame.sort("game_date", "player_lookup", "system_id", "points_line")

    def rows(self, table: Table = PREDICTIONS, day: date = DAY) -> int:
        with self.pipeline() as pipeline:
            counted = pipeline.warehouse.query("rows_of_date", table, partition=day)
            return int(counted.to_pylist()[0]["row_count"])

    def runs(self, job: str | None = None) -> list[dg.DagsterRun]:
        """Return the runs, oldest first."""
        with self.pipeline() as pipeline:
            return list(reversed(pipeline.instance.get_runs(dg.RunsFilter(job_name=job))))

    def checks(self, name: str, run_id: str | None = None) -> list[dg.AssetCheckEvaluation]:
        """Return the evaluations of a check, oldest first; by default of the newest run."""
        with self.pipeline() as pipeline:
            run_id = run_id or pipeline.instance.get_runs(limit=1)[0].run_id
            entries = pipeline.instance.all_logs(
                run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
            )
            found = [e.dagster_event.event_specific_data for e in entries if e.dagster_event]
            return [
                each
                for each in found
                if isinstance(each, dg.AssetCheckEvaluation) and each.check_name == name
            ]

    def metadata(self, asset: str, day: date = DAY) -> dict[str, Any]:
        """Return the metadata of the newest materialization of an asset for a date."""
        with self.pipeline() as pipeline:
            records = pipeline.instance.fetch_materializations(
                dg.AssetRecordsFilter(
                    asset_key=dg.AssetKey(asset), asset_partitions=[day.isoformat()]
                ),
                limit=1,
            ).records
            found = records[0].asset_materialization
            assert found is not None
            return {name: value.value for name, value in found.metadata.items()}

    def asked_for_lines(self, since: int = 0) -> list[str]:
        """Return the games whose lines were asked for, in order.

        Args:
            since: the number of requests to leave out.
        """
        names = {event_id(game): f"{game.away}_{game.home}" for game in self._season_games()}
        asked = (r for r in self.standin.requests[since:] if is_for_lines(r))
        return [names[request.path.split("/")[-2]] for request in asked]

    def _season_games(self) -> list[Any]:
        season = self.standin.seasons.season(SEASON)
        assert season is not None
        return list(season.games)


def is_for_lines(request: Seen) -> bool:
    return request.provider == "odds" and request.path.endswith("/odds")


@contextmanager
def live_environment() -> Iterator[pytest.MonkeyPatch]:
    """Remove the variables of the pipeline, and restore them and the clock at the end."""
    with pytest.MonkeyPatch.context() as patch:
        inherited = [name for name in os.environ if name.startswith("NBA_PREDICTIONS_")]
        # Set first, so that they are removed at the end.
        names = {*inherited, "DAGSTER_HOME", "_NBA_PREDICTIONS_CLOCK_STARTED"}
        names |= {f"NBA_PREDICTIONS_{name}" for name in _VARIABLES}
        names |= {*LiveStandIn().environment} | {
            "NBA_PREDICTIONS_REQUEST_PAUSE_SECONDS",
            "NBA_PREDICTIONS_REQUEST_TIMEOUT_SECONDS",
        }
        for name in names:
            patch.setenv(name, "")
            if not name.startswith("NBA_PREDICTIONS_TEST"):
                os.environ.pop(name)
        yield patch


def new_standin(**options: Any) -> LiveStandIn:
    """Return a stand-in of a small league. A corrected box score would change all features."""
    arguments = {"hang_seconds": 20.0, "corrections": False, **options}
    return LiveStandIn(SimulatedSeasons(small_league()), **arguments)


@dataclass(frozen=True)
class Bases:
    """Homes to copy: `seeded` has the history and the models, `predicted` the first prediction."""

    seeded: Path
    predicted: Path


@pytest.fixture(scope="session")
def live_bases(tmp_path_factory: pytest.TempPathFactory) -> Bases:
    """Seed a history until the morning of DAY, and predict at 07:00."""
    folder = tmp_path_factory.mktemp("live")
    with live_environment(), new_standin() as standin:
        live = Live(folder / "predicted", standin)
        live.at(6, 50)
        assert seed_history(live.settings, 1, injuries=False) == 0
        shutil.copytree(live.home / "landing", folder / "seeded" / "landing")
        live.at(7)
        assert live.tick() == 1
        assert live.publish()
        shutil.copytree(live.home / "models", folder / "seeded" / "models")
    return Bases(folder / "seeded", folder / "predicted")


@pytest.fixture
def live_variables() -> Iterator[pytest.MonkeyPatch]:
    with live_environment() as patch:
        yield patch


@pytest.fixture
def standin(live_variables: pytest.MonkeyPatch) -> Iterator[LiveStandIn]:
    with new_standin() as standin:
        yield standin


@pytest.fixture
def live(live_bases: Bases, standin: LiveStandIn, tmp_path: Path) -> Live:
    """Return a home with a history, at 06:55 Eastern of DAY."""
    home = tmp_path / "home"
    shutil.copytree(live_bases.seeded, home)
    live = Live(home, standin)
    live.at(6, 55)
    return live


@pytest.fixture
def predicted(live_bases: Bases, standin: LiveStandIn, tmp_path: Path) -> Live:
    """Return a home whose first prediction was at 07:00 of DAY, a quarter of an hour later."""
    home = tmp_path / "home"
    shutil.copytree(live_bases.predicted, home)
    live = Live(home, standin)
    live.at(7, 15)
    return live


__all__ = ["DAY", "SEASON", "Fault", "Live", "eastern", "is_for_lines"]
