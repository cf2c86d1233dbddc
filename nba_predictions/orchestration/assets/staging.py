"""The fan-out: every player predicted, staged and recorded on his own.

The player is the unit of staging, completion, dead letter and partition. The op is not: an op costs
about as much as predicting a hundred players, so each takes a chunk of them (docs/design.md).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import dagster as dg
import polars as pl

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import RESUMABLE, Batch
from nba_predictions.domain.batches.reconciliation import changed_since_merge
from nba_predictions.domain.betting.slate import Slate, SlatePlayer
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import PERMANENT, PublishError
from nba_predictions.inputs.port import LeagueSource
from nba_predictions.messaging.port import Publisher
from nba_predictions.nightly.current_batch import batch_progress, current_batch
from nba_predictions.nightly.leases import date_lease
from nba_predictions.nightly.predicting import input_fingerprints, player_predictor
from nba_predictions.nightly.publication import announce_dead_letters
from nba_predictions.nightly.refresh import finished_batch, refresh_batch, refuse_the_past
from nba_predictions.nightly.replay import (
    batch_to_replay,
    give_up_the_rest,
    players_to_replay,
)
from nba_predictions.nightly.staging import (
    StagedPlayer,
    close_staging,
    open_batch,
    players_to_stage,
    stage_players,
)
from nba_predictions.orchestration import display
from nba_predictions.orchestration.partitions import (
    game_date_of,
    game_dates,
    parse_player_partition_key,
    player_nights,
    player_partition_key,
)
from nba_predictions.orchestration.run_config import (
    FanOutConfig,
    Mode,
    StageConfig,
)
from nba_predictions.orchestration.run_tags import BACKFILL_TAG, ROOT_RUN_TAG
from nba_predictions.report.night import reasons_table
from nba_predictions.settings import Settings
from nba_predictions.training.model_store import ModelStore
from nba_predictions.warehouse.port import Warehouse

Batches = dg.ResourceParam[BatchStore]
TheWarehouse = dg.ResourceParam[Warehouse]
Models = dg.ResourceParam[ModelStore]

#: A step whose store or warehouse could not be reached is tried again as a whole; staging again
#: replaces, recording again changes nothing.
RETRY = dg.RetryPolicy(max_retries=2, delay=1, backoff=dg.Backoff.EXPONENTIAL)


@contextmanager
def no_retry_of_permanent_errors() -> Iterator[None]:
    """Let a step fail at once when trying again cannot change what is wrong."""
    try:
        yield
    except PERMANENT as error:
        raise dg.Failure(str(error), allow_retries=False) from error


@dataclass(frozen=True)
class Chunk:
    """Some players of a batch, with all that predicting them takes."""

    batch: Batch
    players: list[SlatePlayer]
    features: pl.DataFrame
    models: str
    features_as_of: datetime | None
    replay: bool = False


def _tags_of_backfill(context: dg.OpExecutionContext) -> Mapping[str, str]:
    """Return the run's tags, with that of the backfill whose run it repeats.

    Dagster takes the tag off a run that is executed again once its backfill is over.
    """
    tags = context.run_tags
    root = tags.get(ROOT_RUN_TAG)
    first = context.instance.get_run_by_id(root) if root else None
    if first is None or BACKFILL_TAG not in first.tags:
        return tags
    return {**tags, BACKFILL_TAG: first.tags[BACKFILL_TAG]}


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
    """Open the batch (or take up an unfinished one) and divide its players into chunks."""
    finished = None
    with no_retry_of_permanent_errors():
        mode = config.mode_of(context.run_tags)
        if mode is Mode.refresh and not config.refresh_past:
            refuse_the_past(slate.game_date, utc_now())
        warehouse.prepare()
        if mode is Mode.refresh:
            finished = finished_batch(batches, slate.game_date)
        if finished is not None:
            players = refresh_batch(
                finished,
                slate,
                input_fingerprints(
                    slate.players, player_features, prediction_models, slate.features_as_of
                ),
                batches,
                warehouse,
                run_id=context.run_id,
                now=None if config.refresh_past else utc_now(),
            )
            batch = batches.get(finished.batch_id)
        elif mode is Mode.finish:
            batch, players = current_batch(batches, slate.game_date), []
            give_up_the_rest(batch, slate, batches, run_id=context.run_id)
        elif mode is Mode.replay:
            batch = batch_to_replay(batches, slate, config.batch_id)
            players = players_to_replay(batch, slate, batches, config.players)
        else:
            batch = open_batch(
                batches,
                slate,
                source=league.name,
                run_id=context.run_id,
                completion_threshold=settings.completion_threshold,
                announce=config.announces(_tags_of_backfill(context)),
            )
            players = players_to_stage(batch, slate, batches, warehouse)
    # A materialization of a partition that is not registered would be accepted, and not be seen.
    context.instance.add_dynamic_partitions(
        str(player_nights.name),
        [player_partition_key(batch.game_date, p.player_lookup) for p in slate.players],
    )
    # A run that died may have staged players of this batch and not come to say so.
    waiting = {p.player_lookup for p in players}
    completions = batches.completions(batch.batch_id)
    if finished is not None:
        # Of a finished batch everybody was said to be staged, but for what no merge has seen.
        completions = changed_since_merge(completions, batches.ledger(batch.batch_id))
    for done in completions:
        if done.rows and done.player_lookup not in waiting:
            context.log_event(_materialization(batch, done.player_lookup, done.rows))
    for start in range(0, len(players), config.chunk_size):
        chunk = players[start : start + config.chunk_size]
        names = [p.player_lookup for p in chunk]
        features = player_features.filter(pl.col("player_lookup").is_in(names))
        yield dg.DynamicOutput(
            Chunk(
                batch,
                chunk,
                features,
                prediction_models,
                slate.features_as_of,
                replay=finished is not None or mode is Mode.replay,
            ),
            mapping_key=f"players_{start + 1}_to_{start + len(chunk)}",
        )


@dg.op(retry_policy=RETRY)
def predict_and_stage(
    context: dg.OpExecutionContext,
    config: StageConfig,
    chunk: Chunk,
    batches: Batches,
    warehouse: TheWarehouse,
    model_store: Models,
) -> list[StagedPlayer]:
    """Predict and stage each player of the chunk; one that fails does not stop the others."""
    results = []
    for staged in _stage_chunk(
        chunk, batches, warehouse, model_store, context.run_id, threads=config.threads
    ):
        results.append(staged)
        if staged.error is None:
            context.log_event(_materialization(chunk.batch, staged.player_lookup, staged.rows))
    return results


@dg.op(retry_policy=RETRY)
def close_batch(
    context: dg.OpExecutionContext,
    staged: list[list[StagedPlayer]],
    batches: Batches,
    publisher: dg.ResourceParam[Publisher],
) -> dg.Output[str]:
    """Declare the staging finished; failures stay dead letters, with their number in sight."""
    batch = current_batch(batches, game_date_of(context.partition_key))
    # A replay comes back to a batch that is past this; the merge sees to it.
    if batch.state in RESUMABLE:
        done = close_staging(batch, batches, run_id=context.run_id)
    else:
        done = batch_progress(batch, batches)
    try:
        announce_dead_letters(batch, batches, publisher, run_id=context.run_id)
    except PublishError as error:
        # Who is staged is staged. The publication of the batch announces them first.
        context.log.warning(f"dead letters are not announced yet: {error}")
    failed = [player for chunk in staged for player in chunk if player.error]
    return dg.Output(
        batch.batch_id,
        metadata={
            "batch_id": batch.batch_id,
            "expected_players": done.expected,
            "completed": done.completed,
            "skipped": done.skipped,
            "failed": done.failed,
            "rows_staged": sum(p.rows for chunk in staged for p in chunk),
            "seconds_since_created": round((utc_now() - batch.created_at).total_seconds(), 3),
            **_player_partitions(context.instance, batch.game_date),
            "dead_letters": display.table(
                reasons_table({p.player_lookup: p.error or "" for p in failed})
            ),
        },
    )


@dg.graph_asset(
    partitions_def=game_dates,
    group_name="predictions",
    kinds={"python", "parquet"},
    owners=["team:data-engineering"],
)
def staged_predictions(slate: Slate, player_features: pl.DataFrame, prediction_models: str) -> str:
    """All players of the slate, predicted and staged one by one; the value is the batch_id.

    A player who fails does not stop the others: he is listed under `dead_letters`, and his
    partition of `player_staging` is missing. If the whole asset fails, run the night again: it
    takes up the batch where it was left.
    """
    chunks = open_batch_and_fan_out(slate, player_features, prediction_models)
    return close_batch(chunks.map(predict_and_stage).collect())


@dg.asset(
    # A run knows only the assets that it materializes and those they depend on. Only the date's own
    # partition is read; no mapping of Dagster leads from a player's night to its date.
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
    """One player of one night. Launched alone it replays him into the batch of his date.

    Afterwards materialize `player_prop_predictions` and `staging_cleanup` of the date, to merge
    him. If it fails again nothing has changed; `nba-predictions dead-letters` has the error.
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
    """Count the partitions of players: of the date, and of all dates that are kept."""
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
    models = model_store.load(chunk.models)
    if models is None:
        raise FileNotFoundError(
            f"models {chunk.models} are gone from {model_store.folder}; materialize "
            f"prediction_models of {chunk.batch.game_date} again"
        )
    inputs = (chunk.features, chunk.models, chunk.features_as_of)
    predict = player_predictor(chunk.batch.batch_id, chunk.features, models, chunk.features_as_of)
    # What is replayed must not be dropped by a clean-up that has counted without it.
    alone = date_lease(chunk.batch, batches, run_id=run_id) if chunk.replay else nullcontext()
    with alone:
        yield from stage_players(
            chunk.batch,
            chunk.players,
            predict,
            batches,
            warehouse,
            run_id=run_id,
            threads=threads or warehouse.stagings_at_once,
            replay=chunk.replay,
            fingerprints=input_fingerprints(chunk.players, *inputs),
        )


def _materialization(batch: Batch, player_lookup: str, rows: int) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(
        player_staging.key,
        partition=player_partition_key(batch.game_date, player_lookup),
        metadata={"batch_id": batch.batch_id, "rows": rows},
    )
