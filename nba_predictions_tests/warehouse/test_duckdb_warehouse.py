"""The embedded warehouse: its database and staging files, shared by threads and processes."""

import multiprocessing
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from nba_predictions.domain.batches.reconciliation import TargetCounts
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.warehouse import duckdb_warehouse
from nba_predictions.warehouse.arrow import staging_schema
from nba_predictions.warehouse.duckdb_warehouse import DuckDBWarehouse
from nba_predictions_tests.examples import GAME_DATE, NOON, rows_of, slate_player


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    warehouse = DuckDBWarehouse(tmp_path / "home" / "warehouse.duckdb", tmp_path / "staging")
    warehouse.prepare()
    return warehouse


def _merge(path: str, staging: str, name: str) -> int:
    """Merge, as one of several processes that share the file."""
    counts = DuckDBWarehouse(Path(path), Path(staging)).merge(PREDICTIONS, GAME_DATE, [name], NOON)
    return counts.inserted


def test_prepare_adds_the_columns_that_an_older_table_lacks(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb", tmp_path / "staging")
    warehouse.prepare()
    with duckdb.connect(str(warehouse.path)) as connection:
        connection.execute(f"ALTER TABLE {PREDICTIONS.name} DROP COLUMN push_probability")
        connection.execute(f"ALTER TABLE {PREDICTIONS.name} DROP COLUMN confidence")
    warehouse.prepare()
    staged = warehouse.stage(PREDICTIONS, "batch_1", "p", rows_of(slate_player()))
    assert warehouse.merge(PREDICTIONS, GAME_DATE, [staged.name], NOON).inserted == 25
    with duckdb.connect(str(warehouse.path)) as connection:
        found = connection.sql(f"SELECT DISTINCT confidence FROM {PREDICTIONS.name}").fetchall()
    assert found == [(0.8,)]


def test_a_staging_file_has_the_schema_of_the_table(warehouse: DuckDBWarehouse) -> None:
    staged = warehouse.stage(PREDICTIONS, "batch_1", "p", rows_of(slate_player()))
    written = pq.read_schema(warehouse.staging_dir / f"{staged.name}.parquet")
    assert written.remove_metadata().equals(staging_schema(PREDICTIONS))


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_folder_deleted_during_staging_is_created_again(
    warehouse: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Another process drops the last staging table of the batch and deletes the folder."""
    write = pq.write_table
    deleted: list[Path] = []

    def interrupted(table: object, path: Path) -> None:
        if moment == "after":
            write(table, path)
        if not deleted:
            shutil.rmtree(path.parent)
            deleted.append(path)
        if moment == "before":
            write(table, path)

    monkeypatch.setattr(duckdb_warehouse.pq, "write_table", interrupted)
    staged = warehouse.stage(PREDICTIONS, "batch_1", "p", rows_of(slate_player()))
    assert deleted
    assert warehouse.existing_staging([staged.name]) == {staged.name}
    assert [p.name for p in (warehouse.staging_dir / "batch_1").iterdir()] == ["p.parquet"]


def test_a_failed_write_leaves_no_staging_table(
    warehouse: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(table: object, path: Path) -> None:
        path.write_bytes(b"PAR1 and then the disk was full")
        raise OSError("no space left on device")

    monkeypatch.setattr(duckdb_warehouse.pq, "write_table", fail)
    with pytest.raises(OSError, match="no space left"):
        warehouse.stage(PREDICTIONS, "batch_1", "p", rows_of(slate_player()))
    assert warehouse.existing_staging(["batch_1/p"]) == set()
    assert list((warehouse.staging_dir / "batch_1").iterdir()) == []


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
    warehouse.merge(PREDICTIONS, GAME_DATE, [staged.name], NOON)
    bad = warehouse.stage(PREDICTIONS, "batch_1", "other", rows_of(slate_player("other"))[:1])
    # A file without a required column, for example from another writer.
    path = warehouse.staging_dir / f"{bad.name}.parquet"
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["system_version"]), path)
    with pytest.raises(duckdb.ConstraintException, match="system_version"):
        warehouse.merge(PREDICTIONS, GAME_DATE, [staged.name, bad.name], NOON + timedelta(hours=1))
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
