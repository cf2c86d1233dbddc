"""The merge of everything that is staged, and the cleanup after it."""

import dagster as dg

from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.nightly.cleanup import clean_up
from nba_predictions.nightly.current_batch import current_batch, log_context
from nba_predictions.nightly.merge import merge_batch
from nba_predictions.nightly.warehouse_lock import when_writable
from nba_predictions.orchestration import display
from nba_predictions.orchestration.assets.staging import (
    RETRY,
    Batches,
    TheWarehouse,
    no_retry_of_permanent_errors,
    player_staging,
    staged_predictions,
)
from nba_predictions.orchestration.partitions import asset_of_date, game_date_of
from nba_predictions.report import plots
from nba_predictions.report.night import predictions_of, reconciliation_table


@asset_of_date(
    "predictions",
    {"sql", "table"},
    deps=[
        staged_predictions,
        # The rows come from the players' staging tables. Dagster has no mapping from a date to the
        # dynamic partitions of its players.
        dg.AssetDep(player_staging, partition_mapping=dg.AllPartitionMapping()),
    ],
    metadata={"dagster/table_name": PREDICTIONS.name},
    retry_policy=RETRY,
)
def player_prop_predictions(
    context: dg.AssetExecutionContext, batches: Batches, warehouse: TheWarehouse
) -> dg.MaterializeResult:
    """The predictions of the date, merged from staging in one statement under a lease.

    If the merge or one of its checks fails, staging is kept: `merged_rows_match_staged` has the
    numbers. Fix the cause, then materialize this asset and `staging_cleanup` of the date again, or
    run `nba-predictions repair --game-date D`. If another program has the DuckDB file open, the
    asset waits nine minutes; the log names the program.
    """
    batch = current_batch(batches, game_date_of(context.partition_key))
    with no_retry_of_permanent_errors():
        run_id = context.run.run_id
        # It waits outside the lease, so that other steps of the date can go on.
        merged = when_writable(
            lambda: merge_batch(batch, batches, warehouse, run_id=run_id),
            warehouse,
            **log_context(batch, run_id),
        )
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


@asset_of_date(
    "predictions",
    {"python"},
    deps=[player_prop_predictions],
    retry_policy=dg.RetryPolicy(max_retries=0),
)
def staging_cleanup(
    context: dg.AssetExecutionContext, batches: Batches, warehouse: TheWarehouse
) -> dg.MaterializeResult:
    """Drops the staging of the date, after counting its rows in the target once more.

    If it fails, nothing was dropped, and the error lists the numbers that do not agree. Fix the
    cause, materialize `player_prop_predictions` of the date again, then this asset.
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
