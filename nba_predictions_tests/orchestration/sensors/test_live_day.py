"""The sensor that follows a live day: which runs it requests when, and what a tick costs."""

from __future__ import annotations

import os
import shutil
import socket
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from nba_predictions.batch_store.sqlite_store import SQLiteBatchStore
from nba_predictions.definitions import build_definitions, build_resources
from nba_predictions.domain import clock
from nba_predictions.domain.batches.batch import BatchState
from nba_predictions.domain.league.games import EASTERN
from nba_predictions.inputs.importing import documents
from nba_predictions.inputs.landing.source import LiveSource
from nba_predictions.inputs.landing.zone import LandingZone, Outcome, RequestRecord, Resource
from nba_predictions.inputs.port import LeagueSource
from nba_predictions.orchestration.assets.grading import BOX_SCORES, prediction_results
from nba_predictions.orchestration.digests import box_scores_digest
from nba_predictions.orchestration.run_tags import PARTITION_TAG
from nba_predictions.settings import Settings
from nba_predictions_tests.dagster_internals import freeze_time
from nba_predictions_tests.e2e.pipeline import FramesLeague, two_game_league
from nba_predictions_tests.examples import batch
from nba_predictions_tests.live import DAY, Bases, Live, eastern
from nba_predictions_tests.standins.live import LiveStandIn

LONG_DAY, SHORT_DAY = date(2026, 11, 1), date(2027, 3, 14)
NEXT_DAY = DAY + timedelta(days=1)
FETCH, NIGHT, REFRESH = "fetch_inputs", "nightly_predictions", "refresh_predictions"
GRADE = "grade_predictions"


@dataclass
class Sensor:
    """The sensor with a source, on an instance in memory. What it requests is not run."""

    league: LeagueSource
    batches: SQLiteBatchStore
    settings: Settings
    instance: dg.DagsterInstance = field(default_factory=dg.DagsterInstance.ephemeral)

    def __post_init__(self) -> None:
        resources = {**build_resources(Settings()), "league": self.league}
        resources |= {"batches": self.batches, "settings": self.settings}
        definitions = build_definitions(resources)
        self._sensor = definitions.resolve_sensor_def("follow_live_day")
        self._repository = definitions.get_repository_def()
        needed = self._sensor.required_resource_keys
        self._resources = {name: resources[name] for name in needed}

    def tick(self, moment: datetime) -> list[dg.RunRequest]:
        """Evaluate the sensor at a moment; without requests it must say why."""
        clock.start_at(moment)
        with (
            # The last partition is that of today.
            freeze_time(moment.astimezone(timezone.utc)),
            dg.build_sensor_context(
                instance=self.instance, repository_def=self._repository, resources=self._resources
            ) as context,
        ):
            data = self._sensor.evaluate_tick(context)
        requests = list(data.run_requests or [])
        assert bool(requests) != bool(data.skip_message)
        return requests

    def keys(self, moment: datetime) -> list[str]:
        return [str(request.run_key) for request in self.tick(moment)]

    def live_through(
        self, day: date, step: timedelta = timedelta(minutes=1)
    ) -> dict[str, list[datetime]]:
        """Return the Eastern times at which each run was requested on a day, by run key."""
        moment = datetime.combine(day, time(), EASTERN).astimezone(timezone.utc)
        end = datetime.combine(day + timedelta(days=1), time(), EASTERN)
        requested: dict[str, list[datetime]] = defaultdict(list)
        while moment < end:
            for key in self.keys(moment):
                requested[key].append(moment.astimezone(EASTERN))
            moment += step
        return dict(requested)

    def has_predicted(self, day: date, **changed: Any) -> None:
        night = batch(f"batch_{day}", game_date=day, state=BatchState.PUBLISHED, **changed)
        assert self.batches.create(night)

    def has_graded(self, day: date) -> None:
        """Record that the date was graded with the box scores of the moment."""
        self.instance.report_runless_asset_event(
            dg.AssetMaterialization(
                prediction_results.key,
                partition=day.isoformat(),
                metadata={BOX_SCORES: box_scores_digest(self.league.box_scores(day))},
            )
        )


