"""The batch store of the gcp profile: Firestore, without read-modify-write of a document.

Each completion is a document that is created once. When a batch or a lease changes, the same commit
creates the next *version* document under it. Of several workers that try, one creates the version,
and the others read again. Creation is the only precondition that is used. A version has the mark of
its writer, so that a commit whose response was lost is not mistaken for that of another worker.

Sequence numbers are the commit times of the service in microseconds. Its clock, unlike those of the
workers, never goes back. A replay creates another completion; the one of the latest attempt counts.

    nba_predictions/{namespace}/batches/{batch_id}                 state, version, counts, times
                                    .../versions/{n}               one for each change of state
                                    .../completions/{digest}       one for each player who is done
                                    .../completions/{digest}.{n}   one for each replay of attempt n
                                    .../dead_letters/{digest}
                                    .../ledger/{id}                appended, never changed
                               /unfinished/{game_date}             which batch of a date is
                               /successors/{batch_id, game_date}   the next, or first, of a date
                               /leases/{game_date}                 holder, token, version, expiry
                                    .../versions/{n}
"""

from __future__ import annotations

import dataclasses
import hashlib
import threading
import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from functools import cached_property
from typing import Any

from google.api_core.exceptions import AlreadyExists
from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter

from nba_predictions.batch_store.port import SCHEMA_VERSION, later_version
from nba_predictions.domain.batches.batch import (
    RESUMABLE,
    REVISABLE,
    TRANSITIONS,
    Batch,
    BatchState,
    Completion,
    DeadLetter,
    Tally,
    second_unfinished,
    tally,
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
from nba_predictions.google_cloud import ONCE, connect, persist

#: A version only stops workers that read an earlier one. Afterwards, the TTL policy of
#: deploy/gcp/firestore.indexes.json deletes it.
_VERSIONS_KEPT = timedelta(days=90)
#: Documents to create, with their fields.
_Documents = Sequence[tuple[firestore.DocumentReference, dict[str, Any]]]


@dataclass(frozen=True)
class FirestoreBatchStore:
    """`namespace` separates homes that share a database. One client serves all threads."""

    project: str
    namespace: str
    database: str = "(default)"
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def prepare(self) -> list[str]:
        # Firestore creates a collection with its first document.
        version = int(_fields(self._read(self._root)).get("schema_version", 0))
        if version > SCHEMA_VERSION:
            raise later_version(f"the Firestore document {self._root.path}", version)
        if version < SCHEMA_VERSION:
            fields = {"schema_version": SCHEMA_VERSION}
            persist(lambda: self._root.set(fields, merge=True, **ONCE))
        return []

    def now(self) -> datetime:
        return _utc(self._read(self._leases.document("clock")).read_time)

    def next_sequence(self, game_date: date) -> int:
        sequence = microseconds(self.now())
        # Whatever is committed after this call must have a later time, also if the clock of an
        # emulator is coarse.
        while microseconds(self.now()) <= sequence:
            time.sleep(0.001)
        return sequence

    # Batches

    def create(self, batch: Batch, *, after: Sequence[Batch] | None = None) -> bool:
        mark = uuid.uuid4().hex
        document = self._batches.document(batch.batch_id)
        created = [(document, {**_batch_fields(batch), "version": 1})]
        if batch.state in RESUMABLE:
            created.insert(0, self._as_unfinished(batch))
        if after is not None:
            created.append(self._as_successor(batch, after))
        return self._commit_version(document, 1, mark, {"state": batch.state.value}, created)

    def get(self, batch_id: str) -> Batch:
        return _batch(self._existing(batch_id))

    def of_date(self, game_date: date) -> list[Batch]:
        found = self._find(FieldFilter("game_date", "==", game_date.isoformat()))
        return sorted(found, key=lambda b: b.sequence, reverse=True)

    def in_states(self, states: Collection[BatchState]) -> list[Batch]:
        if not states:
            return []
        found = self._find(FieldFilter("state", "in", sorted(state.value for state in states)))
        return sorted(found, key=lambda b: b.sequence)

    def failed_since(self, moment: datetime) -> list[Batch]:
        # One field is enough for the query, so no composite index is needed.
        found = self._find(FieldFilter(f"times.{BatchState.FAILED.value}", ">=", moment))
        failed = (batch for batch in found if batch.state is BatchState.FAILED)
        return sorted(failed, key=lambda b: b.sequence)

    def move(self, batch_id: str, to: BatchState, reason: str | None = None) -> bool:
        mark = uuid.uuid4().hex
        seen = None
        while True:
            snapshot = self._existing(batch_id)
            batch, version = _batch(snapshot), snapshot.get("version")
            if batch.state is to:
                return False
            if to not in TRANSITIONS[batch.state] or (to is BatchState.CLOSED and batch.announce):
                raise transition_refused(batch_id, batch.state, to)
            if version == seen:
                # The batch did not change, so the conflict is the unfinished batch of the date.
                raise second_unfinished(batch_id, to)
            seen = version
            at = _utc(snapshot.read_time)
            unfinished = self._as_unfinished(batch)
            begins = batch.state not in RESUMABLE and to in RESUMABLE
            ends = batch.state in RESUMABLE and to not in RESUMABLE
            if self._commit_version(
                snapshot.reference,
                version + 1,
                mark,
                {"state": to.value, "reason": reason, "at": at},
                created=[unfinished] if begins else [],
                changed={"state": to.value, "reason": reason, "times": {to.value: at}},
                deleted=[unfinished[0]] if ends else [],
            ):
                return True

    def revise(self, current: Batch, revised: Batch) -> bool:
        mark = uuid.uuid4().hex
        note = {name: getattr(revised, name) for name in REVISABLE}
        changed = {**note, "announce": firestore.DELETE_FIELD if revised.announce else False}
        while True:
            snapshot = self._existing(current.batch_id)
            stored = _batch(snapshot)
            same = all(getattr(stored, name) == getattr(current, name) for name in REVISABLE)
            if stored.state is not current.state or not same:
                return False
            version = snapshot.get("version") + 1
            # If the commit fails, another worker changed the batch: read it again.
            if self._commit_version(snapshot.reference, version, mark, note, changed=changed):
                return True

    # Players

    def complete(self, batch_id: str, completion: Completion, *, replace: bool = False) -> bool:
        replay = f".{completion.attempt:016}" if replace else ""
        document = self._of_batch(batch_id, "completions").document(_digest(completion) + replay)
        fields = {
            "player_lookup": completion.player_lookup,
            "rows": completion.rows,
            "worker_time": completion.recorded_at,
            "run_id": completion.run_id,
            "staging_table": completion.staging_table,
            "skip_reason": completion.skip_reason,
            "fingerprint": completion.fingerprint,
            "attempt": completion.attempt,
        }
        if replace:
            # Only one worker has this attempt, so nothing of another worker is overwritten.
            persist(lambda: document.set({**fields, "replay": True}, **ONCE))
            return True
        try:
            persist(lambda: document.create(fields, **ONCE))
        except AlreadyExists:
            # The player was done before, or this creation was applied and its response was lost.
            return _fields(self._read(document)) == fields
        return True

    def completions(self, batch_id: str) -> list[Completion]:
        found = map(_completion, self._stream(self._of_batch(batch_id, "completions")))
        latest: dict[str, Completion] = {}
        for completion in sorted(found, key=lambda c: (c.attempt, c.sequence)):
            latest[completion.player_lookup] = completion
        return sorted(latest.values(), key=lambda c: c.player_lookup)

    def add_dead_letter(self, batch_id: str, letter: DeadLetter) -> None:
        document = self._of_batch(batch_id, "dead_letters").document(_digest(letter))
        fields = {
            "player_lookup": letter.player_lookup,
            "error_class": letter.error_class,
            "message": letter.message,
            "traceback": letter.traceback,
            "attempts": letter.attempts,
            "recorded_at": letter.recorded_at,
            "run_id": letter.run_id,
        }
        persist(lambda: document.set(fields, **ONCE))

    def dead_letters(self, batch_id: str) -> list[DeadLetter]:
        found = [
            DeadLetter(**_fields(document), sequence=_sequence(document.update_time))
            for document in self._stream(self._of_batch(batch_id, "dead_letters"))
        ]
        return sorted(found, key=lambda d: d.player_lookup)

    def tally(self, batch_id: str) -> Tally:
        completions = self._of_batch(batch_id, "completions")
        letters = self._stream(self._of_batch(batch_id, "dead_letters").select(["player_lookup"]))
        replayed = self._stream(completions.where(filter=FieldFilter("replay", "==", True)))
        if replayed:
            # A player counts once, and few batches have replays.
            return tally(self.completions(batch_id), self.dead_letters(batch_id))
        references = [completions.document(letter.id) for letter in letters]
        done_later = 0
        if references:
            found = persist(lambda: list(self._client.get_all(references, **ONCE)))
            done_later = sum(document.exists for document in found)
        return Tally(
            completed=self._count(completions.where(filter=FieldFilter("rows", ">", 0))),
            skipped=self._count(completions.where(filter=FieldFilter("rows", "==", 0))),
            failed=len(references) - done_later,
        )

    # Leases and ledger

    def acquire_lease(self, game_date: date, holder: str, ttl: timedelta) -> Lease:
        mark = uuid.uuid4().hex
        while True:
            stored = self._lease(game_date)
            now, expires = stored.read_at, stored.read_at + ttl
            believed = now < stored.expires_at <= now + BELIEVED_TTLS * ttl
            if stored.holder is not None and believed:
                raise lease_held(game_date, stored.holder, stored.expires_at)
            token = max(stored.token + 1, microseconds(now))
            lease = Lease(game_date, holder, token, expires)
            changed = {"holder": holder, "token": lease.token, "expires_at": lease.expires_at}
            if self._change_lease(stored, changed, mark):
                return lease

    def renew_lease(self, lease: Lease, ttl: timedelta) -> Lease:
        mark = uuid.uuid4().hex
        while True:
            stored = self._lease(lease.game_date)
            if stored.token != lease.token or stored.holder is None:
                raise lease_lost(lease, stored.token, "it was not renewed")
            renewed = dataclasses.replace(lease, expires_at=stored.read_at + ttl)
            if self._change_lease(stored, {"expires_at": renewed.expires_at}, mark):
                return renewed

    def lease(self, game_date: date) -> Lease | None:
        stored = self._lease(game_date)
        if stored.holder is None:
            return None
        return Lease(game_date, stored.holder, stored.token, stored.expires_at)

    def release_lease(self, lease: Lease) -> None:
        mark = uuid.uuid4().hex
        while True:
            stored = self._lease(lease.game_date)
            if stored.token != lease.token or stored.holder is None:
                return
            # A released lease keeps its token, so that the next token is higher.
            if self._change_lease(stored, {"holder": None}, mark):
                return

    def append(self, batch_id: str, entry: LedgerEntry, lease: Lease | None = None) -> None:
        document = self._of_batch(batch_id, "ledger").document(uuid.uuid4().hex)
        fields = {
            "event": entry.event.value,
            "at": entry.at,
            "run_id": entry.run_id,
            "counts": entry.stored_payload(),
            # None is the time of the commit.
            "sequence": entry.sequence or None,
        }
        if lease is None:
            try:
                persist(lambda: document.create(fields, **ONCE))
            except AlreadyExists:
                """The id is unique, so the entry was written and its response was lost."""
            return
        mark = uuid.uuid4().hex
        while True:
            stored = self._lease(lease.game_date)
            if stored.token != lease.token:
                raise lease_lost(lease, stored.token, entry_not_written(entry))
            # The entry and the next version of the lease are one commit. It fails as a whole if
            # another worker acquired the lease after it was read.
            if self._change_lease(stored, {}, mark, [(document, fields)]):
                return

    def ledger(self, batch_id: str) -> list[LedgerEntry]:
        found = self._stream(self._of_batch(batch_id, "ledger"))
        return [
            LedgerEntry.from_stored(
                document.get("event"),
                _utc(document.get("at")),
                document.get("run_id"),
                document.get("counts"),
                _entry_sequence(document),
            )
            for document in sorted(found, key=lambda d: (d.create_time, d.get("at")))
        ]

    def _lease(self, game_date: date) -> _StoredLease:
        snapshot = self._read(self._leases.document(game_date.isoformat()))
        fields = _fields(snapshot)
        return _StoredLease(
            document=snapshot.reference,
            holder=fields.get("holder"),
            token=fields.get("token", 0),
            version=fields.get("version", 0),
            expires_at=fields.get("expires_at", _utc(snapshot.read_time)),
            read_at=_utc(snapshot.read_time),
        )

    def _change_lease(
        self,
        stored: _StoredLease,
        changed: Mapping[str, Any],
        mark: str,
        created: _Documents = (),
    ) -> bool:
        return self._commit_version(
            stored.document, stored.version + 1, mark, changed, created, changed
        )

    # Firestore

    def _commit_version(
        self,
        document: firestore.DocumentReference,
        version: int,
        mark: str,
        note: Mapping[str, Any],
        created: _Documents = (),
        changed: Mapping[str, Any] | None = None,
        deleted: Sequence[firestore.DocumentReference] = (),
    ) -> bool:
        """Create the next version of a document, and apply all other changes in the same commit.

        Return False and change nothing if a document to create exists already. `mark` identifies
        the writer of the version, so that a commit whose response was lost is recognized.
        """
        marker = document.collection("versions").document(f"{version:06}")

        delete_after = utc_now() + _VERSIONS_KEPT

        def commit() -> None:
            writes = self._client.batch()
            for other, fields in created:
                writes.create(other, fields)
            writes.create(marker, {**note, "mark": mark, "delete_after": delete_after})
            if changed is not None:
                writes.set(document, {**changed, "version": version}, merge=True)
            for other in deleted:
                writes.delete(other)
            writes.commit(**ONCE)

        try:
            persist(commit)
        except AlreadyExists:
            return bool(_fields(self._read(marker)).get("mark") == mark)
        return True

    def _existing(self, batch_id: str) -> firestore.DocumentSnapshot:
        snapshot = self._read(self._batches.document(batch_id))
        if not snapshot.exists:
            raise BatchStateError(f"no batch {batch_id!r} exists")
        return snapshot

    def _find(self, condition: FieldFilter) -> list[Batch]:
        return [_batch(found) for found in self._stream(self._batches.where(filter=condition))]

    @staticmethod
    def _read(document: firestore.DocumentReference) -> firestore.DocumentSnapshot:
        return persist(lambda: document.get(**ONCE))

    @staticmethod
    def _stream(query: Any) -> list[firestore.DocumentSnapshot]:
        # An interrupted stream is read again from its beginning.
        return persist(lambda: list(query.stream(**ONCE)))

    @staticmethod
    def _count(query: Any) -> int:
        ((counted,),) = persist(lambda: list(query.count().get(**ONCE)))
        return int(counted.value)

    @property
    def _root(self) -> firestore.DocumentReference:
        return self._client.collection("nba_predictions").document(self.namespace)

    @property
    def _batches(self) -> firestore.CollectionReference:
        return self._root.collection("batches")

    @property
    def _leases(self) -> firestore.CollectionReference:
        return self._root.collection("leases")

    def _as_unfinished(self, batch: Batch) -> tuple[firestore.DocumentReference, dict[str, Any]]:
        """Return the document that exists while the date has an unfinished batch."""
        document = self._root.collection("unfinished").document(batch.game_date.isoformat())
        return document, {"batch_id": batch.batch_id}

    def _as_successor(
        self, batch: Batch, after: Sequence[Batch]
    ) -> tuple[firestore.DocumentReference, dict[str, Any]]:
        """Return the document that only one batch after the newest known one can create."""
        newest = after[0].batch_id if after else batch.game_date.isoformat()
        return self._root.collection("successors").document(newest), {"batch_id": batch.batch_id}

    def _of_batch(self, batch_id: str, collection: str) -> firestore.CollectionReference:
        return self._batches.document(batch_id).collection(collection)

    @property
    def _client(self) -> firestore.Client:
        with self._lock:
            return self._connected

    @cached_property
    def _connected(self) -> firestore.Client:
        return connect(lambda: firestore.Client(project=self.project, database=self.database))


@dataclass(frozen=True)
class _StoredLease:
    """The lease of a date as read at `read_at`. It is free if it has no holder."""

    document: firestore.DocumentReference
    holder: str | None
    token: int
    version: int
    expires_at: datetime
    read_at: datetime


def _batch_fields(batch: Batch) -> dict[str, Any]:
    return {
        "batch_id": batch.batch_id,
        "game_date": batch.game_date.isoformat(),
        "state": batch.state.value,
        "expected_players": batch.expected_players,
        "games": batch.games,
        "slate_fingerprint": batch.slate_fingerprint,
        "created_at": batch.created_at,
        "run_id": batch.run_id,
        "source": batch.source,
        "completion_threshold": batch.completion_threshold,
        "reason": batch.reason,
        # Written only if it is False. Earlier versions refuse an unknown field, and an operator may
        # have to return to one.
        **({} if batch.announce else {"announce": False}),
        "markets": list(batch.markets),
        "as_of": batch.as_of,
        "begun": list(batch.begun),
        "times": {batch.state.value: batch.created_at},
    }


def _batch(snapshot: firestore.DocumentSnapshot) -> Batch:
    # A document of another version may have fewer fields, or more.
    fields = {n: v for n, v in _fields(snapshot).items() if n in Batch.__dataclass_fields__}
    return Batch(
        **{
            **fields,
            "game_date": date.fromisoformat(fields["game_date"]),
            "state": BatchState(fields["state"]),
            "markets": tuple(fields.get("markets", Batch.markets)),
            "begun": tuple(fields.get("begun", Batch.begun)),
            "times": {state: _utc(at) for state, at in fields["times"].items()},
            "sequence": _sequence(snapshot.create_time),
        }
    )


def _completion(document: firestore.DocumentSnapshot) -> Completion:
    fields = _fields(document)
    return Completion(
        player_lookup=fields["player_lookup"],
        rows=fields["rows"],
        recorded_at=_utc(document.update_time),
        run_id=fields["run_id"],
        staging_table=fields["staging_table"],
        skip_reason=fields["skip_reason"],
        # Earlier versions recorded neither of these.
        fingerprint=fields.get("fingerprint"),
        attempt=fields.get("attempt", 0),
        sequence=_sequence(document.update_time),
    )


def _entry_sequence(document: firestore.DocumentSnapshot) -> int:
    fields = _fields(document)
    # Entries of an earlier version cover what was recorded before their own time.
    at = document.create_time if "sequence" in fields else fields["at"]
    return fields.get("sequence") or _sequence(at)


def _fields(snapshot: firestore.DocumentSnapshot) -> dict[str, Any]:
    """Return the fields of a document, with plain datetimes; empty if it does not exist."""
    return {
        name: _utc(value) if isinstance(value, datetime) else value
        for name, value in (snapshot.to_dict() or {}).items()
    }


def _sequence(committed_at: datetime) -> int:
    """Return the time of a commit as a sequence number."""
    return microseconds(_utc(committed_at))


def _utc(moment: datetime) -> datetime:
    """Return a plain datetime. The client's datetime type also has nanoseconds."""
    whole = moment.astimezone(timezone.utc)
    return datetime.combine(whole.date(), whole.time(), timezone.utc)


def _digest(subject: Completion | DeadLetter) -> str:
    """Return the document id of a player. A name may have characters that a path must not have."""
    return hashlib.sha256(subject.player_lookup.encode()).hexdigest()[:32]
