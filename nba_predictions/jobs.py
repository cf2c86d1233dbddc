"""The jobs: predict a night, publish it, grade it."""

from __future__ import annotations

import dagster as dg

from nba_predictions.assets.consolidation import staging_cleanup
from nba_predictions.assets.grading import prediction_results, system_performance
from nba_predictions.assets.publication import phase5_completion

nightly_predictions = dg.define_asset_job(
    "nightly_predictions",
    selection=dg.AssetSelection.assets(staging_cleanup).upstream(),
    description="Predict one game date, from ingestion to the clean-up of staging.",
)

publish_phase5_completion = dg.define_asset_job(
    "publish_phase5_completion",
    selection=dg.AssetSelection.assets(phase5_completion),
    description='Publish "Phase 5 complete" for one game date.',
)

grade_predictions = dg.define_asset_job(
    "grade_predictions",
    selection=dg.AssetSelection.assets(prediction_results, system_performance),
    description="Grade the predictions of one finished game date.",
)