def first_times(requested: dict[str, list[datetime]]) -> dict[str, str]:
    return {key.partition(":")[2]: f"{times[0]:%H:%M}" for key, times in requested.items()}


def league_with(day: date, *tipoffs: str | None) -> FramesLeague:
    """Return a league with games at Eastern times of a day, and without their box scores."""
    base = two_game_league()
    teams = ["ATL", "BOS", "CHI", "DAL", "DEN", "DET", "GSW", "HOU", "IND", "LAC"]
    rows = []
    for number, at in enumerate(tipoffs):
        away, home = teams[2 * number : 2 * number + 2]
        tipoff = None if at is None else datetime.combine(day, time.fromisoformat(at), EASTERN)
        game_id = f"{day:%Y%m%d}_{away}_{home}"
        known = {"game_id": game_id, "away_team": away, "home_team": home}
        utc = None if tipoff is None else tipoff.astimezone(timezone.utc)
        rows.append({**known, "game_date": day, "tipoff": utc})
    schema = base.games.schema
    games = pl.DataFrame(
        [{name: row.get(name) for name in schema} for row in rows], schema=schema, orient="row"
    )
    return replace(base, games=games, logs=base.logs)


def box_scores(league: FramesLeague, *teams: str) -> pl.DataFrame:
    """Return a row of the box score of each team in the games of a league."""
    columns = pl.concat(
        [
            league.games.select("game_date", "game_id", team="away_team", opponent="home_team"),
            league.games.select("game_date", "game_id", team="home_team", opponent="away_team"),
        ]
    ).filter(pl.col("team").is_in(teams))
    like = two_game_league().logs.head(1).drop(columns.columns)
    rows = columns.join(like, how="cross").with_columns(player_lookup=pl.col("team"))
    return pl.concat([league.logs, rows.select(league.logs.columns)])


@pytest.fixture
def store(tmp_path: Path) -> SQLiteBatchStore:
    store = SQLiteBatchStore(tmp_path / "batches.sqlite")
    store.prepare()
    return store


@pytest.fixture
def make_sensor(live_variables: pytest.MonkeyPatch, store: SQLiteBatchStore) -> Any:
    """Return a function that makes the sensor of a league. Every connection fails."""

    def refused(*_: Any) -> None:
        raise AssertionError("a tick must not touch the network")

    live_variables.setattr(socket.socket, "connect", refused)
    live_variables.setattr(socket, "getaddrinfo", refused)

    def make(league: LeagueSource, *, source: Any = "live", polls: int = 2) -> Sensor:
        settings = Settings(source=source, odds_polls=polls, data=Path())
        return Sensor(league, store, settings)

    return make


# --- the refreshes of a day


def test_a_day_requests_each_run_once(make_sensor: Any) -> None:
    sensor = make_sensor(league_with(DAY, "19:00", "19:00", "19:30", "22:00"))
    requested = sensor.live_through(DAY)
    assert first_times(requested) == {
        "first": "07:00",
        "12:30": "12:30",
        "16:30": "16:30",
        "wave 19:00": "18:15",
        "wave 19:30": "18:45",
        "wave 22:00": "21:15",
    }
    # A run key is launched once, so each of these is one run.
    last = {key.partition(":")[2]: f"{times[-1]:%H:%M}" for key, times in requested.items()}
    assert last["12:30"] == "12:59"
    assert last["wave 19:00"] == "18:54"


@pytest.mark.parametrize(
    ("polls", "expected"),
    [(2, set()), (3, {"closing 19:00"}), (5, {"closing 19:00"}), (8, {"closing 19:00"})],
)
def test_closing_lines_are_fetched_from_three_polls_on(
    make_sensor: Any, polls: int, expected: set[str]
) -> None:
    sensor = make_sensor(league_with(DAY, "19:00"), polls=polls)
    requests = sensor.tick(eastern(18, 56))
    names = {str(request.run_key).partition(":")[2]: request for request in requests}
    assert set(names) - {"first"} == expected
    for key in expected:
        assert names[key].job_name == FETCH
        config = names[key].run_config["ops"]["fetched_inputs"]["config"]
        assert config == {"lines_of": ["20261110_ATL_BOS"], "lines_max_age_minutes": 2.0}


