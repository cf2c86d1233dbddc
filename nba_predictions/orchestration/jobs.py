"""The jobs: predict a night, replay or finish it, publish it, grade it."""

from __future__ import annotations

import dagster as dg

from nba_predictions.orchestration.assets.grading import (
    calibration,
    prediction_results,
    system_drift,
    system_performance,
)
from nba_predictions.orchestration.assets.ingestion import game_logs
from nba_predictions.orchestration.assets.merge import player_prop_predictions, staging_cleanup
from nba_predictions.orchestration.assets.prediction_models import (
    models_in_force,
    prediction_models,
)
from nba_predictions.orchestration.assets.publication import phase5_completion
from nba_predictions.orchestration.assets.staging import staged_predictions
from nba_predictions.orchestration.run_config import Mode, fan_out
from nba_predictions.orchestration.run_tags import MODE_TAG

nightly_predictions = dg.define_asset_job(
    "nightly_predictions",
    selection=dg.AssetSelection.assets(staging_cleanup).upstream(),
    description="Predict one game date, from ingestion to the clean-up of staging.",
)

refresh_predictions = dg.define_asset_job(
    "refresh_predictions",
    selection=dg.AssetSelection.assets(staging_cleanup).upstream(),
    config=fan_out(Mode.refresh),
    tags={MODE_TAG: Mode.refresh.name},
    description="Bring the predictions of one game date up to the lines, injuries and games of "
    "now: only who is affected is predicted again.",
)

#: What follows a slate that is there already.
_FROM_STAGING = dg.AssetSelection.assets(
    staged_predictions, player_prop_predictions, staging_cleanup
)

replay_players = dg.define_asset_job(
    "replay_players",
    selection=_FROM_STAGING,
    config=fan_out(Mode.replay),
    tags={MODE_TAG: Mode.replay.name},
    description="Predict players of a staged date again, merge and clean up: those that the "
    "configuration names, by default those who are not done.",
)

finish_batch = dg.define_asset_job(
    "finish_batch",
    selection=_FROM_STAGING,
    config=fan_out(Mode.finish),
    tags={MODE_TAG: Mode.finish.name},
    description="Bring a batch to its end that its run has left: merge what is staged, clean up.",
)

publish_phase5_completion = dg.define_asset_job(
    "publish_phase5_completion",
    selection=dg.AssetSelection.assets(phase5_completion),
    description='Publish "Phase 5 complete" for one game date.',
)

grade_predictions = dg.define_asset_job(
    "grade_predictions",
    selection=dg.AssetSelection.assets(
        prediction_results, system_performance, calibration, system_drift
    ),
    description="Grade the predictions of one finished game date.",
)

train_models = dg.define_asset_job(
    "train_models",
    selection=dg.AssetSelection.assets(game_logs, prediction_models, models_in_force),
    description="Train the models of the week of a game date, or find them trained, and let those "
    "of the week before challenge those in force.",
)
