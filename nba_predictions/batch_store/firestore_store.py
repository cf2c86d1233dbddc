"""The batch store in Firestore, by operations that never read, modify and write a document.

A completion is a document of its own, created once. Where one state must follow another (of a
batch, of a lease) the next *version* of a document is created beside it in the same commit: of many
who try, one creates it, and the others look again. Creation is the only precondition that is used,
so a commit whose answer was lost can be told from one that came second.

    nba_predictions/{namespace}/batches/{batch_id}                 state, version, counts, times
                                    .../versions/{n}               one for each change of state
                                    .../completions/{digest}       one for each player who is done
                                    .../dead_letters/{digest}
                                    .../ledger/{id}                appended, never changed
                               /unfinished/{game_date}             which batch of a date is
                               /leases/{game_date}                 holder, token, version, expiry
                                    .../versions/{n}
"""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from functools import cached_property
from typing import Any

from google.api_core.exceptions import AlreadyExists
from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter

from nba_predictions.domain.batches.batch import (
    RESUMABLE,
    REVISABLE,
    TRANSITIONS,
    Batch,
    BatchState,
    Completion,
    DeadLetter,
    Lease,
    LedgerEntry,
    Tally,
    lease_held,
    lease_lost,
    second_unfinished,
    transition_refused,
)
from nba_predictions.domain.errors import BatchStateError
from nba_predictions.google_cloud import ONCE, connect, persist

#: Documents to be created, with their fields.
_Documents = Sequence[tuple[firestore.DocumentReference, dict[str, Any]]]


