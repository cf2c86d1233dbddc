"""The sensor that retries nights blocked by an input gate.

It retries until the first tip-off, then it abandons the night and logs an error. The gates and the
deadline are in `domain/policies/input_gates.py`.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone

import dagster as dg

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import BatchState
from nba_predictions.domain.clock import from_machine, utc_now
from nba_predictions.domain.league.games import EASTERN, eastern_date
from nba_predictions.domain.policies.input_gates import GATES, GATES_TAG, deadline
from nba_predictions.logs import milestone
from nba_predictions.orchestration.assets.staging import Batches
from nba_predictions.orchestration.checks.input_gates import FIRST_TIPOFF, REASON
from nba_predictions.orchestration.jobs import nightly_predictions
from nba_predictions.orchestration.partitions import game_date_of
from nba_predictions.orchestration.run_tags import PARTITION_TAG

#: The time between the end of a blocked run and the next one.
RETRY_INTERVAL = timedelta(minutes=15)


@dataclass(frozen=True)
class BlockedNight:
    """The newest run of a date, which gates blocked, with their reasons and the deadline (UTC)."""

    game_date: date
    run_id: str
    attempts: int
    ended_at: datetime
    reasons: tuple[str, ...]
    deadline: datetime


@dataclass(frozen=True)
class SensorCursor:
    """The last blocked run that was logged, and whether its night was abandoned."""

    game_date: date | None = None
    run_id: str | None = None
    abandoned: bool = False

    @staticmethod
    def read(cursor: str | None) -> SensorCursor:
        if not cursor:
            return SensorCursor()
        values = json.loads(cursor)
        return SensorCursor(game_date_of(values["game_date"]), values["run_id"], values["gave_up"])

    def write(self) -> str:
        assert self.game_date is not None
        return json.dumps(
            {
                "game_date": self.game_date.isoformat(),
                "run_id": self.run_id,
                "gave_up": self.abandoned,
            }
        )

    def of(self, night: BlockedNight) -> SensorCursor:
        """Return the cursor for a blocked run. A night that was abandoned stays abandoned."""
        abandoned = self.abandoned and self.game_date == night.game_date
        return SensorCursor(night.game_date, night.run_id, abandoned)


@dg.sensor(
    job=nightly_predictions,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Retries nights blocked by an input gate until the first tip-off, then abandons "
    "them with an error.",
)
def predict_waiting_nights(
    context: dg.SensorEvaluationContext, batches: Batches
) -> dg.SensorResult | dg.SkipReason:
    """Retry the blocked night of the current date until its deadline, then abandon it.

    A date with a batch that was not abandoned is not blocked.
    """
    now = utc_now()
    today = eastern_date(now)
    cursor = SensorCursor.read(context.cursor)
    result: dg.SensorResult | dg.SkipReason = dg.SkipReason(f"no gate blocks {today}")
    for game_date in _dates_to_check(cursor, today):
        night = _blocked_night(context.instance, batches, game_date)
        if night is None:
            continue
        is_new = night.run_id != cursor.run_id
        cursor = cursor.of(night)
        if now < night.deadline:
            if is_new:
                _log_waiting(night)
            result = _retry(night, now)
            break
        if not cursor.abandoned:
            _log_abandoned(night)
        cursor = replace(cursor, abandoned=True)
        result = dg.SkipReason(f"{game_date} was abandoned: its inputs were not good enough")
    if cursor.game_date is not None:
        context.update_cursor(cursor.write())
    return result


def _dates_to_check(cursor: SensorCursor, today: date) -> list[date]:
    """Return today, after an earlier date that was still blocked at the last tick.

    A daemon that was down at the deadline has not yet logged that the earlier date was abandoned.
    """
    earlier = cursor.game_date
    if earlier is not None and earlier < today and not cursor.abandoned:
        return [earlier, today]
    return [today]


def _retry(night: BlockedNight, now: datetime) -> dg.SensorResult | dg.SkipReason:
    if now - night.ended_at < RETRY_INTERVAL:
        return dg.SkipReason(f"{night.game_date} waits for its inputs: {'; '.join(night.reasons)}")
    key = night.game_date.isoformat()
    # Dagster launches a run key once. The key names the blocked run: a number of attempts would
    # repeat after old runs are deleted.
    request = dg.RunRequest(run_key=f"{key}:{night.run_id}", partition_key=key)
    return dg.SensorResult(run_requests=[request])


def gate_failures(instance: dg.DagsterInstance, run_id: str) -> list[dg.AssetCheckEvaluation]:
    """Return the evaluations of the gates that blocked a run."""
    return [
        evaluation
        for evaluation in _evaluations(instance, run_id)
        if evaluation.check_name in GATES
        and not evaluation.passed
        and evaluation.severity is dg.AssetCheckSeverity.ERROR
    ]


def _blocked_night(
    instance: dg.DagsterInstance, batches: BatchStore, game_date: date
) -> BlockedNight | None:
    """Return the newest run of a date if gates blocked it and the date has no live batch."""
    records = instance.get_run_records(
        dg.RunsFilter(
            job_name=nightly_predictions.name, tags={PARTITION_TAG: game_date.isoformat()}
        )
    )
    newest = max(records, key=lambda record: record.create_timestamp, default=None)
    if newest is None or newest.dagster_run.status is not dg.DagsterRunStatus.FAILURE:
        return None
    run_id = newest.dagster_run.run_id
    failures = gate_failures(instance, run_id)
    has_batch = any(b.state is not BatchState.FAILED for b in batches.of_date(game_date))
    if not failures or has_batch:
        return None
    ended = newest.end_time or newest.create_timestamp.timestamp()
    return BlockedNight(
        game_date=game_date,
        run_id=run_id,
        attempts=len(records),
        ended_at=from_machine(ended),
        reasons=tuple(map(_reason, failures)),
        deadline=deadline(game_date, first_tipoff(instance, run_id)),
    )


def _reason(failure: dg.AssetCheckEvaluation) -> str:
    reason = failure.metadata.get(REASON)
    # A run of another version may lack the metadata. That must not stop the retries.
    return f"{failure.check_name}: {reason.value if reason else failure.description}"


def first_tipoff(instance: dg.DagsterInstance, run_id: str) -> datetime | None:
    """Return the first tip-off that the gate on the schedule of a run saw; None if it saw none."""
    for evaluation in _evaluations(instance, run_id):
        value = evaluation.metadata.get(FIRST_TIPOFF)
        if isinstance(value, dg.TimestampMetadataValue):
            return datetime.fromtimestamp(value.value, timezone.utc)
    return None


def _evaluations(instance: dg.DagsterInstance, run_id: str) -> list[dg.AssetCheckEvaluation]:
    entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    data = (e.dagster_event.event_specific_data for e in entries if e.dagster_event is not None)
    return [entry for entry in data if isinstance(entry, dg.AssetCheckEvaluation)]


def _log_waiting(night: BlockedNight) -> None:
    milestone(
        "night_waits",
        f"{night.game_date} waits for its inputs until {_eastern(night.deadline)}: "
        + "; ".join(night.reasons),
        severity=logging.WARNING,
        **_log_context(night),
    )


def _log_abandoned(night: BlockedNight) -> None:
    milestone(
        "night_gave_up_waiting",
        f"{night.game_date} is not predicted: after {night.attempts} runs its inputs were not good "
        f"enough at {_eastern(night.deadline)}. {'; '.join(night.reasons)}. To predict it anyway: "
        f"nba-predictions run --game-date {night.game_date} --gates warn, or launch "
        f"{nightly_predictions.name} of the date with the tag {GATES_TAG}=warn; games that "
        f"have begun also need --begun-games",
        severity=logging.ERROR,
        **_log_context(night),
    )


def _log_context(night: BlockedNight) -> dict[str, object]:
    return {
        "game_date": night.game_date,
        "run_id": night.run_id,
        "attempts": night.attempts,
        "until": night.deadline,
        "reasons": list(night.reasons),
    }


def _eastern(moment: datetime) -> str:
    return f"{moment.astimezone(EASTERN):%H:%M} Eastern"
