"""When a night is predicted and graded, on the clock of US Eastern."""

from datetime import timedelta

import dagster as dg

from nba_predictions.domain.games import EASTERN, eastern_date
from nba_predictions.jobs import grade_predictions, nightly_predictions, train_models
from nba_predictions.maintenance import maintenance


@dg.schedule(
    job=nightly_predictions,
    cron_schedule="0 7 * * *",
    execution_timezone=str(EASTERN),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Predicts the games of the Eastern date on which it fires.",
)
def predict_today_at_7_eastern(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """At 07:00 US Eastern, predict the games of that Eastern date."""
    game_date = eastern_date(context.scheduled_execution_time).isoformat()
    return dg.RunRequest(run_key=game_date, partition_key=game_date)


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
