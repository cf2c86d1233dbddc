"""Maintenance of a home with an old night, a new one, and one that is still running."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from nba_predictions import cli
from nba_predictions.domain.batches.retention import Retention
from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.domain.clock import utc_now
from nba_predictions.orchestration.maintenance import (
    MaintenanceContext,
    MaintenanceReport,
    maintain,
)
from nba_predictions.orchestration.partitions import player_partition_key
from nba_predictions.training.promotions import Promotion, Promotions
from nba_predictions_tests.e2e.conftest import MakePipeline
from nba_predictions_tests.e2e.pipeline import GAME_DATE, Pipeline

NIGHT = GAME_DATE.isoformat()


def maintenance_context(pipeline: Pipeline) -> MaintenanceContext:
    parts = ("settings", "batches", "warehouse", "model_store")
    return MaintenanceContext(pipeline.instance, *(pipeline.resources[name] for name in parts))


def later(days: int) -> datetime:
    return utc_now() + timedelta(days=days)


def maintained(pipeline: Pipeline, days: int, *, dry_run: bool = False) -> MaintenanceReport:
    """Run maintenance as if this many days had passed since the night was predicted."""
    kept = Retention(nights_days=60, runs_days=100)
    return maintain(
        maintenance_context(pipeline), kept, run_id="m", dry_run=dry_run, now=later(days)
    )


def inputs(pipeline: Pipeline) -> set[str]:
    folder = pipeline.home / "assets"
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def predicted(make_pipeline: MakePipeline, stored_instance: dg.DagsterInstance) -> Pipeline:
    pipeline = make_pipeline(instance=stored_instance)
    assert pipeline.predict().success
    for request in pipeline.tick():
        pipeline.publish(request)
    return pipeline


def test_an_expired_night_keeps_its_table_and_verdict_and_a_new_night_keeps_everything(
    predicted: Pipeline,
) -> None:
    instance, table = predicted.instance, predicted.table()
    nights = set(instance.get_dynamic_partitions("player_nights"))
    old_inputs = inputs(predicted)
    # A night that was predicted recently can be replayed, however old its games are.
    nothing = maintained(predicted, 59)
    assert (nothing.player_nights, nothing.input_files, nothing.runs) == (0, 0, 0)
    assert inputs(predicted) == old_inputs

    tonight = later(61).date()
    new = player_partition_key(tonight, "paulgeorge")
    instance.add_dynamic_partitions("player_nights", [new, "by hand"])
    model = "2020-01-06-0123456789abcdef"
    used = predicted.home / "assets" / "prediction_models" / f"{tonight}.json"
    used.write_text(f'"{model}"')
    before = maintained(predicted, 61, dry_run=True)
    assert set(instance.get_dynamic_partitions("player_nights")) == {*nights, new, "by hand"}
    assert old_inputs < inputs(predicted)

    done = maintained(predicted, 61)
    assert done == MaintenanceReport(**{**before.__dict__, "dry_run": False})
    assert done.player_nights == len(nights)
    assert done.player_nights_left == 1
    assert set(instance.get_dynamic_partitions("player_nights")) == {new, "by hand"}
    assert inputs(predicted) == {f"prediction_models/{tonight}.json"}
    assert (done.input_files, done.runs) == (len(old_inputs), 0)
    assert predicted.table().equals(table)
    assert predicted.audit().verdict is Verdict.COMPLETE
    again = maintained(predicted, 61)
    assert (again.player_nights, again.input_files, again.models) == (0, 0, 0)


def test_old_runs_are_removed_with_their_files_and_their_partitions_are_missing(
    predicted: Pipeline, stored_instance: dg.DagsterInstance
) -> None:
    home = Path(stored_instance.storage_directory()).parent
    events = home / "history" / "runs"
    runs = [run.run_id for run in stored_instance.get_runs()]
    assert len(runs) == 2
    assert all((events / f"{run}.db").is_file() for run in runs)
    assert predicted.materialized_players()
    done = maintained(predicted, 101)
    assert done.runs == 2
    assert done.run_bytes > 0
    assert stored_instance.get_runs() == []
    assert not any((events / f"{run}.db").exists() for run in runs)
    assert not predicted.materialized_players()
    assert predicted.audit().verdict is Verdict.COMPLETE
    assert maintained(predicted, 101).runs == 0


def test_a_date_with_an_unfinished_run_is_untouched(predicted: Pipeline) -> None:
    tags = {"dagster/partition": NIGHT}
    unfinished = dg.DagsterRun(
        job_name="replay_players", status=dg.DagsterRunStatus.STARTED, tags=tags
    )
    predicted.instance.add_run(unfinished)
    before, nights = inputs(predicted), predicted.instance.get_dynamic_partitions("player_nights")
    done = maintained(predicted, 150)
    assert (done.player_nights, done.input_files) == (0, 0)
    assert inputs(predicted) == before
    assert predicted.instance.get_dynamic_partitions("player_nights") == nights
    assert [run.run_id for run in predicted.instance.get_runs()] == [unfinished.run_id]


def test_player_partitions_of_an_older_version_are_removed(predicted: Pipeline) -> None:
    instance = predicted.instance
    current = instance.get_dynamic_partitions("player_nights")
    # The date of the first key is in use, that of the second has expired.
    old = [f"{NIGHT}|paulgeorge", "2020-01-01|paulgeorge"]
    instance.add_dynamic_partitions("player_nights", [*old, "by hand"])
    run = dg.DagsterRun(
        job_name="player_staging",
        status=dg.DagsterRunStatus.STARTED,
        tags={"dagster/partition": old[0]},
    )
    instance.add_run(run)
    assert maintained(predicted, 0, dry_run=True).player_nights == 2
    report = maintained(predicted, 0)
    assert (report.player_nights, report.player_nights_left) == (2, len(current))
    assert instance.get_dynamic_partitions("player_nights") == [*current, "by hand"]
    assert maintained(predicted, 0).player_nights == 0
    # The next run of the date finds its players again.
    assert predicted.predict().success
    assert set(current) <= set(instance.get_dynamic_partitions("player_nights"))


def test_models_of_expired_nights_are_removed(
    make_pipeline: MakePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = make_pipeline(models_in=None)
    folder = pipeline.home / "models"
    frames = pipeline.home / "assets" / "prediction_models"
    for path in (folder, frames):
        path.mkdir(parents=True)
    for name in ("2025-10-06-aa", "2025-10-13-bb", "2025-09-29-cc"):
        (folder / f"{name}.zip").write_bytes(b"trees")
    Promotions(folder).promote(Promotion("2025-09-29-cc", "2025-09-29", "2025-10-01", "test"))
    (frames / f"{later(80).date()}.json").write_text('"2025-10-13-bb"')
    assert maintained(pipeline, 61).models == 1
    # A model of a kept night stays, and so does a promoted model.
    left = sorted(path.stem for path in folder.glob("*.zip"))
    assert left == ["2025-09-29-cc", "2025-10-13-bb"]


def test_the_job_removes_expired_partitions_and_reports_the_number(
    make_pipeline: MakePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = make_pipeline()
    pipeline.instance.add_dynamic_partitions("player_nights", ["2020-01-01:paulgeorge"])
    result = pipeline.definitions.resolve_job_def("maintenance").execute_in_process(
        instance=pipeline.instance
    )
    assert result.success
    assert pipeline.instance.get_dynamic_partitions("player_nights") == []
    (output,) = [e for e in result.all_events if e.is_successful_output]
    assert output.step_output_data.metadata["player_nights"].value == 1


def test_the_command_has_a_dry_run_and_refuses_a_retention_that_is_too_short(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs_of_old = home / "assets" / "slate"
    inputs_of_old.mkdir(parents=True)
    frame = inputs_of_old / "2020-01-01.parquet"
    pl.DataFrame({"a": [1]}).write_parquet(frame)
    assert cli.main(["maintain", "--dry-run"]) == 0
    assert frame.exists()
    assert capsys.readouterr().out.splitlines()[-1] == "NOTHING WAS CHANGED"
    assert cli.main(["maintain", "--keep-nights-days", "3"]) == 2
    assert "keep at least 14" in capsys.readouterr().err
    assert cli.main(["maintain"]) == 0
    assert not frame.exists()
    assert "input_files  1" in capsys.readouterr().out
