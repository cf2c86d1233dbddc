"""When a night is predicted and graded, on the clock of US Eastern."""

from datetime import timedelta

import dagster as dg

from nba_predictions.domain.games import EASTERN, eastern_date
from nba_predictions.jobs import grade_predictions, nightly_predictions


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