def test_more_polls_ask_for_lines_at_more_times(make_sensor: Any) -> None:
    sensor = make_sensor(league_with(DAY, "19:00"), polls=8)
    times = first_times(sensor.live_through(DAY, timedelta(minutes=5)))
    assert sorted(times.values()) == sorted(
        ["07:00", "10:00", "12:30", "14:30", "16:30", "18:00", "18:15", "18:55"]
    )


def test_each_request_names_the_games_whose_lines_it_asks_for(make_sensor: Any) -> None:
    sensor = make_sensor(league_with(DAY, "19:00", "19:10", "22:00"))

    def asked_at(hour: int, minute: int) -> dict[str, Any]:
        return {
            str(r.run_key).partition(":")[2]: r.run_config["ops"]["fetched_inputs"]["config"]
            for r in sensor.tick(eastern(hour, minute))
            if r.job_name == REFRESH
        }

    assert asked_at(12, 30)["12:30"]["lines_of"] == []
    wave = asked_at(18, 15)["wave 19:00"]
    assert wave["lines_of"] == ["20261110_ATL_BOS", "20261110_CHI_DAL"]


def test_after_downtime_a_wave_is_refreshed_until_its_tipoff_and_not_later(
    make_sensor: Any,
) -> None:
    league = league_with(DAY, "19:00", "22:00")
    assert f"{DAY}:wave 19:00" in make_sensor(league).keys(eastern(18, 50))
    assert set(make_sensor(league).keys(eastern(19, 20))) == {f"{DAY}:first"}
    # The fixed refreshes of the day are not made up for.
    assert set(make_sensor(league).keys(eastern(17, 5))) == {f"{DAY}:first"}


def test_the_first_prediction_is_that_of_the_schedule_unless_the_clock_is_set(
    make_sensor: Any, live_variables: pytest.MonkeyPatch
) -> None:
    sensor = make_sensor(league_with(DAY, "19:00"))
    assert sensor.keys(eastern(6, 59)) == []
    (request,) = sensor.tick(eastern(7))
    assert (request.job_name, request.partition_key) == (NIGHT, DAY.isoformat())
    live_variables.setattr(clock, "is_set", lambda: False)
    assert sensor.keys(eastern(7)) == []


@pytest.mark.parametrize("source", ["files", "simulated"])
def test_other_sources_have_no_live_day(make_sensor: Any, source: str) -> None:
    sensor = make_sensor(league_with(DAY, "19:00"), source=source)
    assert all(not sensor.keys(eastern(hour)) for hour in (7, 12, 18))


def test_a_game_at_noon_eastern_is_refreshed_in_the_morning(make_sensor: Any) -> None:
    sensor = make_sensor(league_with(DAY, "12:00", "19:00"))
    times = first_times(sensor.live_through(DAY, timedelta(minutes=5)))
    assert times["wave 12:00"] == "11:15"
    (refresh,) = [r for r in sensor.tick(eastern(12, 30)) if r.job_name == REFRESH]
    assert refresh.run_key == f"{DAY}:12:30"


def test_a_game_that_is_moved_is_refreshed_before_its_new_tipoff(make_sensor: Any) -> None:
    before, after = league_with(DAY, "19:00"), league_with(DAY, "21:00")
    assert f"{DAY}:wave 19:00" not in make_sensor(after).keys(eastern(18, 15))
    assert f"{DAY}:wave 19:00" in make_sensor(before).keys(eastern(18, 15))
    assert f"{DAY}:wave 21:00" in make_sensor(after).keys(eastern(20, 15))


