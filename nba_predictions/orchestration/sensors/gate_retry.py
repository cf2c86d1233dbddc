"""Nights that a gate has stopped: asked for again until tip-off, and then given up aloud."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

import dagster as dg

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import BatchState
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.league.games import EASTERN, eastern_date
from nba_predictions.domain.policies.input_gates import GATES, GATES_TAG, deadline
from nba_predictions.logs import milestone
from nba_predictions.orchestration.assets.staging import Batches
from nba_predictions.orchestration.checks.input_gates import FIRST_TIPOFF, REASON
from nba_predictions.orchestration.jobs import nightly_predictions
from nba_predictions.orchestration.partitions import game_date_of
from nba_predictions.orchestration.run_tags import PARTITION_TAG

#: How long a night waits for its inputs before it looks at them again.
LOOK_AGAIN_AFTER = timedelta(minutes=15)


@dataclass(frozen=True)
class Stopped:
    """A run of a night that gates have stopped: their sentences, and until when to wait (UTC)."""

    game_date: date
    run_id: str
    attempts: int
    ended_at: datetime
    reasons: tuple[str, ...]
    until: datetime


@dg.sensor(
    job=nightly_predictions,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks again, until tip-off, for today's night when a gate has stopped it.",
)
def predict_waiting_nights(
    context: dg.SensorEvaluationContext, batches: Batches
) -> dg.SensorResult | dg.SkipReason:
    """Ask again for the night of today that waits for its inputs; at tip-off give it up aloud.

    Once a batch of the date was begun, by whomever, and not given up, there is nothing to wait for.
    """
    now = utc_now()
    today = eastern_date(now)
    told = _Told.read(context.cursor)
    dates = [today]
    if told.game_date is not None and told.game_date < today and not told.gave_up:
        # The daemon was away at tip-off: that nothing was predicted has to be said all the same.
        dates.insert(0, told.game_date)
    for game_date in dates:
        stopped = _stopped(context.instance, batches, game_date)
        if stopped is None:
            continue
        if stopped.run_id != told.run_id:
            told = _Told(game_date, stopped.run_id, gave_up=told.gave_up and told.of(game_date))
            if now < stopped.until:
                _tell_that_it_waits(stopped)
        if now >= stopped.until:
            if not told.gave_up:
                _give_up(stopped)
            told = _Told(game_date, stopped.run_id, gave_up=True)
            continue
        context.update_cursor(told.write())
        reasons = "; ".join(stopped.reasons)
        if now - stopped.ended_at < LOOK_AGAIN_AFTER:
            return dg.SkipReason(f"{game_date} waits: {reasons}")
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(
                    # A run_key is launched once, ever: each attempt needs its own.
                    run_key=f"{game_date}:{stopped.attempts}",
                    partition_key=game_date.isoformat(),
                )
            ]
        )
    if told.game_date is not None:
        context.update_cursor(told.write())
    return dg.SkipReason(
        f"{told.game_date} was given up, its inputs did not come"
        if told.gave_up and told.of(today)
        else f"no gate holds {today} back"
    )


def gate_failures(instance: dg.DagsterInstance, run_id: str) -> list[dg.AssetCheckEvaluation]:
    """Return the evaluations of gates that have stopped a run."""
    return [
        found
        for found in _evaluations(instance, run_id)
        if found.check_name in GATES
        and not found.passed
        and found.severity is dg.AssetCheckSeverity.ERROR
    ]


def _stopped(instance: dg.DagsterInstance, batches: BatchStore, game_date: date) -> Stopped | None:
    """Return what stopped the newest run of a date; None when no gate did, or a batch stands."""
    runs = instance.get_run_records(
        dg.RunsFilter(
            job_name=nightly_predictions.name, tags={PARTITION_TAG: game_date.isoformat()}
        )
    )
    newest = max(runs, key=lambda run: run.create_timestamp, default=None)
    if newest is None or newest.dagster_run.status is not dg.DagsterRunStatus.FAILURE:
        return None
    failures = gate_failures(instance, newest.dagster_run.run_id)
    standing = [b for b in batches.of_date(game_date) if b.state is not BatchState.FAILED]
    if not failures or standing:
        return None
    ended = newest.end_time or newest.create_timestamp.timestamp()
    return Stopped(
        game_date=game_date,
        run_id=newest.dagster_run.run_id,
        attempts=len(runs),
        ended_at=datetime.fromtimestamp(ended, timezone.utc),
        reasons=tuple(map(_reason, failures)),
        until=deadline(game_date, _first_tipoff(instance, newest.dagster_run.run_id)),
    )


def _reason(failure: dg.AssetCheckEvaluation) -> str:
    reason = failure.metadata.get(REASON)
    # A run of another version may not have it; that must not end the waiting.
    return f"{failure.check_name}: {reason.value if reason else failure.description}"


def _first_tipoff(instance: dg.DagsterInstance, run_id: str) -> datetime | None:
    for found in _evaluations(instance, run_id):
        value = found.metadata.get(FIRST_TIPOFF)
        if isinstance(value, dg.TimestampMetadataValue):
            return datetime.fromtimestamp(value.value, timezone.utc)
    return None


def _evaluations(instance: dg.DagsterInstance, run_id: str) -> list[dg.AssetCheckEvaluation]:
    entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    found = (e.dagster_event.event_specific_data for e in entries if e.dagster_event is not None)
    return [data for data in found if isinstance(data, dg.AssetCheckEvaluation)]


def _tell_that_it_waits(stopped: Stopped) -> None:
    milestone(
        "night_waits",
        f"{stopped.game_date} waits for its inputs until {_eastern(stopped.until)}: "
        + "; ".join(stopped.reasons),
        severity=logging.WARNING,
        **_fields(stopped),
    )


def _give_up(stopped: Stopped) -> None:
    milestone(
        "night_gave_up_waiting",
        f"{stopped.game_date} is not predicted: at {_eastern(stopped.until)} its inputs were still "
        f"not good enough, after {stopped.attempts} runs. {'; '.join(stopped.reasons)}. To predict "
        f"it as it is: nba-predictions run --game-date {stopped.game_date} --gates warn, or launch "
        f"{nightly_predictions.name} of the date with the tag {GATES_TAG}=warn",
        severity=logging.ERROR,
        **_fields(stopped),
    )


def _fields(stopped: Stopped) -> dict[str, object]:
    return {
        "game_date": stopped.game_date,
        "run_id": stopped.run_id,
        "attempts": stopped.attempts,
        "until": stopped.until,
        "reasons": list(stopped.reasons),
    }


def _eastern(moment: datetime) -> str:
    return f"{moment.astimezone(EASTERN):%H:%M} Eastern"


@dataclass(frozen=True)
class _Told:
    """The sensor's cursor: of which stopped run it has told, and whether it gave the date up."""

    game_date: date | None = None
    run_id: str | None = None
    gave_up: bool = False

    def of(self, game_date: date) -> bool:
        return self.game_date == game_date

    @staticmethod
    def read(cursor: str | None) -> _Told:
        if not cursor:
            return _Told()
        told = json.loads(cursor)
        return _Told(game_date_of(told["game_date"]), told["run_id"], told["gave_up"])

    def write(self) -> str:
        assert self.game_date is not None
        return json.dumps(
            {
                "game_date": self.game_date.isoformat(),
                "run_id": self.run_id,
                "gave_up": self.gave_up,
            }
        )
