"""What is really there of a night: the evidence, gathered from store, staging and target."""

from __future__ import annotations

from datetime import date

from nba_predictions.batches.port import BatchStore
from nba_predictions.domain.batch import BatchState
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.reconciliation import TargetCounts
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.domain.verdict import Evidence
from nba_predictions.warehouse.port import Warehouse


def gather_evidence(
    game_date: date, store: BatchStore, warehouse: Warehouse, batch_id: str | None = None
) -> Evidence:
    """Return the evidence on one batch, by default the newest of the date that was not given up."""
    now = utc_now()
    batches = store.of_date(game_date)
    if batch_id is not None:
        batches = [b for b in batches if b.batch_id == batch_id]
    batch = next((b for b in batches if b.state is not BatchState.FAILED), None)
    batch = batch or next(iter(batches), None)
    if batch is None:
        return Evidence(None, (), (), (), frozenset(), TargetCounts(0, 0), now)
    completions = store.completions(batch.batch_id)
    return Evidence(
        batch=batch,
        completions=completions,
        dead_letters=store.dead_letters(batch.batch_id),
        ledger=store.ledger(batch.batch_id),
        staging_there=warehouse.staging_there(
            [c.staging_table for c in completions if c.staging_table]
        ),
        target=warehouse.count(PREDICTIONS, game_date, batch.batch_id),
        now=now,
    )
