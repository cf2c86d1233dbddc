"""Predict players again into the current batch of a date, or finish a batch that its run left."""

import logging
from collections.abc import Sequence

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import ROWS_IN_TARGET, Batch, BatchState, DeadLetter
from nba_predictions.domain.betting.slate import Slate, SlatePlayer
from nba_predictions.domain.errors import BatchStateError, PermanentPredictionError
from nba_predictions.logs import milestone
from nba_predictions.nightly.current_batch import current_batch, log_context, reopen

#: Staging of a batch in one of these states was finished once. Before that, it belongs to a run.
_STAGED_ONCE = ROWS_IN_TARGET | {BatchState.STAGED}
#: The error class of a player who was never staged because the run died.
STALLED = "StalledError"


def batch_to_replay(store: BatchStore, slate: Slate, batch_id: str | None = None) -> Batch:
    """Return the current batch of a date, ready for players to be predicted again.

    Raises:
        BatchStateError: `batch_id` is not the current batch, staging was never finished, or the
            stored slate differs from the slate of the batch.
    """
    batch = current_batch(store, slate.game_date)
    if batch_id not in (None, batch.batch_id):
        raise BatchStateError(
            f"{batch_id} is not the current batch of {slate.game_date}, {batch.batch_id} is; "
            f"replay that one"
        )
    if batch.state not in _STAGED_ONCE:
        raise BatchStateError(
            f"{batch.batch_id} is {batch.state.value}, its staging is not finished; run the night "
            f"of {batch.game_date} again, which resumes it"
        )
    if slate.fingerprint() != batch.slate_fingerprint:
        raise BatchStateError(
            f"the stored slate of {batch.game_date} has changed since {batch.batch_id} was "
            f"created; run the night of {batch.game_date} again, which creates a new batch"
        )
    return reopen(store, batch, "players are replayed")


def players_to_replay(
    batch: Batch, slate: Slate, store: BatchStore, names: Sequence[str] = ()
) -> list[SlatePlayer]:
    """Return the named players of a slate; without names, the players who are not done.

    Raises:
        PermanentPredictionError: a name is not among the players to predict, or the player's game
            has begun.
    """
    if not names:
        return players_not_done(batch, slate, store)
    players = {p.player_lookup: p for p in slate.players}
    unknown = [name for name in names if name not in players]
    left_alone = [name for name in unknown if name in slate.left_alone]
    if left_alone:
        raise PermanentPredictionError(
            f"{', '.join(left_alone)} is in a game that has begun; the rows stay as they are"
        )
    if unknown:
        raise PermanentPredictionError(
            f"{', '.join(unknown)} is not among the {len(players)} players to predict on "
            f"{slate.game_date}; use the names of the column player_lookup"
        )
    return [players[name] for name in dict.fromkeys(names)]


def players_not_done(batch: Batch, slate: Slate, store: BatchStore) -> list[SlatePlayer]:
    """Return the players of a slate who have no completion."""
    done = {c.player_lookup for c in store.completions(batch.batch_id)}
    return [p for p in slate.players if p.player_lookup not in done]


def dead_letter_unfinished_players(
    batch: Batch, slate: Slate, store: BatchStore, *, run_id: str
) -> int:
    """Dead-letter the players of a stalled batch who are neither done nor failed; return how many.

    The batch can then be finished without them.
    """
    failed = {d.player_lookup for d in store.dead_letters(batch.batch_id)}
    unfinished = [p for p in players_not_done(batch, slate, store) if p.player_lookup not in failed]
    for player in unfinished:
        message = f"{player.player_lookup} was not staged before the batch stalled"
        letter = DeadLetter(player.player_lookup, STALLED, message, "", 0, store.now(), run_id)
        store.add_dead_letter(batch.batch_id, letter)
        milestone(
            "player_failed",
            message,
            severity=logging.ERROR,
            player_lookup=player.player_lookup,
            error_class=STALLED,
            attempts=0,
            **log_context(batch, run_id),
        )
    return len(unfinished)
