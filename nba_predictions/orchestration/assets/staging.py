"""The fan-out: each player is predicted, staged and recorded separately.

The player is the unit of staging, completion, dead letter and partition. An op costs about as much
as predicting a hundred players, so each op processes a chunk of players (docs/design.md).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import dagster as dg
import polars as pl

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import RESUMABLE, Batch
from nba_predictions.domain.betting.slate import Slate, SlatePlayer
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import (
    PERMANENT,
    DamagedFileError,
    PublishError,
    WarehouseLockedError,
)
from nba_predictions.inputs.port import LeagueSource
from nba_predictions.messaging.port import Publisher
from nba_predictions.nightly.current_batch import batch_progress, current_batch
from nba_predictions.nightly.leases import date_lease
from nba_predictions.nightly.open_batch import BatchTerms
from nba_predictions.nightly.predicting import input_fingerprints, player_predictor
from nba_predictions.nightly.publication import publish_dead_letters
from nba_predictions.nightly.replay import batch_to_replay, players_to_replay
from nba_predictions.nightly.staging import StagedPlayer, close_staging, stage_players
from nba_predictions.nightly.start import Work, start
from nba_predictions.orchestration import display
from nba_predictions.orchestration.partitions import (
    game_date_of,
    game_dates,
    parse_player_partition_key,
    player_nights,
    player_partition_key,
)
from nba_predictions.orchestration.run_config import FanOutConfig, StageConfig
from nba_predictions.orchestration.run_tags import BACKFILL_TAG, RETRY_NUMBER_TAG, ROOT_RUN_TAG
from nba_predictions.report.night import reasons_table
from nba_predictions.settings import Settings
from nba_predictions.systems.trained_models import TrainedModels
from nba_predictions.training.model_store import ModelStore
from nba_predictions.warehouse.port import Warehouse

Batches = dg.ResourceParam[BatchStore]
TheWarehouse = dg.ResourceParam[Warehouse]
Models = dg.ResourceParam[ModelStore]

#: Retries a whole step, for when a store or the warehouse cannot be reached. Staging again replaces
#: the staging table, and recording again changes nothing.
RETRY = dg.RetryPolicy(max_retries=2, delay=1, backoff=dg.Backoff.EXPONENTIAL)


@contextmanager
def no_retry_of_permanent_errors() -> Iterator[None]:
    """Fail the step without retries if a retry cannot succeed, or if the step has waited enough."""
    try:
        yield
    except (*PERMANENT, WarehouseLockedError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error


@dataclass(frozen=True)
class Chunk:
    """Some players of a batch, with everything needed to predict them."""

    batch: Batch
    players: list[SlatePlayer]
    features: pl.DataFrame
    models: str
    features_as_of: datetime | None
    replay: bool = False
    lost: frozenset[str] = frozenset()


@dg.op(out=dg.DynamicOut(Chunk), retry_policy=RETRY)
def open_batch_and_fan_out(
    context: dg.OpExecutionContext,
    config: FanOutConfig,
    slate: Slate,
    player_features: pl.DataFrame,
    prediction_models: str,
    batches: Batches,
    warehouse: TheWarehouse,
    league: dg.ResourceParam[LeagueSource],
    settings: dg.ResourceParam[Settings],
) -> Iterator[dg.DynamicOutput[Chunk]]:
    """Start the run on the batch of the date, and divide its players into chunks."""

    def fingerprints() -> Mapping[str, str]:
        return input_fingerprints(
            slate.players, player_features, prediction_models, slate.features_as_of
        )

    with no_retry_of_permanent_errors():
        publishes = config.announces(_tags_with_backfill(context))
        terms = BatchTerms(league.name, settings.completion_threshold, publishes)
        request = config.request(context.run_tags, terms)
        request = replace(request, retried_runs=_retried_runs(context))
        work = start(request, slate, fingerprints, batches, warehouse, run_id=context.run_id)
    _report_players(context, slate, work)
    for first in range(0, len(work.players), config.chunk_size):
        players = work.players[first : first + config.chunk_size]
        names = [p.player_lookup for p in players]
        yield dg.DynamicOutput(
            Chunk(
                work.batch,
                players,
                player_features.filter(pl.col("player_lookup").is_in(names)),
                prediction_models,
                slate.features_as_of,
                replay=work.replaces,
                lost=work.lost,
            ),
            mapping_key=f"players_{first + 1}_to_{first + len(players)}",
        )


def _tags_with_backfill(context: dg.OpExecutionContext) -> Mapping[str, str]:
    """Return the tags of the run, with the backfill tag of the run that it re-executes.

    Dagster removes the backfill tag from a re-executed run once the backfill is over.
    """
    tags = context.run_tags
    root_id = tags.get(ROOT_RUN_TAG)
    root = context.instance.get_run_by_id(root_id) if root_id else None
    if root is None or BACKFILL_TAG not in root.tags:
        return tags
    return {**tags, BACKFILL_TAG: root.tags[BACKFILL_TAG]}


def _retried_runs(context: dg.OpExecutionContext) -> set[str]:
    """Return the runs that Dagster retries with this run, none for any other run."""
    root_id = context.run_tags.get(ROOT_RUN_TAG)
    if root_id is None or RETRY_NUMBER_TAG not in context.run_tags:
        return set()
    earlier = context.instance.get_runs(dg.RunsFilter(tags={ROOT_RUN_TAG: root_id}))
    return {root_id, *(run.run_id for run in earlier)} - {context.run_id}


def _report_players(context: dg.OpExecutionContext, slate: Slate, work: Work) -> None:
    """Register the players' partitions, and materialize those that an earlier run staged."""
    # Dagster accepts a materialization of an unregistered partition, but never shows it.
    context.instance.add_dynamic_partitions(
        str(player_nights.name),
        [player_partition_key(slate.game_date, p.player_lookup) for p in slate.players],
    )
    for completion in work.already_staged:
        context.log_event(_materialization(work.batch, completion.player_lookup, completion.rows))


