"""The Dagster instance of a deployment, on a real PostgreSQL server."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import pytest
from dagster._core.storage.compute_log_manager import ComputeIOType
from dagster_gcp.gcs import GCSComputeLogManager
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage, utils
from dagster_shared.check import CheckError
from google.cloud import storage

from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions_tests.conftest import REPOSITORY
from nba_predictions_tests.deploy.conftest import OpenInstance
from nba_predictions_tests.deploy.containers import (
    DEPLOY,
    OF_LIBPQ,
    configuration,
    variables_of,
)
from nba_predictions_tests.deploy.postgres import Database
from nba_predictions_tests.deploy.writer import ASSET, PARTITIONS
from nba_predictions_tests.e2e.pipeline import GAME_DATE, Pipeline, errors, two_game_league
from nba_predictions_tests.waiting import CEILING_SECONDS

NAMES = ("webserver", "daemon", "run")
WRITES = 20


def test_it_differs_from_the_embedded_instance_only_in_where_things_are_kept() -> None:
    embedded = configuration(REPOSITORY / "nba_predictions" / "dagster.yaml")
    deployed = configuration(DEPLOY / "dagster.yaml")
    assert {key: deployed.get(key) for key in embedded} == embedded
    assert set(deployed) - set(embedded) == {"storage", "compute_logs"}
    assert embedded["telemetry"] == {"enabled": False}


def test_a_night_is_found_again_by_another_process(
    open_instance: OpenInstance, tmp_path: Path
) -> None:
    writer = open_instance()
    pipeline = Pipeline.build(tmp_path / "home", two_game_league(), instance=writer)
    night = pipeline.predict()
    assert night.success, errors(night)
    for request in pipeline.tick():
        assert pipeline.publish(request).success
    assert pipeline.audit().verdict is Verdict.COMPLETE

    reader = open_instance()
    assert reader is not writer
    assert isinstance(reader.run_storage, PostgresRunStorage)
    assert isinstance(reader.event_log_storage, PostgresEventLogStorage)
    runs = {run.job_name: run for run in reader.get_runs()}
    assert set(runs) == {"nightly_predictions", "publish_phase5_completion"}
    assert all(run.status is dg.DagsterRunStatus.SUCCESS for run in runs.values())
    run = runs["nightly_predictions"]
    assert run.tags["dagster/partition"] == GAME_DATE.isoformat()
    stored = [event.dagster_event for event in reader.all_logs(run.run_id) if event.dagster_event]
    # Besides what happened, what was planned is stored.
    happened = Counter(event.event_type for event in night.all_events)
    assert Counter(event.event_type for event in stored) >= happened
    assert dg.DagsterEventType.RUN_SUCCESS in happened
    table = dg.AssetKey("player_prop_predictions")
    assert reader.get_materialized_partitions(table) == {GAME_DATE.isoformat()}
    newest = reader.get_latest_materialization_event(table)
    assert newest is not None
    assert newest.asset_materialization is not None
    count = newest.asset_materialization.metadata["dagster/partition_row_count"].value
    assert count == pipeline.table().height > 0
    checks = {
        (check.asset_key.to_user_string(), check.check_name, check.passed)
        for check in night.get_asset_check_evaluations()
    }
    assert checks
    for asset, name, passed in checks:
        key = dg.AssetCheckKey(dg.AssetKey(asset), name)
        (record,) = reader.event_log_storage.get_asset_check_execution_history(key, limit=5)
        assert record.event is not None
        assert record.event.dagster_event is not None
        found = record.event.dagster_event.asset_check_evaluation_data
        assert (found.passed, record.run_id) == (passed, run.run_id)
    players = set(reader.get_dynamic_partitions("player_nights"))
    assert players >= pipeline.materialized_players() > set()
    assert reader.get_materialized_partitions(dg.AssetKey("player_staging")) <= players


def test_processes_that_write_at_once_lose_nothing(
    dagster_home: Path, open_instance: OpenInstance
) -> None:
    # Its tables: of two that make them at once, one may fail, and is started again.
    open_instance()
    writers = [
        subprocess.Popen(
            [sys.executable, "-m", "nba_predictions_tests.deploy.writer", name, str(WRITES)],
            env={**os.environ, "DAGSTER_HOME": str(dagster_home)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in NAMES
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.close()
    for writer in writers:
        assert writer.stderr is not None
        complaint = writer.stderr.read()
        assert writer.wait(timeout=CEILING_SECONDS) == 0, complaint

    instance = open_instance()
    expected = {f"{name}_{number}" for name in NAMES for number in range(WRITES)}
    assert set(instance.get_dynamic_partitions(PARTITIONS)) == expected
    assert instance.get_materialized_partitions(ASSET) == expected
    assert instance.get_runs_count() == len(expected)


def test_the_database_can_be_reached_through_a_socket(
    open_instance: OpenInstance, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("PGHOST", str(database.server.folder))
        open_instance().add_dynamic_partitions(PARTITIONS, ["through_a_socket"])
    assert open_instance().get_dynamic_partitions(PARTITIONS) == ["through_a_socket"]


@dg.job
def printing() -> None:
    """A job whose step prints a line."""

    @dg.op
    def speak() -> None:
        print("a line for the UI")  # noqa: T201

    speak()


def logs_of(run_id: str, bucket: storage.Bucket, kind: str) -> tuple[list[str], str]:
    """Return the key of the stored log of a run, and its text."""
    (blob,) = (blob for blob in bucket.list_blobs() if blob.name.endswith(f".{kind}"))
    prefix = f"nba_predictions/storage/{run_id}/compute_logs/"
    assert blob.name.startswith(prefix)
    key = [run_id, "compute_logs", blob.name.removeprefix(prefix).removesuffix(f".{kind}")]
    return key, blob.download_as_text()


def test_the_output_of_a_step_is_in_the_bucket_and_read_by_another_process(
    open_instance: OpenInstance, compute_logs: storage.Bucket
) -> None:
    writer = open_instance()
    assert isinstance(writer.compute_log_manager, GCSComputeLogManager)
    assert writer.compute_log_manager.upload_interval == 30
    run = printing.execute_in_process(instance=writer)
    key, text = logs_of(run.run_id, compute_logs, "out")
    assert "a line for the UI" in text
    # The run keeps no copy.
    assert not writer.compute_log_manager.has_local_file(key, ComputeIOType.STDOUT)
    found = open_instance().compute_log_manager.get_log_data(key)
    assert found.stdout is not None
    assert found.stdout.decode() == text


def test_a_run_succeeds_if_its_output_cannot_be_uploaded(
    open_instance: OpenInstance, compute_logs: storage.Bucket
) -> None:
    @dg.op
    def lose_the_bucket() -> None:
        compute_logs.delete()

    @dg.job
    def losing() -> None:
        lose_the_bucket()

    instance = open_instance()
    run = losing.execute_in_process(instance=instance)
    assert run.success
    messages = [record.message for record in instance.all_logs(run.run_id)]
    assert any("compute log capture" in message for message in messages), messages


def test_a_run_fails_at_its_start_if_the_bucket_does_not_exist(
    open_instance: OpenInstance, compute_logs: storage.Bucket
) -> None:
    compute_logs.delete()
    with pytest.raises(CheckError, match="Invariant failed"):
        printing.execute_in_process(instance=open_instance())


@pytest.mark.parametrize(
    "missing", ["PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "DAGSTER_COMPUTE_LOGS_BUCKET"]
)
def test_a_variable_that_is_not_set_is_named(
    open_instance: OpenInstance, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.delenv(missing)
    with pytest.raises(dg.DagsterInvalidConfigError, match=f'"{missing}" which is not set'):
        _ = open_instance().compute_log_manager


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("PGPASSWORD", "", "no password supplied"),
        ("PGPASSWORD", "not-the-one", "password authentication failed for user"),
        ("PGHOST", None, "No such file or directory"),
        ("PGDATABASE", "nowhere", 'database "nowhere" does not exist'),
    ],
)
def test_what_is_wrong_with_the_way_to_the_database_is_said_without_the_password(
    open_instance: OpenInstance,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    variable: str,
    value: str | None,
    complaint: str,
) -> None:
    if value is None:
        monkeypatch.delenv(variable)
    else:
        monkeypatch.setenv(variable, value)
    # Dagster tries again for twelve seconds.
    monkeypatch.setattr(utils, "calculate_delay", lambda **_: 0)
    with pytest.raises(utils.DagsterPostgresException) as refused:
        open_instance()
    said = "".join(traceback.format_exception_only(refused.value)) + caplog.text
    assert complaint in said
    assert all(secret not in said for secret in spellings(database.password))
    assert "not-the-one" not in said


def test_what_dagster_shows_of_its_configuration_has_no_password(
    open_instance: OpenInstance, database: Database
) -> None:
    instance = open_instance()
    shown = instance.info_str() + str(instance.get_ref().to_dict())
    assert "PGPASSWORD" in shown
    assert all(secret not in shown for secret in spellings(database.password))


def spellings(password: str) -> set[str]:
    """Return how a password may be written, plainly or in a URL."""
    return {password, quote(password), quote(password, safe="")}


def test_every_variable_of_the_instance_is_documented() -> None:
    page = (REPOSITORY / "docs" / "deploying.md").read_text("utf-8")
    files = [configuration(DEPLOY / f"{name}.yaml") for name in ("dagster", "workspace")]
    assert {v for v in variables_of(files) | OF_LIBPQ if f"`{v}`" not in page} == set()
