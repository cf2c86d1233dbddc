"""Create the batch of a slate, or resume the unfinished batch that an earlier run left."""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import (
    DEFAULT_COMPLETION_THRESHOLD,
    RESUMABLE,
    Batch,
    BatchState,
    Completion,
    make_batch_id,
    percent,
)
from nba_predictions.domain.batches.ledger import LedgerEntry, LedgerEvent, entries_of
from nba_predictions.domain.betting.slate import Slate
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import BatchStateError
from nba_predictions.domain.market import market_names
from nba_predictions.inputs.port import LeagueSource
from nba_predictions.logs import milestone
from nba_predictions.nightly.current_batch import (
    log_context,
    read_snapshot,
    set_announce,
)


@dataclass(frozen=True)
class BatchTerms:
    """What a new batch is created with.

    Attributes:
        source: the name of the input source.
        completion_threshold: the share of players below which the batch must not be published.
        announce: whether the completion message is published.
    """

    source: str
    completion_threshold: float = DEFAULT_COMPLETION_THRESHOLD
    announce: bool = True


def open_batch(store: BatchStore, slate: Slate, terms: BatchTerms, *, run_id: str) -> Batch:
    """Create the batch of a slate, or resume the unfinished batch of the same slate.

    An unfinished batch of another slate, because lines moved or a player is out, is abandoned with
    the reason, and its staging is kept for inspection. The run that resumes a batch decides whether
    it is published. A batch that was published before is published again in any case, because its
    readers need the changes.

    Raises:
        BatchStateError: the date has a batch of another slate that was read after this one.
    """
    id_time = store.now()
    while True:
        now = store.now()
        batches = store.of_date(slate.game_date)
        for other in batches[:1]:
            refuse_outdated_slate(slate, other, other.sequence)
        unfinished = _unfinished_batch(batches, slate, store)
        if unfinished and unfinished.slate_fingerprint == slate.fingerprint():
            return _resume(unfinished, slate, store, terms, run_id)
        if unfinished:
            reason = f"superseded: the slate changed, run {run_id} created a new batch"
            store.move(unfinished.batch_id, BatchState.FAILED, reason)
            entry = LedgerEntry(LedgerEvent.SUPERSEDED, now, run_id)
            store.append(unfinished.batch_id, entry)
        batch = _new_batch(slate, id_time, now, terms, run_id)
        if store.create(batch, after=batches):
            return _start_new(batch, slate, store, run_id)
        # A batch of the same second has this id, or another run was faster: read again. Only the id
        # uses the later time; a batch created in the future would end before it began.
        id_time += timedelta(seconds=1)


def resumed_as_of(
    game_date: date, now: datetime, league: LeagueSource, store: BatchStore
) -> datetime | None:
    """Return the moment of the unfinished batch that a run completes after a tip-off, else None.

    The slate of a later moment lacks the players of games that have begun, although the batch may
    have staged them before. A run with the moment of the batch has the same slate, and resumes it.
    If another batch of the date may have rows in the table, the answer is None, because the run
    would overwrite rows of games that have begun.
    """
    batches = [b for b in store.of_date(game_date) if b.state is not BatchState.FAILED]
    if len(batches) != 1 or batches[0].state not in RESUMABLE | {BatchState.MERGED}:
        return None
    as_of = batches[0].as_of
    if as_of is None:
        return None
    tipoffs = league.known_at(now).schedule(game_date)["tipoff"].drop_nulls()
    return as_of if any(as_of < tipoff <= now for tipoff in tipoffs) else None


def refuse_outdated_slate(slate: Slate, batch: Batch, sequence: int) -> None:
    """Refuse a slate that was read before `batch` got another slate, at the given sequence number.

    A run that was paused after it read its slate has such a slate.

    Raises:
        BatchStateError: names the batch and says what to do.
    """
    if 0 < slate.sequence < sequence and batch.slate_fingerprint != slate.fingerprint():
        raise BatchStateError(
            f"the slate of this run is outdated: {batch.batch_id} has a slate of "
            f"{batch.game_date} that was read later; run the night of {batch.game_date} again"
        )


def _unfinished_batch(batches: Sequence[Batch], slate: Slate, store: BatchStore) -> Batch | None:
    """Return the batch of a date that still has work, newest first."""
    for batch in batches:
        if batch.state in RESUMABLE:
            return batch
    newest = next(iter(batches), None)
    if newest is None or newest.slate_fingerprint != slate.fingerprint():
        return None
    return newest if _has_work_left(newest, store) else None


def _has_work_left(batch: Batch, store: BatchStore) -> bool:
    """Return whether a batch needs another run, though its state is not an unfinished one.

    Its run died after the merge or too many players failed, it was abandoned when it stalled, or a
    replay or refresh of it died before the merge.
    """
    if batch.state in (BatchState.MERGED, BatchState.FAILED):
        return True
    return bool(read_snapshot(store, batch.batch_id).changed_since_merge)


