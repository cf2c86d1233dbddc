"""The embedded warehouse: its database and staging files, shared by threads and processes."""

import json
import multiprocessing
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from nba_predictions.domain.batches.reconciliation import TargetCounts
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import SchemaMismatchError, StorageError, WarehouseLockedError
from nba_predictions.domain.tables import PREDICTIONS, RESULTS
from nba_predictions.warehouse import duckdb_connection, duckdb_warehouse
from nba_predictions.warehouse.arrow import staging_schema
from nba_predictions.warehouse.duckdb_connection import open_file
from nba_predictions.warehouse.duckdb_warehouse import DuckDBWarehouse
from nba_predictions_tests.damage import DAMAGES, Damage
from nba_predictions_tests.examples import GAME_DATE, NOON, rows_of, slate_player
from nba_predictions_tests.warehouse.holders import held


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    warehouse = DuckDBWarehouse(tmp_path / "home" / "warehouse.duckdb", tmp_path / "staging")
    warehouse.prepare()
    return warehouse


def _merge(path: str, staging: str, name: str) -> int:
    """Merge, as one of several processes that share the file."""
    counts = DuckDBWarehouse(Path(path), Path(staging)).merge(
        PREDICTIONS, GAME_DATE, [name], utc_now(), 1
    )
    return counts.inserted


def test_prepare_adds_the_columns_that_an_older_table_lacks(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb", tmp_path / "staging")
    warehouse.prepare()
    with duckdb.connect(str(warehouse.path)) as connection:
        connection.execute(f"ALTER TABLE {PREDICTIONS.name} DROP COLUMN push_probability")
        connection.execute(f"ALTER TABLE {PREDICTIONS.name} DROP COLUMN confidence")
    warehouse.prepare()
    staged = warehouse.stage(PREDICTIONS, "batch_1", "p", rows_of(slate_player()))
    assert warehouse.merge(PREDICTIONS, GAME_DATE, [staged.name], NOON, 1).inserted == 25
    with duckdb.connect(str(warehouse.path)) as connection:
        found = connection.sql(f"SELECT DISTINCT confidence FROM {PREDICTIONS.name}").fetchall()
    assert found == [(0.8,)]


def test_a_staging_file_has_the_schema_of_the_table(warehouse: DuckDBWarehouse) -> None:
    staged = warehouse.stage(PREDICTIONS, "batch_1", "p", rows_of(slate_player()))
    written = pq.read_schema(warehouse.staging_dir / f"{staged.name}.parquet")
    assert written.remove_metadata().equals(staging_schema(PREDICTIONS))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_staging_table_is_missing_until_it_is_staged_again(
    warehouse: DuckDBWarehouse, damage: Damage, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = (
        warehouse.stage(PREDICTIONS, "batch_1", name, rows_of(slate_player(name))).name
        for name in ("good", "bad")
    )
    damage(warehouse.staging_dir / f"{bad}.parquet")
    assert warehouse.existing_staging([good, bad]) == {good}
    counts = warehouse.merge(PREDICTIONS, GAME_DATE, [good, bad], NOON, 1)
    assert (counts.tables_found, counts.inserted) == (1, 25)
    (logged,) = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (logged["event"], logged["staging_table"]) == ("staging_damaged", bad)

    warehouse.stage(PREDICTIONS, "batch_1", "bad", rows_of(slate_player("bad")))
    assert warehouse.existing_staging([good, bad]) == {good, bad}
    later = NOON + timedelta(hours=1)
    counts = warehouse.merge(PREDICTIONS, GAME_DATE, [good, bad], later, 1)
    assert (counts.tables_found, counts.inserted, counts.updated) == (2, 25, 25)


def test_staging_of_an_earlier_version_is_merged_unless_it_is_of_another_batch(
    warehouse: DuckDBWarehouse,
) -> None:
    """Version 0.1.0 wrote no seal."""
    staged = warehouse.stage(PREDICTIONS, "batch_1", "p", rows_of(slate_player()))
    path = warehouse.staging_dir / f"{staged.name}.parquet"
    pq.write_table(pq.read_table(path), path)
    other = path.parent.with_name("batch_2") / path.name
    other.parent.mkdir()
    shutil.copy(path, other)
    names = [staged.name, "batch_2/p"]
    assert warehouse.existing_staging(names) == {staged.name}
    assert warehouse.merge(PREDICTIONS, GAME_DATE, names, NOON, 1).tables_found == 1


def test_the_folder_of_a_batch_is_removed_with_its_last_file(warehouse: DuckDBWarehouse) -> None:
    names = [
        warehouse.stage(PREDICTIONS, "batch_1", name, rows_of(slate_player())).name
        for name in ("a", "b")
    ]
    warehouse.drop_staging(names[:1])
    assert (warehouse.staging_dir / "batch_1").is_dir()
    warehouse.drop_staging(names[1:])
    assert not (warehouse.staging_dir / "batch_1").exists()


def test_a_failed_merge_leaves_the_table_unchanged(warehouse: DuckDBWarehouse) -> None:
    staged = warehouse.stage(PREDICTIONS, "batch_1", "p", rows_of(slate_player()))
    warehouse.merge(PREDICTIONS, GAME_DATE, [staged.name], NOON, 1)
    bad = warehouse.stage(PREDICTIONS, "batch_1", "other", rows_of(slate_player("other"))[:1])
    # A file without a required column, for example from another writer.
    path = warehouse.staging_dir / f"{bad.name}.parquet"
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["system_version"]), path)
    with pytest.raises(duckdb.ConstraintException, match="system_version"):
        warehouse.merge(
            PREDICTIONS, GAME_DATE, [staged.name, bad.name], NOON + timedelta(hours=1), 1
        )
    assert warehouse.count(PREDICTIONS, GAME_DATE, "batch_1") == TargetCounts(25, 0)


