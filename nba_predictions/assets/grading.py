"""The morning after: predictions against results, and how the systems stand."""

import dagster as dg
import polars as pl

from nba_predictions.assets.consolidation import markdown_table, player_prop_predictions
from nba_predictions.assets.ingestion import League
from nba_predictions.assets.staging import TheWarehouse
from nba_predictions.domain.tables import RESULTS
from nba_predictions.night.grading import grade_date
from nba_predictions.partitions import game_date_of, game_dates


@dg.asset(
    deps=[player_prop_predictions],
    partitions_def=game_dates,
    group_name="grading",
    kinds={"sql", "table"},
    owners=["team:data-science"],
    metadata={"dagster/table_name": RESULTS.name},
)
def prediction_results(
    context: dg.AssetExecutionContext, league: League, warehouse: TheWarehouse
) -> dg.MaterializeResult:
    """Each prediction of the date with what the player scored; void for who did not play."""
    warehouse.prepare()
    game_date = game_date_of(context.partition_key)
    box_scores = league.box_scores(game_date)
    graded = grade_date(game_date, box_scores, warehouse, run_id=context.run.run_id)
    if graded is None:
        raise dg.Failure(
            f"no box score of {game_date} yet; grade when the games are over", allow_retries=False
        )
    return dg.MaterializeResult(
        metadata={
            "dagster/partition_row_count": sum(graded.outcomes.values()),
            "inserted": graded.merge.inserted,
            "updated": graded.merge.updated,
            **graded.outcomes,
        }
    )


@dg.asset(
    deps=[prediction_results],
    partitions_def=game_dates,
    group_name="grading",
    kinds={"sql"},
    owners=["team:data-science"],
)
def system_performance(
    context: dg.AssetExecutionContext, warehouse: TheWarehouse
) -> dg.MaterializeResult:
    """The leaderboard of the systems over all graded nights up to the date."""
    date = game_date_of(context.partition_key)
    table = warehouse.query("system_performance", RESULTS, partition=date)
    board = pl.DataFrame(table).with_columns(pl.selectors.float().round(3))
    return dg.MaterializeResult(
        metadata={"leaderboard": dg.MetadataValue.md(markdown_table(board))}
    )
