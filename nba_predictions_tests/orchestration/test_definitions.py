"""The definitions: they load, have descriptions, and the jobs select the right assets."""

from __future__ import annotations

import importlib
import re
from datetime import date
from pathlib import Path
from typing import get_args

import dagster as dg
import polars as pl
import pytest

from nba_predictions.batch_store.sqlite_store import SQLiteBatchStore
from nba_predictions.definitions import PROFILES, build_definitions, build_resources, defs
from nba_predictions.domain.errors import SourceDataError
from nba_predictions.domain.policies.input_gates import GATES
from nba_predictions.inputs.files import FilesSource
from nba_predictions.inputs.simulated import SimulatedLeague
from nba_predictions.messaging.outbox import OutboxPublisher
from nba_predictions.orchestration.partitions import game_dates_from, player_nights
from nba_predictions.settings import Settings
from nba_predictions.warehouse.duckdb_warehouse import DuckDBWarehouse
from nba_predictions_tests.inputs.test_files import log_row

REPOSITORY = Path(__file__).resolve().parents[2]
NIGHT = {
    *(
        "fetched_inputs",
        "game_logs",
        "schedule",
        "prop_lines",
        "injuries",
        "slate",
        "player_features",
    ),
    *("prediction_models", "staged_predictions", "player_prop_predictions", "staging_cleanup"),
}
FROM_STAGING = {"staged_predictions", "player_prop_predictions", "staging_cleanup"}
GRADING = {
    "fetched_results",
    "prediction_results",
    "system_performance",
    "calibration",
    "system_drift",
}
ASSETS = NIGHT | GRADING | {"player_staging", "phase5_completion", "models_in_force"}


def assets_of(job: str) -> set[str]:
    layer = defs.resolve_job_def(job).asset_layer
    return {key.to_user_string() for key in layer.executable_asset_keys}


def test_the_definitions_are_loadable() -> None:
    dg.Definitions.validate_loadable(defs)


def test_the_assets_are_exactly_these() -> None:
    keys = defs.resolve_asset_graph().executable_asset_keys
    assert {key.to_user_string() for key in keys} == ASSETS


@pytest.mark.parametrize("name", sorted(ASSETS))
def test_every_asset_has_a_group_an_owner_a_description_and_partitions(name: str) -> None:
    node = defs.resolve_asset_graph().get(dg.AssetKey(name))
    assert node.group_name not in (None, "default")
    assert node.owners
    assert node.description
    dates = game_dates_from(date(2024, 10, 22))
    assert node.partitions_def == (player_nights if name == "player_staging" else dates)


def test_the_merge_depends_on_the_staged_players() -> None:
    merge = defs.resolve_asset_graph().get(dg.AssetKey("player_prop_predictions"))
    assert {key.to_user_string() for key in merge.parent_keys} == {
        *("staged_predictions", "player_staging")
    }


def test_game_dates_start_at_the_first_date_of_the_source(tmp_path: Path) -> None:
    resources = build_resources(Settings(home=tmp_path))
    for first, start in ((date(2021, 10, 19), "2021-10-19"), (None, "2000-10-01")):
        league = SimulatedLeague()
        league.first_date = first
        definitions = build_definitions({**resources, "league": league})
        graph = definitions.resolve_asset_graph()
        nodes = [graph.get(key) for key in graph.executable_asset_keys | graph.asset_check_keys]
        partitions = {node.partitions_def for node in nodes} - {player_nights}
        assert [dates.get_first_partition_key() for dates in partitions if dates] == [start]
        job = definitions.resolve_job_def("nightly_predictions")
        assert job.partitions_def is not None
        assert job.partitions_def.get_first_partition_key() == start


@pytest.mark.parametrize(
    ("job", "assets"),
    [
        ("nightly_predictions", NIGHT),
        ("refresh_predictions", NIGHT),
        ("replay_players", FROM_STAGING),
        ("finish_batch", FROM_STAGING),
        ("publish_phase5_completion", {"phase5_completion"}),
        ("grade_predictions", GRADING),
        ("fetch_inputs", {"fetched_inputs"}),
        ("train_models", {"game_logs", "prediction_models", "models_in_force"}),
    ],
)
def test_a_job_materializes_its_assets(job: str, assets: set[str]) -> None:
    assert assets_of(job) == assets


