"""Checks that failed and did not pass since, by the newest result of each partition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timezone

import dagster as dg
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
    AssetCheckExecutionRecordStatus,
)

from nba_predictions.domain.league.games import eastern_date
from nba_predictions.domain.policies.alerting import WATCHED, Condition, Kind, Severity
from nba_predictions.orchestration.partitions import date_in

_STATUS = AssetCheckExecutionRecordStatus
#: So many records are read at once.
_PAGE = 200
#: So far back in the records of a partition is looked for one that says something.
_DEPTH = 20
#: Numbers of a check that go into its alert, at most.
_MOST_FACTS = 16


def failed_checks(
    instance: dg.DagsterInstance, keys: Sequence[dg.AssetCheckKey], now: datetime
) -> list[Condition]:
    """Return the checks whose newest result is a failure, by partition.

    A check whose records cannot be read is a condition too: nobody knows that it passed.
    """
    conditions: list[Condition] = []
    for key in sorted(keys, key=lambda k: (k.asset_key.to_user_string(), k.name)):
        try:
            conditions += _failures(instance, key, now)
        except Exception as error:
            # Whatever it is that cannot be read: the other checks are still told of.
            conditions.append(
                _condition(
                    key,
                    "unreadable",
                    f"the results of the check {key.name} cannot be read",
                    since=now,
                    facts={"error": f"{type(error).__name__}: {error}"[:300]},
                )
            )
    return conditions


def _failures(
    instance: dg.DagsterInstance, key: dg.AssetCheckKey, now: datetime
) -> Iterator[Condition]:
    for partition in _suspects(instance, key, now):
        records = instance.event_log_storage.get_asset_check_execution_history(
            key, limit=_DEPTH, partition_filter=PartitionKeyFilter(key=partition)
        )
        found = next((r for r in records if _says_something(instance, r)), None)
        if found is None or found.status is _STATUS.SUCCEEDED:
            continue
        condition = _failure(key, partition, found)
        watched = condition.watched_until is None or now < condition.watched_until
        if watched and not _is_a_warning_of_the_past(condition, now):
            yield condition


def _is_a_warning_of_the_past(condition: Condition, now: datetime) -> bool:
    """Whether nothing has to be done: a season that is predicted afterwards warns on every date."""
    if condition.severity is not Severity.WARNING or condition.game_date is None:
        return False
    return condition.game_date < eastern_date(now - WATCHED)


def _suspects(
    instance: dg.DagsterInstance, key: dg.AssetCheckKey, now: datetime
) -> list[str | None]:
    """Return the partitions with a record, lately, of a check that did not pass."""
    found: dict[str | None, None] = {}
    cursor: int | None = None
    oldest = (now - WATCHED).timestamp()
    while True:
        page = instance.event_log_storage.get_asset_check_execution_history(
            key, limit=_PAGE, cursor=cursor, status={_STATUS.FAILED, _STATUS.PLANNED}
        )
        recent = [record for record in page if record.create_timestamp >= oldest]
        found.update(dict.fromkeys(record.partition for record in recent))
        if len(recent) < _PAGE:
            return list(found)
        cursor = page[-1].id


def _says_something(instance: dg.DagsterInstance, record: AssetCheckExecutionRecord) -> bool:
    """Return whether a record tells how the check stands.

    A check that is planned waits for its run. When that has failed, or was canceled, the run is
    told of, and the check stands as it stood before. When it has succeeded, or is gone, then the
    check was not asked, and nobody will ask it.
    """
    if record.status is not _STATUS.PLANNED:
        return True
    run = instance.get_run_by_id(record.run_id)
    return run is None or run.status is dg.DagsterRunStatus.SUCCESS


def _failure(
    key: dg.AssetCheckKey, partition: str | None, record: AssetCheckExecutionRecord
) -> Condition:
    moment = record.event.timestamp if record.event else record.create_timestamp
    since = datetime.fromtimestamp(moment, timezone.utc)
    of = f" for {partition}" if partition else ""
    if record.status is _STATUS.PLANNED or record.evaluation is None:
        return _condition(
            key,
            partition or "",
            f"the check {key.name} gave no result{of}",
            since=since,
            watched_until=since + WATCHED,
            game_date=date_in(partition),
            run_id=record.run_id,
            facts={"asset": key.asset_key.to_user_string()},
        )
    evaluation = record.evaluation
    values = {name: value.value for name, value in evaluation.metadata.items()}
    batch_id = values.pop("batch_id", None)
    warns = evaluation.severity is dg.AssetCheckSeverity.WARN
    facts: dict[str, object] = {}
    if evaluation.description:
        facts["found"] = evaluation.description[:500]
    numbers = [
        (name, value)
        for name, value in values.items()
        if isinstance(value, (int, float)) or (isinstance(value, str) and len(value) <= 60)
    ]
    facts |= dict(numbers[:_MOST_FACTS])
    return _condition(
        key,
        partition or "",
        f"the check {key.name} failed{of}",
        since=since,
        watched_until=since + WATCHED,
        severity=Severity.WARNING if warns else Severity.ERROR,
        game_date=date_in(partition),
        batch_id=str(batch_id) if batch_id else None,
        run_id=record.run_id,
        facts=facts,
    )


def _condition(
    key: dg.AssetCheckKey,
    which: str,
    title: str,
    *,
    since: datetime,
    facts: dict[str, object],
    severity: Severity = Severity.ERROR,
    watched_until: datetime | None = None,
    game_date: date | None = None,
    batch_id: str | None = None,
    run_id: str | None = None,
) -> Condition:
    # A check without a batch is about what a batch would be made of.
    mend = "look at the check in the Dagster UI"
    if game_date and batch_id:
        mend = f"nba-predictions repair --game-date {game_date}"
    return Condition(
        key=f"check:{key.asset_key.to_user_string()}:{key.name}:{which}",
        kind=Kind.FAILED_CHECK,
        severity=severity,
        title=title,
        since=since,
        watched_until=watched_until,
        to_do=mend,
        game_date=game_date,
        batch_id=batch_id,
        run_id=run_id,
        facts=facts,
    )
