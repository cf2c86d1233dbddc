"""Wait for a warehouse that another process holds, and say which process that is.

An embedded warehouse is one file. A program that has it open, also only for reading, keeps every
other process from writing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

from nba_predictions.domain.errors import WarehouseLockedError
from nba_predictions.logs import milestone
from nba_predictions.warehouse.port import Warehouse

T = TypeVar("T")

#: How long a step waits. It is shorter than STALL_WINDOW, so that a waiting batch has not stalled.
LOCK_WAIT_SECONDS = 9 * 60.0
#: The pause between two looks at the warehouse, and between two milestones.
_POLL_SECONDS = 1.0
_REPORT_SECONDS = 60.0


def when_writable(write: Callable[[], T], warehouse: Warehouse, **context: Any) -> T:
    """Return the result of a write, and repeat it while another process holds the warehouse.

    The write must be safe to repeat. `context` has the fields of the milestones, for example the
    game date and the run.

    Raises:
        WarehouseLockedError: the warehouse is still held after LOCK_WAIT_SECONDS.
    """
    began = time.monotonic()
    held = False
    while True:
        try:
            result = write()
        except WarehouseLockedError as error:
            held = True
            _wait_until_writable(warehouse, error, began, context)
            continue
        if held:
            waited = time.monotonic() - began
            milestone(
                "warehouse_free",
                f"the warehouse was free after {waited:.0f} s",
                waited_seconds=round(waited, 1),
                **context,
            )
        return result


def _wait_until_writable(
    warehouse: Warehouse, error: WarehouseLockedError, began: float, context: dict[str, Any]
) -> None:
    """Return when the warehouse is writable; log who holds it each minute."""
    reported = None
    while True:
        waited = time.monotonic() - began
        if waited > LOCK_WAIT_SECONDS:
            raise WarehouseLockedError(
                error.path,
                error.holder,
                advice=f"it did not close it within {waited / 60:.0f} minutes. Nothing was "
                f"written, and staged rows are kept. Close that program, then repeat this step; "
                f"the current night is repeated automatically",
            ) from error
        if reported is None or waited - reported >= _REPORT_SECONDS:
            reported = waited
            milestone(
                "warehouse_locked",
                f"{error.holder} holds {error.path}; waiting until it closes the file, at most "
                f"{(LOCK_WAIT_SECONDS - waited) / 60:.0f} more minutes",
                severity=logging.WARNING,
                holder=error.holder,
                path=error.path,
                waited_seconds=round(waited, 1),
                **context,
            )
        time.sleep(_POLL_SECONDS)
        try:
            warehouse.check_writable()
        except WarehouseLockedError as still:
            error = still
        else:
            return
