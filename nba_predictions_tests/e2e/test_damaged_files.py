"""Damaged files of the home: the next run makes them again, with the same table."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nba_predictions.domain.batches.repair import plan_repair
from nba_predictions.durable_files import quarantine_of
from nba_predictions.orchestration.run_config import Mode, fan_out
from nba_predictions.training.model_store import ModelStore
from nba_predictions_tests.conftest import GAME_DATE
from nba_predictions_tests.damage import DAMAGES, Damage
from nba_predictions_tests.e2e.conftest import MakePipeline
from nba_predictions_tests.e2e.pipeline import NO_GAMES_DATE, Pipeline, errors, facts

NIGHT = GAME_DATE.isoformat()
VALUES = {
    "game_logs": "parquet",
    "schedule": "parquet",
    "prop_lines": "parquet",
    "injuries": "parquet",
    "slate": "json",
    "player_features": "parquet",
    "prediction_models": "json",
}


def value_file(pipeline: Pipeline, asset: str) -> Path:
    return pipeline.home / "assets" / asset / f"{NIGHT}.{VALUES[asset]}"


def assert_complete(pipeline: Pipeline, expected: pl.DataFrame) -> None:
    result = pipeline.predict()
    assert result.success, errors(result)
    for request in pipeline.tick():
        assert pipeline.publish(request).success
    assert pipeline.audit().complete, pipeline.audit().facts
    assert facts(pipeline.table()) == facts(expected)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_staging_is_staged_again(
    pipeline: Pipeline, undisturbed: pl.DataFrame, damage: Damage
) -> None:
    assert pipeline.materialize_until_staged().success
    first, *_, last = pipeline.staging_files()
    for name in (first, last):
        damage(pipeline.home / "staging" / name)
    # The merge alone cannot make them again, and says what is missing.
    assert not pipeline.materialize("player_prop_predictions").success
    assert len(pipeline.audit().evidence.lost_staging) == 2
    assert_complete(pipeline, undisturbed)
    assert len(list((pipeline.home / "quarantine").iterdir())) == 2
    assert pipeline.staging_files() == []


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_staging_is_staged_again_by_a_replay(
    pipeline: Pipeline, undisturbed: pl.DataFrame, damage: Damage
) -> None:
    """`repair` replays the players whose staging is lost."""
    assert pipeline.materialize_until_staged().success
    damage(pipeline.home / "staging" / pipeline.staging_files()[0])
    evidence = pipeline.audit().evidence
    plan = plan_repair(evidence, pipeline.audit().verdict)
    assert plan.players == tuple(evidence.lost_staging)
    assert len(plan.players) == 1
    replay = fan_out(Mode.replay, players=list(plan.players))
    assert pipeline.run("replay_players", NIGHT, config=replay).success
    for request in pipeline.tick():
        assert pipeline.publish(request).success
    assert pipeline.audit().complete
    assert facts(pipeline.table()) == facts(undisturbed)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_values_between_steps_are_made_again(
    pipeline: Pipeline, undisturbed: pl.DataFrame, damage: Damage
) -> None:
    for game_date in (GAME_DATE, NO_GAMES_DATE):
        assert pipeline.predict(game_date).success
    for asset in VALUES:
        damage(value_file(pipeline, asset))
    assert_complete(pipeline, undisturbed)
    assert len(list((pipeline.home / "quarantine").iterdir())) == len(VALUES)


@pytest.mark.parametrize("asset", ["slate", "player_features", "prediction_models"])
def test_a_step_that_needs_a_damaged_value_names_the_file_and_the_command(
    pipeline: Pipeline, asset: str
) -> None:
    assert pipeline.materialize_until_staged().success
    path = value_file(pipeline, asset)
    path.write_bytes(b"")
    result = pipeline.materialize("staged_predictions")
    assert not result.success
    (error,) = set(errors(result))
    assert str(path) in error
    assert f"nba-predictions run --game-date {NIGHT}" in error


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_models_are_trained_again(
    make_pipeline: MakePipeline,
    models_in: Path,
    tmp_path: Path,
    undisturbed: pl.DataFrame,
    damage: Damage,
) -> None:
    models = tmp_path / "stored" / "models"
    models.mkdir(parents=True)
    (trained,) = models_in.glob(f"{NIGHT}-*.zip")
    store = ModelStore(models)
    content = trained.read_bytes()
    (models / trained.name).write_bytes(content)
    found = store.load(trained.stem)
    assert found is not None
    store.save("2025-10-20-another", found)
    damage(models / trained.name)
    assert_complete(make_pipeline(models_in=models), undisturbed)
    assert (models / trained.name).read_bytes() == content
    assert len(list(quarantine_of(models).iterdir())) == 1


@pytest.mark.usefixtures("undisturbed")
def test_a_step_that_needs_damaged_models_names_the_file_and_the_command(
    make_pipeline: MakePipeline, models_in: Path, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (trained,) = models_in.glob(f"{NIGHT}-*.zip")
    (models / trained.name).write_bytes(trained.read_bytes())
    pipeline = make_pipeline(models_in=models)
    assert pipeline.materialize_until_staged().success
    (models / trained.name).write_bytes(b"")
    lost = pipeline.home / "staging" / pipeline.staging_files()[0]
    lost.unlink()
    (error,) = {e.partition("\n")[0] for e in errors(pipeline.materialize("staged_predictions"))}
    assert str(models / trained.name) in error
    assert f"nba-predictions run --game-date {NIGHT}" in error


def test_a_damaged_record_of_promotions_does_not_stop_the_nights(
    make_pipeline: MakePipeline, models_in: Path, tmp_path: Path, undisturbed: pl.DataFrame
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (trained,) = models_in.glob(f"{NIGHT}-*.zip")
    (models / trained.name).write_bytes(trained.read_bytes())
    (models / "promotions.json").write_bytes(b'[{"name": ')
    assert_complete(make_pipeline(models_in=models), undisturbed)
