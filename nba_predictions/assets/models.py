"""The trained models that serve a date."""

import dagster as dg
import polars as pl

from nba_predictions.assets import showing
from nba_predictions.assets.ingestion import League
from nba_predictions.models.store import ModelStore, models_of_date
from nba_predictions.partitions import game_date_of, game_dates


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
    model_store: dg.ResourceParam[ModelStore],
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
            "by_system": showing.table(showing.model_table(card, found.models.weights)),
            "card": dg.MetadataValue.json(dict(card)),
        }
    )
    return found.name
