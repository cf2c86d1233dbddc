"""Backups of a home while a night runs, and their restore."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nba_predictions import cli
from nba_predictions.cli.backup import back_up_home, restore_home
from nba_predictions.domain.errors import BackupError, SettingsError
from nba_predictions.settings import Settings
from nba_predictions_tests.conftest import GAME_DATE
from nba_predictions_tests.damage import emptied, flipped, remove, truncated, zeroed
from nba_predictions_tests.e2e.conftest import MakePipeline
from nba_predictions_tests.e2e.pipeline import FramesLeague, Pipeline, errors, facts

NIGHT = GAME_DATE.isoformat()


@pytest.fixture(scope="module")
def complete(
    tmp_path_factory: pytest.TempPathFactory, league: FramesLeague, models_in: Path
) -> Pipeline:
    """Return a home with a complete, published night. Tests must not change it."""
    pipeline = Pipeline.build(
        tmp_path_factory.mktemp("complete") / "home", league, models_in=models_in
    )
    predict(pipeline)
    return pipeline


@pytest.fixture(scope="module")
def backup(complete: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return backed_up(complete.home, tmp_path_factory.mktemp("backups") / "one")


def backed_up(home: Path, folder: Path) -> Path:
    assert back_up_home(Settings(home=home), folder, with_dagster=False) == 0
    return folder


def predict(pipeline: Pipeline) -> None:
    result = pipeline.predict()
    assert result.success, errors(result)
    for request in pipeline.tick():
        assert pipeline.publish(request).success
    assert pipeline.audit().complete, pipeline.audit().facts


def expire_leases(home: Path) -> None:
    """Let the lease of the run that was copied end now, not three minutes later."""
    with closing(sqlite3.connect(home / "batches.sqlite")) as connection, connection:
        connection.execute("UPDATE leases SET expires_at = '2025-01-01T00:00:00.000000+00:00'")


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def comparable(folder: Path) -> dict[str, Any]:
    """Return the files of a folder, with the statements that make each database."""
    found: dict[str, Any] = dict(content(folder))
    for name in found:
        if name.endswith(".db"):
            with closing(sqlite3.connect(folder / name)) as connection:
                found[name] = list(connection.iterdump())
    return found


#: The moments of a night: the resource, the method and the number of its call.
MOMENTS = [
    ("batches", "create", 1),
    ("warehouse", "stage", 5),
    ("batches", "complete", 12),
    ("warehouse", "merge", 1),
    ("batches", "append", 3),
    ("batches", "append", 4),
    ("warehouse", "drop_staging", 1),
    ("batches", "move", 4),
]


@pytest.mark.parametrize(("resource", "method", "number"), MOMENTS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_night_continues_from_a_backup_that_was_made_while_it_ran(
    make_pipeline: MakePipeline,
    undisturbed: pl.DataFrame,
    tmp_path: Path,
    resource: str,
    method: str,
    number: int,
    when: str,
) -> None:
    night = make_pipeline()
    numbers = itertools.count(1)

    def backing_up(real: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        due = next(numbers) == number
        if due and when == "before":
            backed_up(night.home, tmp_path / "backup")
        result = real(*args, **kwargs)
        if due and when == "after":
            backed_up(night.home, tmp_path / "backup")
        return result

    with getattr(night, resource).broken(method, backing_up):
        assert night.predict().success
    assert facts(night.table()) == facts(undisturbed)

    other = make_pipeline("other")
    assert restore_home(Settings(home=other.home), tmp_path / "backup", force=False) == 0
    expire_leases(other.home)
    predict(other)
    assert facts(other.table()) == facts(undisturbed)
    assert other.staging_files() == []


def test_a_complete_home_is_the_same_after_a_restore(
    complete: Pipeline,
    backup: Path,
    make_pipeline: MakePipeline,
    capsys: pytest.CaptureFixture[str],
) -> None:
    restored = make_pipeline("other")
    assert restore_home(Settings(home=restored.home), backup, force=False) == 0
    assert capsys.readouterr().out.startswith(f"RESTORED home={restored.home} files=")
    assert restored.table().equals(complete.table())
    assert restored.messages() == complete.messages()
    assert restored.ledger() == complete.ledger()
    assert restored.audit().complete
    assert content(restored.home / "assets") == content(complete.home / "assets")
    assert {p.name for p in restored.home.iterdir()} <= {p.name for p in complete.home.iterdir()}


@pytest.mark.parametrize("damage", [truncated, emptied, zeroed, flipped, remove])
def test_a_damaged_backup_restores_nothing(
    complete: Pipeline, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    folder = backed_up(complete.home, tmp_path / "backup")
    whole = content(folder)
    assert {"manifest.json", "warehouse.duckdb", "batches.sqlite", "outbox.sqlite"} <= whole.keys()
    for name, original in whole.items():
        damage(folder / name)
        with pytest.raises(BackupError, match=Path(name).name):
            restore_home(Settings(home=tmp_path / "home"), folder, force=True)
        assert not (tmp_path / "home").exists()
        (folder / name).write_bytes(original)


def test_a_home_that_is_not_empty_is_replaced_only_on_request(
    complete: Pipeline, backup: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    (home / "staging" / "batch_1").mkdir(parents=True)
    (home / "warehouse.duckdb").write_bytes(b"damaged")
    (home / "dagster").mkdir()
    (home / "dagster" / "dagster.yaml").write_text("", "utf-8")
    before = content(home)
    settings = Settings(home=home)
    with pytest.raises(BackupError, match=r"is not empty.*--force"):
        restore_home(settings, backup, force=False)
    assert content(home) == before
    assert restore_home(settings, backup, force=True) == 0
    (kept,) = home.glob("before-restore-*")
    assert (kept / "warehouse.duckdb").read_bytes() == b"damaged"
    assert (kept / "staging" / "batch_1").is_dir()
    assert (home / "dagster" / "dagster.yaml").exists()
    assert Pipeline.build(home, complete.league).audit().complete


@pytest.mark.parametrize("renames", range(6))
def test_an_interrupted_restore_is_noticed_and_repeated(
    home: Path,
    complete: Pipeline,
    backup: Path,
    renames: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    home.mkdir()
    (home / "outbox.sqlite").write_bytes(b"old outbox")
    (home / "batches.sqlite").write_bytes(b"old store")
    rename = Path.rename
    done: list[Path] = []

    def interrupted(path: Path, target: Path) -> Path:
        if len(done) == renames:
            raise OSError("killed")
        done.append(target)
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", interrupted)
        with pytest.raises(OSError, match="killed"):
            cli.main(["restore", str(backup), "--force"])
    assert cli.main(["audit", "--game-date", NIGHT]) == 2
    assert "run `nba-predictions restore` again" in capsys.readouterr().err
    assert cli.main(["restore", str(backup)]) == 0
    (kept,) = home.glob("before-restore-*")
    assert (kept / "outbox.sqlite").read_bytes() == b"old outbox"
    assert (kept / "batches.sqlite").read_bytes() == b"old store"
    assert not list(home.glob(".restore-*"))
    assert Pipeline.build(home, complete.league).audit().complete


def test_a_backup_is_complete_or_does_not_exist(
    complete: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("nba_predictions.cli.backup._copy_warehouse", full)
    with pytest.raises(OSError, match="no space left"):
        backed_up(complete.home, tmp_path / "backups" / "one")
    assert list((tmp_path / "backups").iterdir()) == []


@pytest.mark.parametrize("name", ["batches.sqlite", "outbox.sqlite", "warehouse.duckdb"])
def test_a_damaged_database_is_not_backed_up(backup: Path, tmp_path: Path, name: str) -> None:
    home = tmp_path / "home"
    restore_home(Settings(home=home), backup, force=False)
    raw = bytearray((home / name).read_bytes())
    half = len(raw) // 2
    raw[half : half + 4096] = bytes(4096) if name.endswith("duckdb") else b"\xff" * 4096
    (home / name).write_bytes(bytes(raw[: half + 4096]))
    with pytest.raises(Exception, match=name):
        backed_up(home, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()


def test_refused_arguments(complete: Pipeline, backup: Path, tmp_path: Path) -> None:
    settings = Settings(home=complete.home)
    for folder, reason in ((backup, "exists already"), (complete.home / "copy", "outside")):
        with pytest.raises(BackupError, match=reason):
            back_up_home(settings, folder, with_dagster=False)
    with pytest.raises(BackupError, match="there is no home"):
        backed_up(tmp_path / "nothing", tmp_path / "copy")
    with pytest.raises(BackupError, match=r"is not a backup: it has no manifest\.json"):
        restore_home(settings, tmp_path, force=True)
    cloud = Settings(home=tmp_path, profile="gcp", gcp_project="my-project")
    with pytest.raises(SettingsError, match="profile embedded"):
        back_up_home(cloud, tmp_path / "copy", with_dagster=False)


def test_the_commands_back_up_and_restore_with_the_history_of_dagster(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["init"]) == 0
    (home / "assets").mkdir()
    (home / "assets" / "x.json").write_text("{}", "utf-8")
    assert cli.main(["backup", str(tmp_path / "copy"), "--dagster"]) == 0
    assert capsys.readouterr().out.startswith("BACKED UP home=")
    manifest = (tmp_path / "copy" / "manifest.json").read_bytes()
    files = json.loads(manifest[: manifest.rindex(b"\nsealed")])["files"]
    assert {"assets/x.json", "dagster/dagster.yaml"} <= set(files)
    monkeypatch.setenv("NBA_PREDICTIONS_HOME", str(tmp_path / "new"))
    assert cli.main(["restore", str(tmp_path / "copy")]) == 0
    for folder in (home, tmp_path / "new"):
        # SQLite copies the content of a database, not its bytes.
        assert {path.name for path in (folder / "dagster").rglob("*.db")} >= {"schedules.db"}
    assert comparable(tmp_path / "new") == comparable(home)
