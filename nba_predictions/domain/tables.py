"""The tables of the warehouse. Each table is defined once, here.

The DDL, the staging files, the MERGE, the validation of rows and the rows themselves follow from
these definitions. To add a column, add one line to its table, with the source of its value.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from operator import attrgetter
from typing import Any

from nba_predictions.domain.errors import SchemaMismatchError
from nba_predictions.domain.market import POINTS


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: the name in all warehouses.
        type: the type in BigQuery's words.
        description: shown in the data dictionary and in BigQuery.
        required: whether NULL is refused.
        source: where the staged value comes from: a path of attributes of `PredictedRow`
            (betting/predictions.py) or `GradedRow` (betting/grading.py), for example `player.team`.
            By default it is the attribute with the name of the column.
        backfill: the value of rows that were written before the column existed. `migrate` fills it
            in. A required column that is added to an existing table needs it.
    """

    name: str
    type: str
    description: str
    required: bool = False
    source: str | None = None
    backfill: str | None = None


@dataclass(frozen=True)
class StoredColumn:
    """A column of a stored table: its type in the warehouse's words, and whether it is required."""

    type: str
    required: bool


@dataclass(frozen=True)
class Table:
    """One table, with the business key by which a MERGE decides between update and insert.

    Attributes:
        name: the name in all warehouses.
        description: shown in the data dictionary and in BigQuery.
        columns: all columns, in order.
        key: the business key.
        partition_by: the column of the partitions.
        cluster_by: the columns by which a partition is sorted.
        scope: the MERGE deletes rows that have the same values here as rows of this merge, but a
            key that was not written again.
        stamps: the columns that the MERGE sets itself: first insert, last merge, and the fencing
            token of the worker that merged.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    partition_by: str
    cluster_by: tuple[str, ...]
    scope: tuple[str, ...]
    stamps: tuple[str, ...] = ("created_at", "updated_at", "write_sequence")

    @property
    def staged_columns(self) -> tuple[Column, ...]:
        """The columns that are staged and merged."""
        return tuple(c for c in self.columns if c.name not in self.stamps)

    @property
    def staging_columns(self) -> tuple[Column, ...]:
        """The columns of a staging table: those that are merged, and the time of staging."""
        return (*self.staged_columns, STAGED_AT)

    @property
    def nullable_key(self) -> tuple[str, ...]:
        """The columns of the key that may be NULL."""
        return tuple(c.name for c in self.columns if c.name in self.key and not c.required)

    @property
    def backfilled(self) -> tuple[str, ...]:
        """The columns that older rows lack, and that are filled in for them."""
        return tuple(c.name for c in self.columns if c.backfill is not None)

    def column(self, name: str) -> Column:
        """Return the column of that name."""
        return next(c for c in self.columns if c.name == name)

    def check_columns(self, names: Sequence[str]) -> None:
        """Refuse a column that the table does not have.

        A missing column becomes NULL, so only required columns must be there.

        Raises:
            SchemaMismatchError: names the columns and the table.
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

    def check_stored(
        self, where: str, expected: Mapping[str, StoredColumn], found: Mapping[str, StoredColumn]
    ) -> None:
        """Refuse to write to a table whose columns are not those of the definition.

        A column of another type could round values silently. A column that the definition does not
        have was renamed, or a later version added it. Missing columns are not checked here, because
        `prepare` or `migrate` adds them.

        Args:
            where: the table, for people.
            expected: the columns of the definition.
            found: the columns of the stored table.

        Raises:
            SchemaMismatchError: names each column and what differs.
        """
        problems = []
        for name, stored in found.items():
            defined = expected.get(name)
            if defined is None:
                problems.append(
                    f"column {name} is unknown: it was renamed, or a later version added it"
                )
                continue
            if stored.type != defined.type:
                problems.append(f"column {name} is {stored.type}, it must be {defined.type}")
            if stored.required != defined.required:
                must = "refuse" if defined.required else "allow"
                problems.append(f"column {name} must {must} NULL")
        if problems:
            raise SchemaMismatchError(
                f"{where} does not match its definition: {'; '.join(problems)}. Nothing was "
                f"written. Restore the column, or install the version that wrote the table"
            )

    def check_migrated(self, where: str, missing: Sequence[str]) -> None:
        """Refuse to use a table of an earlier version.

        Args:
            where: the table, for people.
            missing: the columns that the table lacks, or that are not filled in.

        Raises:
            SchemaMismatchError: a required column is missing; names it and the command.
        """
        required = [c.name for c in self.columns if c.required and c.name in missing]
        if required:
            raise SchemaMismatchError(
                f"{where} was created by an earlier version and has no complete column "
                f"{', '.join(required)}; run `nba-predictions migrate`. Nothing was written."
            )

    def check_partition(self, partition: date, rows_of_other_dates: int) -> None:
        """Refuse to merge staged rows of another date than the one that is merged.

        Raises:
            SchemaMismatchError: names the date and the number of such rows.
        """
        if rows_of_other_dates:
            raise SchemaMismatchError(
                f"{rows_of_other_dates} staged rows are of another {self.partition_by} than "
                f"{partition}; the staging of a batch holds its own date only. Nothing was written."
            )

    def check_rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Refuse values that a warehouse would refuse, or would accept and change.

        Raises:
            SchemaMismatchError: names the row number, the column and the value.
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

    def row_of(self, values: object) -> dict[str, Any]:
        """Return one row to stage: each staging column, read from `values` by its source.

        Raises:
            SchemaMismatchError: `values` does not have the source of a column.
        """
        row = {}
        for name, read in _readers(self):
            try:
                row[name] = read(values)
            except AttributeError as error:
                raise SchemaMismatchError(
                    f"column {name} of table {self.name} has no value: {error}; state its source "
                    f"in nba_predictions/domain/tables.py"
                ) from error
        return row