@dg.op(retry_policy=RETRY)
def predict_and_stage(
    context: dg.OpExecutionContext,
    config: StageConfig,
    chunk: Chunk,
    batches: Batches,
    warehouse: TheWarehouse,
    model_store: Models,
) -> list[StagedPlayer]:
    """Predict and stage each player of the chunk. A failed player does not stop the others."""
    outcomes = []
    for staged in _stage_chunk(
        chunk, batches, warehouse, model_store, context.run_id, threads=config.threads
    ):
        outcomes.append(staged)
        if staged.error is None:
            context.log_event(_materialization(chunk.batch, staged.player_lookup, staged.rows))
    return outcomes


@dg.op(retry_policy=RETRY)
def close_batch(
    context: dg.OpExecutionContext,
    staged: list[list[StagedPlayer]],
    batches: Batches,
    publisher: dg.ResourceParam[Publisher],
) -> dg.Output[str]:
    """Finish the staging and publish the dead letters; the metadata lists the failed players."""
    batch = current_batch(batches, game_date_of(context.partition_key))
    # A batch that players are replayed into was closed before. Its merge reopens it.
    if batch.state in RESUMABLE:
        progress = close_staging(batch, batches, run_id=context.run_id)
    else:
        progress = batch_progress(batch, batches)
    try:
        publish_dead_letters(batch, batches, publisher, run_id=context.run_id)
    except PublishError as error:
        # The staged players stay staged. Publishing the batch publishes its dead letters first.
        context.log.warning(f"dead letters are not published yet: {error}")
    failed = {p.player_lookup: p.error or "" for chunk in staged for p in chunk if p.error}
    return dg.Output(
        batch.batch_id,
        metadata={
            "batch_id": batch.batch_id,
            **progress.counts(),
            "rows_staged": sum(p.rows for chunk in staged for p in chunk),
            "seconds_since_created": round((utc_now() - batch.created_at).total_seconds(), 3),
            **_player_partitions(context.instance, batch.game_date),
            "dead_letters": display.table(reasons_table(failed)),
        },
    )


@dg.graph_asset(
    partitions_def=game_dates,
    group_name="predictions",
    kinds={"python", "parquet"},
    owners=["team:data-engineering"],
)
def staged_predictions(slate: Slate, player_features: pl.DataFrame, prediction_models: str) -> str:
    """All players of the slate, predicted and staged one by one. The value is the batch_id.

    A failed player does not stop the others. The player is listed under `dead_letters`, and their
    partition of `player_staging` is missing. If the whole asset fails, run the night again: the
    new run resumes the batch.
    """
    chunks = open_batch_and_fan_out(slate, player_features, prediction_models)
    return close_batch(chunks.map(predict_and_stage).collect())


