"""Gather the numbers and tables of a night for its report as a page or as text.

The evidence is that of the audit. The tables come from queries of one date's partition, except for
the errors and the calibration of earlier dates.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import Batch
from nba_predictions.domain.batches.ledger import LedgerEvent
from nba_predictions.domain.batches.reconciliation import Reconciliation
from nba_predictions.domain.batches.snapshot import BatchSnapshot
from nba_predictions.domain.tables import PREDICTIONS, RESULTS
from nba_predictions.nightly.audit import NightAudit, Step, audit_night
from nba_predictions.report.formatting import Schema
from nba_predictions.warehouse.port import Warehouse

#: The period of errors and calibration before the date.
LOOK_BACK = timedelta(days=60)
#: The number of players in the table of the largest differences to the line.
FURTHEST = 10


@dataclass(frozen=True)
class Phase:
    """One part of a night with its begin and end."""

    name: str
    began: datetime
    ended: datetime

    @property
    def seconds(self) -> float:
        return (self.ended - self.began).total_seconds()


@dataclass(frozen=True)
class Graded:
    """The results of a graded date and of the dates before it.

    `by_system` and `buckets` cover the date. `past_buckets` and `by_date` cover LOOK_BACK.
    """

    by_system: pl.DataFrame
    buckets: pl.DataFrame
    past_buckets: pl.DataFrame
    by_date: pl.DataFrame


@dataclass(frozen=True)
class NightReport:
    """The numbers and tables of one batch, with its audit."""

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
    inputs: pl.DataFrame
    unmatched: pl.DataFrame

    @property
    def complete(self) -> bool:
        return self.audit.complete


def gather_night(
    game_date: date, store: BatchStore, warehouse: Warehouse, batch_id: str | None = None
) -> NightReport | None:
    """Gather the report of a batch, by default the newest of the date; None without a batch."""
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
        failed={failure.player_lookup: failure.error for failure in snapshot.failed},
        skipped={c.player_lookup: c.skip_reason or "" for c in snapshot.skipped},
        by_line=by_line,
        at_base=at_base,
        graded=gather_graded(game_date, warehouse),
        table=warehouse.full_name(PREDICTIONS),
        inputs=inputs_table(_of_creation(snapshot, "inputs")),
        unmatched=unmatched_table(_of_creation(snapshot, "unmatched")),
    )


def _of_creation(snapshot: BatchSnapshot, name: str) -> Iterable[Mapping[str, Any]]:
    """Return a list in the ledger entry of the batch's creation. Earlier versions stored none."""
    created = snapshot.last(LedgerEvent.CREATED)
    payload = created.payload if created else {}
    return payload.get(name, ()) if isinstance(payload, Mapping) else ()


def predictions_of(batch: Batch, warehouse: Warehouse) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return a batch's counts by system and line, and its predictions at the base line."""
    by_line, at_base = (
        pl.DataFrame(
            warehouse.query(name, PREDICTIONS, partition=batch.game_date, batch_id=batch.batch_id)
        )
        for name in ("night_by_line", "night_at_base_line")
    )
    return by_line, at_base.with_columns(pl.col("predicted_points").cast(pl.Float64))


def gather_graded(game_date: date, warehouse: Warehouse) -> Graded | None:
    """Gather the results of a date; None if it is not graded yet."""

    def query(name: str, **dates: date) -> pl.DataFrame:
        return pl.DataFrame(warehouse.query(name, RESULTS, partition=game_date, **dates))

    by_system = query("graded_night")
    if by_system.is_empty():
        return None
    past = game_date - LOOK_BACK
    return Graded(
        by_system=with_hit_rate(by_system),
        buckets=query("calibration", since=game_date),
        past_buckets=query("calibration", since=past),
        by_date=query("error_by_date", since=past),
    )


def with_hit_rate(board: pl.DataFrame) -> pl.DataFrame:
    """Add the share of correct calls, null for a system without calls."""
    calls = pl.when(pl.col("calls") > 0).then(pl.col("calls"))
    return board.with_columns(hit_rate=pl.col("calls_right") / calls)


