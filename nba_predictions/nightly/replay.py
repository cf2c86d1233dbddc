"""Bring a batch to its end that a run has left, or predict some of its players again."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import MERGED, Batch, BatchState, DeadLetter
from nba_predictions.domain.betting.slate import Slate, SlatePlayer
from nba_predictions.domain.errors import BatchStateError, PermanentPredictionError
from nba_predictions.logs import milestone
from nba_predictions.nightly.current_batch import current_batch, log_fields

#: A batch in one of these has been staged to its end. An earlier one belongs to a run.
_STAGED_ONCE = MERGED | {BatchState.STAGED}
#: The error class of a player of whom nothing more came.
STALLED = "StalledError"


def batch_to_replay(store: BatchStore, slate: Slate, batch_id: str | None = None) -> Batch:
    """Return the batch that speaks for a date, ready to have players predicted again.

    Raises:
        BatchStateError: `batch_id` is another batch, its staging was never finished, or the stored
            slate is not the one it was made of.
    """
    batch = current_batch(store, slate.game_date)
    if batch_id not in (None, batch.batch_id):
        raise BatchStateError(
            f"{batch_id} does not speak for {slate.game_date} any more, {batch.batch_id} does; "
            f"replay that one"
        )
    if batch.state not in _STAGED_ONCE:
        raise BatchStateError(
            f"{batch.batch_id} is {batch.state.value}, its staging is not finished; run the night "
            f"of {batch.game_date} again, which takes it up"
        )
    if slate.fingerprint() != batch.slate_fingerprint:
        raise BatchStateError(
            f"the stored slate of {batch.game_date} has changed since {batch.batch_id} was made; "
            f"run the night of {batch.game_date} again, which begins a new batch"
        )
    return batch


def players_to_replay(
    batch: Batch, slate: Slate, store: BatchStore, names: Sequence[str] = ()
) -> list[SlatePlayer]:
    """Return the named players of a slate; without names, those who are not done.

    Raises:
        PermanentPredictionError: a name is not among the players to predict.
    """
    if not names:
        return not_done(batch, slate, store)
    players = {p.player_lookup: p for p in slate.players}
    unknown = [name for name in names if name not in players]
    if unknown:
        raise PermanentPredictionError(
            f"{', '.join(unknown)} is not among the {len(players)} players to predict on "
            f"{slate.game_date}; a player is named as in the column player_lookup"
        )
    return [players[name] for name in dict.fromkeys(names)]


def not_done(batch: Batch, slate: Slate, store: BatchStore) -> list[SlatePlayer]:
    """Return the players of a slate who have no completion."""
    done = {c.player_lookup for c in store.completions(batch.batch_id)}
    return [p for p in slate.players if p.player_lookup not in done]


def give_up_the_rest(batch: Batch, slate: Slate, store: BatchStore, *, run_id: str) -> int:
    """Dead-letter whoever of a stalled batch is neither done nor failed; return how many."""
    failed = {d.player_lookup for d in store.dead_letters(batch.batch_id)}
    given_up = [p for p in not_done(batch, slate, store) if p.player_lookup not in failed]
    for player in given_up:
        message = f"nothing came of {player.player_lookup} before the batch stalled"
        letter = DeadLetter(player.player_lookup, STALLED, message, "", 0, store.now(), run_id)
        store.add_dead_letter(batch.batch_id, letter)
        milestone(
            "player_failed",
            message,
            severity=logging.ERROR,
            player_lookup=player.player_lookup,
            error_class=STALLED,
            attempts=0,
            **log_fields(batch, run_id),
        )
    return len(given_up)
