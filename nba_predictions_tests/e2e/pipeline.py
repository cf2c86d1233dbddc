"""A complete pipeline with its own home, on a small league, with resources that can be broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import polars as pl
import pytest

from nba_predictions.batch_store.sqlite_store import SQLiteBatchStore
from nba_predictions.definitions import build_definitions, build_resources
from nba_predictions.domain.batches.batch import Batch
from nba_predictions.domain.batches.ledger import LedgerEntry
from nba_predictions.inputs.account import InputAccount
from nba_predictions.inputs.port import INJURIES, ROSTER, LeagueSource, Provenance
from nba_predictions.messaging.outbox import OutboxMessage, OutboxPublisher
from nba_predictions.nightly import predicting
from nba_predictions.nightly.audit import NightAudit, audit_night
from nba_predictions.nightly.current_batch import current_batch
from nba_predictions.orchestration.assets import (
    features,
    grading,
    ingestion,
    merge,
    prediction_models,
    publication,
    staging,
)
from nba_predictions.orchestration.checks import batch_checks, input_gates
from nba_predictions.settings import Settings
from nba_predictions.systems.registry import registered_systems
from nba_predictions.training.model_store import ModelStore
from nba_predictions.warehouse.duckdb_warehouse import DuckDBWarehouse
from nba_predictions_tests.conftest import GAME_DATE
from nba_predictions_tests.leagues import small_league

NO_GAMES_DATE = date(2025, 11, 27)
SYSTEMS = tuple(sorted(system.system_id for system in registered_systems()))
#: The columns that differ between two nights with the same inputs.
BOOKKEEPING = ("batch_id", "created_at", "updated_at", "write_sequence")
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class FramesLeague:
    """A league source with frames that a test can replace."""

    logs: pl.DataFrame
    games: pl.DataFrame
    lines: pl.DataFrame
    report: pl.DataFrame
    name: str = "frames"
    inputs: tuple[InputAccount, ...] = ()

    @property
    def first_date(self) -> date:
        first = self.logs["game_date"].min()
        assert isinstance(first, date)
        return first

    def game_logs(self, before: date) -> pl.DataFrame:
        return self.logs.filter(pl.col("game_date") < before)

    def box_scores(self, game_date: date) -> pl.DataFrame:
        return self.logs.filter(pl.col("game_date") == game_date)

    def schedule(self, game_date: date) -> pl.DataFrame:
        return self.games.filter(pl.col("game_date") == game_date)

    def prop_lines(self, game_date: date) -> pl.DataFrame:
        return self.lines.filter(pl.col("game_date") == game_date)

    def injuries(self, game_date: date) -> pl.DataFrame:
        return self.report.filter(pl.col("game_date") == game_date)

    def roster(self, game_date: date) -> pl.DataFrame:
        return pl.DataFrame(schema=ROSTER)

    def provenance(self, game_date: date) -> Provenance:
        return Provenance(True, None, game_date)

    def known_at(self, as_of: datetime) -> LeagueSource:
        return self

    def accounts(self, game_date: date) -> list[InputAccount]:
        return list(self.inputs)


def two_game_league() -> FramesLeague:
    """Return two games on GAME_DATE with a week of history. One player with a line is OUT."""
    league = small_league()
    games = league.schedule(GAME_DATE).head(2)
    lines = league.prop_lines(GAME_DATE).join(
        games.select("away_team", "home_team"), on=["away_team", "home_team"], how="semi"
    )
    out = lines.sort("player_lookup").select("game_date", "player_lookup", "player_name").head(1)
    report = out.with_columns(status=pl.lit("OUT"), reason=pl.lit("Knee soreness"))
    unknown = (pl.lit(None, dtype).alias(n) for n, dtype in INJURIES.items() if n not in report)
    logs = league.game_logs(date(2025, 11, 1))
    return FramesLeague(
        logs=logs,
        games=games,
        lines=lines,
        report=report.with_columns(*unknown).select(*INJURIES),
    )


class Breakable:
    """A wrapper of a resource whose methods can be replaced by faults."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self._faults: dict[str, Callable[..., Any]] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._faults.get(name) or getattr(self._real, name)

    @contextmanager
    def broken(self, method: str, fault: Callable[..., Any]) -> Iterator[None]:
        """Call `fault(real_method, *args, **kwargs)` instead of a method."""
        real = getattr(self._real, method)
        self._faults[method] = lambda *args, **kwargs: fault(real, *args, **kwargs)
        try:
            yield
        finally:
            del self._faults[method]


