"""The morning after: predictions against results, and how the systems stand."""

from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from nba_predictions.assets import showing
from nba_predictions.assets.consolidation import player_prop_predictions
from nba_predictions.assets.ingestion import League
from nba_predictions.assets.staging import TheWarehouse
from nba_predictions.domain.tables import RESULTS
from nba_predictions.night.grading import grade_date
from nba_predictions.partitions import game_date_of, game_dates
from nba_predictions.report import plots
from nba_predictions.report.night import LOOK_BACK, Graded, gather_graded, with_hit_rate


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
    """Each prediction of the date with what the player scored; void for who did not play.

    If it fails, most often the box scores of the date are not there yet: grade again when the
    games are over and the source has them. Grading again is harmless.
    """
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
            **_how_it_came_out(gather_graded(game_date, warehouse), game_date),
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
    """The leaderboard of the systems over all graded nights up to the date.

    If it fails, materialize it again: it only reads `prediction_results`.
    """
    game_date = game_date_of(context.partition_key)
    table = warehouse.query("system_performance", RESULTS, partition=game_date)
    board = with_hit_rate(pl.DataFrame(table))
    past = gather_graded(game_date, warehouse)
    metadata: dict[str, Any] = {"leaderboard": showing.table(board)}
    if past is not None:
        when = f"{LOOK_BACK.days} days to {game_date}"
        metadata |= {
            "graded_dates": past.by_date["game_date"].n_unique(),
            "error_by_date": showing.picture(
                lambda: plots.error_by_date(past.by_date), "mean absolute error by system and date"
            ),
            "calibration": showing.picture(
                lambda: plots.calibration(past.past_buckets, when), "said and done, by system"
            ),
        }
    return dg.MaterializeResult(metadata=metadata)


def _how_it_came_out(graded: Graded | None, game_date: date) -> dict[str, Any]:
    if graded is None:
        return {}
    return {
        "by_system": showing.table(graded.by_system),
        "error_by_system": showing.picture(
            lambda: plots.error_by_system(graded.by_system, game_date.isoformat()),
            "mean absolute error by system, and of the line",
        ),
    }
