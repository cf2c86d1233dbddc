"""Compare two trained models on the games that neither has seen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl

from nba_predictions.backtest.walk import dates_played, forecasts_of, rows_of
from nba_predictions.domain.promotion import DateComparison
from nba_predictions.sources.port import LeagueSource
from nba_predictions.systems.ensemble import ENSEMBLE
from nba_predictions.systems.models import TrainedModels


def compare(
    league: LeagueSource, present: TrainedModels, challenger: TrainedModels, until: date
) -> Sequence[DateComparison]:
    """The ensemble's errors by both models, on the players of the slates who played.

    From the later of the two cutoffs on, to before `until`.
    """
    first = max(date.fromisoformat(m.version) for m in (present, challenger))
    played = dates_played(league.game_logs(until), first)
    if not played:
        return []
    rows, _ = rows_of(league, played)
    rows = rows.filter("on_slate")
    points = rows["points"].to_numpy().astype(np.float64)
    old, new = (
        np.abs(forecasts_of(rows, m)[ENSEMBLE.system_id].mean - points)
        for m in (present, challenger)
    )
    by_date = (
        rows.select("game_date", difference=pl.Series(new - old))
        .group_by("game_date", maintain_order=True)
        .agg(pl.len().alias("n"), pl.col("difference").sum())
    )
    return [DateComparison(*row) for row in by_date.iter_rows()]
