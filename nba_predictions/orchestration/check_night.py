"""The job `check_night`: run the checks of one game date again, also of a past date.

A Dagster job that selects only checks has no partitions. This one is a job of one op, which stores
the results as those of the date.
"""

from typing import Any

import dagster as dg

from nba_predictions.orchestration.assets.staging import (
    Batches,
    TheWarehouse,
    no_retry_of_permanent_errors,
)
from nba_predictions.orchestration.checks.batch_checks import audit_check, batch_check_results
from nba_predictions.orchestration.partitions import game_date_of, game_dates


@dg.op
def evaluate_checks(
    context: dg.OpExecutionContext, batches: Batches, warehouse: TheWarehouse
) -> None:
    """Evaluate the checks of the predictions and the audit of a date; change nothing else."""
    game_date = game_date_of(context.partition_key)
    with no_retry_of_permanent_errors():
        results = [
            *batch_check_results(game_date, batches, warehouse),
            audit_check(game_date, batches, warehouse),
        ]
    for result in results:
        assert result.asset_key is not None
        assert result.check_name is not None
        # The annotation of `log_event` does not name this event, which it accepts.
        evaluation: Any = dg.AssetCheckEvaluation(
            asset_key=result.asset_key,
            check_name=result.check_name,
            passed=result.passed,
            metadata=result.metadata,
            severity=result.severity,
            description=result.description,
            partition=context.partition_key,
        )
        context.log_event(evaluation)


@dg.job(
    partitions_def=game_dates,
    description="Runs the checks of the predictions of one game date and its audit again, also for "
    "a past date. Changes nothing else.",
)
def check_night() -> None:
    evaluate_checks()
