"""What is known before tip-off: box scores so far, the games, the lines, the injury report."""

from typing import Any

import dagster as dg
import polars as pl

from nba_predictions.inputs.port import LeagueSource
from nba_predictions.orchestration import display
from nba_predictions.orchestration.partitions import game_date_of, game_dates

League = dg.ResourceParam[LeagueSource]


_AGAIN = "The error names file, row and column; mend it there, and materialize the date again."
_GAME_LOGS = f"""Box scores of all games before the date: a row per player and game.

If it fails, the source could not be read or cannot be trusted. {_AGAIN}"""
_SCHEDULE = f"""The games of the date.

None is no fault: a date without games ends as `no_data`. If it fails: {_AGAIN}"""
_PROP_LINES = f"""Points lines of all books for the date: a row per player, book and side.

None is no fault here: players are then predicted without lines. If it fails: {_AGAIN}"""
_INJURIES = f"""The injury report for the date: who is OUT or DOUBTFUL is not predicted.

If it fails: {_AGAIN}"""


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
    # What a source has left out, and counted, belongs beside what it gave.
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
