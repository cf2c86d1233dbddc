"""Assets of the day after: results, the leaderboard of the systems, calibration and drift."""

from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from nba_predictions.backtest import plots as backtest_plots
from nba_predictions.domain.tables import RESULTS
from nba_predictions.nightly.grading import grade_date
from nba_predictions.nightly.model_monitoring import calibration_of, drift_of
from nba_predictions.orchestration import display
from nba_predictions.orchestration.assets.fetching import fetched_results
from nba_predictions.orchestration.assets.ingestion import League
from nba_predictions.orchestration.assets.merge import player_prop_predictions
from nba_predictions.orchestration.assets.staging import Batches, TheWarehouse
from nba_predictions.orchestration.digests import box_scores_digest
from nba_predictions.orchestration.partitions import (
    asset_of_date,
    game_date_of,
    partitioned_check_spec,
)
from nba_predictions.report import plots
from nba_predictions.report.night import Graded, gather_graded, with_hit_rate

#: The metadata of results with the digest of the box scores that they were graded with.
BOX_SCORES = "box_scores"

_GRADED, _IN_BAND = "every_game_has_box_scores", "recent_error_is_in_its_band"

_GRADED_SPEC = partitioned_check_spec(
    _GRADED,
    asset="prediction_results",
    description="Every game has box scores. A game without any was postponed, or its box scores "
    "are late: its players are void until the date is graded again.",
)
_IN_BAND_SPEC = partitioned_check_spec(
    _IN_BAND,
    asset="system_drift",
    description="The recent error of every system is within the range of its earlier errors.",
)


@asset_of_date(
    "grading",
    {"sql", "table"},
    owner="data-science",
    deps=[player_prop_predictions, fetched_results],
    metadata={"dagster/table_name": RESULTS.name},
    check_specs=[_GRADED_SPEC],
)
def prediction_results(
    context: dg.AssetExecutionContext,
    league: League,
    batches: Batches,
    warehouse: TheWarehouse,
) -> dg.MaterializeResult:
    """Each prediction of the date with the result; void if the player did not play.

    If this asset fails, the source most likely does not have the box scores of the date yet. Grade
    again when the games are over and the source has them. Grading is idempotent.
    """
    warehouse.prepare()
    game_date = game_date_of(context.partition_key)
    box_scores = league.box_scores(game_date)
    games = league.schedule(game_date).height
    graded = grade_date(
        game_date, box_scores, batches, warehouse, run_id=context.run.run_id, games=games
    )
    if graded is None:
        raise dg.Failure(
            f"no box score of {game_date} yet; grade when the games are over", allow_retries=False
        )
    missing = graded.games_without_box_scores
    return dg.MaterializeResult(
        metadata={
            "dagster/partition_row_count": sum(graded.outcomes.values()),
            BOX_SCORES: box_scores_digest(box_scores),
            "inserted": graded.merge.inserted,
            "updated": graded.merge.updated,
            "superseded": graded.merge.superseded,
            **graded.outcomes,
            **_errors_of_date(gather_graded(game_date, warehouse), game_date),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=_GRADED,
                passed=not missing,
                severity=dg.AssetCheckSeverity.WARN,
                description=f"no box score of {', '.join(missing)}" if missing else None,
                metadata={"games_without_box_scores": len(missing)},
            )
        ],
    )


@asset_of_date("grading", {"sql"}, owner="data-science", deps=[prediction_results])
def system_performance(
    context: dg.AssetExecutionContext, warehouse: TheWarehouse
) -> dg.MaterializeResult:
    """The leaderboard of the systems over all graded nights up to the date.

    If this asset fails, materialize it again. It only reads `prediction_results`.
    """
    game_date = game_date_of(context.partition_key)
    table = warehouse.query("system_performance", RESULTS, partition=game_date)
    board = with_hit_rate(pl.DataFrame(table))
    past = gather_graded(game_date, warehouse)
    metadata: dict[str, Any] = {"leaderboard": display.table(board)}
    if past is not None:
        metadata |= {
            "graded_dates": past.by_date["game_date"].n_unique(),
            "error_by_date": display.picture(
                lambda: plots.error_by_date(past.by_date), "mean absolute error by system and date"
            ),
        }
    return dg.MaterializeResult(metadata=metadata)


@asset_of_date("grading", {"sql"}, owner="data-science", deps=[prediction_results])
def calibration(context: dg.AssetExecutionContext, warehouse: TheWarehouse) -> dg.MaterializeResult:
    """The observed share of overs by forecast probability, over all graded nights up to the date.

    If this asset fails, materialize it again. It only reads `prediction_results`.
    """
    bins = calibration_of(game_date_of(context.partition_key), warehouse)
    metadata: dict[str, Any] = {
        "calibration": display.table(bins),
        "graded_rows": int(bins["n"].sum()),
    }
    if bins.height:
        metadata["reliability"] = display.picture(
            lambda: backtest_plots.reliability(bins, "Overs at the tested lines"),
            "observed against forecast share of overs",
        )
    return dg.MaterializeResult(metadata=metadata)


@asset_of_date(
    "grading", {"sql"}, owner="data-science", deps=[prediction_results], check_specs=[_IN_BAND_SPEC]
)
def system_drift(
    context: dg.AssetExecutionContext, warehouse: TheWarehouse
) -> dg.MaterializeResult:
    """The error of each system over the last dates, compared with its usual range.

    If this asset fails, materialize it again. It only reads `prediction_results`.
    """
    game_date = game_date_of(context.partition_key)
    drift = drift_of(game_date, warehouse, run_id=context.run.run_id)
    metadata: dict[str, Any] = {"drift": display.table(drift.table())}
    if drift.rolling.height:
        bands = {f.system_id: (f.band_low, f.band_high) for f in drift.findings}
        metadata["rolling_error"] = display.picture(
            lambda: backtest_plots.rolling_errors(drift.rolling, bands),
            "rolling error by system, and its band",
        )
    return dg.MaterializeResult(
        metadata=metadata,
        check_results=[
            dg.AssetCheckResult(
                check_name=_IN_BAND,
                passed=not drift.alarming,
                severity=dg.AssetCheckSeverity.WARN,
                description="; ".join(f.sentence() for f in drift.alarming or drift.findings),
                metadata={"systems_out_of_band": [f.system_id for f in drift.alarming]},
            )
        ],
    )


def _errors_of_date(graded: Graded | None, game_date: date) -> dict[str, Any]:
    if graded is None:
        return {}
    return {
        "by_system": display.table(graded.by_system),
        "error_by_system": display.picture(
            lambda: plots.error_by_system(graded.by_system, game_date.isoformat()),
            "mean absolute error by system, and of the line",
        ),
    }
