"""Predict and stage: open the batch, stage each player on his own, close it."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tenacity import Retrying, retry_if_not_exception_type, stop_after_attempt
from tenacity.wait import wait_base, wait_random_exponential

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import (
    MERGED,
    RESUMABLE,
    Batch,
    BatchState,
    Completion,
    DeadLetter,
    LedgerEntry,
    Progress,
    make_batch_id,
)
from nba_predictions.domain.batches.reconciliation import (
    changed_since_merge,
    last_entry,
    unmerged_staging,
)
from nba_predictions.domain.betting.slate import Slate, SlatePlayer
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import PERMANENT, BatchStateError
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.logs import milestone
from nba_predictions.nightly.current_batch import batch_progress, set_announce
from nba_predictions.warehouse.port import Warehouse

#: How often a player is tried before he is dead-lettered.
MAX_ATTEMPTS = 3
#: Makes the rows of one player; whatever it raises is that player's failure only.
PredictPlayer = Callable[[SlatePlayer], list[dict[str, Any]]]


@dataclass(frozen=True)
class StagedPlayer:
    """What became of one player: staged rows, or the error that dead-lettered him."""

    player_lookup: str
    rows: int
    staging_table: str | None
    error: str | None = None


def open_batch(
    store: BatchStore,
    slate: Slate,
    *,
    source: str,
    run_id: str,
    completion_threshold: float,
    announce: bool = True,
) -> Batch:
    """Open the batch of a slate, or take up the unfinished one that a former run left.

    An unfinished batch of the same slate is continued. One of another slate (lines moved, somebody
    is out) is closed as failed, with the reason, and its staging stays for whoever wants to look.
    Whether a batch is announced is decided by the run that takes it up; one that went out before is
    in any case, for its readers have to be told of what has changed.
    """
    fingerprint = slate.fingerprint()
    id_time = store.now()
    while True:
        now = store.now()
        present = store.of_date(slate.game_date)
        unfinished = next((b for b in present if b.state in RESUMABLE), None)
        newest = next(iter(present), None)
        if newest and unfinished is None and _was_left_behind(newest, store):
            unfinished = newest if newest.slate_fingerprint == fingerprint else None
        if unfinished and unfinished.slate_fingerprint == fingerprint:
            if announce or last_entry(store.ledger(unfinished.batch_id), "published") is None:
                set_announce(store, unfinished.batch_id, announce, run_id=run_id)
            return _take_up(store, unfinished, slate, run_id)
        if unfinished:
            reason = f"superseded: the slate changed, run {run_id} began a new batch"
            store.move(unfinished.batch_id, BatchState.FAILED, reason)
            store.append(unfinished.batch_id, LedgerEntry("superseded", now, run_id))
        batch = Batch(
            batch_id=make_batch_id(slate.game_date, id_time),
            game_date=slate.game_date,
            state=BatchState.CREATED,
            expected_players=slate.expected,
            games=len(slate.games),
            slate_fingerprint=fingerprint,
            created_at=now,
            run_id=run_id,
            source=source,
            completion_threshold=completion_threshold,
            announce=announce,
        )
        if store.create(batch):
            others = {b.batch_id for b in store.of_date(slate.game_date)} - {batch.batch_id}
            if others <= {b.batch_id for b in present}:
                break
            # While this run stood still another began and ended a night: of two batches the later
            # one speaks for the date, and this one has the earlier time.
            reason = f"another run was first, while run {run_id} began a batch"
            store.move(batch.batch_id, BatchState.FAILED, reason)
        # The id is taken (a batch of this very second) or another run was first: look again. Only
        # the id moves on; a batch created in the future would end before it began.
        id_time += timedelta(seconds=1)
    counts = _slate_counts(slate)
    store.append(batch.batch_id, LedgerEntry("created", now, run_id, counts))
    milestone(
        "batch_created",
        f"{batch.batch_id} created",
        batch_id=batch.batch_id,
        game_date=slate.game_date,
        run_id=run_id,
        source=source,
    )
    _start(store, batch, slate, run_id)
    return store.get(batch.batch_id)


def _was_left_behind(batch: Batch, store: BatchStore) -> bool:
    """Return whether a batch that is not unfinished by its state has something left to do.

    It was merged and never cleaned up, because its run died or too many of its players failed; it
    was given up when it stalled; or a replay or refresh of it died before the merge.
    """
    if batch.state in (BatchState.CONSOLIDATED, BatchState.FAILED):
        return True
    completions = store.completions(batch.batch_id)
    return bool(changed_since_merge(completions, store.ledger(batch.batch_id)))


def _take_up(store: BatchStore, batch: Batch, slate: Slate, run_id: str) -> Batch:
    store.append(batch.batch_id, LedgerEntry("resumed", store.now(), run_id))
    milestone(
        "batch_resumed",
        f"{batch.batch_id} was left {batch.state.value} by run {batch.run_id}; taking it up",
        batch_id=batch.batch_id,
        game_date=batch.game_date,
        run_id=run_id,
    )
    done = {c.player_lookup for c in store.completions(batch.batch_id)}
    all_done = all(p.player_lookup in done for p in slate.players)
    merged = batch.state is BatchState.CONSOLIDATED
    if not (batch.state is BatchState.STAGED or (merged and all_done)):
        _start(store, batch, slate, run_id)
    else:
        _record_skips(store, batch, slate, run_id)
    return store.get(batch.batch_id)


def _start(store: BatchStore, batch: Batch, slate: Slate, run_id: str) -> None:
    """Record the skips, which are done already, and let the staging begin."""
    store.move(batch.batch_id, BatchState.STAGING)
    _record_skips(store, batch, slate, run_id)
    milestone(
        "slate_loaded",
        f"{len(slate.games)} games, {len(slate.players)} players to predict, "
        f"{slate.with_line} with a line, {len(slate.skips)} skipped",
        batch_id=batch.batch_id,
        game_date=slate.game_date,
        run_id=run_id,
        **_slate_counts(slate),
        skipped_players={s.player_lookup: s.reason for s in slate.skips},
    )


def _record_skips(store: BatchStore, batch: Batch, slate: Slate, run_id: str) -> None:
    for skip in slate.skips:
        completion = Completion(skip.player_lookup, 0, utc_now(), run_id, skip_reason=skip.reason)
        store.complete(batch.batch_id, completion)


def _slate_counts(slate: Slate) -> dict[str, int]:
    return {
        "games": len(slate.games),
        "expected_players": slate.expected,
        "players": len(slate.players),
        "with_line": slate.with_line,
        "skips": len(slate.skips),
        "quotes_off_slate": slate.quotes_off_slate,
    }


def players_to_stage(
    batch: Batch, slate: Slate, store: BatchStore, warehouse: Warehouse
) -> list[SlatePlayer]:
    """Return the players of the slate whose rows are neither staged nor merged and cleaned up."""
    completions = store.completions(batch.batch_id)
    lost = lost_players(batch, completions, store, warehouse)
    done = {c.player_lookup for c in completions} - lost
    return [p for p in slate.players if p.player_lookup not in done]


def lost_players(
    batch: Batch, completions: Sequence[Completion], store: BatchStore, warehouse: Warehouse
) -> set[str]:
    """Return the players whose staging is gone, though no merge has taken their rows."""
    there = warehouse.staging_there([c.staging_table for c in completions if c.staging_table])
    # Read after the staging: what another run has merged and dropped in the meantime is not lost.
    unmerged = unmerged_staging(completions, store.ledger(batch.batch_id))
    return {c.player_lookup for c in unmerged if c.staging_table not in there}


def stage_players(
    batch: Batch,
    players: Sequence[SlatePlayer],
    predict: PredictPlayer,
    store: BatchStore,
    warehouse: Warehouse,
    *,
    run_id: str,
    threads: int = 2,
    replay: bool = False,
    fingerprints: Mapping[str, str] | None = None,
    wait: wait_base | None = None,
) -> Iterator[StagedPlayer]:
    """Predict, stage and record each player; yield what became of him, in the given order.

    `fingerprints` stand for all that each player's rows are made of, and are recorded with them.

    A failure stays with its player: he is tried MAX_ATTEMPTS times, unless the error is permanent,
    and then dead-lettered. Predicting holds the processor and goes player by player; threads serve
    the waiting, on files or on a remote warehouse and batch store.
    """
    staging = _Staging(
        batch,
        predict,
        store,
        warehouse,
        run_id,
        replay,
        fingerprints or {},
        wait or wait_random_exponential(0.1, max=5),
    )
    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="stage") as pool:
        yield from pool.map(staging.of_player, players)


@dataclass(frozen=True)
class _Staging:
    """What the staging of all players of a batch has in common."""

    batch: Batch
    predict: PredictPlayer
    store: BatchStore
    warehouse: Warehouse
    run_id: str
    replay: bool
    fingerprints: Mapping[str, str]
    wait: wait_base

    def of_player(self, player: SlatePlayer) -> StagedPlayer:
        """Try a player until he is staged and recorded, or dead-letter him."""
        attempts = Retrying(
            retry=retry_if_not_exception_type((*PERMANENT, KeyboardInterrupt, SystemExit)),
            stop=stop_after_attempt(MAX_ATTEMPTS),
            wait=self.wait,
            reraise=True,
        )
        try:
            return attempts(self._attempt, player)
        except Exception as error:
            tried = int(attempts.statistics.get("attempt_number", 1))
            return self._dead_letter(player, error, tried)

    def _attempt(self, player: SlatePlayer) -> StagedPlayer:
        lookup = player.player_lookup
        rows = self.predict(player)
        staged = self.warehouse.stage(PREDICTIONS, self.batch.batch_id, lookup, rows)
        self._milestone("player_staged", f"{staged.rows} rows staged", lookup, rows=staged.rows)
        # Only now: a completion without its staged rows would be a lie that a merge finds out.
        completion = Completion(
            lookup,
            staged.rows,
            utc_now(),
            self.run_id,
            staging_table=staged.name,
            fingerprint=self.fingerprints.get(lookup),
        )
        first = self.store.complete(self.batch.batch_id, completion, replace=self.replay)
        self._milestone(
            "completion_recorded",
            "completion recorded" if first else "completion was there already",
            lookup,
            already_done=not first,
        )
        return StagedPlayer(lookup, staged.rows, staged.name)

    def _dead_letter(self, player: SlatePlayer, error: Exception, attempts: int) -> StagedPlayer:
        lookup = player.player_lookup
        letter = DeadLetter(
            player_lookup=lookup,
            error_class=type(error).__name__,
            message=str(error),
            traceback="".join(traceback.format_exception(error)),
            attempts=attempts,
            recorded_at=utc_now(),
            run_id=self.run_id,
        )
        self.store.add_dead_letter(self.batch.batch_id, letter)
        reason = f"{letter.error_class}: {letter.message}"
        self._milestone(
            "player_failed",
            f"{lookup} dead-lettered after {attempts} attempts: {reason}",
            lookup,
            severity=logging.ERROR,
            error_class=letter.error_class,
            attempts=attempts,
            traceback=letter.traceback,
        )
        return StagedPlayer(lookup, 0, None, reason)

    def _milestone(self, event: str, message: str, player_lookup: str, **fields: Any) -> None:
        milestone(
            event,
            message,
            batch_id=self.batch.batch_id,
            game_date=self.batch.game_date,
            player_lookup=player_lookup,
            run_id=self.run_id,
            **fields,
        )


def close_staging(batch: Batch, store: BatchStore, *, run_id: str) -> Progress:
    """Declare the staging of a batch finished, with whoever is staged, and return its progress."""
    done = batch_progress(batch, store)
    counts = {
        "expected_players": done.expected,
        "completed": done.completed,
        "skipped": done.skipped,
        "failed": done.failed,
    }
    try:
        if store.move(batch.batch_id, BatchState.STAGED):
            store.append(batch.batch_id, LedgerEntry("staged", store.now(), run_id, counts))
    except BatchStateError:
        # Another run that took up the same batch was faster and is past this point.
        if store.get(batch.batch_id).state not in MERGED:
            raise
    milestone(
        "batch_staged",
        f"{done.completed} of {done.expected} players staged, {done.skipped} skipped, "
        f"{done.failed} failed",
        batch_id=batch.batch_id,
        game_date=batch.game_date,
        run_id=run_id,
        **counts,
    )
    return done
