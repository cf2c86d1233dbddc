"""The morning after: grade the predictions of a finished date."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date

import polars as pl

from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.grading import BoxScore, grade
from nba_predictions.domain.reconciliation import MergeCounts
from nba_predictions.domain.tables import PREDICTIONS, RESULTS
from nba_predictions.logs import milestone
from nba_predictions.warehouse.port import Warehouse


@dataclass(frozen=True)
class Grading:
    """How the grading of a date went. `outcomes` counts rows by outcome."""

    game_date: date
    merge: MergeCounts
    outcomes: dict[str, int]


def grade_date(
    game_date: date, box_scores: pl.DataFrame, warehouse: Warehouse, *, run_id: str
) -> Grading | None:
    """Grade all predictions of a date into `prediction_results`; None while there are no results.

    One MERGE on the business key: grading again, or twice at once, ends in the same rows. Results
    of predictions that have been retired since the last grading are retired with them.
    """
    if box_scores.is_empty():
        milestone(
            "grading_waits", "no box scores of this date yet", game_date=game_date, run_id=run_id
        )
        return None
    boxes = {
        row["player_lookup"]: BoxScore(row["points"], row["minutes"])
        for row in box_scores.select("player_lookup", "points", "minutes").iter_rows(named=True)
    }
    predictions = warehouse.query("predictions_of_date", PREDICTIONS, partition=game_date)
    now = utc_now()
    rows = [{**row, "staged_at": now} for row in grade(predictions.to_pylist(), boxes)]
    counts, retired = MergeCounts(0, 0, 0, 0, 0, 0), 0
    if rows:
        staged = warehouse.stage(RESULTS, f"grading_{game_date.isoformat()}", run_id, rows)
        counts = warehouse.merge(RESULTS, game_date, [staged.name], now)
        warehouse.drop_staging([staged.name])
        players = sorted({row["player_lookup"] for row in rows})
        retired = warehouse.retire(RESULTS, game_date, players, now)
    report = Grading(game_date, counts, dict(Counter(row["outcome"] for row in rows)))
    milestone(
        "graded",
        f"{len(rows)} predictions graded",
        game_date=game_date,
        run_id=run_id,
        rows=len(rows),
        inserted=counts.inserted,
        updated=counts.updated,
        retired=retired,
        **report.outcomes,
    )
    return report
