"""Start a run: decide which batch it works on and which players it predicts.

There are four modes, with one function each: predict, refresh, replay and finish.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import Batch, Completion
from nba_predictions.domain.betting.slate import Slate, SlatePlayer
from nba_predictions.domain.clock import utc_now
from nba_predictions.nightly.current_batch import current_batch, read_snapshot
from nba_predictions.nightly.open_batch import BatchTerms, open_batch
from nba_predictions.nightly.refresh import finished_batch, refresh_batch, refuse_the_past
from nba_predictions.nightly.replay import (
    batch_to_replay,
    dead_letter_unfinished_players,
    players_to_replay,
)
from nba_predictions.nightly.staging import lost_players
from nba_predictions.warehouse.port import Warehouse


class Mode(Enum):
    """What a run does with the batch of its date. The launchpad shows the names."""

    predict = "create a batch, or resume an unfinished one, and predict the players not yet done"
    refresh = "update the finished batch to the current inputs: predict the affected players"
    replay = "predict players again into the batch that is already staged"
    finish = "predict no players: dead-letter those not yet done, and go on with the others"


@dataclass(frozen=True)
class StartRequest:
    """What a run asks for.

    Attributes:
        mode: what to do with the batch of the date.
        terms: what a new batch is created with.
        players: players to replay, by player_lookup; empty for those not yet done.
        batch_id: refuse to replay into any other batch.
        refresh_past: also refresh a date that is over, and ignore tip-offs.
        retried_runs: the runs that were cut off and that this run repeats.
    """

    mode: Mode
    terms: BatchTerms
    players: Sequence[str] = ()
    batch_id: str | None = None
    refresh_past: bool = False
    retried_runs: Collection[str] = ()


@dataclass(frozen=True)
class Work:
    """The work of a run.

    Attributes:
        batch: the batch to stage into.
        players: the players to predict.
        already_staged: completions of players that this run does not predict. The run that staged
            them may have died before it reported them.
        replaces: whether new completions replace earlier ones, because the batch was staged before.
        lost: the players among them whose recorded staging is missing.
    """

    batch: Batch
    players: list[SlatePlayer]
    already_staged: list[Completion]
    replaces: bool = False
    lost: frozenset[str] = frozenset()


def start(
    request: StartRequest,
    slate: Slate,
    fingerprints: Callable[[], Mapping[str, str]],
    store: BatchStore,
    warehouse: Warehouse,
    *,
    run_id: str,
) -> Work:
    """Open, resume, reopen or finish the batch of a date; return the work of the run.

    `fingerprints` computes the hashes of the current inputs by player. Only a refresh calls it.

    Raises:
        BatchStateError: the state of the batch does not allow the mode.
        SchemaMismatchError: the tables or the batch store are not of this version.
        PermanentPredictionError: a player to replay is not on the slate.
        LeaseLostError: another worker of the date did not finish in time.
    """
    if request.mode is Mode.refresh and not request.refresh_past:
        refuse_the_past(slate.game_date, utc_now())
    store.prepare()
    warehouse.prepare()
    if request.mode is Mode.refresh:
        return _refresh(request, slate, fingerprints, store, warehouse, run_id)
    if request.mode is Mode.replay:
        return _replay(request, slate, store)
    if request.mode is Mode.finish:
        return _finish(slate, store, run_id)
    return _predict(request, slate, fingerprints, store, warehouse, run_id)


def _predict(
    request: StartRequest,
    slate: Slate,
    fingerprints: Callable[[], Mapping[str, str]],
    store: BatchStore,
    warehouse: Warehouse,
    run_id: str,
) -> Work:
    finished = _finished_by(request.retried_runs, slate, store)
    if finished is not None:
        return _work(finished, [], store.completions(finished.batch_id))
    if slate.begun and finished_batch(store, slate.game_date) is not None:
        # A new batch would not have the players of the games that have begun.
        return _refresh(request, slate, fingerprints, store, warehouse, run_id)
    batch = open_batch(store, slate, request.terms, run_id=run_id)
    # A player who was done before this run looked at the staging, and is to be staged again, has
    # lost their staging. Another run may complete others in the meantime.
    done = {c.player_lookup for c in store.completions(batch.batch_id)}
    players = players_to_stage(batch, slate, store, warehouse)
    lost = frozenset(p.player_lookup for p in players if p.player_lookup in done)
    return _work(batch, players, store.completions(batch.batch_id), lost=lost)


def _finished_by(runs: Collection[str], slate: Slate, store: BatchStore) -> Batch | None:
    """Return the batch of a slate that some runs finished before they were cut off.

    A new batch would predict the same players and be published once more.
    """
    batch = finished_batch(store, slate.game_date) if runs else None
    if batch is None or batch.slate_fingerprint != slate.fingerprint():
        return None
    snapshot = read_snapshot(store, batch.batch_id)
    is_theirs = any(entry.run_id in runs for entry in snapshot.ledger)
    return batch if is_theirs and not snapshot.changed_since_merge else None


def _refresh(
    request: StartRequest,
    slate: Slate,
    fingerprints: Callable[[], Mapping[str, str]],
    store: BatchStore,
    warehouse: Warehouse,
    run_id: str,
) -> Work:
    finished = finished_batch(store, slate.game_date)
    if finished is None:
        return _predict(request, slate, fingerprints, store, warehouse, run_id)
    players = refresh_batch(
        finished,
        slate,
        fingerprints(),
        store,
        warehouse,
        run_id=run_id,
        now=utc_now() if request.mode is Mode.refresh and not request.refresh_past else None,
    )
    # The players of a finished batch were reported before, except those that no merge has seen.
    snapshot = read_snapshot(store, finished.batch_id)
    return _work(snapshot.batch, players, snapshot.changed_since_merge, replaces=True)


def _replay(request: StartRequest, slate: Slate, store: BatchStore) -> Work:
    batch = batch_to_replay(store, slate, request.batch_id)
    players = players_to_replay(batch, slate, store, request.players)
    return _work(batch, players, store.completions(batch.batch_id), replaces=True)


def _finish(slate: Slate, store: BatchStore, run_id: str) -> Work:
    batch = current_batch(store, slate.game_date)
    dead_letter_unfinished_players(batch, slate, store, run_id=run_id)
    return _work(batch, [], store.completions(batch.batch_id))


def _work(
    batch: Batch,
    players: list[SlatePlayer],
    completions: Sequence[Completion],
    *,
    replaces: bool = False,
    lost: frozenset[str] = frozenset(),
) -> Work:
    to_predict = {p.player_lookup for p in players}
    staged = [c for c in completions if c.rows and c.player_lookup not in to_predict]
    return Work(batch, players, staged, replaces, lost)


def players_to_stage(
    batch: Batch, slate: Slate, store: BatchStore, warehouse: Warehouse
) -> list[SlatePlayer]:
    """Return the players of the slate whose rows are neither staged nor merged."""
    snapshot = read_snapshot(store, batch.batch_id)
    done = snapshot.done - lost_players(snapshot, store, warehouse)
    return [p for p in slate.players if p.player_lookup not in done]
