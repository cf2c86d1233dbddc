"""Keep the house small: maintain."""

from __future__ import annotations

import argparse
from dataclasses import asdict

import dagster as dg

from nba_predictions.cli.common import Commands, add_command, open_pipeline
from nba_predictions.domain.batches.retention import Retention
from nba_predictions.settings import Settings


def add_commands(commands: Commands) -> None:
    """Add `maintain`."""
    sub = add_command(
        commands,
        "maintain",
        maintain,
        "forget old player partitions, inputs, models, runs, and staging that was given up",
    )
    sub.add_argument("--dry-run", action="store_true", help="say what would be forgotten")
    for name, default, what in (
        ("--keep-nights-days", Retention.nights_days, "player partitions, inputs and models"),
        ("--keep-runs-days", Retention.runs_days, "Dagster's runs and their events"),
    ):
        sub.add_argument(
            name,
            type=int,
            metavar="DAYS",
            default=default,
            help=f"for how long {what} are kept (default: %(default)s)",
        )


def maintain(settings: Settings, options: argparse.Namespace) -> int:
    """Forget what is old, or say what would be; print the numbers."""
    # Imported here, like the pipeline itself: it takes a second.
    from nba_predictions.orchestration.maintenance import MaintenanceContext
    from nba_predictions.orchestration.maintenance import maintain as forget

    retention = Retention(options.keep_nights_days, options.keep_runs_days)
    night = open_pipeline(settings)
    with dg.DagsterInstance.get() as instance:
        house = MaintenanceContext(
            instance, settings, night.batches, night.warehouse, night.model_store
        )
        done = forget(house, retention, run_id="maintain", dry_run=options.dry_run)
    for name, value in asdict(done).items():
        print(f"{name:>20}  {value}")
    print("NOTHING WAS CHANGED" if options.dry_run else "MAINTAINED")
    return 0
