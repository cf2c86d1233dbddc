"""What a backtest can be asked for; light to import, for the command line needs it at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

#: How often models are trained anew. `weekly` is what the nights do.
RETRAIN: Final = ("monthly", "weekly", "never")

#: Called with what is being done, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]


def silent(what: str, done: int, of: int) -> None:
    """Report no progress."""
