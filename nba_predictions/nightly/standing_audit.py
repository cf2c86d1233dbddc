"""Compare the rows of all past nights with the ledger: were any lost or changed since the merge?

The audit of one night runs when someone asks for it. This audit runs daily. It queries the
warehouse once, whatever the number of nights, and reads one ledger per night.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import pyarrow as pa
from pydantic import AwareDatetime, TypeAdapter

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import CLEANED_UP, Batch, BatchState
from nba_predictions.domain.batches.ledger import LedgerEvent, Merged, last_entry
from nba_predictions.domain.batches.reconciliation import Reconciliation
from nba_predictions.domain.batches.verdict import some_of
from nba_predictions.domain.policies.alerting import Condition, Kind, Severity
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.logs import milestone
from nba_predictions.warehouse.port import Warehouse

_FIRST_DATE = date(1946, 11, 1)
#: With more differing nights than this, one alert is about all of them: a table was lost.
MAX_NIGHTS_WITH_ALERTS = 10


@dataclass(frozen=True)
class Difference:
    """A past night whose rows are not those that its last merge left.

    `recorded` and `found` are the numbers of rows. They are equal if values were changed. A night
    without a recorded batch has rows of a batch that the batch store does not know.
    """

    game_date: date
    batch_id: str
    recorded: int
    found: int

    @property
    def problem(self) -> str:
        if self.found < self.recorded:
            return f"{self.recorded - self.found} of {self.recorded} rows are missing"
        if self.recorded == 0:
            return f"{self.found} rows are of a batch that the batch store does not have"
        if self.found > self.recorded:
            return f"{self.found - self.recorded} rows were added to {self.recorded}"
        return f"the values of its {self.found} rows were changed"


@dataclass(frozen=True)
class StandingAudit:
    """The result: the time (UTC), the numbers of compared and skipped nights, and differences.

    Skipped nights have no finished batch. `without_checksum` nights were merged by an earlier
    version: only their rows were counted.
    """

    at: AwareDatetime
    nights: int
    skipped: int
    without_checksum: int
    differences: tuple[Difference, ...]

    def to_json(self) -> bytes:
        return _ADAPTER.dump_json(self, indent=1)

    @staticmethod
    def from_json(content: bytes) -> StandingAudit:
        """Restore what `to_json` returned. Raises ValueError for other content."""
        return _ADAPTER.validate_json(content)


_ADAPTER = TypeAdapter(StandingAudit)


@dataclass(frozen=True)
class _Found:
    """The rows of one batch in the table."""

    rows: int = 0
    checksum: int | None = None


def audit_past_nights(
    store: BatchStore, warehouse: Warehouse, *, before: date, run_id: str
) -> StandingAudit:
    """Compare the newest batch of each date before `before` with its last merge, and log it."""
    batches = [b for b in store.in_states(list(BatchState)) if b.game_date < before]
    newest = _newest_by_date(batches)
    finished = [batch for batch in newest.values() if batch.state in CLEANED_UP]
    merged = {batch.batch_id: _last_merge(store, batch.batch_id) for batch in finished}
    found = _found(
        warehouse.query("batches_of_table", PREDICTIONS, first=_FIRST_DATE, before=before)
    )
    compared = [batch for batch in finished if merged[batch.batch_id] is not None]
    differences = [
        difference
        for batch in compared
        if (difference := _compare(batch, merged[batch.batch_id], found)) is not None
        # A replay or refresh may have written the rows while they were read.
        and _last_merge(store, batch.batch_id) == merged[batch.batch_id]
        and store.get(batch.batch_id).state in CLEANED_UP
    ]
    known = {batch.batch_id for batch in batches}
    differences += _unknown(found, known)
    audit = StandingAudit(
        at=store.now(),
        nights=len(compared),
        skipped=len(newest) - len(compared),
        without_checksum=sum(
            numbers is not None and numbers.checksum is None for numbers in merged.values()
        ),
        differences=tuple(sorted(differences, key=lambda d: (d.game_date, d.batch_id))),
    )
    _log(audit, run_id)
    return audit


def _newest_by_date(batches: Iterable[Batch]) -> dict[date, Batch]:
    """Return the newest batch of each date, as `newest_batch` does for one date."""
    newest: dict[date, Batch] = {}
    for batch in sorted(batches, key=lambda b: b.sequence):
        if batch.state is not BatchState.FAILED or batch.game_date not in newest:
            newest[batch.game_date] = batch
    return newest


def _last_merge(store: BatchStore, batch_id: str) -> Reconciliation | None:
    entry = last_entry(store.ledger(batch_id), LedgerEvent.MERGED)
    return entry.payload.numbers if entry and isinstance(entry.payload, Merged) else None


def _found(table: pa.Table) -> dict[tuple[date, str], _Found]:
    return {
        (row["game_date"], row["batch_id"]): _Found(row["batch_rows"], row["checksum"])
        for row in table.to_pylist()
    }


def _compare(
    batch: Batch, recorded: Reconciliation | None, found: Mapping[tuple[date, str], _Found]
) -> Difference | None:
    if recorded is None:
        return None
    rows = found.get((batch.game_date, batch.batch_id), _Found())
    differs = rows.rows != recorded.batch_rows_in_target
    # Removing duplicate keys, as a repair does, changes the checksum.
    if rows.rows and recorded.checksum is not None and not recorded.duplicate_keys_in_target:
        differs = differs or rows.checksum != recorded.checksum
    if not differs:
        return None
    return Difference(batch.game_date, batch.batch_id, recorded.batch_rows_in_target, rows.rows)


def _unknown(found: Mapping[tuple[date, str], _Found], known: set[str]) -> list[Difference]:
    return [
        Difference(game_date, batch_id, 0, rows.rows)
        for (game_date, batch_id), rows in found.items()
        if batch_id not in known
    ]


def _log(audit: StandingAudit, run_id: str) -> None:
    differing = [f"{d.game_date}: {d.problem}" for d in audit.differences]
    milestone(
        "standing_audit_done",
        f"{audit.nights} past nights compared with the ledger, {len(differing)} differ"
        + (f": {some_of(differing)}" if differing else ""),
        severity=logging.ERROR if differing else logging.INFO,
        nights=audit.nights,
        skipped=audit.skipped,
        without_checksum=audit.without_checksum,
        differing=len(differing),
        run_id=run_id,
    )


def differing_conditions(audit: StandingAudit) -> list[Condition]:
    """Return a condition per differing night, or one for all if there are many."""
    differences = audit.differences
    if len({d.game_date for d in differences}) > MAX_NIGHTS_WITH_ALERTS:
        nights = [d.game_date.isoformat() for d in differences]
        return [
            Condition(
                key=f"{Kind.CHANGED_ROWS.value}:many",
                kind=Kind.CHANGED_ROWS,
                severity=Severity.ERROR,
                title=f"rows of {len(set(nights))} past nights are missing or changed",
                since=audit.at,
                to_do="restore a backup of the warehouse and the batch store, or run "
                "`nba-predictions repair` for each night; `nba-predictions audit --all` lists them",
                facts={
                    "first_night": min(nights),
                    "last_night": max(nights),
                    "rows_recorded": sum(d.recorded for d in differences),
                    "rows_found": sum(d.found for d in differences),
                },
            )
        ]
    return [_condition(difference, audit.at) for difference in differences]


def _condition(difference: Difference, at: datetime) -> Condition:
    game_date = difference.game_date
    return Condition(
        key=f"{Kind.CHANGED_ROWS.value}:{game_date}:{difference.batch_id}",
        kind=Kind.CHANGED_ROWS,
        severity=Severity.ERROR,
        title=f"rows of {game_date} are missing or changed since they were merged",
        since=at,
        to_do=f"nba-predictions repair --game-date {game_date}",
        game_date=game_date,
        batch_id=difference.batch_id,
        facts={
            "problem": difference.problem,
            "rows_recorded": difference.recorded,
            "rows_found": difference.found,
        },
    )
