"""Grade the predictions of a finished date into `prediction_results`."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.lease import Lease
from nba_predictions.domain.batches.reconciliation import NOTHING_MERGED, MergeCounts
from nba_predictions.domain.betting.grading import BoxScore, BoxScores, grade
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.market import registered_markets
from nba_predictions.domain.tables import PREDICTIONS, RESULTS
from nba_predictions.logs import milestone
from nba_predictions.nightly.leases import date_lease
from nba_predictions.nightly.warehouse_lock import when_writable
from nba_predictions.warehouse.port import Warehouse


@dataclass(frozen=True)
class Grading:
    """The counts of the merge of a graded date, and the number of rows by outcome.

    `games_without_box_scores` were predicted and then postponed, or their box scores are late.
    Their players are void until the date is graded again.
    """

    game_date: date
    merge: MergeCounts
    outcomes: dict[str, int]
    games_without_box_scores: tuple[str, ...] = ()


def grade_date(
    game_date: date,
    box_scores: pl.DataFrame,
    store: BatchStore,
    warehouse: Warehouse,
    *,
    run_id: str,
    games: int = 1,
) -> Grading | None:
    """Grade all predictions of a date; return None while there are no box scores.

    The rows are written by one MERGE on the business key, under the lease of the date. Grading
    again, or concurrently, ends in the same rows. The MERGE also deletes results whose predictions
    no longer exist. `box_scores` are GAME_LOGS rows. Without scheduled `games` and predictions,
    missing box scores are normal.

    Raises:
        LeaseLostError: another worker of the date did not finish in time.
    """
    with date_lease(game_date, store, run_id=run_id) as lease:
        return _grade(game_date, box_scores, warehouse, lease, games)


def _grade(
    game_date: date, box_scores: pl.DataFrame, warehouse: Warehouse, lease: Lease, games: int
) -> Grading | None:
    run_id = lease.holder
    predictions = warehouse.query("predictions_of_date", PREDICTIONS, partition=game_date)
    if box_scores.is_empty() and (games or predictions.num_rows):
        milestone(
            "grading_waits", "no box scores of this date yet", game_date=game_date, run_id=run_id
        )
        return None
    boxes = BoxScores.of(
        (row["player_id"], row["player_lookup"], _box_score(row))
        for row in box_scores.iter_rows(named=True)
    )
    now = utc_now()
    rows = grade(predictions.to_pylist(), boxes, now)
    counts = _merge_results(rows, warehouse, lease, now) if rows else NOTHING_MERGED
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


def _box_score(row: dict[str, Any]) -> BoxScore:
    statistics = {market.name: market.value(row) for market in registered_markets()}
    return BoxScore(statistics, row["minutes"])


def _merge_results(
    rows: list[dict[str, Any]], warehouse: Warehouse, lease: Lease, merged_at: datetime
) -> MergeCounts:
    game_date = lease.game_date
    name = f"{lease.holder}.{lease.token}"
    staged = warehouse.stage(RESULTS, f"grading_{game_date.isoformat()}", name, rows)
    try:
        return when_writable(
            lambda: warehouse.merge(RESULTS, game_date, [staged.name], merged_at, lease.token),
            warehouse,
            game_date=game_date,
            run_id=lease.holder,
        )
    finally:
        # This staging can be written again at any time, so it need not be kept.
        warehouse.drop_staging([staged.name])
