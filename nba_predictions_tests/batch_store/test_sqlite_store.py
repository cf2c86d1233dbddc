"""The file of the SQLite store, which threads and processes share."""

import multiprocessing
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from nba_predictions.batch_store.sqlite_store import SQLiteBatchStore
from nba_predictions.domain.batches.batch import BatchState
from nba_predictions_tests.examples import NOON, batch, completion, ledger_entry

PLAYERS = 100
FILES = 150


def _complete_all(path: str, run_id: str) -> int:
    """Complete every player, as one of several processes with the same work."""
    store = SQLiteBatchStore(Path(path))
    return sum(
        store.complete("batch_1", completion(f"player{n:03}", run_id=run_id))
        for n in range(PLAYERS)
    )


def _open_all(folder: str, batch_id: str) -> int:
    """Open stores whose files may not exist yet, and create a batch in each."""
    paths = [Path(folder) / f"batches_{number}.sqlite" for number in range(FILES)]
    return sum(SQLiteBatchStore(path).create(batch(batch_id)) for path in paths)


def test_processes_that_complete_the_same_players_concurrently_count_each_player_once(
    tmp_path: Path,
) -> None:
    path = str(tmp_path / "batches.sqlite")
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        store = SQLiteBatchStore(Path(path))
        store.create(batch("batch_1"))
        counts = pool.starmap(_complete_all, [(path, f"run_{n}") for n in (1, 2)], chunksize=1)
    done = store.completions("batch_1")
    assert len(done) == PLAYERS
    for number, count in enumerate(counts, start=1):
        assert sum(c.run_id == f"run_{number}" for c in done) == count


def test_processes_that_open_a_new_file_concurrently_do_not_lock_each_other_out(
    tmp_path: Path,
) -> None:
    # The first process creates the files. With this many files, another process opens some of
    # them at the very moment in which WAL mode is turned on.
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        created = pool.starmap(
            _open_all, [(str(tmp_path), f"batch_{n}") for n in range(4)], chunksize=1
        )
    assert sum(created) == FILES


def test_the_file_and_its_folder_are_created_on_first_use(tmp_path: Path) -> None:
    store = SQLiteBatchStore(tmp_path / "deep" / "down" / "batches.sqlite")
    assert not (tmp_path / "deep").exists()
    store.prepare()
    store.prepare()
    assert store.path.exists()


def test_readers_do_not_wait_for_a_writer(tmp_path: Path) -> None:
    store = SQLiteBatchStore(tmp_path / "batches.sqlite")
    store.create(batch())
    writer = sqlite3.connect(store.path, isolation_level=None)
    try:
        writer.execute("BEGIN IMMEDIATE")
        assert store.get("batch_1").state is BatchState.CREATED
    finally:
        writer.close()


def test_a_failed_write_is_rolled_back_and_the_store_stays_usable(tmp_path: Path) -> None:
    store = SQLiteBatchStore(tmp_path / "batches.sqlite")
    store.create(batch())
    with pytest.raises(TypeError, match="serializable"):
        store.append("batch_1", ledger_entry("staged", NOON, "run", {"rows": object()}))
    assert store.ledger("batch_1") == []
    assert store.move("batch_1", BatchState.STAGING)


def test_missing_columns_are_added_to_a_file_of_an_earlier_version(tmp_path: Path) -> None:
    path = tmp_path / "batches.sqlite"
    old = sqlite3.connect(path)
    old.executescript(
        """
        CREATE TABLE batches (
          batch_id TEXT PRIMARY KEY, game_date TEXT NOT NULL, state TEXT NOT NULL,
          expected_players INTEGER NOT NULL, games INTEGER NOT NULL,
          slate_fingerprint TEXT NOT NULL, created_at TEXT NOT NULL, run_id TEXT NOT NULL,
          source TEXT NOT NULL, completion_threshold REAL NOT NULL, reason TEXT
        );
        INSERT INTO batches VALUES ('batch_0', '2025-12-31', 'published', 3, 1, 'abc',
          '2025-12-31T12:00:00.000000+00:00', 'run_0', 'files', 0.9, NULL);
        CREATE TABLE completions (
          batch_id TEXT NOT NULL, player_lookup TEXT NOT NULL, row_count INTEGER NOT NULL,
          recorded_at TEXT NOT NULL, run_id TEXT NOT NULL, staging_table TEXT, skip_reason TEXT,
          PRIMARY KEY (batch_id, player_lookup)
        );
        INSERT INTO completions VALUES ('batch_0', 'paulgeorge', 25,
          '2025-12-31T12:00:00.000000+00:00', 'run_0', 'batch_0/paulgeorge', NULL);
        """
    )
    old.close()
    store = SQLiteBatchStore(path)
    assert store.get("batch_0").announce is True
    assert store.get("batch_0").markets == ("points",)
    (done,) = store.completions("batch_0")
    assert (done.rows, done.fingerprint) == (25, None)
    assert store.complete("batch_0", replace(done, fingerprint="f1"), replace=True)
    assert [c.fingerprint for c in store.completions("batch_0")] == ["f1"]
    assert store.create(batch(announce=False))
    assert [SQLiteBatchStore(path).get(f"batch_{n}").announce for n in (0, 1)] == [True, False]
