"""The batch store of the embedded profile: SQLite in WAL mode, one transaction per write.

With `synchronous=FULL` neither a killed process nor a power failure loses a commit.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from functools import cached_property
from pathlib import Path

from tenacity import retry, retry_if_exception, stop_after_delay, wait_random_exponential

from nba_predictions.batch_store.port import SCHEMA_VERSION, later_version
from nba_predictions.batch_store.sqlite_copy import copy_into_memory
from nba_predictions.domain.batches.batch import (
    RESUMABLE,
    REVISABLE,
    Batch,
    BatchState,
    Completion,
    DeadLetter,
    Tally,
    second_unfinished,
    states_before,
    transition_refused,
)
from nba_predictions.domain.batches.lease import (
    BELIEVED_TTLS,
    Lease,
    entry_not_written,
    lease_held,
    lease_lost,
)
from nba_predictions.domain.batches.ledger import LedgerEntry
from nba_predictions.domain.clock import microseconds, utc_now
from nba_predictions.domain.errors import BatchStateError
from nba_predictions.durable_files import naming_damaged_sqlite
from nba_predictions.storage import cannot_open

#: How long a call waits for the transaction of another process.
_TIMEOUT_SECONDS = 60

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS batches (
  batch_id TEXT PRIMARY KEY, game_date TEXT NOT NULL, state TEXT NOT NULL,
  expected_players INTEGER NOT NULL, games INTEGER NOT NULL, slate_fingerprint TEXT NOT NULL,
  created_at TEXT NOT NULL, run_id TEXT NOT NULL, source TEXT NOT NULL,
  completion_threshold REAL NOT NULL, reason TEXT, announce INTEGER NOT NULL DEFAULT 1,
  markets TEXT NOT NULL DEFAULT 'points', sequence INTEGER, as_of TEXT,
  begun TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS batches_by_date ON batches (game_date, created_at);
CREATE INDEX IF NOT EXISTS batches_by_state ON batches (state);
-- A date has at most one unfinished batch.
CREATE UNIQUE INDEX IF NOT EXISTS one_unfinished_batch ON batches (game_date)
  WHERE state IN ({", ".join(f"'{state.value}'" for state in sorted(RESUMABLE))});
CREATE TABLE IF NOT EXISTS batch_times (
  batch_id TEXT NOT NULL, state TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (batch_id, state)
);
CREATE INDEX IF NOT EXISTS times_by_state ON batch_times (state, at);
CREATE TABLE IF NOT EXISTS completions (
  batch_id TEXT NOT NULL, player_lookup TEXT NOT NULL, row_count INTEGER NOT NULL,
  recorded_at TEXT NOT NULL, run_id TEXT NOT NULL, staging_table TEXT, skip_reason TEXT,
  fingerprint TEXT, attempt INTEGER NOT NULL DEFAULT 0, sequence INTEGER,
  PRIMARY KEY (batch_id, player_lookup)
);
CREATE TABLE IF NOT EXISTS dead_letters (
  batch_id TEXT NOT NULL, player_lookup TEXT NOT NULL, error_class TEXT NOT NULL,
  message TEXT NOT NULL, traceback TEXT NOT NULL, attempts INTEGER NOT NULL,
  recorded_at TEXT NOT NULL, run_id TEXT NOT NULL, sequence INTEGER,
  PRIMARY KEY (batch_id, player_lookup)
);
CREATE TABLE IF NOT EXISTS leases (
  game_date TEXT PRIMARY KEY, holder TEXT, token INTEGER NOT NULL, expires_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS ledger (
  entry INTEGER PRIMARY KEY AUTOINCREMENT, batch_id TEXT NOT NULL, event TEXT NOT NULL,
  at TEXT NOT NULL, run_id TEXT NOT NULL, counts TEXT NOT NULL, sequence INTEGER
);
-- The last sequence number. All dates share one row, because SQLite has one writer at a time.
CREATE TABLE IF NOT EXISTS sequences (name TEXT PRIMARY KEY, last INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS ledger_by_batch ON ledger (batch_id, entry);
"""

#: Columns that a file of an earlier version lacks. Its existing rows get the default.
_ADDED = {
    "batches": {
        "announce": "INTEGER NOT NULL DEFAULT 1",
        "markets": "TEXT NOT NULL DEFAULT 'points'",
        "sequence": "INTEGER",
        "as_of": "TEXT",
        "begun": "TEXT NOT NULL DEFAULT ''",
    },
    "completions": {
        "fingerprint": "TEXT",
        "attempt": "INTEGER NOT NULL DEFAULT 0",
        "sequence": "INTEGER",
    },
    "dead_letters": {"sequence": "INTEGER"},
    "ledger": {"sequence": "INTEGER"},
}


