"""Prepare the process for a command: the settings, and DAGSTER_HOME.

This module must be cheap to import. Commands call it before they import Dagster.
"""

from __future__ import annotations

import hashlib
import os
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from nba_predictions.domain.errors import SettingsError
from nba_predictions.durable_files import write_file

if TYPE_CHECKING:
    from nba_predictions.settings import Settings

#: SHA-256 of each dagster.yaml that an earlier version created.
_EARLIER = frozenset(
    {
        "a1a63f41d4f5d21dddae95887a5c0302151b4f4fee6699d93d048ae035ee07bd",
        "0ec5d90ff6813f314d8f62cc669b747d0dce7c0b0285d8019f7a70187050d63c",
        "553758f0d8626b2a16635b044856022a50c85e2b852167f674900d8661b41b59",
        "ee55696a3f21cb698dfb52a40a913e357cde1129a230369af8d3062b86d2dd9f",
    }
)
#: This file exists in a home while a backup is restored into it.
RESTORING = "restoring.json"


def read_settings(profile: str | None = None, *, restoring: bool = False) -> Settings:
    """Read the settings from the environment, and create nothing: for commands that only read.

    Args:
        profile: replaces the configured profile, also for code that reads the environment later.
        restoring: whether the home may be one whose restore did not end.

    Raises:
        SettingsError: a setting is invalid, or a backup was not restored to the end.
    """
    from nba_predictions.settings import Settings

    if profile:
        os.environ["NBA_PREDICTIONS_PROFILE"] = profile
    settings = Settings.from_environment(os.environ)
    if not restoring and (settings.home / RESTORING).exists():
        raise SettingsError(
            f"the restore of a backup into {settings.home} did not end; run "
            "`nba-predictions restore` again"
        )
    return settings


def load_settings(profile: str | None = None) -> Settings:
    """Read the settings as `read_settings` does, and prepare DAGSTER_HOME."""
    settings = read_settings(profile)
    prepare_dagster_home(settings)
    return settings


def dagster_home(settings: Settings) -> Path:
    """Return the folder that is, or would be, DAGSTER_HOME."""
    # Dagster rejects a relative path.
    return Path(os.environ.get("DAGSTER_HOME") or settings.home / "dagster").resolve()


def prepare_dagster_home(settings: Settings) -> Path:
    """Set DAGSTER_HOME unless it is set, and create the folder and its dagster.yaml.

    A dagster.yaml of an earlier version is replaced, unless someone changed it.

    Raises:
        StorageError: the folder cannot be created.
    """
    home = dagster_home(settings)
    os.environ["DAGSTER_HOME"] = str(home)
    try:
        home.mkdir(parents=True, exist_ok=True)
        configuration = home / "dagster.yaml"
        if not configuration.exists() or _digest(configuration) in _EARLIER:
            packaged = resources.files("nba_predictions").joinpath("dagster.yaml")
            write_file(configuration, packaged.read_bytes())
    except OSError as error:
        from nba_predictions.storage import cannot_open

        raise cannot_open(home, error.strerror or str(error)) from error
    return home


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
