"""Prepare what a night needs: DAGSTER_HOME, and Google Cloud."""

from __future__ import annotations

import argparse

from nba_predictions.cli.common import Commands, add_command, open_pipeline
from nba_predictions.settings import Settings


def add_commands(commands: Commands) -> None:
    """Add `gcp init` and `init`."""
    cloud = commands.add_parser("gcp", help="prepare Google Cloud").add_subparsers(required=True)
    explanation = "create what a night needs in Google Cloud; harmless to repeat"
    add_command(cloud, "init", gcp_init, explanation).set_defaults(profile="gcp")
    # Every command begins with this; here nothing follows.
    explanation = "create DAGSTER_HOME with its configuration; harmless to repeat"
    add_command(commands, "init", lambda settings, options: 0, explanation)


def gcp_init(settings: Settings, options: argparse.Namespace) -> int:
    """Create datasets, tables and topics, and say what was made and what is there."""
    night = open_pipeline(settings)
    made = [
        *night.warehouse.set_up(),
        *night.warehouse.prepare(),
        *night.batches.prepare(),
        *night.publisher.prepare(),
    ]
    for what in made:
        print(f"made {what}")
    place = settings.gcp
    assert place is not None
    print(
        f"READY project={place.project} dataset={place.dataset} location={place.location} "
        f"database={place.database} topic={place.topic} made={len(made)}"
    )
    return 0
