"""The sensor that ends runs whose process ended before it started the run.

Dagster's run monitoring finds a started run whose process is gone, but it gives a run three minutes
to start.
"""

import dagster as dg

from nba_predictions.orchestration.run_launcher import why_run_is_gone


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Ends runs that were cut off while they were starting, so that they are retried.",
)
def end_dead_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """End starting runs whose process is gone. On Kubernetes, run monitoring ends such runs."""
    instance = context.instance
    ended = []
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTING])):
        reason = why_run_is_gone(instance, run)
        current = instance.get_run_by_id(run.run_id)
        if reason and current is not None and current.status is run.status:
            instance.report_run_failed(run, f"The run was cut off while it was starting: {reason}.")
            ended.append(run.run_id)
    return dg.SkipReason(f"ended {', '.join(ended)}" if ended else "no starting run is dead")
