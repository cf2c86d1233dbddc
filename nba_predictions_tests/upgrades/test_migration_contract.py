"""Every warehouse brings the tables of version 0.1.0 to the current schema."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import duckdb
import pytest

from nba_predictions.domain.errors import SchemaMismatchError
from nba_predictions.domain.tables import PREDICTIONS, RESULTS, TABLES, Table, prediction_id
from nba_predictions.warehouse import duckdb_warehouse
from nba_predictions.warehouse.bigquery_warehouse import BigQueryWarehouse
from nba_predictions.warehouse.duckdb_warehouse import DuckDBWarehouse
from nba_predictions.warehouse.port import Warehouse
from nba_predictions_tests.backends import WarehouseBackend
from nba_predictions_tests.examples import GAME_DATE, NOON, rows_of, slate_player
from nba_predictions_tests.upgrades.stored_state import PUBLISHED, ROWS, restore_tables

Rows = list[dict[str, Any]]
Read = Callable[[Table], Rows]


@pytest.fixture
def warehouse(warehouse_backend: WarehouseBackend) -> Warehouse:
    restore_tables(warehouse_backend.warehouse)
    return warehouse_backend.warehouse


@pytest.fixture
def table_rows(warehouse_backend: WarehouseBackend) -> Read:
    def read(table: Table) -> Rows:
        found = warehouse_backend.rows(table)
        return sorted(found, key=lambda row: str(row["prediction_id"]))

    return read


#: What version 0.1.0 did not store, as a migration fills it in.
ADDED = {"market": "points", "player_id": None, "write_sequence": None}


def with_points(rows: Rows) -> Rows:
    return [{**row, **ADDED} for row in rows]


def stage_again(warehouse: Warehouse, rows: Rows) -> str:
    """Stage stored rows as if their players were predicted again, and return the name."""
    names = [c.name for c in PREDICTIONS.staged_columns]
    again = [
        {**{n: row[n] for n in names}, "batch_id": "batch_2", "staged_at": NOON} for row in rows
    ]
    return warehouse.stage(PREDICTIONS, "batch_2", "everyone", again).name


def assert_current(warehouse: Warehouse) -> None:
    """Check that preparing the tables changes nothing."""
    created = warehouse.prepare()
    if isinstance(warehouse, BigQueryWarehouse):
        # The stand-in has the added columns, and does not show them. The statement that adds them
        # does nothing if they exist.
        created = [name for name in created if name.split(".")[-1] not in ADDED]
    assert created == []


def test_tables_are_refused_before_they_are_migrated(
    warehouse: Warehouse, table_rows: Read
) -> None:
    before = table_rows(PREDICTIONS)
    name = stage_again(warehouse, with_points(before))
    with pytest.raises(SchemaMismatchError, match="column market; run `nba-predictions migrate`"):
        warehouse.prepare()
    with pytest.raises(SchemaMismatchError, match="column market; run `nba-predictions migrate`"):
        warehouse.merge(PREDICTIONS, PUBLISHED, [name], NOON, 1)
    assert table_rows(PREDICTIONS) == before
    assert "market" not in before[0]


def test_every_row_is_filled_in_once_and_keeps_its_values(
    warehouse: Warehouse, table_rows: Read
) -> None:
    before = {table: table_rows(table) for table in TABLES}
    for filled, columns in ((ROWS, ("market",)), (0, ())):
        migrated = warehouse.migrate()
        assert [m.table for m in migrated] == [warehouse.full_name(table) for table in TABLES]
        assert {(m.columns, m.filled, m.rows) for m in migrated} == {(columns, filled, ROWS)}
        for table in TABLES:
            assert table_rows(table) == with_points(before[table])
    assert_current(warehouse)


def test_prediction_ids_of_points_stay_valid(warehouse: Warehouse, table_rows: Read) -> None:
    warehouse.migrate()
    for row in table_rows(PREDICTIONS):
        assert prediction_id(*(row[name] for name in PREDICTIONS.key)) == row["prediction_id"]


def test_a_merge_after_the_migration_updates_the_rows(
    warehouse: Warehouse, table_rows: Read
) -> None:
    warehouse.migrate()
    before = table_rows(PREDICTIONS)
    counts = warehouse.merge(PREDICTIONS, PUBLISHED, [stage_again(warehouse, before)], NOON, 1)
    assert (counts.inserted, counts.updated, counts.superseded) == (0, ROWS, 0)
    assert warehouse.count(PREDICTIONS, PUBLISHED, "batch_2").duplicate_keys == 0
    changed = {"batch_id": "batch_2", "updated_at": NOON, "write_sequence": 1}
    assert table_rows(PREDICTIONS) == [{**row, **changed} for row in before]


def test_rows_that_version_0_1_0_staged_are_merged_as_points(
    warehouse: Warehouse, table_rows: Read
) -> None:
    warehouse.migrate()
    (row, *_) = table_rows(PREDICTIONS)
    columns = tuple(c for c in PREDICTIONS.columns if c.name != "market")
    key = tuple(name for name in PREDICTIONS.key if name != "market")
    old = Table(PREDICTIONS.name, "", columns, key, "game_date", (), PREDICTIONS.scope)
    staged = {c.name: row[c.name] for c in old.staged_columns} | {"staged_at": NOON}
    name = warehouse.stage(old, "batch_2", "one", [staged]).name
    counts = warehouse.merge(PREDICTIONS, PUBLISHED, [name], NOON, 1)
    assert (counts.inserted, counts.updated) == (0, 1)


def test_an_interrupted_migration_of_duckdb_changes_nothing_and_is_repeated(
    embedded_warehouse: WarehouseBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse, rows = embedded_warehouse.warehouse, embedded_warehouse.rows
    assert isinstance(warehouse, DuckDBWarehouse)
    restore_tables(warehouse)
    before = {table: rows(table) for table in TABLES}
    with monkeypatch.context() as patch:
        # The column is added under another name, so that the statement after it fails.
        patch.setattr(
            duckdb_warehouse,
            "add_column_statement",
            lambda column, target: f"ALTER TABLE {target} ADD COLUMN other {column.type}",
        )
        with pytest.raises(duckdb.Error):
            warehouse.migrate()
    assert {table: rows(table) for table in TABLES} == before
    assert [m.filled for m in warehouse.migrate()] == [ROWS, ROWS]


@pytest.mark.parametrize("interrupted", ["ALTER TABLE", "UPDATE", "SELECT COUNT", "label"])
def test_an_interrupted_migration_of_bigquery_is_completed_by_a_second_one(
    google_cloud_warehouse: WarehouseBackend, interrupted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = google_cloud_warehouse.warehouse
    assert isinstance(warehouse, BigQueryWarehouse)
    restore_tables(warehouse)
    before = {t: {r["prediction_id"]: r for r in google_cloud_warehouse.rows(t)} for t in TABLES}
    run, label = BigQueryWarehouse._run, BigQueryWarehouse._label

    def run_until_killed(self: BigQueryWarehouse, sql: str, *arguments: Any) -> Any:
        result = run(self, sql, *arguments)
        if sql.startswith(interrupted):
            raise KeyboardInterrupt
        return result

    def label_until_killed(self: BigQueryWarehouse, table: Table, name: str) -> None:
        if interrupted == "label" and table is RESULTS:
            raise KeyboardInterrupt
        label(self, table, name)

    with monkeypatch.context() as patch:
        patch.setattr(BigQueryWarehouse, "_run", run_until_killed)
        patch.setattr(BigQueryWarehouse, "_label", label_until_killed)
        with pytest.raises(KeyboardInterrupt):
            warehouse.migrate()
    with pytest.raises(SchemaMismatchError, match="run `nba-predictions migrate`"):
        warehouse.prepare()
    warehouse.migrate()
    assert_current(warehouse)
    assert {m.filled for m in warehouse.migrate()} == {0}
    for table in TABLES:
        after = {r["prediction_id"]: r for r in google_cloud_warehouse.rows(table)}
        assert after == {key: {**row, **ADDED} for key, row in before[table].items()}


def test_a_worker_of_version_0_1_0_cannot_leave_the_market_open(
    warehouse: Warehouse, table_rows: Read
) -> None:
    warehouse.migrate()
    names = ", ".join(c.name for c in PREDICTIONS.columns if c.name != "market")
    copy = f"INSERT INTO {{0}} ({names}) SELECT {names} FROM {{0}}"
    if isinstance(warehouse, BigQueryWarehouse):
        warehouse.client.query_and_wait(copy.format(f"`{warehouse.full_name(PREDICTIONS)}`"))
    else:
        assert isinstance(warehouse, DuckDBWarehouse)
        with (
            duckdb.connect(str(warehouse.path)) as connection,
            pytest.raises(duckdb.ConstraintException, match="market"),
        ):
            connection.execute(copy.format(PREDICTIONS.name))
    assert {row["market"] for row in table_rows(PREDICTIONS)} == {"points"}


def test_a_table_from_before_player_id_gets_the_column_and_older_staging_is_merged(
    embedded_warehouse: WarehouseBackend,
) -> None:
    warehouse = embedded_warehouse.warehouse
    assert isinstance(warehouse, DuckDBWarehouse)
    columns = tuple(c for c in PREDICTIONS.columns if c.name != "player_id")
    old = replace(PREDICTIONS, columns=columns)
    with duckdb.connect(str(warehouse.path)) as connection:
        for table in TABLES:
            connection.execute(f"ALTER TABLE {table.name} DROP COLUMN player_id")
    player = slate_player(player_id=7)
    rows = rows_of(player, systems=("ensemble",))
    old_rows = [{n: v for n, v in row.items() if n != "player_id"} for row in rows]
    first = warehouse.stage(old, "batch_1", "older", old_rows).name
    # The merge adds the column, whatever was staged.
    warehouse.merge(PREDICTIONS, GAME_DATE, [first], NOON, 1)
    assert {row["player_id"] for row in embedded_warehouse.rows(PREDICTIONS)} == {None}
    assert warehouse.prepare() == ["column prediction_results.player_id"]
    second = warehouse.stage(PREDICTIONS, "batch_1", "newer", rows).name
    warehouse.merge(PREDICTIONS, GAME_DATE, [second], NOON, 2)
    assert {row["player_id"] for row in embedded_warehouse.rows(PREDICTIONS)} == {7}


def test_a_table_of_a_later_version_is_refused_by_the_name_of_its_column(
    embedded_warehouse: WarehouseBackend,
) -> None:
    # So does an earlier version with a table that has the column player_id.
    warehouse = embedded_warehouse.warehouse
    assert isinstance(warehouse, DuckDBWarehouse)
    with duckdb.connect(str(warehouse.path)) as connection:
        connection.execute("ALTER TABLE player_prop_predictions ADD COLUMN later_column BIGINT")
    with pytest.raises(SchemaMismatchError, match="column later_column is unknown") as refused:
        warehouse.prepare()
    assert "install the version that wrote the table" in str(refused.value)
