"""All that is known of a night, gathered once: for a page, a text, or whoever asks.

The evidence is that of the audit; the tables come from the warehouse, one date's partition each,
but for the errors and the calibration of the dates before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import Batch
from nba_predictions.domain.batches.reconciliation import Reconciliation
from nba_predictions.domain.tables import PREDICTIONS, RESULTS
from nba_predictions.nightly.audit import NightAudit, Step, audit_night
from nba_predictions.report.formatting import Schema
from nba_predictions.warehouse.port import Warehouse

#: How far back errors and calibration are looked at: two months of dates.
LOOK_BACK = timedelta(days=60)
#: How many players are named who are furthest from their lines.
FURTHEST = 10


@dataclass(frozen=True)
class Phase:
    """One part of a night, and how long it took."""

    name: str
    began: datetime
    ended: datetime

    @property
    def seconds(self) -> float:
        return (self.ended - self.began).total_seconds()


@dataclass(frozen=True)
class Graded:
    """How a graded date came out, and the dates up to it.

    `by_system` and `buckets` are of the date; `past_buckets` and `by_date` of LOOK_BACK.
    """

    by_system: pl.DataFrame
    buckets: pl.DataFrame
    past_buckets: pl.DataFrame
    by_date: pl.DataFrame


@dataclass(frozen=True)
class NightReport:
    """One batch of a date, in numbers and tables, with its audit."""

    game_date: date
    batch: Batch
    as_of: datetime
    audit: NightAudit
    phases: tuple[Phase, ...]
    reconciliation: Reconciliation | None
    failed: Mapping[str, str]
    skipped: Mapping[str, str]
    by_line: pl.DataFrame
    at_base: pl.DataFrame
    graded: Graded | None
    table: str

    @property
    def complete(self) -> bool:
        return self.audit.complete


def gather_night(
    game_date: date, store: BatchStore, warehouse: Warehouse, batch_id: str | None = None
) -> NightReport | None:
    """Gather the night of a batch, by default the newest of the date; None if there is none."""
    audit = audit_night(game_date, store, warehouse, batch_id)
    snapshot = audit.evidence.snapshot
    if snapshot is None:
        return None
    batch = snapshot.batch
    by_line, at_base = predictions_of(batch, warehouse)
    return NightReport(
        game_date=game_date,
        batch=batch,
        as_of=audit.evidence.now,
        audit=audit,
        phases=tuple(phases(batch)),
        reconciliation=snapshot.reconciliation,
        failed={letter.player_lookup: letter.error for letter in snapshot.failed},
        skipped={c.player_lookup: c.skip_reason or "" for c in snapshot.skipped},
        by_line=by_line,
        at_base=at_base,
        graded=gather_graded(game_date, warehouse),
        table=warehouse.where(PREDICTIONS),
    )


def predictions_of(batch: Batch, warehouse: Warehouse) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows of a batch in the table, by system and line; and those at the base line."""
    by_line, at_base = (
        pl.DataFrame(
            warehouse.query(name, PREDICTIONS, partition=batch.game_date, batch_id=batch.batch_id)
        )
        for name in ("night_by_line", "night_at_base_line")
    )
    return by_line, at_base.with_columns(pl.col("predicted_points").cast(pl.Float64))


def gather_graded(game_date: date, warehouse: Warehouse) -> Graded | None:
    """Gather how a date was graded; None if it was not yet."""

    def ask(name: str, **dates: date) -> pl.DataFrame:
        return pl.DataFrame(warehouse.query(name, RESULTS, partition=game_date, **dates))

    by_system = ask("graded_night")
    if by_system.is_empty():
        return None
    past = game_date - LOOK_BACK
    return Graded(
        by_system=with_hit_rate(by_system),
        buckets=ask("calibration", since=game_date),
        past_buckets=ask("calibration", since=past),
        by_date=ask("error_by_date", since=past),
    )


def with_hit_rate(board: pl.DataFrame) -> pl.DataFrame:
    """Add the share of calls that were right: null where a system made none."""
    calls = pl.when(pl.col("calls") > 0).then(pl.col("calls"))
    return board.with_columns(hit_rate=pl.col("calls_right") / calls)


