"""Copy a SQLite file into memory, without changing it and without creating files next to it.

SQLite creates two more files when it reads a file in WAL mode, even if it may only read. Files that
another user creates in the home could not be written by the pipeline.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

#: How often a copy is repeated because the file changed during it.
_ATTEMPTS = 5
#: How long reading waits for a transaction of another process.
_WAIT_SECONDS = 5.0


def copy_into_memory(path: Path) -> sqlite3.Connection:
    """Return a copy of a SQLite file; empty if there is no file.

    Raises:
        sqlite3.Error: the file is not a database.
        OSError: the file cannot be read.
    """
    copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    try:
        if path.exists():
            _read(path, copy)
    except BaseException:
        copy.close()
        raise
    return copy


def _read(path: Path, copy: sqlite3.Connection) -> None:
    for _ in range(_ATTEMPTS):
        before = _state(path)
        with tempfile.TemporaryDirectory() as folder:
            twin = Path(folder) / path.name
            for suffix in ("", "-wal"):
                if _beside(path, suffix).exists():
                    shutil.copyfile(_beside(path, suffix), _beside(twin, suffix))
            if _state(path) == before:
                with closing(sqlite3.connect(twin)) as source:
                    source.backup(copy)
                return
    # A process writes all the time. While it has the file open, reading creates nothing.
    address = f"file:{quote(str(path))}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=_WAIT_SECONDS)) as source:
        source.backup(copy)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _state(path: Path) -> list[tuple[int, int] | None]:
    """Return the sizes and times of a file and its log."""
    states: list[tuple[int, int] | None] = []
    for file in (path, _beside(path, "-wal")):
        try:
            status = file.stat()
        except FileNotFoundError:
            states.append(None)
        else:
            states.append((status.st_size, status.st_mtime_ns))
    return states
