"""Open a DuckDB file for reading or writing, and name the process that holds it.

A DuckDB file has either one process that writes or any number of processes that read.
https://duckdb.org/docs/stable/connect/concurrency
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
from tenacity import (
    Retrying,
    retry_any,
    retry_if_exception,
    stop_after_delay,
    wait_random_exponential,
)

from nba_predictions.domain.errors import WarehouseLockedError
from nba_predictions.storage import cannot_open

#: How long another process may take to write the header of a new file.
_CREATION_SECONDS = 2.0

# The messages are matched from their beginning: a path in them may contain any words.
_LOCKED = re.compile(
    r'IO Error: (Could not set lock on file ".*?": '
    r'|Cannot open file ".*?": The process cannot access the file because it is being used by )',
    re.DOTALL,
)
_HOLDER = re.compile(
    r"(?:Conflicting lock is held in|File is already open in)\s+(.+? \(PID \d+\)(?: by user \S+)?)",
    re.DOTALL,
)
_SAME_PROCESS = re.compile(
    r"[\w ]+ Error: (Unique file handle conflict"
    r"|Can't open a connection to same database file with a different configuration)"
)
_BEING_CREATED = re.compile(
    r'IO Error: (The file ".*" exists, but it is not a valid DuckDB database file'
    r'|Could not read enough bytes from file ".*")',
    re.DOTALL,
)


def open_file(path: Path, *, read_only: bool, wait_seconds: float) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file, and wait for a process or thread that holds it.

    Raises:
        WarehouseLockedError: it is still held after `wait_seconds`. The message names the holder.
        StorageError: the file is damaged, or this user may not open it.
    """
    attempts = Retrying(
        retry=retry_any(retry_if_exception(_is_held), retry_if_exception(_may_be_new(path))),
        wait=wait_random_exponential(multiplier=0.05, max=1),
        stop=stop_after_delay(wait_seconds),
        reraise=True,
    )
    try:
        connection = attempts(duckdb.connect, str(path), read_only=read_only)
    except duckdb.Error as error:
        if _is_held(error):
            raise locked(path, error) from error
        raise cannot_open(path, _reason(error)) from error
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def locked(path: Path, error: duckdb.Error) -> WarehouseLockedError:
    """Return the error that names who holds a file, from the words of DuckDB."""
    found = _HOLDER.search(str(error))
    if found:
        holder = " ".join(found[1].split())
    else:
        holder = "this process" if _SAME_PROCESS.match(str(error)) else "another process"
    return WarehouseLockedError(str(path), holder)


def _is_held(error: BaseException) -> bool:
    """Return whether another process or another thread of this process holds the file."""
    if not isinstance(error, duckdb.Error):
        return False
    return bool(_LOCKED.match(str(error)) or _SAME_PROCESS.match(str(error)))


def _may_be_new(path: Path) -> Callable[[BaseException], bool]:
    """Return whether an error may be due to a process that is creating the file right now."""

    def may_be_new(error: BaseException) -> bool:
        if not (isinstance(error, duckdb.Error) and _BEING_CREATED.match(str(error))):
            return False
        try:
            return time.time() - path.stat().st_mtime < _CREATION_SECONDS
        except OSError:
            return False

    return may_be_new


def _reason(error: duckdb.Error) -> str:
    """Return the first line of a message of DuckDB, without its class."""
    return re.sub(r"^[\w ]+ Error: ", "", str(error)).splitlines()[0].rstrip(".!")
