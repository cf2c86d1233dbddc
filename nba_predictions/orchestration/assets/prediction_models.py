"""Assets `prediction_models` and `models_in_force`: the trained models that predict a date."""

import dagster as dg
import polars as pl

from nba_predictions.backtest.challenge import challenge
from nba_predictions.orchestration import display
from nba_predictions.orchestration.as_of import known_league
from nba_predictions.orchestration.assets.ingestion import Batches, League
from nba_predictions.orchestration.catalog import DECIDED_RECENTLY
from nba_predictions.orchestration.partitions import asset_of_date, game_date_of
from nba_predictions.training.model_selection import models_of_date
from nba_predictions.training.model_store import ModelStore

Models = dg.ResourceParam[ModelStore]


@asset_of_date("models", {"xgboost"}, owner="data-science", io_manager_key="values")
def prediction_models(
    context: dg.AssetExecutionContext,
    game_logs: pl.DataFrame,
    model_store: Models,
    league: League,
    batches: Batches,
) -> str:
    """The trained models of the systems: promoted ones, or else those of the week.

    The models of a week are trained on the games before it. If this asset fails, fix the cause and
    materialize it again. This is safe: the same games and lines give the same models. The metadata
    has their errors on held-out games.
    """
    known = known_league(context, league, batches)
    selected = models_of_date(game_date_of(context.partition_key), game_logs, model_store, known)
    card = selected.models.card
    context.add_output_metadata(
        {
            "models": selected.name,
            "trained_now": selected.trained_now,
            "promoted": selected.promoted,
            "by_system": display.table(display.model_table(card, selected.models.weights)),
            "card": dg.MetadataValue.json(dict(card)),
        }
    )
    return selected.name


@asset_of_date(
    "models",
    {"xgboost"},
    owner="data-science",
    deps=[prediction_models],
    freshness_policy=DECIDED_RECENTLY,
)
def models_in_force(
    context: dg.AssetExecutionContext, model_store: Models, league: League
) -> dg.MaterializeResult:
    """The models in force from the date on: models that are a week old, if they are better.

    The challenger and the models in force are compared on the games of the past week or longer, on
    which neither was trained. In a tie the models in force stay. If this asset fails, they also
    stay: materialize it again. `nba-predictions models rollback` rolls a promotion back.
    """
    result = challenge(league, model_store, game_date_of(context.partition_key))
    decision = result.decision
    return dg.MaterializeResult(
        metadata={
            "in_force": result.in_force or "each week's own models",
            "challenger": result.challenger or "none",
            "promoted": result.promoted,
            "reason": result.reason,
            **({"player_games": decision.player_games} if decision else {}),
        }
    )
