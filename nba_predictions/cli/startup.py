"""Prepare the process for a command: the settings, and DAGSTER_HOME.

This module must be cheap to import. Commands call it before they import Dagster.
"""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from nba_predictions.domain.errors import SettingsError
from nba_predictions.durable_files import write_file

if TYPE_CHECKING:
    from nba_predictions.settings import Settings


#: This file exists in a home while a backup is restored into it.
RESTORING = "restoring.json"


def load_settings(profile: str | None = None, *, prepare: bool = True) -> Settings:
    """Read the settings from the environment and prepare DAGSTER_HOME.

    Args:
        profile: replaces the configured profile, also for code that reads the environment later.
        prepare: whether to prepare DAGSTER_HOME, and to require a home that is not being restored.

    Raises:
        SettingsError: a setting is invalid, or a backup was not restored to the end.
    """
    from nba_predictions.settings import Settings

    if profile:
        os.environ["NBA_PREDICTIONS_PROFILE"] = profile
    settings = Settings.from_environment(os.environ)
    if prepare:
        if (settings.home / RESTORING).exists():
            raise SettingsError(
                f"the restore of a backup into {settings.home} did not end; run "
                "`nba-predictions restore` again"
            )
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
