"""The commands `backup` and `restore`: copy a home while a night runs, and put a copy back.

The batch store is copied before what it refers to, and no process can write to the warehouse in
between. The copy is therefore a state in which a killed run could have left the home, and the next
run continues from it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, TypedDict

import duckdb

from nba_predictions import __version__
from nba_predictions.cli.startup import RESTORING
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import BackupError, DamagedFileError, SettingsError
from nba_predictions.durable_files import SealedFolder, make_folder, sync_folder, write_file
from nba_predictions.settings import Settings
from nba_predictions.warehouse.duckdb_connection import open_file

_MANIFEST: Final = "manifest.json"
_WAREHOUSE: Final = "warehouse.duckdb"
#: The stores that say what was done come first, then what they refer to.
_FIRST: Final = ("batches.sqlite", "outbox.sqlite", "staging")
_DAGSTER: Final = "dagster"
#: Replaced files, damaged files, and the unfinished copy of a restore.
_KEPT_FILES: Final = "before-restore-"
_SKIPPED: Final = ("quarantine", RESTORING)
_UNFINISHED: Final = ".restore-"
#: The logs of databases, whose content the copies of the databases have, and unfinished files.
_SKIPPED_ENDINGS: Final = ("-wal", "-shm", "-journal", ".wal", ".part", ".lock")
_SQLITE_MAGIC: Final = b"SQLite format 3\0"
_WAIT_SECONDS: Final = 60.0
_CHUNK_BYTES: Final = 1 << 20


class _File(TypedDict):
    bytes: int
    sha256: str


def back_up_home(settings: Settings, folder: Path, *, with_dagster: bool) -> int:
    """Copy the home to a new folder, completely or not at all, and print what was copied.

    Raises:
        BackupError: the folder exists, the home does not, or a database is damaged.
        WarehouseLockedError: another process writes to the warehouse for too long.
    """
    home = _embedded_home(settings)
    if not home.is_dir():
        raise BackupError(f"there is no home {home}; set NBA_PREDICTIONS_HOME to an existing home")
    target = folder.resolve()
    if target.exists():
        raise BackupError(f"{target} exists already; name a new folder")
    if target.is_relative_to(home.resolve()):
        raise BackupError(f"{target} is in the home {home}; name a folder outside of it")
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
    try:
        files = _copy_home(home, partial, with_dagster=with_dagster)
        manifest = {
            "version": __version__,
            "made_at": utc_now().isoformat(timespec="seconds"),
            "files": files,
        }
        content = json.dumps(manifest, indent=1).encode()
        SealedFolder(partial).write(partial / _MANIFEST, content)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    sync_folder(target.parent)
    size = sum(file["bytes"] for file in files.values())
    print(f"BACKED UP home={home} folder={target} files={len(files)} bytes={size}")
    return 0


def restore_home(settings: Settings, folder: Path, *, force: bool) -> int:
    """Verify a backup, put it into the home, and print what was restored.

    Files that it replaces are moved to a subfolder of the home. An interrupted restore can be
    repeated; until then, other commands refuse the home.

    Raises:
        BackupError: the backup is incomplete or damaged, or the home is not empty.
    """
    home = _embedded_home(settings)
    files = _verified_manifest(folder)
    interrupted = (home / RESTORING).exists()
    occupied = sorted(path.name for path in _replaceable(home))
    if occupied and not (force or interrupted):
        raise BackupError(
            f"the home {home} is not empty ({', '.join(occupied)}); use --force to replace it, or "
            "set NBA_PREDICTIONS_HOME to another folder"
        )
    for unfinished in home.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(unfinished)
    copy = home / f"{_UNFINISHED}{uuid.uuid4().hex}"
    make_folder(copy)
    for name, file in files.items():
        if _copy_file(folder / name, copy / name) != file:
            raise BackupError(f"{folder / name} changed during the restore; nothing was replaced")
    kept = _exchange(home, copy)
    size = sum(file["bytes"] for file in files.values())
    print(f"RESTORED home={home} files={len(files)} bytes={size} replaced={kept or '-'}")
    return 0


def _embedded_home(settings: Settings) -> Path:
    if settings.profile != "embedded":
        raise SettingsError(
            "`backup` and `restore` are for the profile embedded; on Google Cloud use the backups "
            "of BigQuery and Firestore"
        )
    return settings.home


# ------------------------------------------------------------------- backup


def _copy_home(home: Path, target: Path, *, with_dagster: bool) -> dict[str, _File]:
    """Copy the files of a home; return them by name."""
    make_folder(target)
    files: dict[str, _File] = {}
    warehouse = home / _WAREHOUSE
    if warehouse.exists():
        # While this connection is open, no process can merge.
        with closing(open_file(warehouse, read_only=True, wait_seconds=_WAIT_SECONDS)) as reading:
            _copy_entries(home, target, _FIRST, files)
            files[_WAREHOUSE] = _copy_warehouse(reading, warehouse, target / _WAREHOUSE)
    else:
        _copy_entries(home, target, _FIRST, files)
    others = [
        path.name
        for path in sorted(home.iterdir())
        if path.name not in (*_FIRST, *_SKIPPED, _WAREHOUSE)
        and not path.name.startswith((_KEPT_FILES, _UNFINISHED))
        and (with_dagster or path.name != _DAGSTER)
    ]
    _copy_entries(home, target, others, files)
    return files


def _copy_entries(
    home: Path, target: Path, names: tuple[str, ...] | list[str], files: dict[str, _File]
) -> None:
    for name in names:
        for path in _files_in(home / name):
            relative = path.relative_to(home)
            copied = _copy(path, target / relative)
            if copied is not None:
                files[relative.as_posix()] = copied


def _files_in(path: Path) -> Iterator[Path]:
    """Return a file, or the files in a folder, without those that a backup does not need."""
    found = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file in found:
        if file.is_file() and not file.name.endswith(_SKIPPED_ENDINGS):
            yield file


def _copy(source: Path, target: Path) -> _File | None:
    """Copy a file or SQLite database; return None if it was deleted meanwhile."""
    try:
        with source.open("rb") as file:
            is_sqlite = file.read(len(_SQLITE_MAGIC)) == _SQLITE_MAGIC
        if is_sqlite or source.suffix == ".sqlite":
            return _copy_sqlite(source, target)
        return _copy_file(source, target)
    except FileNotFoundError:
        return None


def _copy_sqlite(source: Path, target: Path) -> _File:
    """Copy a SQLite database with all committed transactions."""
    make_folder(target.parent)
    try:
        with (
            closing(sqlite3.connect(source, timeout=_WAIT_SECONDS)) as reading,
            closing(sqlite3.connect(target)) as writing,
        ):
            reading.backup(writing)
            # The copy is one file, without a log next to it.
            writing.execute("PRAGMA journal_mode = DELETE")
            problems = [row[0] for row in writing.execute("PRAGMA integrity_check(3)")]
    except sqlite3.DatabaseError as error:
        problems = [str(error)]
    if problems != ["ok"]:
        raise BackupError(
            f"{source} is damaged ({'; '.join(problems)}); restore it from an earlier backup"
        )
    return _described(target)


def _copy_warehouse(reading: duckdb.DuckDBPyConnection, source: Path, target: Path) -> _File:
    """Copy all tables. This reads every block, so a damaged one is found."""
    try:
        found = reading.execute("SELECT current_database()").fetchone()
        assert found is not None
        reading.execute(f"ATTACH '{_quoted(target)}' AS target_of_backup (READ_WRITE)")
        reading.execute(f'COPY FROM DATABASE "{found[0]}" TO target_of_backup')
        reading.execute("DETACH target_of_backup")
    except duckdb.Error as error:
        raise BackupError(f"{source} cannot be copied: {error}") from error
    return _described(target)


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


# ------------------------------------------------------------------- restore


def _verified_manifest(folder: Path) -> dict[str, _File]:
    """Return the files of a backup after comparing each with its checksum."""
    try:
        stored = SealedFolder(folder).read(folder / _MANIFEST)
    except FileNotFoundError:
        raise BackupError(f"{folder} is not a backup: it has no {_MANIFEST}") from None
    except DamagedFileError as error:
        raise BackupError(str(error)) from None
    files: dict[str, _File] = json.loads(stored.content)["files"] if stored.sealed else {}
    if not stored.sealed:
        raise BackupError(f"{folder / _MANIFEST} is damaged: it has no checksum")
    for name, file in files.items():
        try:
            found = _describe(folder / name)
        except FileNotFoundError:
            raise BackupError(f"{folder / name} is missing; nothing was restored") from None
        if found != file:
            raise BackupError(
                f"{folder / name} is damaged: it has {found['bytes']} bytes with the sha256 "
                f"{found['sha256'][:12]}, and the manifest says {file['bytes']} and "
                f"{file['sha256'][:12]}; nothing was restored"
            )
    return files


def _replaceable(home: Path) -> list[Path]:
    """Return what a restore replaces: all of the home, except what earlier restores kept."""
    if not home.is_dir():
        return []
    return [
        path
        for path in home.iterdir()
        if path.name != RESTORING and not path.name.startswith((_KEPT_FILES, _UNFINISHED))
    ]


def _exchange(home: Path, copy: Path) -> Path | None:
    """Replace the content of the home by the copy; return the folder with the old content.

    The history of Dagster's runs stays if the copy has none. A marker in the home shows until the
    end that its content is mixed.
    """
    marker = home / RESTORING
    if marker.exists():
        kept = home / json.loads(marker.read_bytes())["kept"]
    else:
        kept = home / f"{_KEPT_FILES}{utc_now():%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:4]}"
        write_file(marker, json.dumps({"kept": kept.name}).encode())
    for path in _replaceable(home):
        if path.name == _DAGSTER and not (copy / _DAGSTER).exists():
            continue
        kept.mkdir(exist_ok=True)
        if (kept / path.name).exists():
            # An interrupted restore has kept the original and put this one here.
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        else:
            path.rename(kept / path.name)
    for path in sorted(copy.iterdir()):
        path.rename(home / path.name)
    copy.rmdir()
    sync_folder(home)
    marker.unlink()
    sync_folder(home)
    return kept if kept.exists() else None


# ------------------------------------------------------------------- files


def _copy_file(source: Path, target: Path) -> _File:
    """Copy a file durably; return the size and checksum of what was written."""
    make_folder(target.parent)
    digest = hashlib.sha256()
    size = 0
    with source.open("rb") as reading, target.open("xb") as writing:
        while chunk := reading.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            writing.write(chunk)
        writing.flush()
        os.fsync(writing.fileno())
    sync_folder(target.parent)
    return _File(bytes=size, sha256=digest.hexdigest())


def _described(written: Path) -> _File:
    """Write a new file to the disk; return its size and checksum."""
    with written.open("rb") as file:
        os.fsync(file.fileno())
    sync_folder(written.parent)
    return _describe(written)


def _describe(path: Path) -> _File:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return _File(bytes=path.stat().st_size, sha256=digest.hexdigest())
