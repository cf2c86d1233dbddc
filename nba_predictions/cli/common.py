"""What the commands have in common."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from datetime import date
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from nba_predictions.settings import Settings

if TYPE_CHECKING:
    from nba_predictions.cli.in_process import Pipeline

#: A date in the middle of the simulated season, on which there is something to see.
DEFAULT_GAME_DATE = date(2026, 1, 15)

Commands = argparse._SubParsersAction  # argparse has no public name for it
#: Does what was asked and returns the exit code: 0 only when all of it is done.
Command = Callable[[Settings, argparse.Namespace], int]


def add_command(
    commands: Commands, name: str, command: Command, explanation: str
) -> argparse.ArgumentParser:
    """Add a command; return its parser, for its options."""
    sub: argparse.ArgumentParser = commands.add_parser(
        name, help=explanation, description=explanation
    )
    sub.set_defaults(command=command)
    return sub


def prepare_dagster_home(settings: Settings) -> Path:
    """Set DAGSTER_HOME, unless it is set, and put a configuration there."""
    home = Path(os.environ.get("DAGSTER_HOME") or settings.home / "dagster").resolve()
    # Dagster refuses a relative one.
    os.environ["DAGSTER_HOME"] = str(home)
    home.mkdir(parents=True, exist_ok=True)
    configuration = home / "dagster.yaml"
    if not configuration.exists():
        packaged = resources.files("nba_predictions").joinpath("dagster.yaml")
        configuration.write_text(packaged.read_text("utf-8"), "utf-8")
    return home


def open_pipeline(settings: Settings) -> Pipeline:
    # Imported here, when DAGSTER_HOME and the settings are known to be right.
    from nba_predictions.cli.in_process import Pipeline

    return Pipeline(settings)
