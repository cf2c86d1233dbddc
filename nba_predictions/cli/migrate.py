"""The command `migrate`: bring the tables of an earlier version to the current schema."""

from __future__ import annotations

from nba_predictions.cli.pipeline import Pipeline
from nba_predictions.settings import Settings


def migrate_tables(settings: Settings) -> int:
    """Fill in required columns that the tables lack, and print what was done to each table."""
    for table in Pipeline(settings).warehouse.migrate():
        columns = ", ".join(table.columns) or "none"
        print(
            f"{table.table}: {table.filled} of {table.rows} rows filled, columns added: {columns}"
        )
    print("MIGRATED")
    return 0
