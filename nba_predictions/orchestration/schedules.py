"""The schedules, on the clock of US Eastern: predict, grade, train, maintain and refresh.

Each schedule requests one run. The run key names what the run is for, so a repeated tick does not
launch it twice. https://docs.dagster.io/guides/automate/schedules
"""

from collections.abc import Mapping
from datetime import date, timedelta
from functools import partial

import dagster as dg

from nba_predictions.domain.clock import from_machine, utc_now
from nba_predictions.domain.league.games import EASTERN, eastern_date
from nba_predictions.inputs.port import LeagueSource
from nba_predictions.orchestration.digests import frames_digest
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
from nba_predictions.orchestration.standing_audit import standing_audit
from nba_predictions.settings import LIVE, Settings

_eastern_schedule = partial(
    dg.schedule, execution_timezone=str(EASTERN), default_status=dg.DefaultScheduleStatus.RUNNING
)


def _eastern_date(context: dg.ScheduleEvaluationContext) -> date:
    """Return the Eastern date on which a tick was due."""
    return eastern_date(from_machine(context.scheduled_execution_time))


def _run_for(game_date: date, run_config: Mapping[str, object] | None = None) -> dg.RunRequest:
    """Return a request for one run of a game date."""
    key = game_date.isoformat()
    return dg.RunRequest(run_key=key, partition_key=key, run_config=run_config)


@_eastern_schedule(
    job=nightly_predictions,
    cron_schedule="0 7 * * *",
    description="Predicts the games of the current Eastern date at 07:00.",
)
def predict_today_at_7_eastern(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Predict the games of the Eastern date, and publish them unless the date is over.

    A scheduler that was down makes up for its last tick. The rows of a past date can still be
    graded, but no reader waits for its completion message.
    """
    game_date = _eastern_date(context)
    is_over = game_date < eastern_date(utc_now())
    return _run_for(game_date, fan_out(announce=False) if is_over else None)


@_eastern_schedule(
    job=grade_predictions,
    cron_schedule="0 6 * * *",
    description="Grades the predictions of the previous Eastern date at 06:00.",
)
def grade_yesterday_at_6_eastern(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    return _run_for(_eastern_date(context) - timedelta(days=1))


@_eastern_schedule(
    job=train_models,
    cron_schedule="30 5 * * 1",
    description="Trains the models of the week on Mondays at 05:30, before the first night of the "
    "week.",
)
def train_on_monday_at_5_30_eastern(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    return _run_for(_eastern_date(context))


@_eastern_schedule(
    job=standing_audit,
    cron_schedule="0 5 * * *",
    description="Compares the rows of all past nights with the ledger at 05:00.",
)
def audit_past_nights_at_5_eastern(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    return dg.RunRequest(run_key=_eastern_date(context).isoformat())


@_eastern_schedule(
    job=maintenance,
    cron_schedule="0 4 * * 0",
    description="Removes what is older than its retention on Sundays at 04:00, when no night is "
    "predicted.",
)
def maintain_on_sunday_at_4_eastern(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    return dg.RunRequest(run_key=_eastern_date(context).isoformat())


@_eastern_schedule(
    job=refresh_predictions,
    cron_schedule="30 12,16 * * *",
    description="Updates the predictions of the current Eastern date at 12:30 and 16:30 if lines, "
    "injuries or games changed.",
)
def refresh_when_inputs_changed(
    context: dg.ScheduleEvaluationContext,
    league: dg.ResourceParam[LeagueSource],
    settings: dg.ResourceParam[Settings],
) -> dg.RunRequest | dg.SkipReason:
    """Refresh the date if its inputs differ from the stored inputs of its last run.

    It also requests a run if the date has no run, or if its last run failed: a failed run may have
    stored inputs that it did not use. Without a batch, a refresh predicts the night.
    """
    if settings.source == LIVE:
        return dg.SkipReason("the sensor follow_live_day refreshes the dates of live sources")
    game_date = _eastern_date(context)
    if game_date < eastern_date(utc_now()):
        # After downtime, the scheduler repeats its last tick. The inputs of today must not update a
        # past date.
        return dg.SkipReason(f"{game_date} is over; this tick is too late to refresh it")
    current = {
        "prop_lines": league.prop_lines(game_date),
        "injuries": league.injuries(game_date),
        "schedule": league.schedule(game_date),
    }
    partition = game_date.isoformat()
    digest = frames_digest(current)
    stored = {name: stored_frame(settings.home, name, partition) for name in current}
    stored_digest = frames_digest({n: frame for n, frame in stored.items() if frame is not None})
    if digest == stored_digest and not _last_run_failed(context.instance, partition):
        return dg.SkipReason("lines, injuries and games have not changed")
    # Dagster launches a run key once. The time distinguishes the ticks of a day: lines may return
    # to earlier values, and a run may fail.
    due = context.scheduled_execution_time.astimezone(EASTERN)
    return dg.RunRequest(run_key=f"{partition}:{due:%H%M}:{digest}", partition_key=partition)


def _last_run_failed(instance: dg.DagsterInstance, partition: str) -> bool:
    """Return whether the newest run that predicts a date failed or was canceled."""
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


SCHEDULES = [
    predict_today_at_7_eastern,
    grade_yesterday_at_6_eastern,
    refresh_when_inputs_changed,
    train_on_monday_at_5_30_eastern,
    maintain_on_sunday_at_4_eastern,
    audit_past_nights_at_5_eastern,
]
