"""The SQL of the warehouse, in BigQuery's dialect, in files named after what they do.

A file contains `${...}` placeholders for names from the table definitions. Values are always query
parameters. Executing a statement belongs in `warehouse/`.
"""

from collections.abc import Collection
from functools import cache
from importlib import resources
from string import Template

from nba_predictions.domain.errors import SchemaMismatchError
from nba_predictions.domain.tables import RESULTS, Column, Table


@cache
def _template(name: str) -> Template:
    text = resources.files(__package__).joinpath(f"{name}.sql").read_text("utf-8")
    # Comments are for readers of the file. They are not sent, and may contain an example.
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("--"))
    return Template("\n".join(lines))


def statement(name: str, **names: str) -> str:
    """Return the statement in `{name}.sql` with its placeholders filled in, without comments.

    Raises:
        KeyError: the file has a placeholder that was not given.
    """
    return _template(name).substitute(names)


def query_statement(name: str, table: Table, target: str) -> str:
    """Return the statement in `{name}.sql`, which reads one table."""
    return statement(
        name,
        target=target,
        key=", ".join(table.key),
        partition=table.partition_by,
        row_hash=_row_hash(table),
        graded=", ".join(
            c.name for c in RESULTS.staged_columns if c.source == f"prediction.{c.name}"
        ),
    )


#: The first digits of an MD5 in hexadecimal. The sum of half a million such numbers fits in INT64.
_HASH_DIGITS = 11


def _row_hash(table: Table) -> str:
    """Return an expression for a hash of a row, without the times at which it was written.

    Both engines return the same number. It does not change when a column is added to the table.
    """
    parts = ", ".join(_named_text(c) for c in table.staged_columns)
    digits = f"SUBSTR(TO_HEX(MD5(CONCAT({parts}))), 1, {_HASH_DIGITS})"
    return f"CAST(CONCAT('0x', {digits}) AS INT64)"


def _named_text(column: Column) -> str:
    """Return an expression for the name and value of a column; empty for a default value."""
    value = column.name
    if column.type == "FLOAT64":
        # The engines format floats differently.
        value = f"CAST(ROUND({value} * 1000000000) AS INT64)"
    elif column.type.startswith("NUMERIC"):
        value = f"CAST({value} * 100 AS INT64)"
    elif column.type == "TIMESTAMP":
        value = f"UNIX_MICROS({value})"
    text = f"CONCAT('{column.name}=', CAST({value} AS STRING), '|')"
    if column.backfill is None:
        return f"IFNULL({text}, '')"
    default = f"{column.name} = {backfill_literal(column)}"
    return f"IF({column.name} IS NULL OR {default}, '', {text})"


def select_with_nulls(missing: Collection[Column], existing: str | None) -> str:
    """Return a parenthesized query that a statement can read in place of a table.

    The missing columns are NULL in all rows of the table `existing`. Without it there are no rows.
    """
    nulls = [f"CAST(NULL AS {c.type}) AS {c.name}" for c in missing]
    if existing is None:
        return f"(SELECT {', '.join(nulls)} FROM (SELECT 1 AS one) WHERE FALSE)"
    return f"(SELECT {', '.join(['*', *nulls])} FROM {existing})"


def merge_statement(table: Table, target: str, staged: str, *, duplicates: bool) -> str:
    """Return the MERGE of `staged` (a table, view or parenthesised query) into `target`.

    With `duplicates`, of several staged rows with one key the one that was staged last is merged.
    The other columns break a tie, so that the result does not depend on the order of reading.
    Without duplicates, the rows keep the order of staging. DuckDB updates rows that are stored in
    the order of the source many times faster.
    """
    columns = [c.name for c in table.staged_columns]
    key, names = ", ".join(table.key), ", ".join(columns)
    latest = f"QUALIFY ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY staged_at DESC, {names}) = 1"
    return statement(
        "merge",
        target=target,
        staged=staged,
        columns=names,
        existing=", ".join(f"existing.{c}" for c in columns),
        distinct=latest if duplicates else "",
        partition=table.partition_by,
        match=_same_key(table, "target", "source"),
        staged_match=_same_key(table, "existing", "staged"),
        scope=" AND ".join(
            f"existing.{s} IN (SELECT {s} FROM {staged} AS staged)" for s in table.scope
        ),
        assignments=", ".join(f"{c} = source.{c}" for c in columns if c not in table.key),
        values=", ".join(f"source.{c}" for c in columns),
    )


def _same_key(table: Table, one: str, other: str) -> str:
    def same(name: str) -> str:
        equal = "IS NOT DISTINCT FROM" if name in table.nullable_key else "="
        return f"{one}.{name} {equal} {other}.{name}"

    return " AND ".join(same(name) for name in table.key)


def remove_duplicates_statement(table: Table, target: str) -> str:
    """Return the statement that keeps only the newest row of each key of a date."""
    columns = [c.name for c in table.columns]
    return statement(
        "remove_duplicates",
        target=target,
        columns=", ".join(columns),
        key=", ".join(table.key),
        partition=table.partition_by,
        values=", ".join(f"source.{c}" for c in columns),
    )


def count_staged_statement(table: Table, staged: str) -> str:
    """Return the statement that counts the rows of `staged`."""
    return statement(
        "count_staged", staged=staged, key=", ".join(table.key), partition=table.partition_by
    )


def staged_projection(table: Table, existing: Collection[str]) -> str:
    """Return a select list with every staging column.

    Rows that were staged before a column existed get its backfill, or NULL.
    """

    def value(column: Column) -> str:
        if column.name not in existing:
            return backfill_literal(column)
        if column.backfill is None:
            return column.name
        # Tables of both versions may be read together.
        return f"COALESCE({column.name}, {backfill_literal(column)})"

    return ", ".join(f"CAST({value(c)} AS {c.type}) AS {c.name}" for c in table.staging_columns)


def backfill_literal(column: Column) -> str:
    """Return the value of rows that were written before the column existed."""
    return "NULL" if column.backfill is None else f"'{column.backfill}'"


def add_column_statement(column: Column, target: str) -> str:
    """Return ALTER TABLE ADD COLUMN for a column that may be NULL in existing rows."""
    return f"ALTER TABLE {target} ADD COLUMN IF NOT EXISTS {column.name} {column.type}"


def columns_to_backfill(table: Table, missing: Collection[str]) -> list[Column]:
    """Return the required columns among the missing ones.

    Raises:
        SchemaMismatchError: one of them has no backfill.
    """
    required = [c for c in table.columns if c.required and c.name in missing]
    without = [c.name for c in required if c.backfill is None]
    if without:
        raise SchemaMismatchError(
            f"column(s) {', '.join(without)} of table {table.name} are required, but have no "
            f"backfill in nba_predictions/domain/tables.py. Nothing was written."
        )
    return required


def create_table_statement(table: Table, target: str) -> str:
    """Return CREATE TABLE IF NOT EXISTS for `table`, partitioned and clustered."""

    def definition(column: Column) -> str:
        required = " NOT NULL" if column.required else ""
        options = f"OPTIONS (description = {column.description!r})"
        return f"  {column.name} {column.type}{required} {options}"

    columns = ",\n".join(definition(c) for c in table.columns)
    return (
        f"CREATE TABLE IF NOT EXISTS {target} (\n{columns}\n)\n"
        f"PARTITION BY {table.partition_by}\nCLUSTER BY {', '.join(table.cluster_by)}\n"
        f"OPTIONS (description = {table.description!r})"
    )
