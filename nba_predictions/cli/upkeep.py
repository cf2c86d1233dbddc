"""The commands `maintain`, `migrate` and `gcp init`: prepare and clean what the nights use."""

from dataclasses import asdict

from nba_predictions.cli.pipeline import Pipeline
from nba_predictions.domain.batches.retention import Retention
from nba_predictions.orchestration.maintenance import MaintenanceContext, maintain
from nba_predictions.settings import Settings


def maintain_home(settings: Settings, retention: Retention, *, dry_run: bool) -> int:
    """Delete what has expired, or only count it, and print the counts."""
    with Pipeline(settings, reading=dry_run) as pipeline:
        stores = (pipeline.batches, pipeline.warehouse, pipeline.model_store)
        context = MaintenanceContext(pipeline.instance, settings, *stores)
        done = maintain(context, retention, run_id="maintain", dry_run=dry_run)
    for name, value in asdict(done).items():
        print(f"{name:>20}  {value}")
    print("NOTHING WAS CHANGED" if dry_run else "MAINTAINED")
    return 0


def migrate_tables(settings: Settings) -> int:
    """Fill in required columns that the tables lack, and print what was done to each table."""
    for table in Pipeline(settings).warehouse.migrate():
        columns = ", ".join(table.columns) or "none"
        print(
            f"{table.table}: {table.filled} of {table.rows} rows filled, columns added: {columns}"
        )
    print("MIGRATED")
    return 0


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
