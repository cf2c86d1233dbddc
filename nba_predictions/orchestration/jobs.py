"""The jobs: predict a game date, refresh, replay or finish a batch, publish, grade and train.

Each job selects assets. What its run does with the batch of the date is in the job's configuration.
https://docs.dagster.io/guides/build/jobs
"""

import dagster as dg

from nba_predictions.orchestration.assets.fetching import fetched_inputs, fetched_results
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
from nba_predictions.orchestration.assets.staging import player_staging, staged_predictions
from nba_predictions.orchestration.run_config import Mode, fan_out
from nba_predictions.orchestration.run_tags import (
    MAX_RETRIES_TAG,
    MODE_TAG,
    RESCUE_TAG,
    RETRY_STRATEGY_TAG,
)

#: A run that was cut off is retried as a whole. It resumes its batch, and reads the inputs again.
_RETRIED = {RETRY_STRATEGY_TAG: "ALL_STEPS"}
#: Runs that never wait for another run of their date.
_RESCUE = {RESCUE_TAG: "true"}
#: Sensors request the next attempt of these runs themselves.
_RETRIED_BY_SENSOR = {**_RESCUE, MAX_RETRIES_TAG: "0"}

#: The inputs of a game date and everything up to the cleanup. `player_staging` has a partition per
#: player: a run of a game date cannot contain it, and `staged_predictions` stages its players.
_NIGHT = dg.AssetSelection.assets(staging_cleanup).upstream() - dg.AssetSelection.assets(
    player_staging
)
#: The assets that follow an existing slate.
_FROM_STAGING = dg.AssetSelection.assets(
    staged_predictions, player_prop_predictions, staging_cleanup
)

nightly_predictions = dg.define_asset_job(
    "nightly_predictions",
    selection=_NIGHT,
    tags=_RETRIED,
    description="Predicts one game date, from ingestion to the cleanup of staging.",
)

refresh_predictions = dg.define_asset_job(
    "refresh_predictions",
    selection=_NIGHT,
    config=fan_out(Mode.refresh),
    tags={**_RETRIED, MODE_TAG: Mode.refresh.name},
    description="Updates the predictions of one game date for changed lines, injuries and games. "
    "Predicts only the affected players.",
)

replay_players = dg.define_asset_job(
    "replay_players",
    selection=_FROM_STAGING,
    config=fan_out(Mode.replay),
    tags={**_RETRIED, MODE_TAG: Mode.replay.name},
    description="Predicts players again into the existing batch, merges and cleans up. Replays the "
    "players in the configuration, by default those that are not done.",
)

finish_batch = dg.define_asset_job(
    "finish_batch",
    selection=_FROM_STAGING,
    config=fan_out(Mode.finish),
    tags={**_RETRIED_BY_SENSOR, MODE_TAG: Mode.finish.name},
    description="Finishes a batch whose run ended early: merges what is staged and cleans up.",
)

publish_phase5_completion = dg.define_asset_job(
    "publish_phase5_completion",
    selection=dg.AssetSelection.assets(phase5_completion),
    tags=_RETRIED_BY_SENSOR,
    description='Publishes the message "Phase 5 complete" for one game date.',
)

grade_predictions = dg.define_asset_job(
    "grade_predictions",
    selection=dg.AssetSelection.assets(
        fetched_results, prediction_results, system_performance, calibration, system_drift
    ),
    tags={**_RETRIED, **_RESCUE},
    description="Grades the predictions of one finished game date.",
)

fetch_inputs = dg.define_asset_job(
    "fetch_inputs",
    selection=dg.AssetSelection.assets(fetched_inputs),
    tags=_RESCUE,
    description="Fetches the inputs of one game date, and predicts nothing.",
)

train_models = dg.define_asset_job(
    "train_models",
    selection=dg.AssetSelection.assets(game_logs, prediction_models, models_in_force),
    tags=_RETRIED,
    description="Trains the models of a week, unless they exist, and compares the models of the "
    "week before with the models in force.",
)

JOBS = [
    nightly_predictions,
    refresh_predictions,
    replay_players,
    finish_batch,
    publish_phase5_completion,
    grade_predictions,
    fetch_inputs,
    train_models,
]