def test_processes_share_the_database_file(warehouse: DuckDBWarehouse) -> None:
    staged = warehouse.stage(PREDICTIONS, "batch_1", "p", rows_of(slate_player()))
    work = [(str(warehouse.path), str(warehouse.staging_dir), staged.name)] * 4
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert sorted(pool.starmap(_merge, work, chunksize=1)) == [0, 0, 0, 25]
    assert warehouse.count(PREDICTIONS, GAME_DATE, "batch_1") == TargetCounts(25, 0)


def test_threads_that_open_and_close_the_file_concurrently_do_not_conflict(
    warehouse: DuckDBWarehouse,
) -> None:
    """DuckDB reports a conflict if one thread closes the file while another opens it."""

    def count(_: int) -> int:
        return warehouse.count(PREDICTIONS, GAME_DATE, "batch_1").batch_rows

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(count, range(400))) == {0}


def test_a_thread_that_merges_and_threads_that_query_wait_for_each_other(
    warehouse: DuckDBWarehouse,
) -> None:
    """DuckDB refuses to open a file for reading and for writing in one process."""
    staged = warehouse.stage(PREDICTIONS, "batch_1", "p", rows_of(slate_player()))

    def use(number: int) -> int:
        if number % 4:
            return warehouse.count(PREDICTIONS, GAME_DATE, "batch_1").batch_rows
        return warehouse.merge(PREDICTIONS, GAME_DATE, [staged.name], NOON, 1).affected

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(use, range(40))) <= {0, 25}


# ------------------------------------------------------------------- files that others hold


def test_queries_do_not_disturb_a_process_that_reads(warehouse: DuckDBWarehouse) -> None:
    with held(warehouse.path, "reads"):
        assert warehouse.count(PREDICTIONS, GAME_DATE, "batch_1").batch_rows == 0
        assert warehouse.prepare() == []


@pytest.mark.parametrize("how", ["reads", "writes"])
def test_a_locked_file_does_not_keep_a_run_from_staging(
    warehouse: DuckDBWarehouse, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_warehouse, "WRITE_WAIT_SECONDS", 0.0)
    with held(warehouse.path, how) as process:
        assert warehouse.prepare() == []
        staged = warehouse.stage(PREDICTIONS, "batch_1", "p", rows_of(slate_player()))
        with pytest.raises(WarehouseLockedError, match=rf"\(PID {process.pid}\).* holds /"):
            warehouse.merge(PREDICTIONS, GAME_DATE, [staged.name], NOON, 1)
        with pytest.raises(WarehouseLockedError, match=rf"\(PID {process.pid}\)"):
            warehouse.check_writable()
    warehouse.check_writable()
    assert warehouse.merge(PREDICTIONS, GAME_DATE, [staged.name], NOON, 1).inserted == 25


def test_a_query_names_the_process_that_writes(warehouse: DuckDBWarehouse) -> None:
    impatient = DuckDBWarehouse(warehouse.path, warehouse.staging_dir, read_wait_seconds=0.0)
    with (
        held(warehouse.path, "writes") as process,
        pytest.raises(WarehouseLockedError, match=rf"\(PID {process.pid}\)") as raised,
    ):
        impatient.count(PREDICTIONS, GAME_DATE, "batch_1")
    assert f"(PID {process.pid})" in raised.value.holder


