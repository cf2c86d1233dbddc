"""Durable files: synced in the right order, and never read as anything but what was written."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_predictions.domain.errors import DamagedFileError
from nba_predictions.durable_files import SealedFolder, quarantine_of, write_file
from nba_predictions_tests.damage import DAMAGES, Damage, foreign

FRAME = pl.DataFrame({"player": ["a", "b", "c"], "points": [1.5, None, 3.5]})


def _parquet() -> bytes:
    out = io.BytesIO()
    FRAME.write_parquet(out)
    return out.getvalue()


def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("learned.json", json.dumps({"weights": list(range(50))}))
    return out.getvalue()


CONTENTS = {
    "x.parquet": _parquet(),
    "x.json": json.dumps({"players": ["a", "b"]}, indent=1).encode(),
    "x.zip": _zip(),
}


@pytest.fixture
def files(tmp_path: Path) -> SealedFolder:
    return SealedFolder(tmp_path / "home" / "stored")


class Disk:
    """Records what is synced and renamed, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[str, str]] = []
        fsync, replace = os.fsync, Path.replace

        def synced(descriptor: int) -> None:
            self.calls.append(("sync", Path(f"/proc/self/fd/{descriptor}").readlink().name))
            fsync(descriptor)

        def renamed(path: Path, target: Path) -> Path:
            self.calls.append(("rename", target.name))
            return replace(path, target)

        monkeypatch.setattr(os, "fsync", synced)
        monkeypatch.setattr(Path, "replace", renamed)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_a_file_is_synced_before_it_is_renamed_and_its_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    write_file(tmp_path / "new" / "x.json", b"{}")
    made, (synced, part), renamed, last = disk.calls
    # A new folder is an entry of its parent.
    assert made == ("sync", tmp_path.name)
    assert synced == "sync"
    assert part.startswith(".x.") and part.endswith(".part")
    assert (renamed, last) == (("rename", "x.json"), ("sync", "new"))


@pytest.mark.parametrize("moment", ["before the rename", "after the rename"])
def test_a_folder_deleted_during_a_write_is_created_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Another process removes the last file of the folder, and the folder."""
    replace = Path.replace
    deleted: list[Path] = []

    def interrupted(path: Path, target: Path) -> Path:
        if moment == "after the rename":
            replace(path, target)
        if not deleted:
            shutil.rmtree(target.parent)
            deleted.append(target)
        return target if moment == "after the rename" else replace(path, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    write_file(tmp_path / "batch" / "p.parquet", b"rows")
    assert deleted
    assert [p.name for p in (tmp_path / "batch").iterdir()] == ["p.parquet"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_file(tmp_path / "x.json", b"old")

    def full(descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        write_file(tmp_path / "x.json", b"new")
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"old"]


def test_a_file_system_that_cannot_sync_a_folder_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def without_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", without_folders)
    write_file(tmp_path / "new" / "x.json", b"{}")
    assert (tmp_path / "new" / "x.json").read_bytes() == b"{}"


@pytest.mark.parametrize("name", CONTENTS)
def test_a_sealed_file_returns_what_was_written(files: SealedFolder, name: str) -> None:
    path = files.root / name
    files.write(path, CONTENTS[name])
    stored = files.read(path)
    assert (stored.content, stored.sealed) == (CONTENTS[name], True)
    files.write(path, CONTENTS[name])
    assert not quarantine_of(files.root).exists()


def test_a_sealed_parquet_file_is_a_parquet_file(files: SealedFolder) -> None:
    path = files.root / "x.parquet"
    files.write(path, CONTENTS["x.parquet"])
    assert pl.read_parquet(path).equals(FRAME)
    assert pq.read_table(path).num_rows == len(FRAME)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", CONTENTS)
def test_a_damaged_file_is_refused_by_name_and_replaced(
    files: SealedFolder, name: str, damage: Damage, capsys: pytest.CaptureFixture[str]
) -> None:
    path = files.root / "one" / name
    files.write(path, CONTENTS[name])
    if damage is foreign:
        files.write(files.root / "other" / name, CONTENTS[name])
    damage(path)
    with pytest.raises(DamagedFileError, match="is damaged") as raised:
        files.read(path)
    assert str(path) in str(raised.value)
    capsys.readouterr()

    files.write(path, CONTENTS[name])
    assert files.read(path).content == CONTENTS[name]
    (kept,) = quarantine_of(files.root).iterdir()
    logged = json.loads(capsys.readouterr().out)
    assert (logged["event"], logged["file"]) == ("file_quarantined", str(path))
    assert logged["moved_to"] == str(kept)


@pytest.fixture(scope="session")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[SealedFolder, Path]]:
    files = SealedFolder(tmp_path_factory.mktemp("sealed"))

    def written(name: str) -> tuple[SealedFolder, Path]:
        path = files.root / name
        write_file(path, b"")
        path.unlink()
        files.write(path, CONTENTS[name])
        return files, path

    return written


@settings(deadline=None)
@given(name=st.sampled_from(sorted(CONTENTS)), data=st.data())
def test_no_flipped_bit_and_no_cut_changes_what_is_read(
    sealed: Callable[[str], tuple[SealedFolder, Path]], name: str, data: st.DataObject
) -> None:
    files, path = sealed(name)
    raw = path.read_bytes()
    if data.draw(st.booleans(), label="flip"):
        bit = data.draw(st.integers(0, len(raw) * 8 - 1), label="bit")
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
    else:
        path.write_bytes(raw[: data.draw(st.integers(0, len(raw) - 1), label="length")])
    try:
        content = files.read(path).content
    except DamagedFileError:
        return
    # The seal alone was damaged. What it is about is whole.
    assert content.startswith(CONTENTS[name][:4])
    if name.endswith(".parquet"):
        assert pl.read_parquet(content).equals(FRAME)
    elif name.endswith(".json"):
        assert json.loads(content) == json.loads(CONTENTS[name])
    else:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert json.loads(archive.read("learned.json"))["weights"] == list(range(50))


@pytest.mark.parametrize("name", CONTENTS)
def test_a_file_of_an_earlier_version_has_no_seal_and_is_read(
    files: SealedFolder, name: str
) -> None:
    path = files.root / name
    write_file(path, CONTENTS[name])
    stored = files.read(path)
    assert (stored.content, stored.sealed) == (CONTENTS[name], False)
    files.write(path, CONTENTS[name])
    assert files.read(path).sealed
    assert not quarantine_of(files.root).exists()
