"""A batch: one attempt to predict one game date, and the states that it passes through.

created -> staging -> staged -> merged -> cleaned -> published, and also failed, stalled or closed.
Completions, dead letters and the append-only ledger hold what happened. The state is a summary.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from enum import Enum

from nba_predictions.domain.errors import BatchStateError
from nba_predictions.domain.market import POINTS

#: A batch with failed players may be published as `partial` if at least this share of the expected
#: players is completed or skipped.
DEFAULT_COMPLETION_THRESHOLD = 0.9


class BatchState(str, Enum):
    CREATED = "created"
    STAGING = "staging"
    STAGED = "staged"
    #: Stores and reports written by every version hold this value, so it keeps its old name.
    MERGED = "consolidated"
    CLEANED = "cleaned"
    PUBLISHED = "published"
    #: Cleaned up, and not to be published. Sensors do not read it again.
    CLOSED = "closed"
    FAILED = "failed"
    STALLED = "stalled"


_S = BatchState

#: The states that may follow each state. A finished batch reopens as `staging`, never directly as
#: `staged`, so that a late run that closes its staging cannot reopen what another run finished.
TRANSITIONS: Mapping[BatchState, frozenset[BatchState]] = {
    _S.CREATED: frozenset({_S.STAGING, _S.FAILED, _S.STALLED}),
    _S.STAGING: frozenset({_S.STAGED, _S.FAILED, _S.STALLED}),
    _S.STAGED: frozenset({_S.STAGING, _S.MERGED, _S.FAILED}),
    _S.MERGED: frozenset({_S.STAGING, _S.CLEANED}),
    _S.CLEANED: frozenset({_S.STAGING, _S.PUBLISHED, _S.CLOSED}),
    _S.PUBLISHED: frozenset({_S.STAGING}),
    # It becomes `cleaned` again before it is published and before players are replayed into it.
    _S.CLOSED: frozenset({_S.STAGING, _S.CLEANED}),
    _S.FAILED: frozenset({_S.STAGING}),
    _S.STALLED: frozenset({_S.STAGING, _S.STAGED, _S.FAILED}),
}

#: Staging is not finished.
BEING_STAGED = frozenset({_S.CREATED, _S.STAGING, _S.STALLED})

#: Unfinished work that the next run of the date resumes.
RESUMABLE = BEING_STAGED | {_S.STAGED}

#: Staging was dropped after its rows were counted in the target table.
CLEANED_UP = frozenset({_S.CLEANED, _S.PUBLISHED, _S.CLOSED})

#: The rows of the batch are in the target table.
ROWS_IN_TARGET = CLEANED_UP | {_S.MERGED}


def states_before(target: BatchState) -> frozenset[BatchState]:
    """Return the states from which a batch may move to `target`."""
    return frozenset(state for state, following in TRANSITIONS.items() if target in following)


def transition_refused(batch_id: str, state: BatchState, to: BatchState) -> BatchStateError:
    """Return the error for a state change that is not allowed."""
    if state in states_before(to):
        return BatchStateError(f"{batch_id} is to be published, so it cannot become {to.value}")
    allowed = " or ".join(sorted(before.value for before in states_before(to)))
    return BatchStateError(
        f"{batch_id} is {state.value}; only a batch that is {allowed} can become {to.value}"
    )


def second_unfinished(batch_id: str, to: BatchState) -> BatchStateError:
    """Return the error for a state change that would give a date two unfinished batches."""
    return BatchStateError(
        f"{batch_id} cannot become {to.value}: another batch of its date is unfinished; "
        f"finish that batch first"
    )


class BatchStatus(str, Enum):
    """The outcome of a batch, as the completion message states it."""

    SUCCESS = "success"
    PARTIAL = "partial"
    NO_DATA = "no_data"
    FAILED = "failed"


#: Nothing is missing: every expected player is accounted for, or the date has no games.
WHOLE = frozenset({BatchStatus.SUCCESS, BatchStatus.NO_DATA})


@dataclass(frozen=True)
class Batch:
    """The batch's own document.

    `times` has when each state was last entered (UTC), by the state's stored value. Backfills turn
    `announce` off: the completion message is then not published. `markets` names the markets that
    the batch predicts. `games` counts the games that it predicts, `begun` has the game_ids of those
    that had begun before and are left alone. `as_of` is the moment of its inputs (UTC): no later
    fact was used; None if an earlier version created it. `sequence` orders the batches of a date.
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
    announce: bool = True
    markets: tuple[str, ...] = (POINTS.name,)
    as_of: datetime | None = None
    begun: tuple[str, ...] = ()
    #: Set by the store.
    sequence: int = field(default=0, compare=False)

    @property
    def begun_note(self) -> str:
        """Which games are left alone because they had begun, as a sentence; empty if none."""
        if not self.begun:
            return ""
        games = "game that had begun is" if len(self.begun) == 1 else "games that had begun are"
        return f"{len(self.begun)} {games} left alone: {', '.join(self.begun)}"


