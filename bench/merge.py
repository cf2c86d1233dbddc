"""Measure the MERGE of one night: into a large table, into an empty one, and as a bare statement.

    python -m bench.merge --rows 10000000

The table has `--rows` rows of earlier dates, in nights of 13,500 rows (450 players, 6 systems, 5
lines). The same night is merged in turns into the large table, into an empty table, and by a bare
DuckDB MERGE of the same rows with the date in its ON clause, which neither supersedes rows nor
checks a fencing token. Each statement is rolled back. The last line has the ratios of the medians:

    MERGE rows=10000000 ratio_to_empty=1.10 ratio_to_raw=1.32

The line before it has the same for a second merge of the night, which updates all its rows.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import dataclass
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import duckdb

from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.sql import create_table_statement, merge_statement
from nba_predictions.warehouse.duckdb_warehouse import translate

ROWS_PER_NIGHT = 13_500
ROUNDS = 21
FIRST_DATE = date(2015, 1, 1)
_NOW = datetime(2026, 1, 15, 17, tzinfo=timezone.utc)

#: The value of each column in row number `i`. Other columns are NULL.
_VALUES = {
    "prediction_id": "md5(CAST(i AS VARCHAR))",
    "batch_id": f"'batch_' || i // {ROWS_PER_NIGHT}",
    "game_date": f"DATE '{FIRST_DATE}' + CAST(i // {ROWS_PER_NIGHT} AS INTEGER)",
    "game_id": "'game_' || (i // 900) % 15",
    "player_lookup": "'player' || (i // 30) % 450",
    "system_id": "'system_' || (i // 5) % 6",
    "market": "'points'",
    "points_line": "CAST(20 + i % 5 AS DECIMAL(5, 1))",
    "system_version": "'1+bench'",
    "team": "'PHI'",
    "opponent": "'DAL'",
    "is_home": "TRUE",
    "base_line": "CAST(22 AS DECIMAL(5, 1))",
    "line_source": "'sportsbook'",
    "books": "3",
    "predicted_points": "CAST(21.5 AS DECIMAL(6, 2))",
    "over_probability": "0.5",
    "push_probability": "0.0",
    "confidence": "0.9",
    "recommendation": "'PASS'",
    "created_at": f"TIMESTAMPTZ '{_NOW}'",
    "updated_at": f"TIMESTAMPTZ '{_NOW}'",
    "staged_at": f"TIMESTAMPTZ '{_NOW}'",
    "write_sequence": "1",
}


def rows(first: int, count: int, names: list[str]) -> str:
    """Return the query of `count` rows from row number `first`."""
    values = ", ".join(f"{_VALUES.get(name, 'NULL')} AS {name}" for name in names)
    return f"SELECT {values} FROM range({first}, {first + count}) AS numbers(i)"


@dataclass(frozen=True)
class Target:
    """A table with earlier nights, and the staged rows of the next one."""

    connection: duckdb.DuckDBPyConnection
    parameters: dict[str, Any]

    @staticmethod
    def fill(path: Path, earlier_rows: int, night: int) -> Target:
        connection = duckdb.connect(str(path))
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(translate(create_table_statement(PREDICTIONS, PREDICTIONS.name)))
        names = [c.name for c in PREDICTIONS.columns]
        if earlier_rows:
            connection.execute(f"INSERT INTO {PREDICTIONS.name} {rows(0, earlier_rows, names)}")
        staging = [c.name for c in PREDICTIONS.staging_columns]
        first = night * ROWS_PER_NIGHT
        connection.execute(f"CREATE TEMP TABLE staged AS {rows(first, ROWS_PER_NIGHT, staging)}")
        connection.execute("CHECKPOINT")
        ((game_date,),) = connection.sql("SELECT MIN(game_date) FROM staged").fetchall()
        parameters = {"partition": game_date, "merged_at": _NOW, "write_sequence": 2}
        return Target(connection, parameters)

    def run(self, sql: str) -> None:
        used = {name: value for name, value in self.parameters.items() if f"${name}" in sql}
        self.connection.execute(sql, used).fetchall()

    def milliseconds(self, sql: str) -> float:
        self.connection.begin()
        started = time.perf_counter()
        self.run(sql)
        elapsed = time.perf_counter() - started
        self.connection.rollback()
        return 1000 * elapsed


def product_merge() -> str:
    return translate(merge_statement(PREDICTIONS, PREDICTIONS.name, "staged", duplicates=False))


def bare_merge() -> str:
    names = [c.name for c in PREDICTIONS.staged_columns]
    match = " AND ".join(f"target.{k} IS NOT DISTINCT FROM source.{k}" for k in PREDICTIONS.key)
    changes = ", ".join(f"{n} = source.{n}" for n in names if n not in PREDICTIONS.key)
    values = ", ".join(f"source.{n}" for n in names)
    return (
        f"MERGE INTO {PREDICTIONS.name} AS target USING staged AS source "
        f"ON target.game_date = $partition AND {match} "
        f"WHEN MATCHED THEN UPDATE SET {changes}, updated_at = $merged_at "
        f"WHEN NOT MATCHED THEN INSERT ({', '.join(names)}, created_at, updated_at) "
        f"VALUES ({values}, $merged_at, $merged_at)"
    )


def compare(large: Target, empty: Target) -> tuple[float, ...]:
    """Return the median milliseconds: large table, empty table, bare statement on the large table.

    The three alternate, so that they share the load of the machine.
    """
    product, bare = product_merge(), bare_merge()
    times: dict[str, list[float]] = {"large": [], "empty": [], "bare": []}
    for _ in range(ROUNDS):
        times["large"].append(large.milliseconds(product))
        times["empty"].append(empty.milliseconds(product))
        times["bare"].append(large.milliseconds(bare))
    return tuple(statistics.median(each) for each in times.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    options = parser.parse_args()
    night = -(-options.rows // ROWS_PER_NIGHT)
    with tempfile.TemporaryDirectory() as folder:
        large = Target.fill(Path(folder) / "large.duckdb", options.rows, night)
        empty = Target.fill(Path(folder) / "empty.duckdb", 0, night)
        lines = []
        for name in ("MERGE", "MERGE again"):
            big, none, bare = compare(large, empty)
            lines.append(
                f"{name} rows={options.rows} ratio_to_empty={big / none:.2f} "
                f"ratio_to_raw={big / bare:.2f}"
            )
            print(f"{name}: {big:.1f} ms, into an empty table {none:.1f} ms, bare {bare:.1f} ms")
            large.run(product_merge())
            empty.run(product_merge())
    print(lines[1])
    print(lines[0])


if __name__ == "__main__":
    main()