@pytest.mark.parametrize(
    ("day", "hours", "utc_of_wave"), [(LONG_DAY, 25, "23:15"), (SHORT_DAY, 23, "22:15")]
)
def test_the_day_on_which_the_clocks_change(
    make_sensor: Any, day: date, hours: int, utc_of_wave: str
) -> None:
    sensor = make_sensor(league_with(day, "15:30", "19:00", None))
    requested = sensor.live_through(day, timedelta(minutes=5))
    assert first_times(requested) == {
        "first": "07:00",
        "12:30": "12:30",
        "wave 15:30": "14:45",
        "16:30": "16:30",
        "wave 19:00": "18:15",
    }
    begun = requested[f"{day}:wave 19:00"][0].astimezone(timezone.utc)
    assert f"{begun:%H:%M}" == utc_of_wave
    start = datetime.combine(day, time(), EASTERN).astimezone(timezone.utc)
    end = datetime.combine(day + timedelta(days=1), time(), EASTERN).astimezone(timezone.utc)
    assert (end - start) / timedelta(hours=1) == hours


# --- grading


def test_a_date_is_graded_until_each_game_has_a_box_score(make_sensor: Any) -> None:
    games = league_with(DAY, "19:00", "22:00")
    sensor = make_sensor(games)
    sensor.has_predicted(DAY)
    assert sensor.keys(eastern(5, 59, NEXT_DAY)) == []
    nothing = sensor.keys(eastern(6, 0, NEXT_DAY))
    assert len(nothing) == 1
    assert sensor.keys(eastern(6, 10, NEXT_DAY)) == nothing
    assert sensor.keys(eastern(6, 31, NEXT_DAY)) != nothing

    # One of the two games is there.
    one = replace(games, logs=box_scores(games, "ATL", "BOS"))
    partly = replace(sensor, league=one)
    (request,) = partly.tick(eastern(6, 31, NEXT_DAY))
    assert (request.job_name, request.partition_key) == (GRADE, DAY.isoformat())
    partly.has_graded(DAY)
    again = partly.keys(eastern(6, 40, NEXT_DAY))
    assert len(again) == 1
    assert again != [request.run_key]

    both = replace(
        sensor, league=replace(games, logs=box_scores(games, *["ATL", "BOS", "CHI", "DAL"]))
    )
    (request,) = both.tick(eastern(6, 45, NEXT_DAY))
    both.has_graded(DAY)
    assert not graded(both, NEXT_DAY)


def graded(sensor: Sensor, day: date) -> list[str]:
    """Return the run keys of gradings that a sensor requests on a day."""
    keys: list[str] = []
    for minutes in range(0, 24 * 60, 15):
        moment = eastern(0, 0, day) + timedelta(minutes=minutes)
        keys += [str(r.run_key) for r in sensor.tick(moment) if r.job_name == GRADE]
    return keys


def complete(make_sensor: Any) -> tuple[Sensor, FramesLeague]:
    """Return the sensor of a league with a date that is predicted and graded."""
    games = league_with(DAY, "19:00")
    league = replace(games, logs=box_scores(games, "ATL", "BOS"))
    sensor: Sensor = make_sensor(league)
    sensor.has_predicted(DAY)
    sensor.has_graded(DAY)
    return sensor, league


def test_a_corrected_box_score_is_graded_again_once(make_sensor: Any) -> None:
    sensor, league = complete(make_sensor)
    assert graded(sensor, NEXT_DAY) == []
    corrected = league.logs.with_columns(points=pl.col("points") + 1)
    later = replace(sensor, league=replace(league, logs=corrected))
    (key,) = later.keys(eastern(6, 40, NEXT_DAY))
    later.has_graded(DAY)
    assert graded(later, NEXT_DAY) == []
    # The correction is taken back.
    assert set(graded(sensor, NEXT_DAY)) - {key}


def test_an_answer_that_is_only_newer_is_not_graded_again(make_sensor: Any) -> None:
    sensor, league = complete(make_sensor)
    later = pl.lit(eastern(9, 0, NEXT_DAY)).dt.convert_time_zone("UTC")
    newer = league.logs.with_columns(observed_at=later.cast(league.logs.schema["observed_at"]))
    assert graded(replace(sensor, league=replace(league, logs=newer)), NEXT_DAY) == []


