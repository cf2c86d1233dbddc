"""The tables of the warehouse, each defined once.

The DuckDB table, the BigQuery table, the staging files, the MERGE statement and the validation of
rows are all made from these definitions. To add a column, add one line here.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from nba_predictions.domain.errors import SchemaMismatchError


@dataclass(frozen=True)
class Column:
    """One column, with its type in BigQuery's words."""

    name: str
    type: str
    description: str
    required: bool = False


@dataclass(frozen=True)
class Table:
    """One table: its business key decides what a MERGE updates and what it inserts."""

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    partition_by: str
    cluster_by: tuple[str, ...]
    #: Rows of a written (scope) value whose key was not written again are superseded by a MERGE.
    scope: tuple[str, ...]
    #: Set by the MERGE itself, never staged: first insert and last merge.
    stamps: tuple[str, str] = ("created_at", "updated_at")

    @property
    def staged_columns(self) -> tuple[Column, ...]:
        return tuple(c for c in self.columns if c.name not in self.stamps)

    @property
    def staging_columns(self) -> tuple[Column, ...]:
        """The columns of a staging table: what is merged, and when it was staged."""
        return (*self.staged_columns, STAGED_AT)

    @property
    def nullable_key(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.columns if c.name in self.key and not c.required)

    def check_columns(self, names: Sequence[str]) -> None:
        """Refuse a column that the table does not know.

        A column that is *missing* is fine unless it is required: it becomes NULL.

        Raises:
            SchemaMismatchError: naming the columns and the table.
        """
        staged = {c.name: c for c in self.staged_columns}
        unknown = sorted(set(names) - set(staged) - {STAGED_AT.name})
        if unknown:
            raise SchemaMismatchError(
                f"column(s) {', '.join(unknown)} are not in table {self.name}; add them to "
                f"nba_predictions/domain/tables.py or do not stage them. Nothing was written."
            )
        missing = sorted(n for n, c in staged.items() if c.required and n not in names)
        if missing:
            raise SchemaMismatchError(
                f"required column(s) {', '.join(missing)} of table {self.name} are missing. "
                f"Nothing was written."
            )

    def check_partition(self, partition: date, rows_of_other_dates: int) -> None:
        """Refuse to merge staged rows that belong to another date than the one that is merged.

        Raises:
            SchemaMismatchError: naming the date and how many they are.
        """
        if rows_of_other_dates:
            raise SchemaMismatchError(
                f"{rows_of_other_dates} staged rows are of another {self.partition_by} than "
                f"{partition}; the staging of a batch holds its own date only. Nothing was written."
            )

    def check_rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Refuse values that a warehouse would refuse, or worse, would take.

        Raises:
            SchemaMismatchError: naming row number, column and value.
        """
        for names in {frozenset(row) for row in rows}:
            self.check_columns(sorted(names))
        for column in self.staging_columns:
            for number, row in enumerate(rows, start=1):
                problem = _value_problem(column, row.get(column.name))
                if problem:
                    raise SchemaMismatchError(
                        f"row {number} of {self.name}, column {column.name}: "
                        f"{row.get(column.name)!r} {problem}. Nothing was written."
                    )


#: Staging only: which of two rows with the same key is the later one.
STAGED_AT = Column("staged_at", "TIMESTAMP", "when the row was staged", required=True)


_PYTHON_TYPES: dict[str, type] = {
    "STRING": str,
    "DATE": date,
    "BOOL": bool,
    "INT64": int,
    "FLOAT64": float,
    "TIMESTAMP": datetime,
}


def _value_problem(column: Column, value: object) -> str | None:
    if value is None:
        return "is NULL but the column is required" if column.required else None
    if column.type.startswith("NUMERIC"):
        if not isinstance(value, Decimal):
            return f"is a {type(value).__name__}; exact columns take decimal.Decimal only"
        bound, unit, scale = _numeric_limits(column.type)
        if not value.is_finite() or abs(value) >= bound:
            return f"does not fit {column.type}"
        if value != value.quantize(unit):
            return f"has more than {scale} decimals"
        return None
    # Arrow itself would cut 15.5 to 15 points, a time off a date, and take a naive time for UTC. A
    # subclass is refused too: a bool is no count, a datetime no date.
    expected = _PYTHON_TYPES[column.type]
    if type(value) is not expected:
        return f"is a {type(value).__name__}; {column.type} takes {expected.__name__} only"
    if isinstance(value, float) and not math.isfinite(value):
        return "is not a finite float"
    if isinstance(value, datetime) and value.tzinfo is None:
        return "has no time zone; pass an aware datetime"
    return None


@cache
def _numeric_limits(kind: str) -> tuple[Decimal, Decimal, int]:
    """Return the bound that NUMERIC(p, s) stays below, its smallest unit, and its decimals."""
    precision, scale = (int(number) for number in kind[8:-1].split(","))
    return Decimal(10) ** (precision - scale), Decimal(1).scaleb(-scale), scale


def _business_key(*, line_required: bool) -> tuple[Column, ...]:
    return (
        Column("game_date", "DATE", "date of the game, US Eastern", required=True),
        Column("game_id", "STRING", "YYYYMMDD_AWAY_HOME", required=True),
        Column("player_lookup", "STRING", "normalised player name, a-z and 0-9", required=True),
        Column("system_id", "STRING", "the prediction system", required=True),
        Column(
            "points_line",
            "NUMERIC(5, 1)",
            "the tested line, exact; NULL where no line exists",
            required=line_required,
        ),
    )


PREDICTIONS = Table(
    name="player_prop_predictions",
    description="One row per player, system and tested line of a game date.",
    columns=(
        Column("prediction_id", "STRING", "UUIDv5 of the business key", required=True),
        Column("batch_id", "STRING", "the last batch that wrote the row", required=True),
        *_business_key(line_required=False),
        Column("system_version", "STRING", "code, and model where one is trained", required=True),
        Column("team", "STRING", "NULL when only a line says that the player plays"),
        Column("opponent", "STRING", "NULL together with team"),
        Column("is_home", "BOOL", "NULL together with team"),
        Column("base_line", "NUMERIC(5, 1)", "median over books of their main lines"),
        Column("line_source", "STRING", "sportsbook | dfs | none", required=True),
        Column("books", "INT64", "how many books the base line comes from", required=True),
        Column("predicted_points", "NUMERIC(6, 2)", "centre of the forecast", required=True),
        Column(
            "over_probability",
            "FLOAT64",
            "P(points > points_line), the base line known; NULL without a line",
        ),
        Column("push_probability", "FLOAT64", "P(points = points_line); 0 on half-point lines"),
        Column("confidence", "FLOAT64", "0..1, how much history the forecast rests on"),
        Column("recommendation", "STRING", "OVER | UNDER | PASS | NO_LINE", required=True),
        Column("features_as_of", "TIMESTAMP", "newest fact used; before game_date's tip-off"),
        Column("created_at", "TIMESTAMP", "first insert, never changed", required=True),
        Column("updated_at", "TIMESTAMP", "last merge", required=True),
    ),
    key=("game_date", "game_id", "player_lookup", "system_id", "points_line"),
    partition_by="game_date",
    cluster_by=("player_lookup", "system_id", "game_id"),
    scope=("player_lookup", "system_id"),
)

RESULTS = Table(
    name="prediction_results",
    description="Each prediction of a finished game date against what the player really scored.",
    columns=(
        Column("prediction_id", "STRING", "the graded prediction", required=True),
        Column("batch_id", "STRING", "the batch that made it", required=True),
        *_business_key(line_required=False),
        Column("system_version", "STRING", "as predicted", required=True),
        Column("predicted_points", "NUMERIC(6, 2)", "as predicted", required=True),
        Column("over_probability", "FLOAT64", "as predicted"),
        Column("push_probability", "FLOAT64", "as predicted"),
        Column("base_line", "NUMERIC(5, 1)", "as predicted; its row has points_line = base_line"),
        Column("recommendation", "STRING", "as predicted", required=True),
        Column("actual_points", "INT64", "NULL when the player did not play"),
        Column("minutes", "FLOAT64", "played; NULL when the player did not play"),
        Column("outcome", "STRING", "OVER | UNDER | PUSH | VOID | NO_LINE", required=True),
        Column("absolute_error", "FLOAT64", "|predicted - actual|; NULL when void"),
        Column("is_correct", "BOOL", "NULL on PASS, PUSH, VOID and NO_LINE"),
        Column("created_at", "TIMESTAMP", "first graded", required=True),
        Column("updated_at", "TIMESTAMP", "last graded", required=True),
    ),
    key=("game_date", "game_id", "player_lookup", "system_id", "points_line"),
    partition_by="game_date",
    cluster_by=("player_lookup", "system_id", "game_id"),
    # A grading writes all of a date: who is no longer predicted has no result either.
    scope=("system_id",),
)

TABLES = (PREDICTIONS, RESULTS)

# Any fixed namespace will do; changing it would change every prediction_id ever made.
_NAMESPACE = uuid.UUID("6d1c2b6e-7a0f-5f0e-9b64-0c8f8b7f3a51")


def prediction_id(
    game_date: date, game_id: str, player_lookup: str, system_id: str, points_line: Decimal | None
) -> str:
    """Return the UUIDv5 of a business key: the same key always has the same id.

    A line is written with one decimal, so that 15.5, 15.50 and Decimal("15.5") agree; no line is
    the word NULL, which is no number.
    """
    # Zero is added because it takes the sign off a negative zero, which is the same key.
    line = "NULL" if points_line is None else f"{points_line + 0:.1f}"
    key = "|".join((game_date.isoformat(), game_id, player_lookup, system_id, line))
    return str(uuid.uuid5(_NAMESPACE, key))
