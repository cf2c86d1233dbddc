"""A home on which a real daemon works: it, its code server and its runs are killed together."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import yaml

from nba_predictions.batch_store.sqlite_store import SQLiteBatchStore
from nba_predictions.domain.batches.batch import BatchState
from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.inputs.files import FilesSource
from nba_predictions.orchestration.run_tags import AUTO_RETRY_TAG
from nba_predictions_tests.conftest import GAME_DATE, REPOSITORY
from nba_predictions_tests.e2e.pipeline import Pipeline, facts
from nba_predictions_tests.leagues import small_league, write_files
from nba_predictions_tests.servers import end_of_log, kill_kept, start_kept
from nba_predictions_tests.waiting import wait_until

_MODULE = "nba_predictions_tests.daemon.code_location"
#: Dates of one week, which therefore share their models.
DATES = tuple(GAME_DATE + timedelta(days=number) for number in range(6))
_GAMES_PER_DATE = 2
UNFINISHED = [
    status
    for status in dg.DagsterRunStatus
    if status not in (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE)
]


@dataclass(frozen=True)
class Home:
    """A home, its input files, and what its daemon is started with."""

    folder: Path
    data: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    module: str = _MODULE

    @property
    def environment(self) -> dict[str, str]:
        inherited = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith(("NBA_PREDICTIONS_", "DAGSTER_", "PYTEST_"))
        }
        return {
            **inherited,
            "NBA_PREDICTIONS_HOME": str(self.folder),
            "NBA_PREDICTIONS_SOURCE": "files",
            "NBA_PREDICTIONS_DATA": str(self.data),
            "DAGSTER_HOME": str(self.folder / "dagster"),
            **self.variables,
        }

    @property
    def log(self) -> Path:
        return self.folder / "daemon.log"

    def prepare(self) -> None:
        """Create DAGSTER_HOME as users do, and look at the queue and at runs more often."""
        init = [sys.executable, "-m", "nba_predictions.cli", "init"]
        subprocess.run(init, cwd=REPOSITORY, env=self.environment, check=True)
        path = self.folder / "dagster" / "dagster.yaml"
        configuration = yaml.safe_load(path.read_text("utf-8"))
        configuration["run_coordinator"]["config"]["dequeue_interval_seconds"] = 1
        configuration["run_monitoring"]["poll_interval_seconds"] = 2
        path.write_text(yaml.safe_dump(configuration), "utf-8")

    @contextmanager
    def daemon(self) -> Iterator[subprocess.Popen[bytes]]:
        """Start the daemon, which starts the code server, which starts the runs; kill all."""
        command = [sys.executable, "-m", "dagster._daemon", "run", "--module-name", self.module]
        process = start_kept(command, self.log, folder=REPOSITORY, environment=self.environment)
        try:
            yield process
        finally:
            kill_kept(process)

    @contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        with dg.DagsterInstance.from_config(str(self.folder / "dagster")) as instance:
            yield instance

    def runs(self, *statuses: dg.DagsterRunStatus, job: str | None = None) -> list[dg.DagsterRun]:
        """Return the runs with these statuses, by default all, newest first."""
        with self.instance() as instance:
            wanted = dg.RunsFilter(statuses=statuses or None, job_name=job)
            return list(instance.get_runs(wanted))

    def is_done(self, dates: Sequence[date]) -> bool:
        """Return whether the newest batch of each date is published, and no run is unfinished."""
        store = SQLiteBatchStore(self.folder / "batches.sqlite")
        for day in dates:
            newest = next(iter(store.of_date(day)), None)
            if newest is None or newest.state is not BatchState.PUBLISHED:
                return False
        # A moment after a run failed, Dagster decides whether to retry it, and then retries it.
        return not self.runs(*UNFINISHED) and not any(
            run.tags.get("dagster/will_retry") != "false" and AUTO_RETRY_TAG not in run.tags
            for run in self.runs(dg.DagsterRunStatus.FAILURE)
        )

    def report(self) -> str:
        """Return the runs, the states of the batches and the end of the log, for a failed wait."""
        store = SQLiteBatchStore(self.folder / "batches.sqlite")
        runs = [f"{run.job_name} {run.status.value} {run.tags}" for run in self.runs()]
        states = [f"{day} {batch.state.value}" for day in DATES for batch in store.of_date(day)]
        return "\n".join([*runs, *states, end_of_log(self.log, 100)])

    def finish(self, dates: Sequence[date]) -> None:
        """Let the daemon work until the dates are done, and start it again when it was killed."""
        done = False
        while not done:
            with self.daemon() as daemon:
                done = wait_until(lambda: self.is_done(dates), daemon)
                assert done or daemon.poll() is not None, self.report()

    def check(self, dates: Sequence[date], undisturbed: Mapping[date, object]) -> None:
        """Require the rows of undisturbed nights, one batch and one message for each date."""
        with self.instance() as instance:
            pipeline = Pipeline.build(self.folder, FilesSource(self.data), instance=instance)
            table = pipeline.table()
            messages = [message.message.game_date for message in pipeline.messages()]
            for day in dates:
                assert pipeline.audit(day).verdict is Verdict.COMPLETE
                assert len(pipeline.batches.of_date(day)) == 1, f"{day} has several batches"
                assert facts(table.filter(pl.col("game_date") == day)) == undisturbed[day]
            assert sorted(messages) == sorted(dates)
            assert pipeline.staging_files() == []


def new_home(folder: Path, nights: Pipeline, **variables: str) -> Home:
    """Create a home with the input files and the models of other nights."""
    source = nights.league
    assert isinstance(source, FilesSource)
    home = Home(folder, source.folder, variables)
    shutil.copytree(nights.home / "models", home.folder / "models")
    home.prepare()
    return home


def undisturbed_nights(folder: Path) -> Pipeline:
    """Return a pipeline that predicted each date without faults, from input files in a folder."""
    write_inputs(folder / "files")
    pipeline = Pipeline.build(folder / "undisturbed", FilesSource(folder / "files"))
    for day in DATES:
        assert pipeline.predict(day).success
    return pipeline


def rows_of(nights: Pipeline) -> dict[date, Any]:
    """Return the rows of each date after nights without faults."""
    table = nights.table()
    return {day: facts(table.filter(pl.col("game_date") == day)) for day in DATES}


def write_inputs(folder: Path) -> None:
    """Write the input files of the dates, with a few games and a player who is out for each."""
    league = small_league()
    write_files(league, folder, ["2025-26"], logs_before=GAME_DATE, dates=set(DATES))
    schedule = folder / "schedule_2025-26.parquet"
    games = pl.read_parquet(schedule).group_by("game_date", maintain_order=True)
    few = games.head(_GAMES_PER_DATE)
    few.write_parquet(schedule)
    logs = pl.read_parquet(folder / "player_game_logs_2025-26.parquet")
    names = logs.group_by(team="TEAM_ABBREVIATION").agg(player=pl.col("PLAYER_NAME").min())
    absent = few.filter(pl.col("game_date").is_first_distinct()).join(
        names, left_on="home_team", right_on="team"
    )
    absent.select(
        "game_date", "player", team="home_team", status=pl.lit("OUT"), reason=pl.lit("Rest")
    ).write_parquet(folder / "injuries_2025-26.parquet")
    lines = folder / "points_lines_2025-26.parquet"
    quotes = pl.read_parquet(lines)
    quotes.join(
        few.select("away_team", "home_team", commence_time="tipoff"),
        on=["away_team", "home_team", "commence_time"],
        how="semi",
    ).write_parquet(lines)
