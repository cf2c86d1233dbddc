"""One MERGE of all that is staged, and the clean-up that follows it."""

import dagster as dg
import polars as pl

from nba_predictions.assets.staging import (
    RETRY,
    Batches,
    TheWarehouse,
    no_retry_of_permanent_errors,
    staged_predictions,
)
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.night.batches import current_batch
from nba_predictions.night.consolidation import clean_up, consolidate
from nba_predictions.partitions import game_date_of, game_dates


@dg.asset(
    deps=[staged_predictions],
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
    """The predictions of the date: staging merged in one statement, under a lease."""
    batch = current_batch(batches, game_date_of(context.partition_key))
    with no_retry_of_permanent_errors():
        merged = consolidate(batch, batches, warehouse, run_id=context.run.run_id)
    night = warehouse.query(
        "night_summary", PREDICTIONS, partition=batch.game_date, batch_id=batch.batch_id
    )
    return dg.MaterializeResult(
        metadata={
            "batch_id": merged.batch_id,
            "dagster/partition_row_count": merged.reconciliation.batch_rows_in_target,
            "merge_seconds": round(merged.merge_seconds, 3),
            **merged.reconciliation.numbers(),
            "night": dg.MetadataValue.md(markdown_table(pl.DataFrame(night))),
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
    """Staging dropped, after its rows were counted in the target once more; refused otherwise."""
    batch = current_batch(batches, game_date_of(context.partition_key))
    report = clean_up(batch, batches, warehouse, run_id=context.run.run_id)
    return dg.MaterializeResult(
        metadata={
            "batch_id": report.batch_id,
            "tables_dropped": report.tables_dropped,
            "rows_in_target": report.rows_in_target,
        }
    )


def markdown_table(frame: pl.DataFrame) -> str:
    """Return a frame as a table that the Dagster UI shows."""
    lines = ["| " + " | ".join(frame.columns) + " |", "|" + "---|" * frame.width]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in frame.iter_rows()]
    return "\n".join(lines)
