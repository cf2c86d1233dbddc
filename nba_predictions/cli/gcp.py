"""The command `gcp init`: create what a night needs in Google Cloud."""

from __future__ import annotations

from nba_predictions.cli.pipeline import Pipeline
from nba_predictions.settings import Settings


def create_resources(settings: Settings) -> int:
    """Create the missing datasets, tables and topics, and print what was created."""
    pipeline = Pipeline(settings)
    created = [
        *pipeline.warehouse.set_up(),
        *pipeline.warehouse.prepare(),
        *pipeline.batches.prepare(),
        *pipeline.publisher.prepare(),
    ]
    for name in created:
        print(f"made {name}")
    cloud = settings.gcp
    assert cloud is not None
    print(
        f"READY project={cloud.project} dataset={cloud.dataset} location={cloud.location} "
        f"database={cloud.database} topic={cloud.topic} made={len(created)}"
    )
    return 0