#: The fields of a batch, other than its state, that may change after it is created.
REVISABLE = (
    "expected_players",
    "games",
    "slate_fingerprint",
    "announce",
    "markets",
    "completion_threshold",
    "as_of",
    "begun",
)


def percent(share: float) -> str:
    """Return a share in percent, without zeros at the end."""
    return f"{100 * share:g}%"


def make_batch_id(game_date: date, now: datetime) -> str:
    """Return `batch_{game_date}_{unix seconds}`."""
    return f"batch_{game_date.isoformat()}_{int(now.timestamp())}"


@dataclass(frozen=True)
class Completion:
    """A player is done: their rows are staged, or they are skipped for a reason and have no rows.

    `recorded_at` is for people. `sequence`, which the store sets, orders completions and ledger
    entries. `attempt` is the sequence number with which the work on the player began; a completion
    of a later attempt replaces that of an earlier one. `fingerprint` is a hash of all inputs of the
    rows; None if an earlier version recorded the completion.
    """

    player_lookup: str
    rows: int
    recorded_at: datetime
    run_id: str
    staging_table: str | None = None
    skip_reason: str | None = None
    fingerprint: str | None = None
    attempt: int = field(default=0, compare=False)
    sequence: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        if (self.rows > 0) == (self.staging_table is None):
            raise BatchStateError(
                f"completion of {self.player_lookup}: {self.rows} rows with staging table "
                f"{self.staging_table!r}; a staging table and its rows go together"
            )
        if (self.rows == 0) == (self.skip_reason is None):
            raise BatchStateError(
                f"completion of {self.player_lookup}: a skip has no rows and a reason, "
                f"got {self.rows} rows and reason {self.skip_reason!r}"
            )


@dataclass(frozen=True)
class DeadLetter:
    """The record of a player whose prediction failed permanently, with the error to act on."""

    player_lookup: str
    error_class: str
    message: str
    traceback: str
    attempts: int
    recorded_at: datetime
    run_id: str
    #: Set by the store.
    sequence: int = field(default=0, compare=False)

    @property
    def error(self) -> str:
        """The error in one line."""
        return f"{self.error_class}: {self.message}"


@dataclass(frozen=True)
class Progress:
    """How many players of a batch are accounted for, counted from completions and dead letters."""

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
        """Share of expected players who are completed or skipped, in percent; 100 without players.

        It is capped at 100 because a replay may add a player who was not on the first slate.
        """
        if self.accounted >= self.expected:
            return 100.0
        return round(100.0 * self.accounted / self.expected, 2)

    @property
    def status(self) -> BatchStatus:
        """Return the outcome if no more completions arrive.

        A date without games to predict is `no_data`: it has none, or all of them had begun. A date
        with such games and no completed player has failed:
        an empty slate and a slate where every player was skipped are both faults.
        """
        if self.games == 0:
            return BatchStatus.NO_DATA
        if self.completed == 0 or not self._reaches_threshold:
            return BatchStatus.FAILED
        whole = self.accounted >= self.expected and not self.failed
        return BatchStatus.SUCCESS if whole else BatchStatus.PARTIAL

    @property
    def _reaches_threshold(self) -> bool:
        # Divide instead of multiplying: 55 / 100 is exactly 0.55, but 100 * 0.55 is above 55.
        return self.expected == 0 or self.accounted / self.expected >= self.threshold

    @property
    def may_be_published(self) -> bool:
        return self.status is not BatchStatus.FAILED

    @property
    def below_threshold(self) -> str:
        """Why the batch may not be published, with the threshold that it was created with."""
        if self._reaches_threshold:
            return f"no player is predicted ({self.expected} expected, {self.skipped} skipped)"
        return (
            f"{self.accounted} of {self.expected} players ({self.completion_pct}%) are accounted "
            f"for, below the threshold of {percent(self.threshold)} of this batch; "
            f"`nba-predictions repair --threshold X` changes it"
        )

    def counts(self) -> dict[str, int]:
        """Return the numbers of players by name, for logs, ledger and metadata."""
        return {
            "expected_players": self.expected,
            "completed": self.completed,
            "skipped": self.skipped,
            "failed": self.failed,
        }


@dataclass(frozen=True)
class Tally:
    """How many players of a batch have rows, are skipped, and failed permanently."""

    completed: int
    skipped: int
    failed: int


def tally(completions: Sequence[Completion], dead_letters: Sequence[DeadLetter]) -> Tally:
    """Count players. A dead letter of a player who was completed later does not count."""
    done = {c.player_lookup for c in completions}
    return Tally(
        completed=sum(c.rows > 0 for c in completions),
        skipped=sum(c.rows == 0 for c in completions),
        failed=len({d.player_lookup for d in dead_letters} - done),
    )


def progress(batch: Batch, counted: Tally) -> Progress:
    """Return the counted players next to the number that the batch expects."""
    return Progress(
        games=batch.games,
        expected=batch.expected_players,
        threshold=batch.completion_threshold,
        **asdict(counted),
    )