#: The newest row of a date has the highest number. A MERGE with a lower one changes nothing.
WRITE_SEQUENCE = Column(
    "write_sequence",
    "INT64",
    "fencing token of the lease under which the row was last written; higher is later",
)

#: In staging only. Of two rows with the same key, the one that was staged later is merged.
STAGED_AT = Column("staged_at", "TIMESTAMP", "when the row was staged", required=True)


@cache
def _readers(table: Table) -> list[tuple[str, Callable[[object], Any]]]:
    """Return for each staging column the function that reads its value."""
    return [(c.name, attrgetter(c.source or c.name)) for c in table.staging_columns]


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
    # Arrow would truncate 15.5 to 15, cut the time off a datetime, and read a naive time as UTC.
    # Subclasses are refused as well, because a bool is not a count and a datetime is not a date.
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
    """Return the exclusive upper bound of NUMERIC(p, s), its smallest unit and its decimals."""
    precision, scale = (int(number) for number in kind[8:-1].split(","))
    return Decimal(10) ** (precision - scale), Decimal(1).scaleb(-scale), scale


_KEY = ("game_date", "game_id", "player_lookup", "system_id", "market", "points_line")

PREDICTIONS = Table(
    name="player_prop_predictions",
    description="One row per player, system, market and tested line of a game date.",
    columns=(
        Column("prediction_id", "STRING", "UUIDv5 of the business key", required=True),
        Column("batch_id", "STRING", "the last batch that wrote the row", required=True),
        Column(
            "game_date",
            "DATE",
            "date of the game, US Eastern",
            required=True,
            source="player.game_date",
        ),
        Column("game_id", "STRING", "YYYYMMDD_AWAY_HOME", required=True, source="player.game_id"),
        Column(
            "player_lookup",
            "STRING",
            "normalized player name, a-z and 0-9",
            required=True,
            source="player.player_lookup",
        ),
        Column(
            "player_id",
            "INT64",
            "the NBA's id of the player (PERSON_ID); NULL if the source does not have it",
            source="player.player_id",
        ),
        Column(
            "system_id",
            "STRING",
            "the prediction system",
            required=True,
            source="forecast.system_id",
        ),
        Column(
            "market",
            "STRING",
            "the statistic that is predicted, for example points",
            required=True,
            source="market.name",
            # Before this column existed, points were the only market.
            backfill=POINTS.name,
        ),
        Column(
            "points_line",
            "NUMERIC(5, 1)",
            "the tested line, exact, in units of the market; NULL without a line",
            source="line",
        ),
        Column(
            "system_version",
            "STRING",
            "version of the code, and of the trained models",
            required=True,
            source="forecast.system_version",
        ),
        Column(
            "team",
            "STRING",
            "NULL if only a line shows that the player plays",
            source="player.team",
        ),
        Column("opponent", "STRING", "NULL together with team", source="player.opponent"),
        Column("is_home", "BOOL", "NULL together with team", source="player.is_home"),
        Column(
            "base_line",
            "NUMERIC(5, 1)",
            "median over books of their main lines in the market",
            source="market.base_line",
        ),
        Column(
            "line_source",
            "STRING",
            "sportsbook | dfs | none",
            required=True,
            source="market.line_source",
        ),
        Column(
            "books",
            "INT64",
            "number of books behind the base line",
            required=True,
            source="market.books",
        ),
        Column(
            "predicted_points",
            "NUMERIC(6, 2)",
            "center of the forecast, in units of the market",
            required=True,
        ),
        Column(
            "over_probability",
            "FLOAT64",
            "P(statistic > points_line), given the base line; NULL without a line",
        ),
        Column("push_probability", "FLOAT64", "P(statistic = points_line); 0 on half-point lines"),
        Column(
            "confidence",
            "FLOAT64",
            "0..1, how much history the forecast is based on",
            source="forecast.confidence",
        ),
        Column("recommendation", "STRING", "OVER | UNDER | PASS | NO_LINE", required=True),
        Column(
            "features_as_of", "TIMESTAMP", "time of the newest fact that was used; before tip-off"
        ),
        Column("created_at", "TIMESTAMP", "first insert, never changed", required=True),
        Column("updated_at", "TIMESTAMP", "last merge", required=True),
        WRITE_SEQUENCE,
    ),
    key=_KEY,
    partition_by="game_date",
    # A system predicts one market, so the market would not sort a partition any further.
    cluster_by=("player_lookup", "system_id", "game_id"),
    scope=("player_lookup", "system_id"),
)