def test_a_grading_that_failed_is_requested_again_in_the_next_half_hour(make_sensor: Any) -> None:
    games = league_with(DAY, "19:00")
    sensor = make_sensor(replace(games, logs=box_scores(games, "ATL", "BOS")))
    sensor.has_predicted(DAY)
    first = sensor.keys(eastern(6, 40, NEXT_DAY))
    assert sensor.keys(eastern(6, 45, NEXT_DAY)) == first
    assert sensor.keys(eastern(7, 15, NEXT_DAY))[1:] not in ([], first)


def test_no_second_grading_is_requested_while_one_is_running(make_sensor: Any) -> None:
    sensor = make_sensor(league_with(DAY, "19:00"))
    sensor.has_predicted(DAY)
    tags = {PARTITION_TAG: DAY.isoformat()}
    run = dg.DagsterRun(GRADE, status=dg.DagsterRunStatus.STARTED, tags=tags)
    sensor.instance.add_run(run)
    assert sensor.keys(eastern(6, 0, NEXT_DAY)) == []
    sensor.instance.delete_run(run.run_id)
    assert len(sensor.keys(eastern(6, 0, NEXT_DAY))) == 1


def test_a_postponed_game_does_not_keep_its_date_open(make_sensor: Any) -> None:
    games = league_with(DAY, "19:00", "22:00")
    logs = box_scores(games, "ATL", "BOS")
    # The schedule no longer has the second game on the date.
    sensor = make_sensor(replace(games, games=games.games.head(1), logs=logs))
    sensor.has_predicted(DAY)
    sensor.has_graded(DAY)
    assert graded(sensor, NEXT_DAY) == []


def test_a_game_that_never_has_a_box_score_is_asked_for_less_often_and_then_no_more(
    make_sensor: Any,
) -> None:
    games = league_with(DAY, "19:00", "22:00")
    sensor = make_sensor(replace(games, logs=box_scores(games, "ATL", "BOS")))
    sensor.has_predicted(DAY)
    sensor.has_graded(DAY)
    by_day = [len(set(graded(sensor, DAY + timedelta(days=n)))) for n in range(10)]
    assert by_day[0] == 0
    assert by_day[1] == 36, "every half hour from 06:00"
    assert max(by_day[2:8]) <= 6
    assert by_day[9] == 0


def test_a_date_that_was_not_predicted_is_not_graded(make_sensor: Any) -> None:
    assert graded(make_sensor(league_with(DAY, "19:00")), NEXT_DAY) == []


# --- the landing zone


@pytest.fixture
def landed(live_bases: Bases, tmp_path: Path) -> LiveSource:
    """A copy of the landing zone after the first prediction of DAY."""
    shutil.copytree(live_bases.predicted / "landing", tmp_path / "landing")
    return LiveSource(LandingZone(tmp_path / "landing"))


def test_a_landed_day_requests_its_waves(make_sensor: Any, landed: LiveSource) -> None:
    times = first_times(make_sensor(landed).live_through(DAY, timedelta(minutes=5)))
    assert times == {
        "first": "07:00",
        "12:30": "12:30",
        "16:30": "16:30",
        "wave 19:00": "18:15",
        "wave 19:30": "18:45",
        "wave 20:30": "19:45",
    }