@dataclass
class Pipeline:
    """A home and an instance, with the actions of an operator and of the daemon."""

    home: Path
    league: LeagueSource
    instance: dg.DagsterInstance
    resources: dict[str, Any]
    definitions: dg.Definitions

    @staticmethod
    def build(
        home: Path,
        league: LeagueSource,
        *,
        instance: dg.DagsterInstance | None = None,
        models_in: Path | None = None,
        completion_threshold: float = 0.9,
    ) -> Pipeline:
        settings = Settings(home=home, completion_threshold=completion_threshold)
        resources = build_resources(settings)
        for name in ("warehouse", "batches", "publisher"):
            resources[name] = Breakable(resources[name])
        if models_in is not None:
            resources["model_store"] = ModelStore(models_in)
        resources["league"] = league
        instance = instance or dg.DagsterInstance.ephemeral()
        return Pipeline(home, league, instance, resources, build_definitions(resources))

    def with_league(self, league: LeagueSource) -> Pipeline:
        """Return a pipeline with the same home and instance and another source."""
        return replace(self.with_resources(league=league), league=league)

    def with_resources(self, **changed: Any) -> Pipeline:
        """Return a pipeline with the same home and instance and other resources."""
        resources = {**self.resources, **changed}
        return replace(self, resources=resources, definitions=build_definitions(resources))

    # Resources

    @property
    def warehouse(self) -> Breakable:
        return self._part("warehouse")

    @property
    def batches(self) -> Breakable:
        return self._part("batches")

    @property
    def publisher(self) -> Breakable:
        return self._part("publisher")

    def _part(self, name: str) -> Breakable:
        part = self.resources[name]
        assert isinstance(part, Breakable)
        return part

    # Actions

    def predict(self, game_date: date = GAME_DATE) -> dg.ExecuteInProcessResult:
        """Run the nightly job."""
        return self.run("nightly_predictions", game_date.isoformat())

    def run(
        self,
        job: str,
        partition: str,
        tags: Mapping[str, str] | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> dg.ExecuteInProcessResult:
        return self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            partition_key=partition,
            raise_on_error=False,
            run_config={**QUIET, **(config or {})},
            tags=dict(tags or {}),
        )

    def materialize(
        self, *assets: str, partition: str | None = None, with_checks: bool = True
    ) -> dg.ExecuteInProcessResult:
        """Materialize some assets in a separate run, as from the UI."""
        selection: dg.AssetSelection = dg.AssetSelection.assets(*assets)
        if not with_checks:
            selection = selection.without_checks()
        everything: list[Any] = [
            *dg.load_assets_from_modules(
                [ingestion, features, prediction_models, staging, merge, publication, grading]
            ),
            *dg.load_asset_checks_from_modules([batch_checks, input_gates]),
        ]
        return dg.materialize(
            everything,
            selection=selection,
            partition_key=partition or GAME_DATE.isoformat(),
            instance=self.instance,
            resources=self.resources,
            run_config=QUIET,
            raise_on_error=False,
        )

    def tick(self, name: str = "publish_cleaned_batches") -> list[dg.RunRequest]:
        """Evaluate a sensor once; return its run requests. Without any it must have a message."""
        sensor = self.definitions.resolve_sensor_def(name)
        required = {key: self.resources[key] for key in sensor.required_resource_keys}
        with dg.build_sensor_context(
            instance=self.instance,
            repository_def=self.definitions.get_repository_def(),
            resources=required,
        ) as context:
            data = sensor.evaluate_tick(context)
        requests = list(data.run_requests or [])
        assert bool(requests) != bool(data.skip_message)
        return requests

    def materialize_until_staged(self, partition: str | None = None) -> dg.ExecuteInProcessResult:
        """Run all steps of the night before the merge."""
        return self.materialize(
            *("game_logs", "schedule", "prop_lines", "injuries", "slate"),
            *("player_features", "prediction_models", "staged_predictions"),
            partition=partition,
        )

    def publish(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """Run the publication that the sensor requested."""
        return self.run("publish_phase5_completion", str(request.partition_key), request.tags)

    # Results

    def table(self, name: str = "player_prop_predictions") -> pl.DataFrame:
        """Return the whole table, ordered by its key."""
        with duckdb.connect(str(self.home / "warehouse.duckdb"), read_only=True) as connection:
            frame = pl.DataFrame(connection.sql(f"SELECT * FROM {name}").to_arrow_table())
        return frame.sort("game_date", "player_lookup", "system_id", "points_line")

    def staging_files(self) -> list[str]:
        folder = self.home / "staging"
        return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())

    def staged_players(self) -> list[str]:
        """Return the staging files without the attempt and the ending of their names."""
        return [name.partition(".")[0] for name in self.staging_files()]

    def batch(self, game_date: date = GAME_DATE) -> Batch:
        return current_batch(self._store, game_date)

    def ledger(self, game_date: date = GAME_DATE) -> list[LedgerEntry]:
        return list(self._store.ledger(self.batch(game_date).batch_id))

    def messages(self) -> list[OutboxMessage]:
        return OutboxPublisher(self.home / "outbox.sqlite").read()

    def audit(self, game_date: date = GAME_DATE) -> NightAudit:
        home = self.home
        warehouse = DuckDBWarehouse(home / "warehouse.duckdb", home / "staging")
        return audit_night(game_date, self._store, warehouse)

    def materialized_players(self) -> set[str]:
        return set(self.instance.get_materialized_partitions(staging.player_staging.key))

    @property
    def _store(self) -> SQLiteBatchStore:
        return SQLiteBatchStore(self.home / "batches.sqlite")


def check_results(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    """Return the check evaluations of a run by name."""
    return {e.check_name: e for e in result.get_asset_check_evaluations()}


def errors(result: dg.ExecuteInProcessResult) -> list[str]:
    """Return the root cause of each failed step, as class and message."""
    found = []
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            found.append("" if error is None else error.to_string())
    return found


def facts(table: pl.DataFrame) -> list[dict[str, Any]]:
    """Return all rows without the BOOKKEEPING columns."""
    return table.drop(BOOKKEEPING).to_dicts()


@contextmanager
def systems_raising(players: set[str], times: int | None = None) -> Iterator[dict[str, int]]:
    """Let the systems raise for some players; yield the number of attempts of each."""
    real = predicting.predict_all
    attempts = dict.fromkeys(sorted(players), 0)

    def predict_all(features: pl.DataFrame, *others: Any) -> Any:
        player = features["player_lookup"][0]
        if player in attempts:
            attempts[player] += 1
            if times is None or attempts[player] <= times:
                raise FloatingPointError(f"no forecast for {player}")
        return real(features, *others)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predicting, "predict_all", predict_all)
        yield attempts
