"""Refresh the finished batch of a date: predict again only the players whose inputs changed."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import CLEANED_UP, Batch, Completion
from nba_predictions.domain.batches.lease import Lease
from nba_predictions.domain.batches.ledger import LedgerEntry, LedgerEvent
from nba_predictions.domain.batches.refresh import RefreshPlan, plan_refresh
from nba_predictions.domain.batches.snapshot import BatchSnapshot
from nba_predictions.domain.betting.slate import Slate, SlatePlayer, games_begun
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import BatchStateError
from nba_predictions.domain.league.games import eastern_date
from nba_predictions.domain.market import market_names
from nba_predictions.logs import milestone
from nba_predictions.nightly.current_batch import (
    games_by_player,
    log_context,
    newest_batch,
    read_snapshot,
    reopen,
)
from nba_predictions.nightly.leases import date_lease
from nba_predictions.nightly.open_batch import refuse_outdated_slate
from nba_predictions.nightly.staging import lost_players
from nba_predictions.warehouse.port import Warehouse


def refuse_the_past(game_date: date, now: datetime) -> None:
    """Refuse to refresh a date that is over in US Eastern.

    Raises:
        BatchStateError: the date is before the Eastern date of `now`.
    """
    today = eastern_date(now)
    if game_date < today:
        raise BatchStateError(
            f"{game_date} is past, today is {today} in US Eastern; the current lines and injuries "
            f"were not known before its tip-off. If the source is a folder of files that have not "
            f"changed since, configure refresh_past, or use `nba-predictions refresh --past`"
        )


def finished_batch(store: BatchStore, game_date: date) -> Batch | None:
    """Return the current batch of a date if it is finished, else None."""
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
    wait_seconds: float | None = None,
) -> list[SlatePlayer]:
    """Apply the current slate to a finished batch; return the players to predict again.

    A player who is out, or has left the slate, is skipped from now on, and the merge removes their
    rows. The merge reopens the batch, as after a replay. If nothing changed, nothing is written. A
    refresh can be interrupted anywhere and run again with the same result: the plan compares the
    slate with what was recorded, and what was recorded with what was merged.

    `fingerprints` are hashes of the current inputs, by player. The games that the slate leaves
    alone stay unchanged, and so do those with a tip-off at or before `now`, unless it is None.

    Raises:
        BatchStateError: another run has reopened the batch, or refreshed it with a later slate.
        LeaseLostError: another worker of the date did not finish in time.
    """
    with date_lease(batch.game_date, store, run_id=run_id, wait_seconds=wait_seconds) as lease:
        snapshot = read_snapshot(store, batch.batch_id)
        if snapshot.batch.state not in CLEANED_UP:
            raise BatchStateError(
                f"{batch.batch_id} is {snapshot.batch.state.value}; another run is working on it. "
                f"Refresh when that run is done"
            )
        refreshed = snapshot.last(LedgerEvent.REFRESHED)
        refuse_outdated_slate(slate, snapshot.batch, refreshed.sequence if refreshed else 0)
        begun = slate.begun | (games_begun(slate.games, now) if now else frozenset())
        plan = plan_refresh(
            slate,
            fingerprints,
            snapshot,
            lost=lost_players(snapshot, store, warehouse),
            begun=begun,
            predicted_for=games_by_player(warehouse, slate.game_date) if begun else {},
        )
        unmerged = bool(snapshot.changed_since_merge)
        changes = bool(plan.predict or plan.skip or unmerged)
        _update_expectations(snapshot.batch, slate, plan.expected, store, changes=changes)
        return _apply(plan, snapshot, store, lease, run_id)


def _apply(
    plan: RefreshPlan, snapshot: BatchSnapshot, store: BatchStore, lease: Lease, run_id: str
) -> list[SlatePlayer]:
    """Record the start of the refresh and the new skips; return the players to predict again."""
    batch, unmerged = snapshot.batch, snapshot.changed_since_merge
    counts = {
        "predicted": len(plan.predict),
        "skipped": len(plan.skip),
        "begun": len(plan.begun),
        "unchanged": plan.unchanged,
        "waiting": len(unmerged),
    }
    if not (plan.predict or plan.skip or unmerged):
        begun = f"; {len(plan.begun)} are in games that have begun" if plan.begun else ""
        milestone(
            "refresh_not_needed",
            f"nothing changed for the {plan.unchanged} players of {batch.batch_id}{begun}",
            **counts,
            **log_context(batch, run_id),
        )
        return []
    reopen(store, batch, "players are refreshed")
    entry = LedgerEntry(LedgerEvent.REFRESHED, store.now(), run_id, counts)
    store.append(batch.batch_id, entry, lease)
    for skip in plan.skip:
        completion = Completion(
            skip.player_lookup,
            0,
            utc_now(),
            run_id,
            skip_reason=skip.reason,
            attempt=lease.token,
        )
        store.complete(batch.batch_id, completion, replace=True)
    milestone(
        "refresh_started",
        f"{len(plan.predict)} players to predict again, {len(plan.skip)} skipped from now on, "
        f"{plan.unchanged} unchanged",
        **counts,
        players=[p.player_lookup for p in plan.predict],
        skipped_players={s.player_lookup: s.reason for s in plan.skip},
        begun_players=list(plan.begun),
        **log_context(batch, run_id),
    )
    return list(plan.predict)


def _update_expectations(
    batch: Batch, slate: Slate, expected: int, store: BatchStore, *, changes: bool
) -> None:
    """Update what replays and the audit compare with to the slate.

    The batch gets the moment of the slate if the refresh `changes` any player.
    """
    current = batch
    while True:
        # A game that has begun since the batch was created is one that the batch predicts.
        left_alone = tuple(game for game in current.begun if game in slate.begun)
        revised = replace(
            current,
            expected_players=expected,
            games=len(slate.games) - len(left_alone),
            begun=left_alone,
            slate_fingerprint=slate.fingerprint(),
            markets=market_names(),
            as_of=slate.as_of if changes else current.as_of,
        )
        # The revision fails if the batch was published or changed after it was read.
        if revised == current or store.revise(current, revised):
            return
        current = store.get(batch.batch_id)
