"""Commands that only read: they create nothing, name the home, and answer while it is locked."""

from __future__ import annotations

import gc
import json
import os
import re
import sqlite3
from pathlib import Path

import duckdb
import pytest

from nba_predictions import cli
from nba_predictions.batch_store import sqlite_copy
from nba_predictions.batch_store.sqlite_store import SQLiteBatchStore
from nba_predictions.domain.errors import StorageError
from nba_predictions_tests.examples import GAME_DATE
from nba_predictions_tests.nights import embedded_scene, stage, whole_night
from nba_predictions_tests.warehouse.holders import held

NIGHT = GAME_DATE.isoformat()
OF_NIGHT = ("--game-date", NIGHT)
#: Each command that only reads, and its exit code in a home without anything.
READING = {
    ("audit", *OF_NIGHT): 1,
    ("audit", *OF_NIGHT, "--json"): 1,
    ("audit", "--batch", "batch_2026-01-01_1"): 2,
    ("report", *OF_NIGHT): 1,
    ("report", *OF_NIGHT, "--html"): 1,
    ("dead-letters",): 0,
    ("models", "list"): 0,
    ("alerts", "status"): 0,
    ("maintain", "--dry-run"): 0,
    ("publish", "--batch", "batch_2026-01-01_1"): 2,
    ("replay", "--batch", "batch_2026-01-01_1"): 2,
    ("repair", *OF_NIGHT): 1,
}


@pytest.fixture
def night_home(home: Path) -> Path:
    """A home in which a night is complete."""
    whole_night(embedded_scene(home).home.open(), "run_1")
    # SQLite removes its log when the last connection is closed.
    gc.collect()
    return home


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_a_reading_command_creates_nothing_in_the_wrong_folder(
    home: Path,
    command: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("builtins.input", lambda question: "n")
    assert cli.main(command) == READING[command]
    assert list(home.parent.iterdir()) == []
    printed = capsys.readouterr()
    if command[0] != "maintain":
        assert str(home) in printed.out + printed.err


@pytest.mark.parametrize(
    "command", [c for c in READING if c[0] not in ("publish", "replay", "repair")], ids=" ".join
)
def test_a_reading_command_changes_no_file(night_home: Path, command: tuple[str, ...]) -> None:
    before = contents(night_home)
    cli.main(command)
    after = contents(night_home)
    report = f"reports/{NIGHT}.html"
    assert after.keys() - before.keys() <= ({report} if "--html" in command else set())
    assert {name: after[name] for name in before} == before


def test_the_audit_names_other_homes_that_have_the_date(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other, without = home.parent / "other", home.parent / "without"
    whole_night(embedded_scene(other).home.open(), "run_1")
    SQLiteBatchStore(without / "batches.sqlite").prepare()
    (home.parent / "broken").mkdir()
    (home.parent / "broken" / "batches.sqlite").write_text("not a database")
    assert cli.main(["audit", *OF_NIGHT]) == 1
    out = capsys.readouterr().out
    assert f"home  {home}\n" in out
    assert "profile  embedded\n" in out
    assert "source  simulated\n" in out
    assert f"{other} has a batch of {NIGHT}; to look there, set NBA_PREDICTIONS_HOME={other}" in out
    assert str(without) not in out
    assert cli.main(["audit", *OF_NIGHT, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["other_homes"] == [str(other)]
    assert (found["home"], found["profile"]) == (str(home), "embedded")
    assert cli.main(["report", *OF_NIGHT]) == 1
    assert f"NBA_PREDICTIONS_HOME={other}" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["audit", "report"])
def test_a_command_reads_a_warehouse_that_another_program_reads(
    night_home: Path, command: str
) -> None:
    with held(night_home / "warehouse.duckdb", "reads"):
        assert cli.main([command, *OF_NIGHT]) == 0


@pytest.mark.parametrize("command", ["audit", "report"])
def test_a_command_names_the_program_that_writes_to_the_warehouse(
    night_home: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with held(night_home / "warehouse.duckdb", "writes") as process:
        assert cli.main([command, *OF_NIGHT]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"(PID {process.pid}) holds {night_home / 'warehouse.duckdb'}; close that" in line


@pytest.mark.parametrize("file", ["warehouse.duckdb", "batches.sqlite"])
def test_a_damaged_file_is_named_without_a_traceback(
    night_home: Path, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (night_home / file).write_bytes(b"not a database at all" * 500)
    os.utime(night_home / file, (0, 0))
    for suffix in ("-wal", "-shm"):
        (night_home / f"{file}{suffix}").unlink(missing_ok=True)
    assert cli.main(["audit", *OF_NIGHT]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(rf"{night_home / file} (cannot be used|is damaged): ", line)


# ----------------------------------------------------------------- the copy of the batch store


def test_a_read_only_store_sees_what_another_process_has_not_written_back(tmp_path: Path) -> None:
    """The newest records are in the log of SQLite while the pipeline has the file open."""
    parts = embedded_scene(tmp_path).home.open()
    batch = stage(parts, "run_1")
    copy = SQLiteBatchStore(tmp_path / "batches.sqlite", read_only=True)
    assert copy.of_date(GAME_DATE) == parts.batches.of_date(GAME_DATE)
    assert copy.completions(batch.batch_id) == parts.batches.completions(batch.batch_id)
    with pytest.raises((StorageError, sqlite3.Error)):
        copy.append(batch.batch_id, parts.batches.ledger(batch.batch_id)[0])


def test_a_file_that_changes_all_the_time_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = embedded_scene(tmp_path).home.open()
    batch = stage(parts, "run_1")
    states = iter(range(100))
    monkeypatch.setattr(sqlite_copy, "_state", lambda path: next(states))
    copy = SQLiteBatchStore(tmp_path / "batches.sqlite", read_only=True)
    assert copy.get(batch.batch_id) == parts.batches.get(batch.batch_id)


def test_a_store_of_an_earlier_version_is_read_without_changing_it(tmp_path: Path) -> None:
    path = tmp_path / "batches.sqlite"
    whole_night(embedded_scene(tmp_path).home.open(), "run_1")
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE batches DROP COLUMN markets")
    connection.close()
    before = path.read_bytes()
    (batch,) = SQLiteBatchStore(path, read_only=True).of_date(GAME_DATE)
    assert batch.markets == ("points",)
    assert path.read_bytes() == before


def test_a_warehouse_without_rows_is_audited_as_it_is(
    night_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (night_home / "warehouse.duckdb").unlink()
    assert cli.main(["audit", *OF_NIGHT]) == 1
    assert " ROWS_MISSING " in capsys.readouterr().out
    assert not (night_home / "warehouse.duckdb").exists()
    duckdb.connect(str(night_home / "warehouse.duckdb")).close()
    assert cli.main(["audit", *OF_NIGHT]) == 1
    assert " ROWS_MISSING " in capsys.readouterr().out
