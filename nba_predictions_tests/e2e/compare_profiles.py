"""Compare the predictions of a date on the two profiles, row by row; exit with 1 if they differ.

    python -m nba_predictions_tests.e2e.compare_profiles --game-date 2026-01-15 EMBEDDED_HOME

The environment variables configure the profile gcp. The columns batch_id, created_at, updated_at
and write_sequence are not compared, because they differ between any two nights.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import date
from pathlib import Path

import duckdb
import polars as pl

from nba_predictions.cli.options import DEMO_DATE, read_date
from nba_predictions.definitions import build_resources
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.settings import Settings
from nba_predictions.warehouse.bigquery_warehouse import BigQueryWarehouse, exact

_NOT_COMPARED = ("batch_id", "created_at", "updated_at", "write_sequence")
COLUMNS = [c.name for c in PREDICTIONS.columns if c.name not in _NOT_COMPARED]


def embedded_rows(home: Path, game_date: date) -> pl.DataFrame:
    sql = f"SELECT {', '.join(COLUMNS)} FROM {PREDICTIONS.name} WHERE game_date = ?"
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return pl.DataFrame(connection.sql(sql, params=[game_date]).to_arrow_table())


def cloud_rows(warehouse: BigQueryWarehouse, game_date: date) -> pl.DataFrame:
    sql = f"SELECT {', '.join(COLUMNS)} FROM `{warehouse.full_name(PREDICTIONS)}`"
    found = warehouse.client.query_and_wait(f"{sql} WHERE game_date = '{game_date}'")
    return pl.DataFrame(exact(found.to_arrow(create_bqstorage_client=False), PREDICTIONS))


def differences(embedded: pl.DataFrame, cloud: pl.DataFrame) -> list[str]:
    """Return a text for each row that only one profile has."""
    texts = []
    # The profiles use different names for UTC.
    times = pl.selectors.datetime(time_zone="*").dt.convert_time_zone("UTC")
    embedded, cloud = embedded.with_columns(times), cloud.with_columns(times)
    for name, rows, other_rows in (("embedded", embedded, cloud), ("gcp", cloud, embedded)):
        unmatched = rows.join(other_rows, on=COLUMNS, how="anti", nulls_equal=True).sort(COLUMNS)
        texts += [f"only {name}: {row}" for row in unmatched.iter_rows(named=True)]
    return texts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--game-date", type=read_date, default=DEMO_DATE)
    parser.add_argument("embedded_home", type=Path)
    options = parser.parse_args()
    embedded = embedded_rows(options.embedded_home, options.game_date)
    settings = Settings.from_environment({**os.environ, "NBA_PREDICTIONS_PROFILE": "gcp"})
    cloud = cloud_rows(build_resources(settings)["warehouse"], options.game_date)
    differing = differences(embedded, cloud)
    for difference in differing[:20]:
        print(difference)
    print(
        f"DIFF {options.game_date} embedded={len(embedded)} gcp={len(cloud)} "
        f"differing={len(differing)}"
    )
    return 0 if len(embedded) == len(cloud) and not differing else 1


if __name__ == "__main__":
    sys.exit(main())
