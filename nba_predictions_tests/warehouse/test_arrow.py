"""Conversion of rows to Arrow tables with the schema of the staging tables."""

from decimal import Decimal

import pyarrow as pa
import pytest

from nba_predictions.domain.errors import SchemaMismatchError
from nba_predictions.domain.tables import PREDICTIONS, STAGED_AT, TABLES, Table
from nba_predictions.warehouse.arrow import staging_schema, to_arrow
from nba_predictions_tests.examples import rows_of, slate_player


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_every_column_has_an_arrow_type(table: Table) -> None:
    schema = staging_schema(table)
    assert schema.names == [*(c.name for c in table.staged_columns), STAGED_AT.name]
    for column in (*table.staged_columns, STAGED_AT):
        assert schema.field(column.name).nullable is not column.required


def test_rows_become_typed_columns_without_loss() -> None:
    rows = rows_of(slate_player())
    table = to_arrow(PREDICTIONS, rows)
    assert table.schema.field("points_line").type == pa.decimal128(5, 1)
    assert table.schema.field("predicted_points").type == pa.decimal128(6, 2)
    assert table.to_pylist() == rows


def test_an_omitted_optional_value_is_null() -> None:
    (row,) = rows_of(slate_player(base=None), systems=["ensemble"])
    del row["confidence"]
    assert to_arrow(PREDICTIONS, [row])["confidence"].to_pylist() == [None]


def test_no_rows_become_an_empty_table() -> None:
    assert to_arrow(PREDICTIONS, []).num_rows == 0


def test_a_value_that_does_not_fit_is_refused_and_not_rounded() -> None:
    rows = [{**rows_of(slate_player())[0], "points_line": Decimal("15.55")}]
    with pytest.raises(SchemaMismatchError, match="points_line"):
        to_arrow(PREDICTIONS, rows)