@dataclass(frozen=True)
class SQLiteBatchStore:
    """`path` is the SQLite file. One connection serves all threads of a process.

    A `read_only` store is a copy of the file at the first use. It creates and changes nothing, and
    has no batches if there is no file.
    """

    path: Path
    read_only: bool = False
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False, compare=False)

    def prepare(self) -> list[str]:
        new = not self.path.exists()
        with self._lock:
            self._connection.execute("SELECT 1 FROM batches LIMIT 1")
        return [f"batch store {self.path}"] if new else []

    def now(self) -> datetime:
        return utc_now()

    def next_sequence(self, game_date: date) -> int:
        with self._transaction() as connection:
            return _next_sequence(connection)

    def create(self, batch: Batch, *, after: Sequence[Batch] | None = None) -> bool:
        try:
            with self._transaction() as connection:
                if after is not None and _count(connection, batch.game_date) != len(after):
                    return False
                connection.execute(
                    "INSERT INTO batches (batch_id, game_date, state, expected_players, games, "
                    "slate_fingerprint, created_at, run_id, source, completion_threshold, reason, "
                    "announce, markets, sequence, as_of, begun) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        batch.batch_id,
                        batch.game_date.isoformat(),
                        batch.state.value,
                        batch.expected_players,
                        batch.games,
                        batch.slate_fingerprint,
                        _text(batch.created_at),
                        batch.run_id,
                        batch.source,
                        batch.completion_threshold,
                        batch.reason,
                        batch.announce,
                        ",".join(batch.markets),
                        _next_sequence(connection),
                        batch.as_of and _text(batch.as_of),
                        ",".join(batch.begun),
                    ),
                )
                self._stamp(connection, batch.batch_id, batch.state)
        except sqlite3.IntegrityError:
            return False
        return True

    def get(self, batch_id: str) -> Batch:
        batches = self._batches("batch_id = ?", (batch_id,))
        if not batches:
            raise BatchStateError(f"no batch {batch_id!r} exists")
        return batches[0]

    def of_date(self, game_date: date) -> list[Batch]:
        found = self._batches("game_date = ?", (game_date.isoformat(),))
        return sorted(found, key=lambda b: b.sequence, reverse=True)

    def in_states(self, states: Collection[BatchState]) -> list[Batch]:
        placeholders = ", ".join("?" for _ in states)
        found = self._batches(f"state IN ({placeholders})", tuple(s.value for s in states))
        return sorted(found, key=lambda b: b.sequence)

    def failed_since(self, moment: datetime) -> list[Batch]:
        failed = BatchState.FAILED.value
        found = self._batches(
            # The plus keeps SQLite from looking at every batch that was ever abandoned.
            "+state = ? AND batch_id IN "
            "(SELECT batch_id FROM batch_times WHERE state = ? AND at >= ?)",
            (failed, failed, _text(moment)),
        )
        return sorted(found, key=lambda b: b.sequence)

    def move(self, batch_id: str, to: BatchState, reason: str | None = None) -> bool:
        allowed = sorted(state.value for state in states_before(to))
        placeholders = ", ".join("?" for _ in allowed)
        try:
            with self._transaction() as connection:
                moved = connection.execute(
                    "UPDATE batches SET state = ?, reason = ? "
                    f"WHERE batch_id = ? AND state IN ({placeholders}) AND NOT (? AND announce)",
                    (to.value, reason, batch_id, *allowed, to is BatchState.CLOSED),
                ).rowcount
                if moved:
                    self._stamp(connection, batch_id, to)
                    return True
        except sqlite3.IntegrityError as error:
            raise second_unfinished(batch_id, to) from error
        state = self.get(batch_id).state
        if state is to:
            return False
        raise transition_refused(batch_id, state, to)

    def revise(self, current: Batch, revised: Batch) -> bool:
        changes = ", ".join(f"{name} = ?" for name in REVISABLE)
        # as_of may be NULL.
        unchanged = " AND ".join(f"{name} IS ?" for name in REVISABLE)
        with self._transaction() as connection:
            return bool(
                connection.execute(
                    f"UPDATE batches SET {changes} "
                    f"WHERE batch_id = ? AND state = ? AND {unchanged}",
                    (
                        *_revisable_values(revised),
                        current.batch_id,
                        current.state.value,
                        *_revisable_values(current),
                    ),
                ).rowcount
            )

    def complete(self, batch_id: str, completion: Completion, *, replace: bool = False) -> bool:
        # A worker that lost its lease has an earlier attempt, and replaces nothing.
        conflict = (
            "UPDATE SET row_count = excluded.row_count, recorded_at = excluded.recorded_at, "
            "run_id = excluded.run_id, staging_table = excluded.staging_table, "
            "skip_reason = excluded.skip_reason, fingerprint = excluded.fingerprint, "
            "attempt = excluded.attempt, sequence = excluded.sequence "
            "WHERE excluded.attempt >= completions.attempt"
            if replace
            else "NOTHING"
        )
        with self._transaction() as connection:
            return bool(
                connection.execute(
                    "INSERT INTO completions (batch_id, player_lookup, row_count, recorded_at, "
                    "run_id, staging_table, skip_reason, fingerprint, attempt, sequence) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
                    f"ON CONFLICT (batch_id, player_lookup) DO {conflict}",
                    (
                        batch_id,
                        completion.player_lookup,
                        completion.rows,
                        _text(completion.recorded_at),
                        completion.run_id,
                        completion.staging_table,
                        completion.skip_reason,
                        completion.fingerprint,
                        completion.attempt,
                        _next_sequence(connection),
                    ),
                ).rowcount
            )

    def completions(self, batch_id: str) -> list[Completion]:
        return [
            Completion(
                player_lookup=row["player_lookup"],
                rows=row["row_count"],
                recorded_at=_time(row["recorded_at"]),
                run_id=row["run_id"],
                staging_table=row["staging_table"],
                skip_reason=row["skip_reason"],
                fingerprint=row["fingerprint"],
                attempt=row["attempt"],
                sequence=_sequence(row, "recorded_at"),
            )
            for row in self._select(
                "SELECT * FROM completions WHERE batch_id = ? ORDER BY player_lookup", (batch_id,)
            )
        ]

    def add_dead_letter(self, batch_id: str, letter: DeadLetter) -> None:
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO dead_letters (batch_id, player_lookup, error_class, "
                "message, traceback, attempts, recorded_at, run_id, sequence) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    batch_id,
                    letter.player_lookup,
                    letter.error_class,
                    letter.message,
                    letter.traceback,
                    letter.attempts,
                    _text(letter.recorded_at),
                    letter.run_id,
                    _next_sequence(connection),
                ),
            )

    def dead_letters(self, batch_id: str) -> list[DeadLetter]:
        return [
            DeadLetter(
                player_lookup=row["player_lookup"],
                error_class=row["error_class"],
                message=row["message"],
                traceback=row["traceback"],
                attempts=row["attempts"],
                recorded_at=_time(row["recorded_at"]),
                run_id=row["run_id"],
                sequence=_sequence(row, "recorded_at"),
            )
            for row in self._select(
                "SELECT * FROM dead_letters WHERE batch_id = ? ORDER BY player_lookup", (batch_id,)
            )
        ]

    def tally(self, batch_id: str) -> Tally:
        (row,) = self._select(
            "SELECT COUNT(*) FILTER (WHERE row_count > 0) AS completed, "
            "COUNT(*) FILTER (WHERE row_count = 0) AS skipped, "
            "(SELECT COUNT(*) FROM dead_letters AS d WHERE d.batch_id = :batch_id "
            " AND NOT EXISTS (SELECT 1 FROM completions AS c WHERE c.batch_id = d.batch_id"
            "  AND c.player_lookup = d.player_lookup)) AS failed "
            "FROM completions WHERE batch_id = :batch_id",
            {"batch_id": batch_id},
        )
        return Tally(row["completed"], row["skipped"], row["failed"])

    def acquire_lease(self, game_date: date, holder: str, ttl: timedelta) -> Lease:
        with self._transaction() as connection:
            # The time is read under the write lock, after the last renewal of another worker.
            now = utc_now()
            expires = now + ttl
            row = connection.execute(
                # A lease that ends so late was written by a clock that was ahead.
                "INSERT INTO leases (game_date, holder, token, expires_at) "
                "VALUES (:game_date, :holder, :token, :expires) "
                "ON CONFLICT (game_date) DO UPDATE SET holder = excluded.holder, "
                "token = MAX(leases.token + 1, excluded.token), expires_at = excluded.expires_at "
                "WHERE leases.holder IS NULL OR leases.expires_at <= :now "
                "OR leases.expires_at > :incredible RETURNING token",
                {
                    "game_date": game_date.isoformat(),
                    "holder": holder,
                    "token": _next_sequence(connection),
                    "expires": _text(expires),
                    "now": _text(now),
                    "incredible": _text(now + BELIEVED_TTLS * ttl),
                },
            ).fetchone()
            if row is not None:
                return Lease(game_date, holder, row["token"], expires)
            held = connection.execute(
                "SELECT holder, expires_at FROM leases WHERE game_date = ?",
                (game_date.isoformat(),),
            ).fetchone()
        raise lease_held(game_date, held["holder"], _time(held["expires_at"]))

    def renew_lease(self, lease: Lease, ttl: timedelta) -> Lease:
        with self._transaction() as connection:
            expires = utc_now() + ttl
            renewed = connection.execute(
                "UPDATE leases SET expires_at = ? "
                "WHERE game_date = ? AND token = ? AND holder IS NOT NULL",
                (_text(expires), lease.game_date.isoformat(), lease.token),
            ).rowcount
            if not renewed:
                current = self._token(connection, lease.game_date)
                raise lease_lost(lease, current, "it was not renewed")
        return dataclasses.replace(lease, expires_at=expires)

    def lease(self, game_date: date) -> Lease | None:
        for row in self._select(
            "SELECT * FROM leases WHERE game_date = ? AND holder IS NOT NULL",
            (game_date.isoformat(),),
        ):
            return Lease(game_date, row["holder"], row["token"], _time(row["expires_at"]))
        return None

    def release_lease(self, lease: Lease) -> None:
        with self._transaction() as connection:
            connection.execute(
                "UPDATE leases SET holder = NULL WHERE game_date = ? AND token = ?",
                (lease.game_date.isoformat(), lease.token),
            )

    def append(self, batch_id: str, entry: LedgerEntry, lease: Lease | None = None) -> None:
        with self._transaction() as connection:
            if lease is not None:
                current = self._token(connection, lease.game_date)
                if current != lease.token:
                    raise lease_lost(lease, current, entry_not_written(entry))
            connection.execute(
                "INSERT INTO ledger (batch_id, event, at, run_id, counts, sequence) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (
                    batch_id,
                    entry.event.value,
                    _text(entry.at),
                    entry.run_id,
                    json.dumps(entry.stored_payload()),
                    entry.sequence or _next_sequence(connection),
                ),
            )

    def ledger(self, batch_id: str) -> list[LedgerEntry]:
        return [
            LedgerEntry.from_stored(
                row["event"],
                _time(row["at"]),
                row["run_id"],
                json.loads(row["counts"]),
                _sequence(row, "at"),
            )
            for row in self._select(
                "SELECT * FROM ledger WHERE batch_id = ? ORDER BY entry", (batch_id,)
            )
        ]

    @staticmethod
    def _token(connection: sqlite3.Connection, game_date: date) -> int | None:
        row = connection.execute(
            "SELECT token FROM leases WHERE game_date = ?", (game_date.isoformat(),)
        ).fetchone()
        return row and int(row["token"])

    @cached_property
    def _connection(self) -> sqlite3.Connection:
        try:
            with naming_damaged_sqlite(self.path):
                if self.read_only:
                    return _open_copy(self.path)
                self.path.parent.mkdir(parents=True, exist_ok=True)
                return _open(self.path)
        except (OSError, sqlite3.Error) as error:
            raise cannot_open(self.path, str(error)) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, naming_damaged_sqlite(self.path):
            # IMMEDIATE acquires the write lock at the beginning, and waits for it. A transaction
            # that starts as a reader can fail later with "database is locked".
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _select(self, sql: str, parameters: tuple[str, ...] | dict[str, str]) -> list[sqlite3.Row]:
        with self._lock, naming_damaged_sqlite(self.path):
            return self._connection.execute(sql, parameters).fetchall()

    def _batches(self, where: str, parameters: tuple[str, ...]) -> list[Batch]:
        return [
            Batch(
                batch_id=row["batch_id"],
                game_date=date.fromisoformat(row["game_date"]),
                state=BatchState(row["state"]),
                expected_players=row["expected_players"],
                games=row["games"],
                slate_fingerprint=row["slate_fingerprint"],
                created_at=_time(row["created_at"]),
                run_id=row["run_id"],
                source=row["source"],
                completion_threshold=row["completion_threshold"],
                reason=row["reason"],
                announce=bool(row["announce"]),
                markets=tuple(row["markets"].split(",")),
                as_of=_time(row["as_of"]) if row["as_of"] else None,
                begun=tuple(row["begun"].split(",")) if row["begun"] else (),
                sequence=_sequence(row, "created_at"),
                times={
                    at["state"]: _time(at["at"])
                    for at in self._select(
                        "SELECT state, at FROM batch_times WHERE batch_id = ?", (row["batch_id"],)
                    )
                },
            )
            for row in self._select(f"SELECT * FROM batches WHERE {where}", parameters)
        ]

    @staticmethod
    def _stamp(connection: sqlite3.Connection, batch_id: str, state: BatchState) -> None:
        connection.execute(
            "INSERT OR REPLACE INTO batch_times (batch_id, state, at) VALUES (?, ?, ?)",
            (batch_id, state.value, _text(utc_now())),
        )


