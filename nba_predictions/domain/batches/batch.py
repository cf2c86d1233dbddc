"""A batch: one attempt to predict one game_date, and the rules of its life.

created -> staging -> staged -> consolidated -> cleaned -> published, and beside it failed and
stalled. What happened is kept in completions, dead letters and an append-only ledger; the state is
only the short form of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import Any

from nba_predictions.domain.errors import BatchStateError, LeaseLostError

#: From this share of accounted players on, a batch with failures may go out as `partial`.
DEFAULT_COMPLETION_THRESHOLD = 0.9


class BatchState(str, Enum):
    CREATED = "created"
    STAGING = "staging"
    STAGED = "staged"
    CONSOLIDATED = "consolidated"
    CLEANED = "cleaned"
    PUBLISHED = "published"
    FAILED = "failed"
    STALLED = "stalled"


_S = BatchState

#: From each state, the states that may follow. A finished batch goes back to `staging`, not at once
#: to `staged`: so a late run that closes the staging cannot open again what another has finished.
TRANSITIONS: Mapping[BatchState, frozenset[BatchState]] = {
    _S.CREATED: frozenset({_S.STAGING, _S.FAILED, _S.STALLED}),
    _S.STAGING: frozenset({_S.STAGED, _S.FAILED, _S.STALLED}),
    _S.STAGED: frozenset({_S.STAGING, _S.CONSOLIDATED, _S.FAILED}),
    _S.CONSOLIDATED: frozenset({_S.STAGING, _S.CLEANED}),
    _S.CLEANED: frozenset({_S.STAGING, _S.PUBLISHED}),
    _S.PUBLISHED: frozenset({_S.STAGING}),
    _S.FAILED: frozenset({_S.STAGING}),
    _S.STALLED: frozenset({_S.STAGING, _S.STAGED, _S.FAILED}),
}

#: The staging of a batch in one of these states is not finished.
BEING_STAGED = frozenset({_S.CREATED, _S.STAGING, _S.STALLED})

#: A batch in one of these states is unfinished work that the next run takes up.
RESUMABLE = BEING_STAGED | {_S.STAGED}

#: The staging of a batch in one of these states has been cleaned up.
CLEANED_UP = frozenset({_S.CLEANED, _S.PUBLISHED})

#: A batch in one of these states has its rows in the target.
MERGED = CLEANED_UP | {_S.CONSOLIDATED}


def states_before(target: BatchState) -> frozenset[BatchState]:
    """Return the states from which a batch may become `target`."""
    return frozenset(state for state, following in TRANSITIONS.items() if target in following)


def transition_refused(batch_id: str, state: BatchState, to: BatchState) -> BatchStateError:
    """Return the error of a change of state that is not allowed."""
    allowed = " or ".join(sorted(before.value for before in states_before(to)))
    return BatchStateError(
        f"{batch_id} is {state.value}; it can become {to.value} only from {allowed}"
    )


def second_unfinished(batch_id: str, to: BatchState) -> BatchStateError:
    """Return the error of a change of state that would give a date two unfinished batches."""
    return BatchStateError(
        f"{batch_id} cannot become {to.value}: another batch of its date is unfinished; "
        f"finish that one first"
    )


class BatchStatus(str, Enum):
    """How a batch ended, in the words of the completion message."""

    SUCCESS = "success"
    PARTIAL = "partial"
    NO_DATA = "no_data"
    FAILED = "failed"


@dataclass(frozen=True)
class Batch:
    """The batch's own document. `times` holds when each state was last entered (UTC).

    Whoever reads may rely on its completion being published, unless it is not to be announced.
    """

    batch_id: str
    game_date: date
    state: BatchState
    expected_players: int
    games: int
    slate_fingerprint: str
    created_at: datetime
    run_id: str
    source: str
    completion_threshold: float = DEFAULT_COMPLETION_THRESHOLD
    reason: str | None = None
    times: Mapping[str, datetime] = field(default_factory=dict)
    #: Whether its readers are told by a message; a backfill makes batches of which they are not.
    announce: bool = True


#: What may change of a batch besides its state: what it is made of, and whether it is announced.
REVISABLE = ("expected_players", "games", "slate_fingerprint", "announce")


def make_batch_id(game_date: date, now: datetime) -> str:
    """Return `batch_{game_date}_{unix seconds}`."""
    return f"batch_{game_date.isoformat()}_{int(now.timestamp())}"


@dataclass(frozen=True)
class Completion:
    """A player is done: his rows are staged, or he is skipped with a reason and has none.

    `recorded_at` is the batch store's: read back, it is a time of the store's clock. `fingerprint`
    stands for all that his rows were made of; what was recorded by an earlier version has none.
    """

    player_lookup: str
    rows: int
    recorded_at: datetime
    run_id: str
    staging_table: str | None = None
    skip_reason: str | None = None
    fingerprint: str | None = None

    def __post_init__(self) -> None:
        if (self.rows > 0) == (self.staging_table is None):
            raise BatchStateError(
                f"completion of {self.player_lookup}: {self.rows} rows with staging table "
                f"{self.staging_table!r}; rows need a table, and a table rows"
            )
        if (self.rows == 0) == (self.skip_reason is None):
            raise BatchStateError(
                f"completion of {self.player_lookup}: a skip has no rows and a reason, "
                f"got {self.rows} rows and reason {self.skip_reason!r}"
            )


@dataclass(frozen=True)
class DeadLetter:
    """A player whose prediction failed for good, with everything needed to decide about him."""

    player_lookup: str
    error_class: str
    message: str
    traceback: str
    attempts: int
    recorded_at: datetime
    run_id: str


@dataclass(frozen=True)
class LedgerEntry:
    """One line of what happened to a batch. Entries are only ever appended."""

    event: str
    at: datetime
    run_id: str
    counts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Lease:
    """The right to consolidate a game_date until `expires_at`. A later lease has a higher token."""

    game_date: date
    holder: str
    token: int
    expires_at: datetime


def lease_held(game_date: date, holder: str, until: datetime) -> LeaseLostError:
    """Return the error of one who asks for a lease that somebody else holds."""
    return LeaseLostError(
        f"game_date {game_date} is being consolidated by {holder} until {until}; wait for it, "
        f"or for its lease to run out"
    )


def lease_lost(lease: Lease, present_token: int | None, entry: LedgerEntry) -> LeaseLostError:
    """Return the error of a holder who was followed by another, and wanted to write the ledger."""
    return LeaseLostError(
        f"{lease.holder} lost the lease of game_date {lease.game_date} (its token {lease.token} "
        f"was followed by {present_token}); the ledger entry {entry.event!r} was not written"
    )


@dataclass(frozen=True)
class Progress:
    """How far a batch is, counted from its completions and dead letters."""

    games: int
    expected: int
    completed: int
    skipped: int
    failed: int
    threshold: float = DEFAULT_COMPLETION_THRESHOLD

    @property
    def accounted(self) -> int:
        return self.completed + self.skipped

    @property
    def completion_pct(self) -> float:
        """Share of expected players who are completed or skipped, in percent; 100 when none are.

        It stays at 100 when somebody was replayed who was not on the slate at first.
        """
        if self.accounted >= self.expected:
            return 100.0
        return round(100.0 * self.accounted / self.expected, 2)

    @property
    def status(self) -> BatchStatus:
        """Return how the batch ends if nothing more comes.

        A date without games is `no_data`. A date with games whose slate is empty has failed, and so
        has one where everybody was skipped: neither is a night without work, both are a fault.
        """
        if self.games == 0:
            return BatchStatus.NO_DATA
        if self.completed == 0 or not self._reaches_threshold:
            return BatchStatus.FAILED
        whole = self.accounted >= self.expected and not self.failed
        return BatchStatus.SUCCESS if whole else BatchStatus.PARTIAL

    @property
    def _reaches_threshold(self) -> bool:
        # Divided, not multiplied: 55 / 100 is 0.55 exactly, while 100 * 0.55 lies above 55.
        return self.expected == 0 or self.accounted / self.expected >= self.threshold

    @property
    def may_go_out(self) -> bool:
        return self.status is not BatchStatus.FAILED


@dataclass(frozen=True)
class Tally:
    """How many players of a batch have rows, are skipped, and failed for good."""

    completed: int
    skipped: int
    failed: int


def last_progress(
    batch: Batch,
    completions: Sequence[Completion],
    dead_letters: Sequence[DeadLetter],
    ledger: Sequence[LedgerEntry],
) -> datetime:
    """Return when a batch was last heard of. That somebody noticed its silence does not count."""
    times = [c.recorded_at for c in completions]
    times += [d.recorded_at for d in dead_letters]
    times += [e.at for e in ledger if e.event != "stalled"]
    entered = [at for state, at in batch.times.items() if state not in ("stalled", "failed")]
    return max([*times, batch.created_at, *entered])


def tally(completions: Sequence[Completion], dead_letters: Sequence[DeadLetter]) -> Tally:
    """Count players. A dead letter of one who was completed later no longer counts."""
    done = {c.player_lookup for c in completions}
    return Tally(
        completed=sum(c.rows > 0 for c in completions),
        skipped=sum(c.rows == 0 for c in completions),
        failed=len({d.player_lookup for d in dead_letters} - done),
    )


def progress(batch: Batch, counted: Tally) -> Progress:
    """Set what was counted beside what a batch expects."""
    return Progress(
        games=batch.games,
        expected=batch.expected_players,
        completed=counted.completed,
        skipped=counted.skipped,
        failed=counted.failed,
        threshold=batch.completion_threshold,
    )