def test_an_idle_tick_costs_the_same_whatever_is_landed(
    make_sensor: Any, landed: LiveSource, live_variables: pytest.MonkeyPatch
) -> None:
    sensor = make_sensor(landed)
    for days in range(1, 8):
        sensor.has_predicted(DAY - timedelta(days=days))
        sensor.has_graded(DAY - timedelta(days=days))
    counts: dict[str, int] = defaultdict(int)

    def counting(name: str, real: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            counts[name] += 1
            return real(*arguments, **options)

        return call

    for name in ("keys", "versions", "records", "read"):
        live_variables.setattr(LandingZone, name, counting(name, getattr(LandingZone, name)))
    live_variables.setattr(
        "nba_predictions.inputs.landing.answers.parse_document",
        counting("parsed", documents.parse_document),
    )

    def tick() -> dict[str, int]:
        counts.clear()
        assert sensor.keys(eastern(9)) == [f"{DAY}:first"]
        return dict(counts)

    tick()
    few = tick()
    assert max(few.values()) < 30
    assert few.get("parsed", 0) == few.get("read", 0) == few.get("records", 0) == 0
    _land_more(landed.zone)
    tick()
    assert tick() == few


def _land_more(zone: LandingZone) -> None:
    """Land 100 more answers of services that a tick does not need."""
    for number in range(100):
        at = eastern(7, 5) + timedelta(seconds=number)
        key = f"2026-11-{number % 9 + 1:02d}.{number:032x}"
        record = RequestRecord(
            Resource("odds_api", "odds", key),
            "https://example.com",
            at.astimezone(timezone.utc),
            Outcome.NEW,
            status=200,
            fetched_at=at.astimezone(timezone.utc),
        )
        zone.settle(record, b'{"id": "%d"}' % number, "json")


# --- the season


@dataclass(frozen=True)
class SeasonDay:
    day: date
    kind: str


@pytest.fixture
def at_date(
    live_bases: Bases, live_variables: pytest.MonkeyPatch, standin: LiveStandIn, tmp_path: Path
) -> Any:
    """Return a function that fetches at 06:55 of any date, and returns the source."""

    def fetched(day: date) -> LiveSource:
        live = Live(tmp_path / f"home-{day}", standin)
        live.at(6, 55, day)
        with live.pipeline() as pipeline:
            fetcher = pipeline._resources["fetcher"]
            fetcher.fetch_inputs(day, run_id="test")
        return LiveSource(LandingZone(live.landing))

    return fetched


@pytest.mark.parametrize(
    ("day", "games"),
    [
        pytest.param(date(2026, 10, 1), 0, id="before the season"),
        pytest.param(date(2026, 11, 26), 0, id="Thanksgiving"),
        pytest.param(date(2027, 2, 20), 0, id="All-Star break"),
        pytest.param(date(2027, 4, 13), 6, id="play-in"),
        pytest.param(date(2027, 4, 16), 4, id="playoffs"),
        pytest.param(LONG_DAY, 8, id="25 hours"),
        pytest.param(SHORT_DAY, None, id="23 hours"),
    ],
)
def test_dates_of_the_season(
    at_date: Any, make_sensor_later: Any, day: date, games: int | None
) -> None:
    source = at_date(day)
    scheduled = source.schedule(day)
    assert scheduled.height == games if games is not None else scheduled.height > 0
    times = first_times(make_sensor_later(source).live_through(day, timedelta(minutes=15)))
    assert times.pop("first") == "07:00"
    waves = {key for key in times if key.startswith("wave")}
    assert set(times) == (waves | {"12:30", "16:30"} if scheduled.height else set())
    tipoffs = {f"{t.astimezone(EASTERN):%H:%M}" for t in scheduled["tipoff"]}
    assert {key.removeprefix("wave ") for key in waves} == tipoffs


@pytest.fixture
def make_sensor_later(store: SQLiteBatchStore) -> Iterator[Any]:
    """Return a function that makes the sensor of a league after something was fetched."""
    with pytest.MonkeyPatch.context() as patch:

        def refused(*_: Any) -> None:
            raise AssertionError("a tick must not touch the network")

        def make(league: LeagueSource) -> Sensor:
            patch.setattr(socket.socket, "connect", refused)
            return Sensor(league, store, Settings(source="live"))

        yield make


def test_the_environment_is_restored(live_variables: pytest.MonkeyPatch) -> None:
    clock.start_at(eastern(7))
    live_variables.undo()
    assert "NBA_PREDICTIONS_NOW" not in os.environ
