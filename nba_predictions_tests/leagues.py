"""Simulated leagues for tests and benchmarks, in memory and as input files."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from pathlib import Path

import polars as pl

from nba_predictions.domain.league.games import EASTERN
from nba_predictions.inputs.simulated import SimulatedLeague
from nba_predictions.inputs.simulated_calendar import season_days


def small_league() -> SimulatedLeague:
    """Return a league of eight players per team, half of them with lines, without a history."""
    return SimulatedLeague(players_per_team=8, line_share=0.5, seasons_of_history=0)


def full_slate_dates(season: str) -> list[date]:
    """Return the dates of `season` (`2025-26`) on which all 30 teams play and no one is absent."""
    return season_days(int(season[:4]))[1]


def write_files(
    league: SimulatedLeague,
    folder: Path,
    seasons: Sequence[str],
    logs_before: date | None = None,
    dates: Collection[date] | None = None,
) -> list[Path]:
    """Write seasons as Parquet files that `FilesSource` reads back to the same frames.

    Args:
        league: the league to write.
        folder: the folder for the files. It is created if it does not exist.
        seasons: the seasons to write, for example `2025-26`.
        logs_before: omit box scores from this date on.
        dates: write lines, schedule and injury reports of these dates only.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for season in seasons:
        logs = league.league_game_log(season)
        if logs_before is not None:
            logs = logs.filter(pl.col("GAME_DATE") < logs_before)
        frames = {"player_game_logs": logs}
        eastern_date = pl.col("commence_time").dt.convert_time_zone(EASTERN.key).dt.date()
        for kind, frame, day in (
            ("points_lines", league.league_lines(season), eastern_date),
            ("schedule", league.league_schedule(season), pl.col("game_date")),
            ("injuries", league.league_injuries(season), pl.col("game_date")),
        ):
            frames[kind] = frame if dates is None else frame.filter(day.is_in(list(dates)))
        for kind, frame in frames.items():
            path = folder / f"{kind}_{season}.parquet"
            frame.write_parquet(path)
            written.append(path)
    return written
