"""One MERGE of all that is staged, and the clean-up that follows it."""

import dagster as dg

from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.nightly.current_batch import current_batch
from nba_predictions.nightly.merge import clean_up, consolidate
from nba_predictions.orchestration import display
from nba_predictions.orchestration.assets.staging import (
    RETRY,
    Batches,
    TheWarehouse,
    no_retry_of_permanent_errors,
    player_staging,
    staged_predictions,
)
from nba_predictions.orchestration.partitions import game_date_of, game_dates
from nba_predictions.report import plots
from nba_predictions.report.night import predictions_of, reconciliation_table


@dg.asset(
    deps=[
        staged_predictions,
        # The rows come from the players' staging tables. Dagster has no mapping from a date to the
        # dynamic partitions of its players.
        dg.AssetDep(player_staging, partition_mapping=dg.AllPartitionMapping()),
    ],
    partitions_def=game_dates,
    group_name="predictions",
    kinds={"sql", "table"},
    owners=["team:data-engineering"],
    metadata={"dagster/table_name": PREDICTIONS.name},
    retry_policy=RETRY,
)
def player_prop_predictions(
    context: dg.AssetExecutionContext, batches: Batches, warehouse: TheWarehouse
) -> dg.MaterializeResult:
    """The predictions of the date: staging merged in one statement, under a lease.

    If it or one of its checks fails, staging is untouched: `merged_rows_match_staged` has the
    numbers. Mend the cause, then materialize this and `staging_cleanup` of the date again, or let
    `nba-predictions repair --game-date D` do what the night calls for.
    """
    batch = current_batch(batches, game_date_of(context.partition_key))
    with no_retry_of_permanent_errors():
        merged = consolidate(batch, batches, warehouse, run_id=context.run.run_id)
    by_line, at_base = predictions_of(batch, warehouse)
    return dg.MaterializeResult(
        metadata={
            "batch_id": merged.batch_id,
            "dagster/partition_row_count": merged.reconciliation.batch_rows_in_target,
            "merge_seconds": round(merged.merge_seconds, 3),
            "reconciliation": display.table(reconciliation_table(merged.reconciliation)),
            "by_system_and_line": display.table(by_line),
            "distributions": display.picture(
                lambda: plots.distributions(at_base), "predicted points and probabilities by system"
            ),
            **merged.reconciliation.numbers(),
        }
    )


@dg.asset(
    deps=[player_prop_predictions],
    partitions_def=game_dates,
    group_name="predictions",
    kinds={"python"},
    owners=["team:data-engineering"],
    retry_policy=dg.RetryPolicy(max_retries=0),
)
def staging_cleanup(
    context: dg.AssetExecutionContext, batches: Batches, warehouse: TheWarehouse
) -> dg.MaterializeResult:
    """Staging dropped, after its rows were counted in the target once more; refused otherwise.

    If it fails, it has refused, and says why: nothing was dropped. Materialize
    `player_prop_predictions` of the date again, then this.
    """
    batch = current_batch(batches, game_date_of(context.partition_key))
    report = clean_up(batch, batches, warehouse, run_id=context.run.run_id)
    return dg.MaterializeResult(
        metadata={
            "batch_id": report.batch_id,
            "tables_dropped": report.tables_dropped,
            "rows_in_target": report.rows_in_target,
        }
    )
