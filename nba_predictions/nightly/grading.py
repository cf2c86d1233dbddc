"""The morning after: grade the predictions of a finished date."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date

import polars as pl

from nba_predictions.domain.batches.reconciliation import MergeCounts
from nba_predictions.domain.betting.grading import BoxScore, grade
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.tables import PREDICTIONS, RESULTS
from nba_predictions.logs import milestone
from nba_predictions.warehouse.port import Warehouse


@dataclass(frozen=True)
class Grading:
    """How the grading of a date went. `outcomes` counts rows by outcome.

    Games that were predicted and of which no box score is there at all were postponed, or their
    box scores are late: their players are void until the date is graded again.
    """

    game_date: date
    merge: MergeCounts
    outcomes: dict[str, int]
    games_without_box_scores: tuple[str, ...] = ()


def grade_date(
    game_date: date,
    box_scores: pl.DataFrame,
    warehouse: Warehouse,
    *,
    run_id: str,
    games: int = 1,
) -> Grading | None:
    """Grade all predictions of a date into `prediction_results`; None while there are no results.

    `games` is how many were on: without any, and without predictions, there is nothing to wait for.
    One MERGE on the business key: grading again, or twice at once, ends in the same rows. Results
    of predictions that are gone since the last grading go with them, in the same statement.
    """
    predictions = warehouse.query("predictions_of_date", PREDICTIONS, partition=game_date)
    if box_scores.is_empty() and (games or predictions.num_rows):
        milestone(
            "grading_waits", "no box scores of this date yet", game_date=game_date, run_id=run_id
        )
        return None
    boxes = {
        row["player_lookup"]: BoxScore(row["points"], row["minutes"])
        for row in box_scores.select("player_lookup", "points", "minutes").iter_rows(named=True)
    }
    now = utc_now()
    rows = [{**row, "staged_at": now} for row in grade(predictions.to_pylist(), boxes)]
    counts = MergeCounts(0, 0, 0, 0, 0, 0)
    if rows:
        staged = warehouse.stage(RESULTS, f"grading_{game_date.isoformat()}", run_id, rows)
        try:
            counts = warehouse.merge(RESULTS, game_date, [staged.name], now)
        finally:
            # Unlike a night's it holds nothing that could not be made again.
            warehouse.drop_staging([staged.name])
    predicted = {row["game_id"] for row in rows}
    report = Grading(
        game_date,
        counts,
        dict(Counter(row["outcome"] for row in rows)),
        tuple(sorted(predicted - set(box_scores["game_id"]))),
    )
    milestone(
        "graded",
        f"{len(rows)} predictions graded",
        game_date=game_date,
        run_id=run_id,
        rows=len(rows),
        inserted=counts.inserted,
        updated=counts.updated,
        superseded=counts.superseded,
        games_without_box_scores=report.games_without_box_scores,
        **report.outcomes,
    )
    return report
