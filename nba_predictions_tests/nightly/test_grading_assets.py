"""The asset checks of the grading assets: drift and missing box scores."""

from __future__ import annotations

from typing import Any

import dagster as dg
import polars as pl

from nba_predictions.inputs.port import GAME_LOGS, SCHEDULE
from nba_predictions.orchestration.assets.grading import prediction_results, system_drift
from nba_predictions_tests.examples import GAME_DATE
from nba_predictions_tests.nightly.conftest import Night
from nba_predictions_tests.nightly.test_model_monitoring import answering, errors


def materialize(asset: dg.AssetsDefinition, **resources: Any) -> dg.AssetCheckEvaluation:
    """Materialize one asset of the date; return the evaluation of its check."""
    result = dg.materialize(
        [asset],
        resources=resources,
        partition_key=GAME_DATE.isoformat(),
        instance=dg.DagsterInstance.ephemeral(),
        selection=[asset],
    )
    assert result.success
    (check,) = result.get_asset_check_evaluations()
    return check


def test_a_system_outside_its_band_fails_the_check_with_a_warning() -> None:
    check = materialize(system_drift, warehouse=answering(errors(60, late=1.0)))
    assert check.check_name == "recent_error_is_in_its_band"
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.WARN
    assert "xgboost: WORSE" in str(check.description)
    assert "ensemble" not in str(check.description)
    assert check.metadata["systems_out_of_band"].value == ["xgboost"]


def test_systems_within_their_bands_pass_the_check() -> None:
    check = materialize(system_drift, warehouse=answering(errors(60, late=0.0)))
    assert check.passed
    assert "ensemble: IN_BAND" in str(check.description)


class OnePlayed:
    """A league with one box score, from a game that is not on the slate."""

    def schedule(self, game_date: object) -> pl.DataFrame:
        return pl.DataFrame(schema=SCHEDULE)

    def box_scores(self, game_date: object) -> pl.DataFrame:
        row = {"player_lookup": "lukadoncic", "game_id": "x", "points": 33, "minutes": 30.5}
        return pl.DataFrame([row], schema=GAME_LOGS)


def test_a_game_without_box_scores_fails_the_check_with_a_warning(night: Night) -> None:
    night.published()
    (game,) = {row["game_id"] for row in night.rows()}
    check = materialize(
        prediction_results, league=OnePlayed(), warehouse=night.warehouse, batches=night.store
    )
    assert check.check_name == "every_game_has_box_scores"
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.description == f"no box score of {game}"
