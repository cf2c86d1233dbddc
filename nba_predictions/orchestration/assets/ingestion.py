"""The inputs of a game date: box scores, schedule, lines and injury report.

Each asset reads one kind of input from the source, unchanged. Gates check them before the slate.
"""

from typing import Any

import dagster as dg
import polars as pl

from nba_predictions.inputs.port import LeagueSource
from nba_predictions.orchestration import display
from nba_predictions.orchestration.partitions import game_date_of, game_dates

League = dg.ResourceParam[LeagueSource]


_HOW_TO_FIX = "The error names file, row and column. Fix it there and materialize the date again."
_GAME_LOGS = f"""Box scores of all games before the date: one row per player and game.

If it fails, the source cannot be read or has invalid values. {_HOW_TO_FIX}"""
_SCHEDULE = f"""The games of the date.

A date without games is not an error: its batch ends as `no_data`. If it fails: {_HOW_TO_FIX}"""
_PROP_LINES = f"""Points lines of all books for the date: one row per player, book and side.

No lines are not an error here: players are predicted without lines. If it fails: {_HOW_TO_FIX}"""
_INJURIES = f"""The injury report for the date. Players who are OUT or DOUBTFUL are not predicted.

If it fails: {_HOW_TO_FIX}"""


def _source_asset(description: str, kind: str) -> dict[str, Any]:
    return {
        "partitions_def": game_dates,
        "group_name": "ingestion",
        "io_manager_key": "frames",
        "description": description,
        "kinds": {"polars", kind},
        "owners": ["team:data-engineering"],
    }


def _describe(context: dg.AssetExecutionContext, frame: pl.DataFrame, source: LeagueSource) -> None:
    # The notes count the rows that the source left out.
    notes = getattr(source, "notes", {})
    context.add_output_metadata({"source": source.name, **display.input_frame(frame), **notes})


@dg.asset(**_source_asset(_GAME_LOGS, "parquet"))
def game_logs(context: dg.AssetExecutionContext, league: League) -> pl.DataFrame:
    logs = league.game_logs(before=game_date_of(context.partition_key))
    _describe(context, logs, league)
    return logs


@dg.asset(**_source_asset(_SCHEDULE, "parquet"))
def schedule(context: dg.AssetExecutionContext, league: League) -> pl.DataFrame:
    games = league.schedule(game_date_of(context.partition_key))
    _describe(context, games, league)
    return games


@dg.asset(**_source_asset(_PROP_LINES, "parquet"))
def prop_lines(context: dg.AssetExecutionContext, league: League) -> pl.DataFrame:
    lines = league.prop_lines(game_date_of(context.partition_key))
    _describe(context, lines, league)
    return lines


@dg.asset(**_source_asset(_INJURIES, "parquet"))
def injuries(context: dg.AssetExecutionContext, league: League) -> pl.DataFrame:
    report = league.injuries(game_date_of(context.partition_key))
    _describe(context, report, league)
    return report
