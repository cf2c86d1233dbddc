"""The command `maintain`: delete what is older than its retention."""

from __future__ import annotations

from dataclasses import asdict

import dagster as dg

from nba_predictions.cli.pipeline import Pipeline
from nba_predictions.domain.batches.retention import Retention
from nba_predictions.orchestration.maintenance import MaintenanceContext, maintain
from nba_predictions.settings import Settings


def maintain_home(settings: Settings, retention: Retention, *, dry_run: bool) -> int:
    """Delete what has expired, or only count it, and print the counts."""
    pipeline = Pipeline(settings)
    with dg.DagsterInstance.get() as instance:
        context = MaintenanceContext(
            instance, settings, pipeline.batches, pipeline.warehouse, pipeline.model_store
        )
        done = maintain(context, retention, run_id="maintain", dry_run=dry_run)
    for name, value in asdict(done).items():
        print(f"{name:>20}  {value}")
    print("NOTHING WAS CHANGED" if dry_run else "MAINTAINED")
    return 0