def test_the_merge_creates_the_table_that_a_locked_file_lacked(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb", tmp_path / "staging")
    duckdb.connect(str(warehouse.path)).close()
    with held(warehouse.path, "reads"):
        assert warehouse.prepare() == []
        staged = warehouse.stage(PREDICTIONS, "batch_1", "p", rows_of(slate_player()))
    assert warehouse.merge(PREDICTIONS, GAME_DATE, [staged.name], NOON, 1).inserted == 25


def test_a_query_creates_nothing(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path / "home" / "warehouse.duckdb", tmp_path / "home" / "s")
    assert warehouse.count(PREDICTIONS, GAME_DATE, "batch_1") == TargetCounts(0, 0)
    assert list(tmp_path.iterdir()) == []


def test_a_query_reads_an_older_table_without_changing_it(warehouse: DuckDBWarehouse) -> None:
    staged = warehouse.stage(PREDICTIONS, "batch_1", "p", rows_of(slate_player()))
    warehouse.merge(PREDICTIONS, GAME_DATE, [staged.name], NOON, 1)
    with duckdb.connect(str(warehouse.path)) as connection:
        connection.execute(f"ALTER TABLE {PREDICTIONS.name} DROP COLUMN push_probability")
        connection.execute(f"DROP TABLE {RESULTS.name}")
    before = warehouse.path.read_bytes()
    rows = warehouse.query("predictions_of_date", PREDICTIONS, partition=GAME_DATE).to_pylist()
    assert {row["push_probability"] for row in rows} == {None}
    board = warehouse.query("system_performance", RESULTS, partition=GAME_DATE)
    assert board.num_rows == 0
    assert warehouse.path.read_bytes() == before


HELD = [
    (
        'IO Error: Could not set lock on file "/srv/w.duckdb": Conflicting lock is held in '
        "/usr/bin/duckdb (PID 77) by user ana. See also https://duckdb.org/docs/connect/concurrency"
    ),
    (
        'IO Error: Cannot open file "c:\\w.duckdb": The process cannot access the file because it '
        "is being used by another process.\r\n\nFile is already open in \nC:\\python.exe (PID 77)"
    ),
]
NOT_HELD = [
    'IO Error: Cannot open file "/srv/flock/blockhead/w.duckdb": Permission denied',
    'IO Error: Cannot open file "/srv/Could not set lock on file/w.duckdb": Permission denied',
    "Corrupt database file: computed checksum 1 does not match stored checksum 2",
]


def _connect_fails(monkeypatch: pytest.MonkeyPatch, message: str) -> list[str]:
    calls: list[str] = []

    def connect(path: str, read_only: bool) -> None:
        calls.append(path)
        raise duckdb.IOException(message)

    monkeypatch.setattr(duckdb_connection.duckdb, "connect", connect)
    return calls


@pytest.mark.parametrize("message", HELD)
def test_a_held_file_is_recognized_by_the_words_of_duckdb(
    message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = _connect_fails(monkeypatch, message)
    with pytest.raises(WarehouseLockedError) as raised:
        open_file(Path("w.duckdb"), read_only=True, wait_seconds=0.3)
    assert "(PID 77)" in raised.value.holder
    assert len(calls) > 1


@pytest.mark.parametrize("message", NOT_HELD)
def test_a_path_that_contains_lock_is_not_a_lock(
    message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = _connect_fails(monkeypatch, message)
    with pytest.raises(StorageError, match=r"w\.duckdb cannot be used: .*(denied|checksum)"):
        open_file(Path("w.duckdb"), read_only=True, wait_seconds=60.0)
    assert len(calls) == 1


@pytest.mark.parametrize("content", [b"", b"not a database" * 1000])
def test_a_damaged_file_is_named(warehouse: DuckDBWarehouse, content: bytes) -> None:
    warehouse.path.write_bytes(content)
    os.utime(warehouse.path, (0, 0))
    for use in (warehouse.prepare, lambda: warehouse.count(PREDICTIONS, GAME_DATE, "batch_1")):
        with pytest.raises(StorageError, match=r"\.duckdb cannot be used: .*not a valid"):
            use()


#: What was done to a column by hand, or by another version, and what the error says about it.
CHANGED_COLUMNS = {
    "ALTER points_line TYPE DECIMAL(3, 0)": r"points_line is DECIMAL\(3,0\), it must be .*5,1\)",
    "ALTER points_line TYPE DOUBLE": "points_line is DOUBLE",
    "ALTER points_line TYPE VARCHAR": "points_line is VARCHAR",
    "ALTER features_as_of TYPE TIMESTAMP": "features_as_of is TIMESTAMP, it must be TIMESTAMP WITH",
    "ALTER books TYPE INTEGER": "books is INTEGER, it must be BIGINT",
    "RENAME team TO team_name": "team_name is unknown: it was renamed",
    "RENAME system_id TO system": "system is unknown: it was renamed",
    "ADD COLUMN note VARCHAR": "note is unknown: .* a later version added it",
    "ALTER system_id DROP NOT NULL": "system_id must refuse NULL",
    "ALTER team SET NOT NULL": "team must allow NULL",
}


@pytest.mark.parametrize("change", CHANGED_COLUMNS)
def test_a_table_with_a_changed_column_is_refused_by_name_before_anything_is_written(
    warehouse: DuckDBWarehouse, change: str
) -> None:
    warehouse.prepare()
    with duckdb.connect(str(warehouse.path)) as connection:
        connection.execute(f"ALTER TABLE {PREDICTIONS.name} {change}")
    staged = warehouse.stage(PREDICTIONS, "batch_1", "one", rows_of(slate_player()))
    refused = pytest.raises(SchemaMismatchError, match=f"column {CHANGED_COLUMNS[change]}")
    with refused:
        warehouse.prepare()
    with refused:
        warehouse.merge(PREDICTIONS, GAME_DATE, [staged.name], NOON, 1)
    with refused:
        warehouse.migrate()
    with duckdb.connect(str(warehouse.path), read_only=True) as connection:
        assert connection.sql(f"SELECT COUNT(*) FROM {PREDICTIONS.name}").fetchall() == [(0,)]
