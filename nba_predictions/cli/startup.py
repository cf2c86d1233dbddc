"""Prepare the process for a command: the settings, and DAGSTER_HOME.

This module must be cheap to import. Commands call it before they import Dagster.
"""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from nba_predictions.durable_files import write_file

if TYPE_CHECKING:
    from nba_predictions.settings import Settings


def load_settings(profile: str | None = None) -> Settings:
    """Read the settings from the environment and prepare DAGSTER_HOME.

    Args:
        profile: replaces the configured profile, also for code that reads the environment later.
    """
    from nba_predictions.settings import Settings

    if profile:
        os.environ["NBA_PREDICTIONS_PROFILE"] = profile
    settings = Settings.from_environment(os.environ)
    prepare_dagster_home(settings)
    return settings


def prepare_dagster_home(settings: Settings) -> Path:
    """Set DAGSTER_HOME unless it is set, and create the folder and its dagster.yaml."""
    home = Path(os.environ.get("DAGSTER_HOME") or settings.home / "dagster").resolve()
    # Dagster rejects a relative path.
    os.environ["DAGSTER_HOME"] = str(home)
    home.mkdir(parents=True, exist_ok=True)
    configuration = home / "dagster.yaml"
    if not configuration.exists():
        packaged = resources.files("nba_predictions").joinpath("dagster.yaml")
        write_file(configuration, packaged.read_bytes())
    return home
