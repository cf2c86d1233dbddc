"""The SQL of the warehouse, in BigQuery's dialect, in files named after what they do.

A file contains `${...}` placeholders for names from the table definitions. Values are always query
parameters. Executing a statement belongs in `warehouse/`.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from importlib import resources
from string import Template

from nba_predictions.domain.tables import Column, Table


@cache
def _template(name: str) -> Template:
    return Template(resources.files(__package__).joinpath(f"{name}.sql").read_text("utf-8"))


def statement(name: str, **names: str) -> str:
    """Return the statement in `{name}.sql` with its names filled in.

    Raises:
        KeyError: the file wants a name that was not given.
    """
    return _template(name).substitute(names)


def query_statement(name: str, table: Table, target: str) -> str:
    """Return the statement in `{name}.sql`, which reads one table."""
    return statement(name, target=target, key=", ".join(table.key), partition=table.partition_by)


def merge_statement(table: Table, target: str, staged: str) -> str:
    """Return the MERGE of `staged` (a table, view or parenthesised query) into `target`."""
    columns = [c.name for c in table.staged_columns]
    required = {c.name for c in table.columns if c.required}
    match = " AND ".join(
        f"target.{k} = source.{k}"
        if k in required
        else f"target.{k} IS NOT DISTINCT FROM source.{k}"
        for k in table.key
    )
    return statement(
        "merge",
        target=target,
        staged=staged,
        columns=", ".join(columns),
        key=", ".join(table.key),
        partition=table.partition_by,
        match=match,
        assignments=", ".join(f"{c} = source.{c}" for c in columns if c not in table.key),
        values=", ".join(f"source.{c}" for c in columns),
        superseded=" AND ".join(f"target.{s} IN UNNEST(@{s}s)" for s in table.scope),
    )


def remove_duplicates_statement(table: Table, target: str) -> str:
    """Return the statement that leaves one row of each key of a date."""
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
    """Return the count of `staged`, with an array of each scope's values for the MERGE."""
    return statement(
        "count_staged",
        staged=staged,
        key=", ".join(table.key),
        partition=table.partition_by,
        scopes=",\n  ".join(f"ARRAY_AGG(DISTINCT {s}) AS {s}s" for s in table.scope),
    )


def staged_projection(table: Table, there: Collection[str]) -> str:
    """Return a select list with every staging column, NULL where the staged data has none."""
    return ", ".join(
        f"CAST({c.name if c.name in there else 'NULL'} AS {c.type}) AS {c.name}"
        for c in table.staging_columns
    )


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