def _as_predicted(name: str, description: str | None = None) -> Column:
    """Return a column of the predictions that the results repeat."""
    column = PREDICTIONS.column(name)
    return replace(
        column, description=description or column.description, source=f"prediction.{name}"
    )


RESULTS = Table(
    name="prediction_results",
    description="Each prediction of a finished game date, compared with the box score.",
    columns=(
        _as_predicted("prediction_id", "the graded prediction"),
        _as_predicted("batch_id", "the batch that made the prediction"),
        *(_as_predicted(name) for name in _KEY),
        _as_predicted("player_id"),
        _as_predicted("system_version", "as predicted"),
        _as_predicted("predicted_points", "as predicted"),
        _as_predicted("over_probability", "as predicted"),
        _as_predicted("push_probability", "as predicted"),
        _as_predicted("base_line", "as predicted; its row has points_line = base_line"),
        _as_predicted("recommendation", "as predicted"),
        Column(
            "actual_points",
            "INT64",
            "the statistic of the market; NULL if the player did not play",
            source="actual",
        ),
        Column("minutes", "FLOAT64", "played; NULL if the player did not play"),
        Column("outcome", "STRING", "OVER | UNDER | PUSH | VOID | NO_LINE", required=True),
        Column("absolute_error", "FLOAT64", "|predicted - actual|; NULL when void"),
        Column("is_correct", "BOOL", "NULL on PASS, PUSH, VOID and NO_LINE"),
        Column("created_at", "TIMESTAMP", "first graded", required=True),
        Column("updated_at", "TIMESTAMP", "last graded", required=True),
        WRITE_SEQUENCE,
    ),
    key=_KEY,
    partition_by="game_date",
    cluster_by=("player_lookup", "system_id", "game_id"),
    # A grading writes the whole date, so it also removes results of players without predictions.
    scope=("system_id",),
)

TABLES = (PREDICTIONS, RESULTS)

# Changing the namespace would change every prediction_id that was ever stored.
_NAMESPACE = uuid.UUID("6d1c2b6e-7a0f-5f0e-9b64-0c8f8b7f3a51")


def prediction_id(
    game_date: date,
    game_id: str,
    player_lookup: str,
    system_id: str,
    market: str,
    points_line: Decimal | None,
) -> str:
    """Return the UUIDv5 of a business key: the same key always has the same id.

    A line is written with one decimal, so that 15.5, 15.50 and Decimal("15.5") agree. No line is
    written as the word NULL.

    The text of the key contains the name of every market except points. Points were the only market
    when the first rows were stored, so their ids stay valid. The name comes last, and a name begins
    with a letter. So no key of points, which ends in a line, has the same text.
    """
    # Adding zero removes the sign of a negative zero, which is the same key.
    line = "NULL" if points_line is None else f"{points_line + 0:.1f}"
    parts = (game_date.isoformat(), game_id, player_lookup, system_id, line)
    text = "|".join(parts if market == POINTS.name else (*parts, market))
    return str(uuid.uuid5(_NAMESPACE, text))
