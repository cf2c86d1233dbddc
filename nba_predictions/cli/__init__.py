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
from nba_predictions.domain.errors import (
    LeaseLostError,
    NbaPredictionsError,
    PublishError,
    StorageError,
    WarehouseLockedError,
)

__all__ = ["DEMO_DATE", "main"]

#: Errors about the state of the machine or of other processes. All others are about the input.
_NOT_DONE = (LeaseLostError, PublishError, StorageError, WarehouseLockedError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code: 0 done, 1 not done, 2 wrong input, 130 interrupted."""
    try:
        return int(app(arguments, prog_name="nba-predictions", standalone_mode=False) or 0)
    except typer.TyperException as error:
        _print_usage_error(error)
        return error.exit_code
    except NbaPredictionsError as error:
        print(f"nba-predictions: {error}", file=sys.stderr)
        return 1 if isinstance(error, _NOT_DONE) else 2
    except OSError as error:
        if error.filename is None:
            raise
        print(f"nba-predictions: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("nba-predictions: interrupted; you can run the same command again", file=sys.stderr)
        return 130


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
