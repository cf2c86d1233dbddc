"""Rows as Arrow: the same typed columns go into a staging file and into a load job."""

from __future__ import annotations

from functools import cache

import pyarrow as pa

from nba_predictions.domain.errors import SchemaMismatchError
from nba_predictions.domain.tables import Column, Table
from nba_predictions.warehouse.port import Rows

_TYPES: dict[str, pa.DataType] = {
    "STRING": pa.string(),
    "DATE": pa.date32(),
    "BOOL": pa.bool_(),
    "INT64": pa.int64(),
    "FLOAT64": pa.float64(),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
    "NUMERIC(5, 1)": pa.decimal128(5, 1),
    "NUMERIC(6, 2)": pa.decimal128(6, 2),
}


def arrow_type(column: Column) -> pa.DataType:
    """Return the exact Arrow type of a column."""
    return _TYPES[column.type]


@cache
def staging_schema(table: Table) -> pa.Schema:
    """Return the Arrow schema of a staging table: the staged columns, and when they were staged."""

    def arrow_field(column: Column) -> pa.Field:
        return pa.field(column.name, arrow_type(column), nullable=not column.required)

    return pa.schema([arrow_field(c) for c in table.staging_columns])


def to_arrow(table: Table, rows: Rows) -> pa.Table:
    """Return the rows as an Arrow table of the staging schema.

    Raises:
        SchemaMismatchError: a column is unknown, a value does not fit its column exactly.
    """
    table.check_rows(rows)
    schema = staging_schema(table)
    return pa.Table.from_arrays([_column(table, field, rows) for field in schema], schema=schema)


def _column(table: Table, field: pa.Field, rows: Rows) -> pa.Array:
    try:
        return pa.array([row.get(field.name) for row in rows], type=field.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise SchemaMismatchError(
            f"column {field.name} of {table.name} has a value that is not a {field.type}: {error}. "
            f"Nothing was written."
        ) from error
