"""When a night is predicted and graded, on the clock of US Eastern."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import timedelta

import dagster as dg
import polars as pl

from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.league.games import EASTERN, eastern_date
from nba_predictions.inputs.port import LeagueSource
from nba_predictions.orchestration.io_managers import stored_frame
from nba_predictions.orchestration.jobs import (
    grade_predictions,
    nightly_predictions,
    refresh_predictions,
    train_models,
)
from nba_predictions.orchestration.maintenance import maintenance
from nba_predictions.orchestration.run_config import fan_out
from nba_predictions.orchestration.run_tags import PARTITION_TAG
from nba_predictions.settings import Settings


@dg.schedule(
    job=nightly_predictions,
    cron_schedule="0 7 * * *",
    execution_timezone=str(EASTERN),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Predicts the games of the Eastern date on which it fires.",
)
def predict_today_at_7_eastern(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """At 07:00 US Eastern, predict the games of that Eastern date.

    A scheduler that was away makes up for its last tick. When the date is over by then, its rows
    are worth having and grading, and nobody is told that there is something to be read tonight.
    """
    game_date = eastern_date(context.scheduled_execution_time)
    over = game_date < eastern_date(utc_now())
    return dg.RunRequest(
        run_key=game_date.isoformat(),
        partition_key=game_date.isoformat(),
        run_config=fan_out(announce=False) if over else None,
    )


@dg.schedule(
    job=grade_predictions,
    cron_schedule="0 6 * * *",
    execution_timezone=str(EASTERN),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Grades the predictions of the Eastern date before the one on which it fires.",
)
def grade_yesterday_at_6_eastern(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """At 06:00 US Eastern, grade the predictions of the Eastern date before."""
    game_date = (eastern_date(context.scheduled_execution_time) - timedelta(days=1)).isoformat()
    return dg.RunRequest(run_key=game_date, partition_key=game_date)


@dg.schedule(
    job=train_models,
    cron_schedule="30 5 * * 1",
    execution_timezone=str(EASTERN),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Trains the models of the week, so that the night at 07:00 finds them.",
)
def train_on_monday_at_5_30_eastern(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """On Monday at 05:30 US Eastern, train on the games before it."""
    game_date = eastern_date(context.scheduled_execution_time).isoformat()
    return dg.RunRequest(run_key=game_date, partition_key=game_date)


@dg.schedule(
    job=maintenance,
    cron_schedule="0 4 * * 0",
    execution_timezone=str(EASTERN),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Forgets what is older than its retention.",
)
def maintain_on_sunday_at_4_eastern(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """On Sunday at 04:00 US Eastern, when no night is predicted, forget what is old."""
    return dg.RunRequest(run_key=eastern_date(context.scheduled_execution_time).isoformat())


@dg.schedule(
    job=refresh_predictions,
    cron_schedule="30 12,16 * * *",
    execution_timezone=str(EASTERN),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Brings the predictions of the Eastern date up to lines and injuries that changed.",
)
def refresh_when_inputs_changed(
    context: dg.ScheduleEvaluationContext,
    open_league: dg.ResourceParam[Callable[[], LeagueSource]],
    settings: dg.ResourceParam[Settings],
) -> dg.RunRequest | dg.SkipReason:
    """At 12:30 and 16:30 US Eastern, refresh the date if its inputs are not those of its last run.

    A date that nothing has run for yet, or whose last run failed, is asked for as well: what such a
    run has stored it may not have used, and without a batch a refresh predicts the night.
    """
    moment = context.scheduled_execution_time
    game_date = eastern_date(moment)
    if game_date < eastern_date(utc_now()):
        # A daemon that was away makes up for its last tick; what is said now was not known then.
        return dg.SkipReason(f"{game_date} is over; this tick comes too late to refresh it")
    league = open_league()
    now = {
        "prop_lines": league.prop_lines(game_date),
        "injuries": league.injuries(game_date),
        "schedule": league.schedule(game_date),
    }
    partition = game_date.isoformat()
    content = frames_digest(now)
    stored = {name: stored_frame(settings.home, name, partition) for name in now}
    there = {name: frame for name, frame in stored.items() if frame is not None}
    if frames_digest(there) == content and not _last_run_failed(context.instance, partition):
        return dg.SkipReason("lines and injuries are as they were, and so are the games")
    # A run_key is launched once, ever. Lines may go back to what they were, and a run may fail: the
    # time tells one attempt from the next.
    at = moment.astimezone(EASTERN)
    return dg.RunRequest(run_key=f"{partition}:{at:%H%M}:{content}", partition_key=partition)


def _last_run_failed(instance: dg.DagsterInstance, partition: str) -> bool:
    """Return whether the newest of the runs that predict a date has failed, or was cancelled."""
    runs = [
        record
        for job in (nightly_predictions, refresh_predictions)
        for record in instance.get_run_records(
            dg.RunsFilter(job_name=job.name, tags={PARTITION_TAG: partition}), limit=1
        )
    ]
    newest = max(runs, key=lambda record: record.create_timestamp, default=None)
    return newest is not None and newest.dagster_run.status in (
        dg.DagsterRunStatus.FAILURE,
        dg.DagsterRunStatus.CANCELED,
    )


def frames_digest(frames: Mapping[str, pl.DataFrame]) -> str:
    """Return a hash of what some frames hold, whatever the order of their rows and columns."""
    digest = hashlib.sha256()
    for name, frame in sorted(frames.items()):
        columns = sorted(frame.columns)
        rows = sorted(map(repr, frame.select(columns).rows()))
        digest.update("\n".join([name, *columns, *rows, ""]).encode())
    return digest.hexdigest()[:16]
