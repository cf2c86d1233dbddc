"""The command line, `nba-predictions`.

`commands.py` declares every command with its options and help. The other modules do the work, and
are imported only when their command runs. Rules of batches, inputs and models do not belong here.
"""

import sys
from collections.abc import Sequence
from typing import Any

import typer

from nba_predictions.cli.commands import app
from nba_predictions.cli.options import DEMO_DATE
from nba_predictions.domain.errors import NbaPredictionsError

__all__ = ["DEMO_DATE", "main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 not done, 2 wrong input."""
    try:
        return int(app(arguments, prog_name="nba-predictions", standalone_mode=False) or 0)
    except typer.TyperException as error:
        _print_usage_error(error)
        return error.exit_code
    except NbaPredictionsError as error:
        print(f"nba-predictions: {error}", file=sys.stderr)
        return 2


def _print_usage_error(error: typer.TyperException) -> None:
    message = error.format_message().replace("Value error, ", "")
    if not message:
        # Typer has already printed the help, because the command is missing.
        return
    # Some messages of pydantic, which converts the values, do not contain the value.
    conversions: Sequence[Any] = getattr(error.__cause__, "errors", tuple)()
    values = [repr(conversion["input"]) for conversion in conversions]
    message += "".join(f" (value: {value})" for value in values if value not in message)
    print(f"nba-predictions: {message}", file=sys.stderr)
    if context := getattr(error, "ctx", None):
        print(f"Try '{context.command_path} --help' for help.", file=sys.stderr)
