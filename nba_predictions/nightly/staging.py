"""Stage the players of a batch: predict each player, write a staging table, record a completion."""

import logging
import re
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from tenacity import Retrying, retry_if_not_exception_type, stop_after_attempt
from tenacity.wait import wait_base, wait_random_exponential

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import (
    ROWS_IN_TARGET,
    Batch,
    BatchState,
    Completion,
    DeadLetter,
    Progress,
)
from nba_predictions.domain.batches.lease import Lease
from nba_predictions.domain.batches.ledger import LedgerEntry, LedgerEvent
from nba_predictions.domain.batches.snapshot import BatchSnapshot
from nba_predictions.domain.betting.slate import SlatePlayer
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import PERMANENT, BatchStateError
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.logs import milestone
from nba_predictions.nightly.current_batch import batch_progress, log_context
from nba_predictions.warehouse.port import Warehouse

#: A player is dead-lettered after this many attempts.
MAX_ATTEMPTS = 3
#: The end of the name of a staging table. A warehouse may write another separator.
_ATTEMPT = re.compile(r"[._](\d+)$")
#: Returns the rows of one player. An error it raises is the failure of that player only.
PredictPlayer = Callable[[SlatePlayer], list[dict[str, Any]]]


@dataclass(frozen=True)
class StagedPlayer:
    """The outcome for one player: the staged rows, or the error that dead-lettered the player."""

    player_lookup: str
    rows: int
    staging_table: str | None
    error: str | None = None


def lost_players(snapshot: BatchSnapshot, store: BatchStore, warehouse: Warehouse) -> set[str]:
    """Return the players whose staging is missing, though no merge has read their rows."""
    existing = warehouse.existing_staging(snapshot.staging_tables)
    # Read the ledger after the staging: what another run merged and dropped in between is not lost.
    after = replace(snapshot, ledger=store.ledger(snapshot.batch.batch_id))
    return {c.player_lookup for c in after.unmerged_staging if c.staging_table not in existing}


def staging_name(player_lookup: str, attempt: int) -> str:
    """Return the name of a player's staging table of one attempt.

    Each attempt has its own table, so a worker that was paused cannot overwrite or drop what a
    later attempt staged.
    """
    return f"{player_lookup}.{attempt}"


def earlier_attempts(names: Iterable[str], recorded: Collection[str], before: int) -> list[str]:
    """Return the staging tables that no completion names, of players with another recorded table.

    Only attempts before the sequence number `before` are returned.
    """
    players = {_ATTEMPT.sub("", name) for name in recorded}
    found = []
    for name in sorted(set(names) - set(recorded)):
        attempt = _ATTEMPT.search(name)
        if attempt and int(attempt[1]) < before and _ATTEMPT.sub("", name) in players:
            found.append(name)
    return found


def stage_players(
    batch: Batch,
    players: Sequence[SlatePlayer],
    predict: PredictPlayer,
    store: BatchStore,
    warehouse: Warehouse,
    *,
    run_id: str,
    threads: int = 2,
    replay_lease: Lease | None = None,
    lost: Collection[str] = (),
    fingerprints: Mapping[str, str] | None = None,
    wait: wait_base | None = None,
) -> Iterator[StagedPlayer]:
    """Predict, stage and record each player; yield the outcomes in the given order.

    A failure stays with its player. A player is tried MAX_ATTEMPTS times, unless the error is
    permanent, and is then dead-lettered. Predictions are computed one at a time, because they need
    the processor. The threads overlap the waiting for files, the warehouse and the batch store.

    Args:
        batch: the batch to stage into.
        players: the players to predict.
        predict: returns the rows of one player.
        store: where completions and dead letters are recorded.
        warehouse: where rows are staged.
        run_id: the run that stages.
        threads: players staged concurrently.
        replay_lease: the lease under which players are replayed. A new completion then replaces
            one of an earlier attempt.
        lost: players whose recorded staging is missing. Their new completion replaces the earlier.
        fingerprints: hashes of the inputs of each player's rows, recorded with the completion.
        wait: the pause between two attempts.
    """
    staging = _Staging(
        batch,
        predict,
        store,
        warehouse,
        run_id,
        replay_lease.token if replay_lease else store.next_sequence(batch.game_date),
        {p.player_lookup for p in players} if replay_lease else set(lost),
        fingerprints or {},
        wait or wait_random_exponential(0.1, max=5),
    )
    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="stage") as pool:
        yield from pool.map(staging.stage_player, players)


@dataclass(frozen=True)
class _Staging:
    """What the staging of all players of a batch shares."""

    batch: Batch
    predict: PredictPlayer
    store: BatchStore
    warehouse: Warehouse
    run_id: str
    attempt: int
    replaced: Collection[str]
    fingerprints: Mapping[str, str]
    wait: wait_base

    def stage_player(self, player: SlatePlayer) -> StagedPlayer:
        """Retry a player until they are staged and recorded, or dead-letter them."""
        attempts = Retrying(
            retry=retry_if_not_exception_type((*PERMANENT, KeyboardInterrupt, SystemExit)),
            stop=stop_after_attempt(MAX_ATTEMPTS),
            wait=self.wait,
            reraise=True,
        )
        try:
            return attempts(self._attempt, player)
        except Exception as error:
            return self._dead_letter(
                player, error, int(attempts.statistics.get("attempt_number", 1))
            )

    def _attempt(self, player: SlatePlayer) -> StagedPlayer:
        lookup = player.player_lookup
        rows = self.predict(player)
        name = staging_name(lookup, self.attempt)
        staged = self.warehouse.stage(PREDICTIONS, self.batch.batch_id, name, rows)
        self._milestone("player_staged", f"{staged.rows} rows staged", lookup, rows=staged.rows)
        # Recorded only after staging. A merge would report a completion without rows as a problem.
        completion = Completion(
            lookup,
            staged.rows,
            utc_now(),
            self.run_id,
            staging_table=staged.name,
            fingerprint=self.fingerprints.get(lookup),
            attempt=self.attempt,
        )
        first = self.store.complete(
            self.batch.batch_id, completion, replace=lookup in self.replaced
        )
        self._milestone(
            "completion_recorded",
            "completion recorded" if first else "completion already recorded",
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
        self._milestone(
            "player_failed",
            f"{lookup} dead-lettered after {attempts} attempts: {letter.error}",
            lookup,
            severity=logging.ERROR,
            error_class=letter.error_class,
            attempts=attempts,
            traceback=letter.traceback,
        )
        return StagedPlayer(lookup, 0, None, letter.error)

    def _milestone(self, event: str, message: str, player_lookup: str, **fields: Any) -> None:
        context = log_context(self.batch, self.run_id)
        milestone(event, message, player_lookup=player_lookup, **context, **fields)


def close_staging(batch: Batch, store: BatchStore, *, run_id: str) -> Progress:
    """Finish the staging of a batch with the players staged so far; return its progress."""
    progress = batch_progress(batch, store)
    counts = progress.counts()
    try:
        if store.move(batch.batch_id, BatchState.STAGED):
            entry = LedgerEntry(LedgerEvent.STAGED, store.now(), run_id, counts)
            store.append(batch.batch_id, entry)
    except BatchStateError:
        # Another run that resumed the same batch was faster and has merged it.
        if store.get(batch.batch_id).state not in ROWS_IN_TARGET:
            raise
    milestone(
        "batch_staged",
        f"{progress.completed} of {progress.expected} players staged, {progress.skipped} skipped, "
        f"{progress.failed} failed",
        **log_context(batch, run_id),
        **counts,
    )
    return progress
