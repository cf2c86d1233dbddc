"""The command line: predict a night, look at it, mend it, grade it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from nba_predictions.cli import (
    alerts,
    backfill,
    backtest,
    initialize,
    maintenance,
    models,
    nights,
    repair,
    report,
)
from nba_predictions.cli.common import DEFAULT_GAME_DATE, prepare_dagster_home
from nba_predictions.domain.errors import NbaPredictionsError
from nba_predictions.settings import Settings

__all__ = ["DEFAULT_GAME_DATE", "main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 only when all that was asked is done."""
    options = _parser().parse_args(arguments)
    try:
        if options.profile:
            os.environ["NBA_PREDICTIONS_PROFILE"] = options.profile
        settings = Settings.from_environment(os.environ)
        prepare_dagster_home(settings)
        return int(options.command(settings, options))
    except NbaPredictionsError as error:
        print(f"nba-predictions: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nba-predictions", description=__doc__)
    parser.set_defaults(profile=None)
    commands = parser.add_subparsers(required=True)
    for module in (
        *(nights, backfill, report, repair, backtest, models),
        *(maintenance, alerts, initialize),
    ):
        module.add_commands(commands)
    return parser
