"""The trained models that serve a date."""

import dagster as dg
import polars as pl

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
) -> str:
    """The name of the models: promoted ones, else those trained on the games before the week."""
    found = models_of_date(game_date_of(context.partition_key), game_logs, model_store)
    context.add_output_metadata(
        {
            "trained_now": found.trained_now,
            "promoted": found.promoted,
            "card": dg.MetadataValue.json(dict(found.models.card)),
        }
    )
    return found.name
