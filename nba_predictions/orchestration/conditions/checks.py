"""Find failed checks: those whose newest result of a partition is a failure."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

import dagster as dg

from nba_predictions.domain.league.games import eastern_date
from nba_predictions.domain.policies.alerting import WATCH_PERIOD, Condition, Kind, Severity
from nba_predictions.orchestration.dagster_internals import (
    CheckRecord,
    CheckRecordStatus,
    check_records,
    check_records_of_partition,
)
from nba_predictions.orchestration.partitions import date_in

#: Records that one query reads.
_PAGE_SIZE = 200
_NOT_PASSED = {CheckRecordStatus.FAILED, CheckRecordStatus.PLANNED}
#: How many of the newest records of a partition to search for a conclusive one.
_MAX_RECORDS = 20
#: Numbers of a check that its alert contains.
_MAX_FACTS = 16


def failed_checks(
    instance: dg.DagsterInstance, keys: Sequence[dg.AssetCheckKey], now: datetime
) -> list[Condition]:
    """Return a condition for each check and partition whose newest result is a failure.

    A check whose records cannot be read is a condition too, because it may have failed.
    """
    conditions: list[Condition] = []
    for key in sorted(keys, key=lambda k: (k.asset_key.to_user_string(), k.name)):
        try:
            conditions += _failures(instance, key, now)
        except Exception as error:
            # Damaged records of one check must not hide the failures of others.
            title = f"the results of the check {key.name} cannot be read"
            facts = {"error": f"{type(error).__name__}: {error}"[:300]}
            conditions.append(_condition(key, "unreadable", title, since=now, facts=facts))
    return conditions


def _failures(
    instance: dg.DagsterInstance, key: dg.AssetCheckKey, now: datetime
) -> Iterator[Condition]:
    for partition in _partitions_not_passed(instance, key, now):
        records = check_records_of_partition(instance, key, partition, limit=_MAX_RECORDS)
        newest = next((r for r in records if _is_conclusive(instance, r)), None)
        if newest is None or newest.status is CheckRecordStatus.SUCCEEDED:
            continue
        condition = _failure(key, partition, newest)
        is_watched = condition.watched_until is None or now < condition.watched_until
        if is_watched and not _is_past_warning(newest, now):
            yield condition


def _is_past_warning(record: CheckRecord, now: datetime) -> bool:
    """Return whether a result is a warning about an old date: a backfill warns on every date."""
    # The event of a planned check has no evaluation to read.
    evaluation = None if record.status is CheckRecordStatus.PLANNED else record.evaluation
    if evaluation is None or evaluation.severity is not dg.AssetCheckSeverity.WARN:
        return False
    game_date = date_in(record.partition)
    return game_date is not None and game_date < eastern_date(now - WATCH_PERIOD)


def _partitions_not_passed(
    instance: dg.DagsterInstance, key: dg.AssetCheckKey, now: datetime
) -> list[str | None]:
    """Return the partitions with a recent record of the check that is not a pass."""
    partitions: dict[str | None, None] = {}
    cursor: int | None = None
    oldest = (now - WATCH_PERIOD).timestamp()
    while True:
        page = check_records(instance, key, limit=_PAGE_SIZE, cursor=cursor, statuses=_NOT_PASSED)
        recent = [record for record in page if record.create_timestamp >= oldest]
        # After the backfill of a season, a query for each of its warnings would take seconds.
        partitions.update(
            dict.fromkeys(r.partition for r in recent if not _is_past_warning(r, now))
        )
        if len(recent) < _PAGE_SIZE:
            return list(partitions)
        cursor = page[-1].id


def _is_conclusive(instance: dg.DagsterInstance, record: CheckRecord) -> bool:
    """Return whether a record decides the result of its check.

    A planned check is still open while its run is unfinished. If the run failed or was canceled,
    there is an alert for the run, and the result before it counts. If the run succeeded or was
    deleted, the check did not run and will not run: that counts as a failure.
    """
    if record.status is not CheckRecordStatus.PLANNED:
        return True
    run = instance.get_run_by_id(record.run_id)
    return run is None or run.status is dg.DagsterRunStatus.SUCCESS


def _failure(key: dg.AssetCheckKey, partition: str | None, record: CheckRecord) -> Condition:
    moment = record.event.timestamp if record.event else record.create_timestamp
    since = datetime.fromtimestamp(moment, timezone.utc)
    attributes: dict[str, Any] = {
        "since": since,
        "watched_until": since + WATCH_PERIOD,
        "game_date": date_in(partition),
        "run_id": record.run_id,
    }
    suffix = f" for {partition}" if partition else ""
    if record.status is CheckRecordStatus.PLANNED or record.evaluation is None:
        title = f"the check {key.name} returned no result{suffix}"
        facts: dict[str, object] = {"asset": key.asset_key.to_user_string()}
        return _condition(key, partition or "", title, facts=facts, **attributes)
    evaluation = record.evaluation
    values = {name: value.value for name, value in evaluation.metadata.items()}
    batch_id = values.pop("batch_id", None)
    is_warning = evaluation.severity is dg.AssetCheckSeverity.WARN
    facts = {"found": evaluation.description[:500]} if evaluation.description else {}
    numbers = [
        (name, value)
        for name, value in values.items()
        if isinstance(value, (int, float)) or (isinstance(value, str) and len(value) <= 60)
    ]
    return _condition(
        key,
        partition or "",
        f"the check {key.name} failed{suffix}",
        Severity.WARNING if is_warning else Severity.ERROR,
        batch_id=str(batch_id) if batch_id else None,
        facts=facts | dict(numbers[:_MAX_FACTS]),
        **attributes,
    )


def _condition(
    key: dg.AssetCheckKey,
    qualifier: str,
    title: str,
    severity: Severity = Severity.ERROR,
    **attributes: Any,
) -> Condition:
    # A check without a batch is about inputs or results, which `repair` cannot fix.
    to_do = "look at the check in the Dagster UI"
    if attributes.get("batch_id") and attributes.get("game_date"):
        to_do = f"nba-predictions repair --game-date {attributes['game_date']}"
    return Condition(
        key=f"check:{key.asset_key.to_user_string()}:{key.name}:{qualifier}",
        kind=Kind.FAILED_CHECK,
        severity=severity,
        title=title,
        to_do=to_do,
        **attributes,
    )