def _revisable_values(batch: Batch) -> list[object]:
    values = {
        **vars(batch),
        "markets": ",".join(batch.markets),
        "as_of": batch.as_of and _text(batch.as_of),
        "begun": ",".join(batch.begun),
    }
    return [values[name] for name in REVISABLE]


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


# If several processes open a new file concurrently, one of them turns WAL mode on. The others fail
# with "database is locked" immediately, whatever the timeout is.
@retry(
    retry=retry_if_exception(_is_busy),
    wait=wait_random_exponential(multiplier=0.01, max=1),
    stop=stop_after_delay(_TIMEOUT_SECONDS),
    reraise=True,
)
def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        _check_version(connection, path)
        connection.executescript(_SCHEMA)
        _add_columns(connection)
        if connection.execute("PRAGMA user_version").fetchone()[0] < SCHEMA_VERSION:
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except BaseException:
        connection.close()
        raise
    return connection


def _open_copy(path: Path) -> sqlite3.Connection:
    """Return a copy of a file with the current schema, also if an earlier version wrote it."""
    connection = copy_into_memory(path)
    connection.row_factory = sqlite3.Row
    _check_version(connection, path)
    connection.executescript(_SCHEMA)
    _add_columns(connection)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a file that a later version wrote. Earlier versions did not number their schema."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise later_version(str(path), version)