def test_the_nightly_job_runs_all_checks_and_they_block() -> None:
    layer = defs.resolve_job_def("nightly_predictions").asset_layer
    names = {key.name for key in layer.asset_graph.asset_check_keys}
    promises = {"merged_rows_match_staged", "no_duplicate_keys", "batch_is_complete"}
    assert names == promises | set(GATES) | {"services_answer"}
    for key in layer.asset_graph.asset_check_keys:
        spec = layer.asset_graph.get_check_spec(key)
        # The newest good answer is used if a service does not answer.
        assert spec.blocking == (key.name != "services_answer")
        assert spec.description


def test_the_audit_follows_each_publication_and_does_not_block() -> None:
    layer = defs.resolve_job_def("publish_phase5_completion").asset_layer
    (key,) = layer.asset_graph.asset_check_keys
    assert key.name == "the_night_is_whole"
    assert not layer.asset_graph.get_check_spec(key).blocking


@pytest.mark.parametrize(
    "job",
    [
        *("nightly_predictions", "refresh_predictions", "replay_players", "finish_batch"),
    ],
)
def test_every_job_that_merges_runs_the_blocking_checks(job: str) -> None:
    graph = defs.resolve_job_def(job).asset_layer.asset_graph
    assert {key.name for key in graph.asset_check_keys} >= {"merged_rows_match_staged"}


def test_the_cleanup_follows_the_predictions_and_the_message_follows_the_cleanup() -> None:
    graph = defs.resolve_asset_graph()
    cleanup, message = dg.AssetKey("staging_cleanup"), dg.AssetKey("phase5_completion")
    assert graph.get(cleanup).parent_keys == {dg.AssetKey("player_prop_predictions")}
    assert graph.get(message).parent_keys == {cleanup}


def test_every_job_sensor_and_schedule_has_a_description() -> None:
    repository = defs.get_repository_def()
    names = {job.name for job in repository.get_all_jobs() if not job.name.startswith("__")}
    assert len(names) == 11
    for name in names:
        assert defs.resolve_job_def(name).description
    assert all(sensor.description for sensor in repository.sensor_defs)
    assert all(schedule.description for schedule in repository.schedule_defs)


def test_the_workspace_names_the_module_with_the_definitions() -> None:
    text = (REPOSITORY / "workspace.yaml").read_text("utf-8")
    (module,) = re.findall(r"python_module:\s*(\S+)", text)
    assert isinstance(importlib.import_module(module).defs, dg.Definitions)


def test_the_embedded_profile_keeps_everything_in_its_home(tmp_path: Path) -> None:
    home = Settings.from_environment({"NBA_PREDICTIONS_HOME": str(tmp_path / "home")})
    resources = build_resources(home)
    assert isinstance(resources["warehouse"], DuckDBWarehouse)
    assert isinstance(resources["batches"], SQLiteBatchStore)
    assert isinstance(resources["publisher"], OutboxPublisher)
    assert isinstance(resources["league"], SimulatedLeague)
    paths = (
        *(resources["warehouse"].path, resources["warehouse"].staging_dir),
        *(resources["batches"].path, resources["publisher"].path, resources["model_store"].folder),
    )
    assert all(path.is_relative_to(tmp_path / "home") for path in paths)
    # Loading the definitions creates no files. The UI loads them often.
    build_definitions(resources)
    assert not (tmp_path / "home").exists()


def test_the_files_source_reads_the_configured_folder(tmp_path: Path) -> None:
    named = Settings.from_environment(
        {"NBA_PREDICTIONS_SOURCE": "files", "NBA_PREDICTIONS_DATA": str(tmp_path)}
    )
    league = build_resources(named)["league"]
    assert isinstance(league, FilesSource)
    assert league.folder == tmp_path


def test_the_files_source_has_the_configured_limit_of_invalid_rows(tmp_path: Path) -> None:
    good = log_row(GAME_DATE="2025-01-06")
    rows = [good | {"PLAYER_ID": str(n)} for n in range(8)] + [good | {"AST": "x"}] * 8
    pl.DataFrame(rows).write_csv(tmp_path / "player_game_logs.csv")
    strict = Settings(source="files", data=tmp_path, home=tmp_path / "home")
    tolerant = strict.model_copy(update={"max_rejected_share": 0.5})
    assert build_resources(tolerant)["league"].game_logs(date(2025, 1, 10)).height == 8
    with pytest.raises(SourceDataError, match="MAX_REJECTED_SHARE"):
        build_resources(strict)["league"].game_logs(date(2025, 1, 10))


def test_every_profile_has_its_backends() -> None:
    profiles = Settings.model_fields["profile"].annotation
    assert set(PROFILES) == set(get_args(profiles))
