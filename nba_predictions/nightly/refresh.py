"""Bring the finished batch of a date up to what the sources say now: only who is affected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import CLEANED_UP, Batch, Completion, LedgerEntry
from nba_predictions.domain.batches.reconciliation import changed_since_merge
from nba_predictions.domain.batches.refresh import games_begun, plan_refresh
from nba_predictions.domain.betting.slate import Slate, SlatePlayer
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import BatchStateError
from nba_predictions.domain.league.games import eastern_date
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.logs import milestone
from nba_predictions.nightly.current_batch import log_fields, newest_batch
from nba_predictions.nightly.leases import date_lease
from nba_predictions.nightly.staging import lost_players
from nba_predictions.warehouse.port import Warehouse


def refuse_the_past(game_date: date, now: datetime) -> None:
    """Refuse a date that is over in US Eastern: its lines and injuries are not those of then.

    Raises:
        BatchStateError: the date is before that of `now`.
    """
    today = eastern_date(now)
    if game_date < today:
        raise BatchStateError(
            f"{game_date} is past, today is {today} in US Eastern; what is said of it now was not "
            f"known before its tip-off. Configure refresh_past, or `nba-predictions refresh "
            f"--past`, where the source is one of files that have not changed since"
        )


def finished_batch(store: BatchStore, game_date: date) -> Batch | None:
    """Return the batch that speaks for a date, if it is finished; None when a night is needed."""
    batch = newest_batch(store, game_date)
    return batch if batch is not None and batch.state in CLEANED_UP else None


def refresh_batch(
    batch: Batch,
    slate: Slate,
    fingerprints: Mapping[str, str],
    store: BatchStore,
    warehouse: Warehouse,
    *,
    run_id: str,
    now: datetime | None,
    lease_wait_seconds: float | None = None,
) -> list[SlatePlayer]:
    """Let a finished batch follow the slate, and return the players to be predicted again.

    Who is out, or has left the slate, is skipped from now on; the merge takes his rows out. The
    batch itself is opened by the merge, as after a replay. Where nothing has changed nothing is
    written. Broken off anywhere and run again it ends the same: what is to be done is found by
    comparing the slate with what was recorded, and what was recorded with what was merged.

    Args:
        now: games that have begun by then are left alone; None looks at no tip-off.

    Raises:
        BatchStateError: another run has opened the batch meanwhile.
        LeaseLostError: another worker of the date did not end in time.
    """
    with date_lease(batch, store, run_id=run_id, wait_seconds=lease_wait_seconds) as lease:
        batch = store.get(batch.batch_id)
        if batch.state not in CLEANED_UP:
            raise BatchStateError(
                f"{batch.batch_id} is {batch.state.value} by now, another run is at it; refresh "
                f"when it is done"
            )
        completions = store.completions(batch.batch_id)
        begun = games_begun(slate, now)
        plan = plan_refresh(
            slate,
            fingerprints,
            completions,
            store.dead_letters(batch.batch_id),
            lost=lost_players(batch, completions, store, warehouse),
            begun=begun,
            predicted_for=_games_by_player(warehouse, slate.game_date) if begun else {},
        )
        waiting = changed_since_merge(completions, store.ledger(batch.batch_id))
        which = log_fields(batch, run_id)
        counts = {
            "predicted": len(plan.predict),
            "skipped": len(plan.skip),
            "begun": len(plan.begun),
            "unchanged": plan.unchanged,
            "waiting": len(waiting),
        }
        _follow(batch, slate, plan.expected, store)
        if not (plan.predict or plan.skip or waiting):
            milestone(
                "refresh_not_needed",
                f"nothing has changed for the {plan.unchanged} players of {batch.batch_id}"
                + (f"; {len(plan.begun)} are in games that have begun" if plan.begun else ""),
                **counts,
                **which,
            )
            return []
        store.append(batch.batch_id, LedgerEntry("refreshed", store.now(), run_id, counts), lease)
        for skip in plan.skip:
            completion = Completion(
                skip.player_lookup, 0, utc_now(), run_id, skip_reason=skip.reason
            )
            store.complete(batch.batch_id, completion, replace=True)
        milestone(
            "refresh_started",
            f"{len(plan.predict)} players are predicted again, {len(plan.skip)} are skipped from "
            f"now on, {plan.unchanged} are as they were",
            **counts,
            players=[p.player_lookup for p in plan.predict],
            skipped_players={s.player_lookup: s.reason for s in plan.skip},
            begun_players=list(plan.begun),
            **which,
        )
        return list(plan.predict)


def _follow(batch: Batch, slate: Slate, expected: int, store: BatchStore) -> None:
    """Let the batch's own numbers be those of the slate, by which replays and the audit go."""
    present = batch
    while True:
        revised = replace(
            present,
            expected_players=expected,
            games=len(slate.games),
            slate_fingerprint=slate.fingerprint(),
        )
        # Refused: the batch has been published, or is to be announced, since it was read.
        if revised == present or store.revise(present, revised):
            return
        present = store.get(batch.batch_id)


def _games_by_player(warehouse: Warehouse, game_date: date) -> dict[str, str]:
    found = warehouse.query("games_by_player", PREDICTIONS, partition=game_date)
    return {row["player_lookup"]: row["game_id"] for row in found.to_pylist()}