def _add_columns(connection: sqlite3.Connection) -> None:
    """Add the columns that a file of an earlier version lacks."""
    for table, columns in _ADDED.items():
        existing = {row["name"] for row in connection.execute(f"PRAGMA table_info({table})")}
        for name, definition in columns.items():
            if name in existing:
                continue
            try:
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {name} {definition}")
            except sqlite3.OperationalError as error:
                # Another process may have added the column first.
                if "duplicate column" not in str(error):
                    raise


def _count(connection: sqlite3.Connection, game_date: date) -> int:
    """Return the number of batches of a date, in a transaction."""
    query = "SELECT COUNT(*) FROM batches WHERE game_date = ?"
    (count,) = connection.execute(query, (game_date.isoformat(),)).fetchone()
    return int(count)


def _next_sequence(connection: sqlite3.Connection) -> int:
    """Take the next sequence number, in a transaction.

    It is at least the microseconds since 1970: rows of an earlier version are ordered by their
    times, and a new store that replaces a lost one must not begin at 1. A clock that is behind does
    not matter, because every number is higher than the last one.
    """
    now = microseconds(utc_now())
    row = connection.execute(
        "UPDATE sequences SET last = MAX(last + 1, ?) WHERE name = 'store' RETURNING last", (now,)
    ).fetchone()
    if row is None:
        (newest,) = connection.execute(
            "SELECT MAX(at) FROM (SELECT MAX(created_at) AS at FROM batches UNION ALL "
            "SELECT MAX(recorded_at) FROM completions UNION ALL SELECT MAX(at) FROM ledger)"
        ).fetchone()
        first = max(now, microseconds(_time(newest)) + 1 if newest else 0)
        connection.execute("INSERT INTO sequences (name, last) VALUES ('store', ?)", (first,))
        return first
    return int(row["last"])


def _sequence(row: sqlite3.Row, time: str) -> int:
    """Return the sequence number of a row; the time of a row of an earlier version, in order."""
    return microseconds(_time(row[time])) if row["sequence"] is None else int(row["sequence"])


def _text(moment: datetime) -> str:
    """Return ISO 8601 in UTC, always with microseconds, so that texts sort like times."""
    return moment.astimezone(timezone.utc).isoformat(timespec="microseconds")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