def phases(batch: Batch) -> list[Phase]:
    """Return the finished parts of a night, from the times at which its states were entered.

    A state entered before the preceding one belongs to an earlier round, before a replay, and is
    omitted.
    """
    entered_at = {"created": batch.created_at, **batch.times}
    last = entered_at["created"]
    parts = []
    for name, state in (
        ("predict and stage", "staged"),
        ("merge and reconcile", "consolidated"),
        ("check and clean up", "cleaned"),
        ("publish", "published"),
    ):
        began = max(last, entered_at.get("staging", last)) if state == "staged" else last
        ended = entered_at.get(state)
        if ended is None or ended < began:
            break
        parts.append(Phase(name, began, ended))
        last = ended
    return parts


def line_coverage(at_base: pl.DataFrame) -> pl.DataFrame:
    """Count the players by the source of their line, with the number of books."""
    return (
        at_base.unique(["player_lookup", "market"], keep="first", maintain_order=True)
        .group_by("market", "line_source")
        .agg(
            players=pl.len(),
            fewest_books=pl.col("books").min(),
            mean_books=pl.col("books").mean(),
            most_books=pl.col("books").max(),
        )
        .sort("market", "line_source")
    )


def by_game(at_base: pl.DataFrame) -> pl.DataFrame:
    """Count the players of each game, and those with a line."""
    return (
        at_base.unique(["player_lookup", "market"], keep="first", maintain_order=True)
        .group_by("game_id", "market")
        .agg(players=pl.len(), with_line=pl.col("base_line").count())
        .sort("game_id", "market")
    )


def furthest_from_line(at_base: pl.DataFrame, system: str = "ensemble") -> pl.DataFrame:
    """Return the players with the largest differences between a system and the base line."""
    difference = pl.col("predicted_points") - pl.col("base_line").cast(pl.Float64)
    return (
        at_base.filter((pl.col("system_id") == system) & pl.col("base_line").is_not_null())
        .with_columns(difference=difference)
        .sort(pl.col("difference").abs(), "player_lookup", descending=[True, False])
        .select(
            *("player_lookup", "player_id", "team", "opponent", "base_line", "books"),
            *("predicted_points", "difference", "over_probability", "recommendation"),
        )
        .head(FURTHEST)
    )


def reconciliation_table(numbers: Reconciliation) -> pl.DataFrame:
    """Return a table of the numbers that must agree."""
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
        ("duplicate keys", 0, numbers.duplicate_keys_in_target),
    ]
    table = pl.DataFrame(pairs, schema=["what", "expected", "found"], orient="row")
    agrees = pl.when(pl.col("expected") == pl.col("found")).then(pl.lit("yes"))
    return table.with_columns(agrees=agrees.otherwise(pl.lit("NO")))


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


def phases_table(phases: tuple[Phase, ...]) -> pl.DataFrame:
    """Return the parts of a night with their durations."""
    columns: Schema = {"part": pl.String, "seconds": pl.Float64, "ended": pl.Datetime("us", "UTC")}
    rows = [{"part": p.name, "seconds": round(p.seconds, 3), "ended": p.ended} for p in phases]
    return pl.DataFrame(rows, schema=columns)


def reasons_table(reasons: Mapping[str, str]) -> pl.DataFrame:
    """Return a table of players with the reason of each."""
    columns: Schema = {"player": pl.String, "reason": pl.String}
    return pl.DataFrame([*sorted(reasons.items())], schema=columns, orient="row")


def inputs_table(inputs: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Return a table of input files with the outcome of their rows (`InputSummary` as mappings)."""
    columns: Schema = {
        "kind": pl.String,
        "file": pl.String,
        "rows": pl.Int64,
        "used": pl.Int64,
        "superseded": pl.Int64,
        "rejected": pl.Int64,
        "dropped": pl.String,
        "note": pl.String,
    }
    rows = [
        {"file": each["path"], **each}
        if each["read"]
        else {"kind": each["kind"], "file": each["path"], "note": f"not read: {each['note']}"}
        for each in inputs
    ]
    return pl.DataFrame([{name: row.get(name) for name in columns} for row in rows], schema=columns)


def unmatched_table(names: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Return a table of the names in inputs that are not the name of exactly one player."""
    columns: Schema = {"input": pl.String, "name": pl.String}
    rows = [(each["kind"], each["name"]) for each in names]
    return pl.DataFrame(rows, schema=columns, orient="row")
