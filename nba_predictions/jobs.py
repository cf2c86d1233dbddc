"""The jobs: predict a night, replay or finish it, publish it, grade it."""

from __future__ import annotations

from typing import Any

import dagster as dg

from nba_predictions.assets.consolidation import player_prop_predictions, staging_cleanup
from nba_predictions.assets.grading import (
    calibration,
    prediction_results,
    system_drift,
    system_performance,
)
from nba_predictions.assets.publication import phase5_completion
from nba_predictions.assets.staging import staged_predictions


def fan_out(**config: Any) -> dict[str, Any]:
    """Return the run configuration of a job that stages, with whom it stages."""
    return {"ops": {"staged_predictions": {"ops": {"open_batch_and_fan_out": {"config": config}}}}}


nightly_predictions = dg.define_asset_job(
    "nightly_predictions",
    selection=dg.AssetSelection.assets(staging_cleanup).upstream(),
    description="Predict one game date, from ingestion to the clean-up of staging.",
)

#: What a job is configured with, unless somebody configures it otherwise: as a whole, for a
#: configuration takes the place of the job's own.
CONFIG: dict[str, dict[str, Any]] = {
    "replay_players": fan_out(replay=True),
    "finish_batch": fan_out(finish=True),
}

#: What follows a slate that is there already.
_FROM_STAGING = dg.AssetSelection.assets(
    staged_predictions, player_prop_predictions, staging_cleanup
)

replay_players = dg.define_asset_job(
    "replay_players",
    selection=_FROM_STAGING,
    config=CONFIG["replay_players"],
    description="Predict players of a staged date again, merge and clean up: those that the "
    "configuration names, by default those who are not done.",
)

finish_batch = dg.define_asset_job(
    "finish_batch",
    selection=_FROM_STAGING,
    config=CONFIG["finish_batch"],
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