def _new_batch(
    slate: Slate, id_time: datetime, now: datetime, terms: BatchTerms, run_id: str
) -> Batch:
    return Batch(
        batch_id=make_batch_id(slate.game_date, id_time),
        game_date=slate.game_date,
        state=BatchState.CREATED,
        expected_players=slate.expected,
        games=len(slate.open_games),
        slate_fingerprint=slate.fingerprint(),
        created_at=now,
        run_id=run_id,
        source=terms.source,
        completion_threshold=terms.completion_threshold,
        announce=terms.announce,
        markets=market_names(),
        as_of=slate.as_of,
        begun=tuple(sorted(slate.begun)),
    )


def _start_new(batch: Batch, slate: Slate, store: BatchStore, run_id: str) -> Batch:
    payload = {
        **_slate_counts(slate),
        "unmatched": [asdict(name) for name in slate.unmatched],
        "inputs": [asdict(summary) for summary in slate.inputs],
    }
    entry = LedgerEntry(LedgerEvent.CREATED, batch.created_at, run_id, payload)
    store.append(batch.batch_id, entry)
    milestone(
        "batch_created",
        "; ".join(filter(None, (f"{batch.batch_id} created", batch.begun_note))),
        source=batch.source,
        as_of=batch.as_of,
        begun_games=list(batch.begun),
        **log_context(batch, run_id),
    )
    _start_staging(batch, slate, store, run_id)
    return store.get(batch.batch_id)


def _resume(batch: Batch, slate: Slate, store: BatchStore, terms: BatchTerms, run_id: str) -> Batch:
    if terms.announce or not entries_of(store.ledger(batch.batch_id), LedgerEvent.PUBLISHED):
        set_announce(store, batch.batch_id, terms.announce, run_id=run_id)
    _set_as_of(store, batch.batch_id, slate.as_of)
    store.append(batch.batch_id, LedgerEntry(LedgerEvent.RESUMED, store.now(), run_id))
    milestone(
        "batch_resumed",
        f"resuming {batch.batch_id}, which run {batch.run_id} left {batch.state.value}",
        **log_context(batch, run_id),
    )
    if batch.completion_threshold != terms.completion_threshold:
        _log_kept_threshold(batch, terms.completion_threshold, run_id)
    done = {c.player_lookup for c in store.completions(batch.batch_id)}
    all_done = all(p.player_lookup in done for p in slate.players)
    merged = batch.state is BatchState.MERGED
    if batch.state is BatchState.STAGED or (merged and all_done):
        _record_skips(batch, slate, store, run_id)
    else:
        _start_staging(batch, slate, store, run_id)
    return store.get(batch.batch_id)


def _set_as_of(store: BatchStore, batch_id: str, as_of: datetime | None) -> None:
    """Record the moment of the inputs that the rest of a batch is predicted from."""
    while True:
        batch = store.get(batch_id)
        # The revision fails if another worker changed the batch after it was read.
        if as_of == batch.as_of or store.revise(batch, replace(batch, as_of=as_of)):
            return


def _log_kept_threshold(batch: Batch, setting: float, run_id: str) -> None:
    kept = batch.completion_threshold
    milestone(
        "threshold_kept",
        f"{batch.batch_id} keeps its completion threshold of {percent(kept)}, although the setting "
        f"is {percent(setting)} now; to change it, run `nba-predictions repair "
        f"--game-date {batch.game_date} --threshold {setting}`",
        severity=logging.WARNING,
        kept=kept,
        setting=setting,
        **log_context(batch, run_id),
    )


def _start_staging(batch: Batch, slate: Slate, store: BatchStore, run_id: str) -> None:
    """Move the batch to `staging`, and record the skips, which need no staging."""
    store.move(batch.batch_id, BatchState.STAGING)
    _record_skips(batch, slate, store, run_id)
    milestone(
        "slate_loaded",
        f"{len(slate.open_games)} games, {len(slate.players)} players to predict, "
        f"{slate.with_line} with a line, {len(slate.skips)} skipped",
        **log_context(batch, run_id),
        **_slate_counts(slate),
        skipped_players={s.player_lookup: s.reason for s in slate.skips},
    )


def _record_skips(batch: Batch, slate: Slate, store: BatchStore, run_id: str) -> None:
    for skip in slate.skips:
        completion = Completion(skip.player_lookup, 0, utc_now(), run_id, skip_reason=skip.reason)
        store.complete(batch.batch_id, completion)


def _slate_counts(slate: Slate) -> dict[str, int]:
    return {
        "games": len(slate.open_games),
        "expected_players": slate.expected,
        "players": len(slate.players),
        "with_line": slate.with_line,
        "skips": len(slate.skips),
        "quotes_off_slate": slate.quotes_off_slate,
        **({"begun_games": len(slate.begun)} if slate.begun else {}),
    }