def phases(batch: Batch) -> list[Phase]:
    """Return the parts of a night that have ended, from when each of its states was entered.

    What was entered before the part that leads to it is of an earlier round (players were replayed
    since), and left out.
    """
    entered = {"created": batch.created_at, **batch.times}
    last = entered["created"]
    found = []
    for name, state in (
        ("predict and stage", "staged"),
        ("merge and reconcile", "consolidated"),
        ("check and clean up", "cleaned"),
        ("publish", "published"),
    ):
        began = max(last, entered.get("staging", last)) if state == "staged" else last
        ended = entered.get(state)
        if ended is None or ended < began:
            break
        found.append(Phase(name, began, ended))
        last = ended
    return found


def line_coverage(at_base: pl.DataFrame) -> pl.DataFrame:
    """Count the players by where their line comes from, with how many books stand behind it."""
    return (
        at_base.unique("player_lookup", keep="first", maintain_order=True)
        .group_by("line_source")
        .agg(
            players=pl.len(),
            fewest_books=pl.col("books").min(),
            mean_books=pl.col("books").mean(),
            most_books=pl.col("books").max(),
        )
        .sort("line_source")
    )


def by_game(at_base: pl.DataFrame) -> pl.DataFrame:
    """Count the players of each game, and those of them who have a line."""
    return (
        at_base.unique("player_lookup", keep="first", maintain_order=True)
        .group_by("game_id")
        .agg(players=pl.len(), with_line=pl.col("base_line").count())
        .sort("game_id")
    )


def furthest_from_line(at_base: pl.DataFrame, system: str = "ensemble") -> pl.DataFrame:
    """Return the players whom a system sees furthest from their base line."""
    gap = pl.col("predicted_points") - pl.col("base_line").cast(pl.Float64)
    return (
        at_base.filter((pl.col("system_id") == system) & pl.col("base_line").is_not_null())
        .with_columns(difference=gap)
        .sort(pl.col("difference").abs(), "player_lookup", descending=[True, False])
        .select(
            *("player_lookup", "team", "opponent", "base_line", "books", "predicted_points"),
            *("difference", "over_probability", "recommendation"),
        )
        .head(FURTHEST)
    )


def reconciliation_table(numbers: Reconciliation) -> pl.DataFrame:
    """Set side by side the numbers that have to agree."""
    pairs = [
        ("staging tables", numbers.tables_expected, numbers.tables_found),
        ("rows staged", numbers.rows_recorded, numbers.rows_staged),
        ("distinct keys", numbers.rows_staged, numbers.distinct_keys),
        ("rows merged", numbers.distinct_keys, numbers.merged),
        (
            "rows of the batch in the table",
            numbers.batch_rows_expected,
            numbers.batch_rows_in_target,
        ),
        ("keys that stand twice", 0, numbers.duplicate_keys_in_target),
    ]
    return pl.DataFrame(
        [
            {
                "what": what,
                "expected": expected,
                "found": found,
                "agrees": "yes" if expected == found else "NO",
            }
            for what, expected, found in pairs
        ]
    )


def steps_table(steps: Iterable[Step]) -> pl.DataFrame:
    """Return the steps of the audit as a table."""
    columns: Schema = {
        "step": pl.String,
        "count": pl.Int64,
        "what": pl.String,
        "at": pl.Datetime("us", "UTC"),
    }
    rows = [(step.name, step.count, step.unit, step.at) for step in steps]
    return pl.DataFrame(rows, schema=columns, orient="row")


def phases_table(found: tuple[Phase, ...]) -> pl.DataFrame:
    """Return the parts of a night with their durations."""
    columns: Schema = {
        "part": pl.String,
        "seconds": pl.Float64,
        "ended": pl.Datetime("us", "UTC"),
    }
    rows = [{"part": p.name, "seconds": round(p.seconds, 3), "ended": p.ended} for p in found]
    return pl.DataFrame(rows, schema=columns)


def reasons_table(reasons: Mapping[str, str]) -> pl.DataFrame:
    """Return players with what happened to them."""
    columns: Schema = {"player": pl.String, "reason": pl.String}
    return pl.DataFrame([*sorted(reasons.items())], schema=columns, orient="row")