@dataclass(frozen=True)
class FirestoreBatchStore:
    """`namespace` keeps nights apart that share a database. One client serves all threads."""

    project: str
    namespace: str
    database: str = "(default)"
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def prepare(self) -> list[str]:
        # A collection begins with its first document. What can be wrong is access, seen by a read.
        self.now()
        return []

    def now(self) -> datetime:
        return _utc(self._read(self._leases.document("clock")).read_time)

    # Batches

    def create(self, batch: Batch) -> bool:
        mine = uuid.uuid4().hex
        document = self._batches.document(batch.batch_id)

        created = [(document, {**_batch_fields(batch), "version": 1})]
        if batch.state in RESUMABLE:
            created.insert(0, self._as_unfinished(batch))
        return self._commit_version(document, 1, mine, {"state": batch.state.value}, created)

    def get(self, batch_id: str) -> Batch:
        return _batch(self._existing(batch_id))

    def of_date(self, game_date: date) -> list[Batch]:
        found = self._find(FieldFilter("game_date", "==", game_date.isoformat()))
        return sorted(found, key=lambda b: b.created_at, reverse=True)

    def in_states(self, states: Collection[BatchState]) -> list[Batch]:
        if not states:
            return []
        found = self._find(FieldFilter("state", "in", sorted(state.value for state in states)))
        return sorted(found, key=lambda b: b.created_at)

    def move(self, batch_id: str, to: BatchState, reason: str | None = None) -> bool:
        mine = uuid.uuid4().hex
        seen = None
        while True:
            snapshot = self._existing(batch_id)
            batch, version = _batch(snapshot), snapshot.get("version")
            if batch.state is to:
                return False
            if to not in TRANSITIONS[batch.state]:
                raise transition_refused(batch_id, batch.state, to)
            if version == seen:
                # Nobody changed this batch, and yet it could not be changed.
                raise second_unfinished(batch_id, to)
            seen = version
            at = _utc(snapshot.read_time)
            unfinished = self._as_unfinished(batch)
            begins = batch.state not in RESUMABLE and to in RESUMABLE
            ends = batch.state in RESUMABLE and to not in RESUMABLE
            if self._commit_version(
                snapshot.reference,
                version + 1,
                mine,
                {"state": to.value, "reason": reason, "at": at},
                created=[unfinished] if begins else [],
                changed={"state": to.value, "reason": reason, "times": {to.value: at}},
                deleted=[unfinished[0]] if ends else [],
            ):
                return True

    def revise(self, present: Batch, revised: Batch) -> bool:
        mine = uuid.uuid4().hex
        note = {name: getattr(revised, name) for name in REVISABLE}
        changed = {**note, "announce": firestore.DELETE_FIELD if revised.announce else False}
        while True:
            snapshot = self._existing(present.batch_id)
            found = _batch(snapshot)
            same = all(getattr(found, name) == getattr(present, name) for name in REVISABLE)
            if found.state is not present.state or not same:
                return False
            version = snapshot.get("version") + 1
            # Not applied: somebody changed the batch since it was read, in whatever.
            if self._commit_version(snapshot.reference, version, mine, note, changed=changed):
                return True

    # Players

    def complete(self, batch_id: str, completion: Completion, *, replace: bool = False) -> bool:
        document = self._of_batch(batch_id, "completions").document(_digest(completion))
        fields = {
            "player_lookup": completion.player_lookup,
            "rows": completion.rows,
            "worker_time": completion.recorded_at,
            "run_id": completion.run_id,
            "staging_table": completion.staging_table,
            "skip_reason": completion.skip_reason,
            "fingerprint": completion.fingerprint,
        }
        if replace:
            persist(lambda: document.set(fields, **ONCE))
            return True
        try:
            persist(lambda: document.create(fields, **ONCE))
        except AlreadyExists:
            # Either he was done before, or this very creation was applied and its answer lost.
            return _fields(self._read(document)) == fields
        return True

    def completions(self, batch_id: str) -> list[Completion]:
        found = [
            Completion(
                player_lookup=document.get("player_lookup"),
                rows=document.get("rows"),
                recorded_at=_utc(document.update_time),
                run_id=document.get("run_id"),
                staging_table=document.get("staging_table"),
                skip_reason=document.get("skip_reason"),
                # Not there in what an earlier version recorded.
                fingerprint=_fields(document).get("fingerprint"),
            )
            for document in self._stream(self._of_batch(batch_id, "completions"))
        ]
        return sorted(found, key=lambda c: c.player_lookup)

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
            DeadLetter(**_fields(document))
            for document in self._stream(self._of_batch(batch_id, "dead_letters"))
        ]
        return sorted(found, key=lambda d: d.player_lookup)

    def tally(self, batch_id: str) -> Tally:
        completions = self._of_batch(batch_id, "completions")
        letters = self._stream(self._of_batch(batch_id, "dead_letters").select(["player_lookup"]))
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
        mine = uuid.uuid4().hex
        while True:
            present = self._lease(game_date)
            if present.holder is not None and present.expires_at > present.read_at:
                raise lease_held(game_date, present.holder, present.expires_at)
            lease = Lease(game_date, holder, present.token + 1, present.read_at + ttl)
            changed = {"holder": holder, "token": lease.token, "expires_at": lease.expires_at}
            if self._change_lease(present, changed, mine):
                return lease

    def lease(self, game_date: date) -> Lease | None:
        present = self._lease(game_date)
        if present.holder is None:
            return None
        return Lease(game_date, present.holder, present.token, present.expires_at)

    def release_lease(self, lease: Lease) -> None:
        mine = uuid.uuid4().hex
        while True:
            present = self._lease(lease.game_date)
            if present.token != lease.token or present.holder is None:
                return
            # A free lease keeps its token, so that the next holder's is higher than any before.
            if self._change_lease(present, {"holder": None}, mine):
                return

    def append(self, batch_id: str, entry: LedgerEntry, lease: Lease | None = None) -> None:
        document = self._of_batch(batch_id, "ledger").document(uuid.uuid4().hex)
        fields = {
            "event": entry.event,
            "at": entry.at,
            "run_id": entry.run_id,
            "counts": dict(entry.counts),
        }
        if lease is None:
            try:
                persist(lambda: document.create(fields, **ONCE))
            except AlreadyExists:
                """Nobody else writes under this id: it was applied, and its answer lost."""
            return
        mine = uuid.uuid4().hex
        while True:
            present = self._lease(lease.game_date)
            if present.token != lease.token:
                raise lease_lost(lease, present.token, entry)
            # The entry and the lease's next version are one commit: it fails as a whole when
            # somebody took the lease since it was read.
            if self._change_lease(present, {}, mine, [(document, fields)]):
                return

    def ledger(self, batch_id: str) -> list[LedgerEntry]:
        found = self._stream(self._of_batch(batch_id, "ledger"))
        return [
            LedgerEntry(
                event=document.get("event"),
                at=_utc(document.get("at")),
                run_id=document.get("run_id"),
                counts=document.get("counts"),
            )
            for document in sorted(found, key=lambda d: d.create_time)
        ]

    def _lease(self, game_date: date) -> _PresentLease:
        snapshot = self._read(self._leases.document(game_date.isoformat()))
        fields = _fields(snapshot)
        return _PresentLease(
            document=snapshot.reference,
            holder=fields.get("holder"),
            token=fields.get("token", 0),
            version=fields.get("version", 0),
            expires_at=fields.get("expires_at", _utc(snapshot.read_time)),
            read_at=_utc(snapshot.read_time),
        )

    def _change_lease(
        self,
        present: _PresentLease,
        changed: Mapping[str, Any],
        mine: str,
        created: _Documents = (),
    ) -> bool:
        return self._commit_version(
            present.document, present.version + 1, mine, changed, created, changed
        )

    # Firestore

    def _commit_version(
        self,
        document: firestore.DocumentReference,
        version: int,
        mine: str,
        note: Mapping[str, Any],
        created: _Documents = (),
        changed: Mapping[str, Any] | None = None,
        deleted: Sequence[firestore.DocumentReference] = (),
    ) -> bool:
        """Create a version of a document, change the document, and what belongs to it, or nothing.

        Return False when something that was to be created is there already. `mine` marks the
        version, so that one whose answer was lost is recognised.
        """
        marker = document.collection("versions").document(f"{version:06}")

        def commit() -> None:
            writes = self._client.batch()
            for other, fields in created:
                writes.create(other, fields)
            writes.create(marker, {**note, "mark": mine})
            if changed is not None:
                writes.set(document, {**changed, "version": version}, merge=True)
            for other in deleted:
                writes.delete(other)
            writes.commit(**ONCE)

        try:
            persist(commit)
        except AlreadyExists:
            return bool(_fields(self._read(marker)).get("mark") == mine)
        return True

    def _existing(self, batch_id: str) -> firestore.DocumentSnapshot:
        snapshot = self._read(self._batches.document(batch_id))
        if not snapshot.exists:
            raise BatchStateError(f"there is no batch {batch_id!r}")
        return snapshot

    def _find(self, condition: FieldFilter) -> list[Batch]:
        return [_batch(found) for found in self._stream(self._batches.where(filter=condition))]

    @staticmethod
    def _read(document: firestore.DocumentReference) -> firestore.DocumentSnapshot:
        return persist(lambda: document.get(**ONCE))

    @staticmethod
    def _stream(query: Any) -> list[firestore.DocumentSnapshot]:
        # A stream that breaks is read again from its beginning.
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
        """Return the document that a date has while it has an unfinished batch."""
        document = self._root.collection("unfinished").document(batch.game_date.isoformat())
        return document, {"batch_id": batch.batch_id}

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
class _PresentLease:
    """The lease of a date as it was read at `read_at`; without a holder it is free."""

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
        # Written only where it says something: versions that do not know the field refuse it, and
        # one may have to go back to them.
        **({} if batch.announce else {"announce": False}),
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
            "times": {state: _utc(at) for state, at in fields["times"].items()},
        }
    )


def _fields(snapshot: firestore.DocumentSnapshot) -> dict[str, Any]:
    """Return the fields of a document, its times as plain datetimes; none when it is not there."""
    return {
        name: _utc(value) if isinstance(value, datetime) else value
        for name, value in (snapshot.to_dict() or {}).items()
    }


def _utc(moment: datetime) -> datetime:
    """Return a plain datetime: the client's own has nanoseconds, which nothing else expects."""
    whole = moment.astimezone(timezone.utc)
    return datetime.combine(whole.date(), whole.time(), timezone.utc)


def _digest(subject: Completion | DeadLetter) -> str:
    """Return the document id of a player: a name is no path, whatever characters are in it."""
    return hashlib.sha256(subject.player_lookup.encode()).hexdigest()[:32]
