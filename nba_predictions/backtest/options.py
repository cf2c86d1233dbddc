"""Options of a backtest, in a module that the command line can import quickly."""

from collections.abc import Callable
from typing import Final

#: How often models are trained again. The nights train weekly.
RETRAIN: Final = ("monthly", "weekly", "never")

#: Called with a description of the current step, the number of done items, and their total.
Progress = Callable[[str, int, int], None]


def silent(description: str, done: int, total: int) -> None:
    """Report no progress."""