@dg.asset(
    # A run only knows the assets that it materializes and their dependencies. Only the partition of
    # the date is read; Dagster has no partition mapping from a player's night to its date.
    deps=[
        dg.AssetDep(name, partition_mapping=dg.AllPartitionMapping())
        for name in ("slate", "player_features", "prediction_models")
    ],
    partitions_def=player_nights,
    group_name="predictions",
    kinds={"python", "parquet"},
    owners=["team:data-engineering"],
)
def player_staging(
    context: dg.AssetExecutionContext,
    batches: Batches,
    warehouse: TheWarehouse,
    model_store: Models,
) -> dg.MaterializeResult:
    """One player of one night. Launched alone, it replays the player into the batch of the date.

    Afterwards materialize `player_prop_predictions` and `staging_cleanup` of the date, to merge the
    player. If it fails again, nothing changes; `nba-predictions dead-letters` lists the error.
    """
    game_date, lookup = parse_player_partition_key(context.partition_key)
    night = game_date.isoformat()

    def of_night(asset: str, kind: type) -> Any:
        return context.load_asset_value(dg.AssetKey(asset), python_type=kind, partition_key=night)

    slate = of_night("slate", Slate)
    batch = batch_to_replay(batches, slate)
    chunk = Chunk(
        batch,
        players_to_replay(batch, slate, batches, [lookup]),
        of_night("player_features", pl.DataFrame),
        of_night("prediction_models", str),
        slate.features_as_of,
        replay=True,
    )
    (staged,) = _stage_chunk(chunk, batches, warehouse, model_store, context.run.run_id)
    if staged.error:
        raise dg.Failure(f"{lookup} failed again: {staged.error}", allow_retries=False)
    return dg.MaterializeResult(metadata={"batch_id": batch.batch_id, "rows": staged.rows})


def _player_partitions(instance: dg.DagsterInstance, game_date: date) -> dict[str, int]:
    """Count the players' partitions of the date, and of all dates that are kept."""
    keys = instance.get_dynamic_partitions(str(player_nights.name))
    of_date = sum(key.startswith(player_partition_key(game_date, "")) for key in keys)
    return {"player_partitions_of_date": of_date, "player_partitions_of_all_dates": len(keys)}


def _stage_chunk(
    chunk: Chunk,
    batches: BatchStore,
    warehouse: Warehouse,
    model_store: ModelStore,
    run_id: str,
    *,
    threads: int | None = None,
) -> Iterator[StagedPlayer]:
    models = _models(chunk, model_store)
    inputs = (chunk.features, chunk.models, chunk.features_as_of)
    predict = player_predictor(chunk.batch.batch_id, chunk.features, models, chunk.features_as_of)
    # Under the lease, no cleanup can drop replayed staging that it did not count.
    replays = date_lease(chunk.batch.game_date, batches, run_id=run_id)
    with replays if chunk.replay else nullcontext() as lease:
        yield from stage_players(
            chunk.batch,
            chunk.players,
            predict,
            batches,
            warehouse,
            run_id=run_id,
            threads=threads or warehouse.staging_concurrency,
            replay_lease=lease,
            lost=chunk.lost,
            fingerprints=input_fingerprints(chunk.players, *inputs),
        )


def _models(chunk: Chunk, store: ModelStore) -> TrainedModels:
    game_date = chunk.batch.game_date
    to_do = (
        f"materialize prediction_models of {game_date} again, or run `nba-predictions run "
        f"--game-date {game_date}`; the same models are then trained again"
    )
    try:
        models = store.load(chunk.models)
    except DamagedFileError as error:
        raise DamagedFileError(f"{error}; {to_do}") from None
    if models is None:
        raise FileNotFoundError(
            f"the models {chunk.models} are missing from {store.folder}; {to_do}"
        )
    return models


def _materialization(batch: Batch, player_lookup: str, rows: int) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(
        player_staging.key,
        partition=player_partition_key(batch.game_date, player_lookup),
        metadata={"batch_id": batch.batch_id, "rows": rows},
    )
