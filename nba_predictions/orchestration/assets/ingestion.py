"""The inputs of a game date: box scores, schedule, lines and injury report.

Each asset reads one kind of input from the source, as it was known at the moment of the run. Gates
check them before the slate.
"""

from typing import Any

import dagster as dg
import polars as pl

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.inputs.account import UNKNOWN
from nba_predictions.inputs.port import GAMES, LINES, LOGS, REPORT, LeagueSource
from nba_predictions.orchestration import display
from nba_predictions.orchestration.as_of import known_league
from nba_predictions.orchestration.assets.fetching import fetched_inputs
from nba_predictions.orchestration.partitions import asset_of_date, game_date_of

League = dg.ResourceParam[LeagueSource]
Batches = dg.ResourceParam[BatchStore]

_HOW_TO_FIX = "The error names the file. Fix it there and materialize the date again."
_GAME_LOGS = f"""Box scores of all games before the date: one row per player and game.

If it fails, the source cannot be read or has too many invalid rows. {_HOW_TO_FIX}"""
_SCHEDULE = f"""The games of the date.

A date without games is not an error: its batch ends as `no_data`. If it fails: {_HOW_TO_FIX}"""
_PROP_LINES = f"""Points lines of all books for the date: one row per player, book and side.

No lines are not an error here: players are predicted without lines. If it fails: {_HOW_TO_FIX}"""
_INJURIES = f"""The injury report for the date. Players who are OUT or DOUBTFUL are not predicted.

If it fails: {_HOW_TO_FIX}"""


def _input_asset(description: str) -> Any:
    return asset_of_date(
        "ingestion",
        {"polars", "parquet"},
        io_manager_key="frames",
        deps=[fetched_inputs],
        description=description,
    )


def _described(
    context: dg.AssetExecutionContext, source: LeagueSource, kind: str, frame: pl.DataFrame
) -> pl.DataFrame:
    """Return the frame, after adding a summary of it to the metadata of the asset."""
    accounts = source.accounts(game_date_of(context.partition_key))
    context.add_output_metadata(
        {
            "source": source.name,
            **display.input_frame(frame),
            **display.input_accounts(
                [account for account in accounts if account.kind in (kind, UNKNOWN)]
            ),
        }
    )
    return frame


@_input_asset(_GAME_LOGS)
def game_logs(context: dg.AssetExecutionContext, league: League, batches: Batches) -> pl.DataFrame:
    known = known_league(context, league, batches)
    frame = known.game_logs(before=game_date_of(context.partition_key))
    return _described(context, known, LOGS, frame)


@_input_asset(_SCHEDULE)
def schedule(context: dg.AssetExecutionContext, league: League, batches: Batches) -> pl.DataFrame:
    known = known_league(context, league, batches)
    frame = known.schedule(game_date_of(context.partition_key))
    return _described(context, known, GAMES, frame)


@_input_asset(_PROP_LINES)
def prop_lines(context: dg.AssetExecutionContext, league: League, batches: Batches) -> pl.DataFrame:
    known = known_league(context, league, batches)
    frame = known.prop_lines(game_date_of(context.partition_key))
    return _described(context, known, LINES, frame)


@_input_asset(_INJURIES)
def injuries(context: dg.AssetExecutionContext, league: League, batches: Batches) -> pl.DataFrame:
    known = known_league(context, league, batches)
    frame = known.injuries(game_date_of(context.partition_key))
    return _described(context, known, REPORT, frame)
