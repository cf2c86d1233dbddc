"""The SQL statements, parsed with a BigQuery parser."""

from importlib import resources

import pytest
import sqlglot
from sqlglot import exp

from nba_predictions.domain.tables import PREDICTIONS, RESULTS, TABLES, Table
from nba_predictions.sql import (
    create_table_statement,
    merge_statement,
    staged_projection,
    statement,
)

FILES = sorted(
    file.name.removesuffix(".sql")
    for file in resources.files("nba_predictions.sql").iterdir()
    if file.name.endswith(".sql")
)
NAMES = {
    "target": "t",
    "staged": "s",
    "key": "a, b",
    "graded": "a, b",
    "partition": "game_date",
    "scopes": "1 AS one",
    "gathered": "g",
    "columns": "a",
    "row_hash": "1",
    "values": "source.a",
    "first": "a",
    "last": "b",
}


def parsed(sql: str) -> exp.Expr:
    (tree,) = sqlglot.parse(sql, read="bigquery")
    assert tree is not None
    return tree


@pytest.mark.parametrize("name", [f for f in FILES if f != "merge"])
def test_every_file_is_one_statement_in_the_bigquery_dialect(name: str) -> None:
    assert not isinstance(parsed(statement(name, **NAMES)), exp.Command)


def test_a_missing_placeholder_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="target"):
        statement("count_target", key="a", partition="game_date", row_hash="1")


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_a_merge_is_one_statement_on_one_partition(table: Table) -> None:
    sql = merge_statement(table, "target_table", "staged_table", duplicates=True)
    tree = parsed(sql)
    assert isinstance(tree, exp.Merge)
    on = tree.args["on"].sql("bigquery")
    assert "target.game_date = @partition" in on
    assert "target.points_line IS NOT DISTINCT FROM source.points_line" in on
    for key in set(table.key) - {"points_line"}:
        assert f"target.{key} = source.{key}" in on


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_a_merge_names_every_column(table: Table) -> None:
    sql = merge_statement(table, "target_table", "staged_table", duplicates=True)
    insert = parsed(sql).find(exp.Insert)
    assert insert is not None
    inserted = [column.name for column in insert.this.expressions]
    assert sorted(inserted) == sorted(c.name for c in table.columns)


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_an_update_keeps_the_key_and_created_at(table: Table) -> None:
    update = parsed(merge_statement(table, "t", "s", duplicates=False)).find(exp.Update)
    assert update is not None
    assigned = {assignment.this.name for assignment in update.expressions}
    assert assigned == {c.name for c in table.columns} - {*table.key, "created_at"}


def test_a_merge_deletes_only_rows_in_its_scope_that_it_did_not_write() -> None:
    sql = " ".join(merge_statement(PREDICTIONS, "t", "s", duplicates=False).split())
    _, _, superseded = sql.partition("UNION ALL ")
    assert "WHERE existing.game_date = @partition" in superseded
    assert "existing.player_lookup IN (SELECT player_lookup FROM s AS staged)" in superseded
    assert "existing.system_id IN (SELECT system_id FROM s AS staged)" in superseded
    assert "NOT EXISTS (SELECT 1 FROM s AS staged WHERE existing.game_date" in superseded
    assert "WHEN MATCHED AND source.superseded THEN DELETE" in sql


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_a_merge_reads_one_partition_of_the_target(table: Table) -> None:
    sql = " ".join(merge_statement(table, "t", "s", duplicates=True).split())
    assert "NOT MATCHED BY SOURCE" not in sql
    # The target is read three times, each time limited to the partition.
    assert sql.count(f"{table.partition_by} = @partition") == 3


def test_a_projection_fills_missing_columns_with_typed_nulls() -> None:
    staged_names = [c.name for c in PREDICTIONS.staged_columns if c.name != "confidence"]
    projected = staged_projection(PREDICTIONS, [*staged_names, "staged_at"])
    assert "CAST(NULL AS FLOAT64) AS confidence" in projected
    assert "CAST(points_line AS NUMERIC(5, 1)) AS points_line" in projected
    assert projected.count("NULL") == 1


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_create_table_has_partition_clustering_and_descriptions(table: Table) -> None:
    sql = create_table_statement(table, "dataset.table")
    tree = parsed(sql)
    assert isinstance(tree, exp.Create)
    assert "PARTITION BY game_date" in sql
    assert f"CLUSTER BY {', '.join(table.cluster_by)}" in sql
    defined = [column.name for column in tree.find_all(exp.ColumnDef)]
    assert defined == [c.name for c in table.columns]
    assert sql.count("NOT NULL") == sum(c.required for c in table.columns)
    for column in table.columns:
        assert column.description in sql


def test_the_results_table_is_created_if_it_does_not_exist() -> None:
    assert create_table_statement(RESULTS, "r").startswith("CREATE TABLE IF NOT EXISTS r (")
