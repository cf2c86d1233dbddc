"""The trained models that serve a date."""

import dagster as dg
import polars as pl

from nba_predictions.backtest.challenge import challenge
from nba_predictions.orchestration import display
from nba_predictions.orchestration.assets.ingestion import League
from nba_predictions.orchestration.catalog import DECIDED_RECENTLY
from nba_predictions.orchestration.partitions import game_date_of, game_dates
from nba_predictions.training.model_selection import models_of_date
from nba_predictions.training.model_store import ModelStore

Models = dg.ResourceParam[ModelStore]


@dg.asset(
    partitions_def=game_dates,
    group_name="models",
    io_manager_key="values",
    kinds={"xgboost"},
    owners=["team:data-science"],
)
def prediction_models(
    context: dg.AssetExecutionContext,
    game_logs: pl.DataFrame,
    model_store: Models,
    league: League,
) -> str:
    """The models of the systems: promoted ones, else those trained on the games before the week.

    If it fails, materialize it again: the same games and lines always give the same
    models. The metadata has their errors on held-out games.
    """
    found = models_of_date(game_date_of(context.partition_key), game_logs, model_store, league)
    card = found.models.card
    context.add_output_metadata(
        {
            "models": found.name,
            "trained_now": found.trained_now,
            "promoted": found.promoted,
            "by_system": display.table(display.model_table(card, found.models.weights)),
            "card": dg.MetadataValue.json(dict(card)),
        }
    )
    return found.name


@dg.asset(
    deps=[prediction_models],
    partitions_def=game_dates,
    group_name="models",
    kinds={"xgboost"},
    owners=["team:data-science"],
    freshness_policy=DECIDED_RECENTLY,
)
def models_in_force(
    context: dg.AssetExecutionContext, model_store: Models, league: League
) -> dg.MaterializeResult:
    """Which models serve from the date on: a week's old models, if they beat those that served.

    Both are compared on the games of the past week or longer, which neither has seen; in a tie
    those in force stay. If it fails, those in force go on serving: materialize it again.
    `nba-predictions models rollback` takes a promotion back.
    """
    ended = challenge(league, model_store, game_date_of(context.partition_key))
    decision = ended.decision
    return dg.MaterializeResult(
        metadata={
            "in_force": ended.in_force or "of each week its own",
            "challenger": ended.challenger or "none",
            "promoted": ended.promoted,
            "reason": ended.reason,
            **({"player_games": decision.player_games} if decision else {}),
        }
    )
