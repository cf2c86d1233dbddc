"""Write the files of a home durably, and notice when a stored file is damaged.

A file is written under a temporary name, synced to the disk and renamed, and then its folder is
synced. After a power failure it is complete or missing. A sealed file contains a checksum of its
content and its name. A file that does not match its seal counts as missing, so the step that needs
it makes it again. Writing or removing a damaged file first moves it to the quarantine. Reading
never changes a file.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import logging
import os
import sqlite3
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tenacity import retry, retry_if_exception_type, stop_after_attempt

from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import DamagedFileError, StorageError
from nba_predictions.logs import milestone

_SEAL: Final = b"\nsealed sha256 "
_SEAL_BYTES: Final = len(_SEAL) + 64 + 1
_NOT_SUPPORTED: Final = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)
_PARQUET: Final = b"PAR1"


@retry(
    # Another process may delete the folder at any moment, when it removes the last file in it.
    retry=retry_if_exception_type((FileNotFoundError, FileExistsError)),
    stop=stop_after_attempt(20),
    reraise=True,
)
def write_file(path: Path, content: bytes) -> None:
    """Write a file completely or not at all. When this returns, a power failure cannot undo it."""
    make_folder(path.parent)
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex}.part")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Write the entries of a folder to the disk: a rename is durable only then."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # A bucket that is mounted as a file system cannot sync a folder, and need not.
        if error.errno not in _NOT_SUPPORTED:
            raise
    finally:
        os.close(descriptor)


@contextmanager
def naming_damaged_sqlite(path: Path) -> Iterator[None]:
    """Raise an error with the path of a SQLite file and the fix if the file is damaged.

    Raises:
        StorageError: the file is not a SQLite database, or its content is damaged.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        # The subclasses are about locks, constraints and statements.
        if type(error) is not sqlite3.DatabaseError:
            raise
        raise StorageError(
            f"{path} is damaged: {error}; stop all processes that use it, and restore it from a "
            "backup with `nba-predictions restore`"
        ) from error


def make_folder(folder: Path) -> None:
    """Create a folder and its parents durably."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


@dataclass(frozen=True)
class StoredFile:
    """The verified content of a file. Files of version 0.1.0 are not sealed."""

    content: bytes
    sealed: bool


@dataclass(frozen=True)
class SealedFolder:
    """Files in `root` and below that have a seal. A Parquet file stays a valid Parquet file.

    The seal covers the path below `root`, so a file that was copied to another name is damaged.
    """

    root: Path

    def write(self, path: Path, content: bytes) -> None:
        """Write a sealed file, after moving a damaged file of this name to the quarantine."""
        try:
            self.read(path)
        except FileNotFoundError:
            pass
        except DamagedFileError as error:
            self._quarantine(path, str(error))
        write_file(path, _sealed(content, self._name(path)))

    def read(self, path: Path) -> StoredFile:
        """Return the content of a file, without its seal.

        Raises:
            FileNotFoundError: the file does not exist.
            DamagedFileError: the content is not what was written under this name.
        """
        try:
            raw = path.read_bytes()
        except IsADirectoryError:
            raise DamagedFileError(f"{path} is damaged: it is a folder") from None
        start = raw.rfind(_SEAL)
        if start < 0:
            _check_unsealed(path, raw)
            return StoredFile(raw, sealed=False)
        content = raw[:start] + raw[start + _SEAL_BYTES :]
        if raw[start : start + _SEAL_BYTES] != _seal(content, self._name(path)):
            raise DamagedFileError(
                f"{path} is damaged: it does not have the checksum of what was written under this "
                "name"
            )
        return StoredFile(content, sealed=True)

    def remove(self, path: Path) -> bool:
        """Delete a file, or move a damaged one to the quarantine; return whether it existed."""
        try:
            self.read(path)
        except FileNotFoundError:
            return False
        except DamagedFileError as error:
            self._quarantine(path, str(error))
            return True
        path.unlink(missing_ok=True)
        return True

    def _quarantine(self, path: Path, problem: str) -> None:
        moved = quarantine_of(self.root) / (
            f"{utc_now():%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}-"
            f"{self.root.name}-{self._name(path).replace('/', '-')}"
        )
        make_folder(moved.parent)
        try:
            path.rename(moved)
        except FileNotFoundError:
            # Another writer moved it.
            return
        milestone(
            "file_quarantined",
            f"{problem}; it was moved to {moved}",
            severity=logging.WARNING,
            file=str(path),
            moved_to=str(moved),
        )

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def quarantine_of(folder: Path) -> Path:
    """Return the folder for damaged files of a folder of the home."""
    return folder.parent / "quarantine"


def _seal(content: bytes, name: str) -> bytes:
    digest = hashlib.sha256(name.encode() + b"\0" + content).hexdigest()
    return _SEAL + digest.encode() + b"\n"


def _sealed(content: bytes, name: str) -> bytes:
    """Return the content with its seal: at the end, or before the footer of a Parquet file.

    Parquet readers find the footer from the end of the file, and the data by its position from the
    start. They ignore what is between the two.
    """
    end = len(content)
    if content.startswith(_PARQUET) and content.endswith(_PARQUET):
        end -= 8 + int.from_bytes(content[-8:-4], "little")
    return content[:end] + _seal(content, name) + content[end:]


def _check_unsealed(path: Path, raw: bytes) -> None:
    """Check a file without a seal as far as its format allows.

    A file of an earlier version has no seal, and neither has a file that lost its end.
    """
    try:
        _CHECKS[path.suffix](raw)
    except Exception as error:
        raise DamagedFileError(f"{path} is damaged: {error!r}") from None


def _check_parquet(raw: bytes) -> None:
    # Imported here, because the command line must start without waiting for pyarrow.
    import pyarrow as pa
    import pyarrow.parquet as pq

    from nba_predictions.file_limits import check_parquet_size

    check_parquet_size(pa.BufferReader(raw))
    pq.read_table(pa.BufferReader(raw))


def _check_zip(raw: bytes) -> None:
    from nba_predictions.file_limits import check_zip_size

    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        check_zip_size(archive)
        damaged = archive.testzip()
    if damaged is not None:
        raise zipfile.BadZipFile(f"{damaged} does not have its checksum")


_CHECKS: Final[dict[str, Callable[[bytes], object]]] = {
    ".json": json.loads,
    ".parquet": _check_parquet,
    ".zip": _check_zip,
}
