"""The landing zone: answers of services, stored unchanged, and a record of each request.

    {provider}/{resource}/{key}/{fetched_at}.{digest}.{extension}.gz    an answer
    requests/{month}/{day}/{asked_at}.{id}.{provider}.{outcome}.{cost}.json    a request
    quarantine/{provider}/{resource}/{key}/...    an answer that is not an input

Names contain what readers select by, so listing a folder is enough to find the newest answer as of
a moment, or the credits that were spent. All files are written once and never changed. Days and
months are those of UTC. The folder is local, or in an object store (`gs://bucket/landing`).
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import uuid
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta, timezone
from enum import Enum
from pathlib import Path
from typing import Any

from upath import UPath

from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import SourceDataError, StorageError
from nba_predictions.durable_files import write_file

_REQUESTS, _QUARANTINE = "requests", "quarantine"
_STAMP = "%Y%m%dT%H%M%S%fZ"
_ANSWER = re.compile(r"(?P<stamp>\d{8}T\d{12}Z)\.(?P<digest>[0-9a-f]{8})\.\w+\.gz")
_REQUEST = re.compile(
    r"(?P<stamp>\d{8}T\d{12}Z)\.(?P<id>[0-9a-f]{8})\.(?P<provider>\w+)\.(?P<outcome>\w+)"
    r"\.(?P<cost>\d+)\.json"
)


class Outcome(str, Enum):
    """The outcome of a request."""

    #: Written before a request that may cost credits. It counts as spent until it is settled.
    ASKED = "asked"
    NEW = "new"
    #: The body equals the newest answer.
    SAME = "same"
    #: The service says that it has none.
    NOT_THERE = "not_there"
    #: The service refused the request, or the answer contradicts an earlier one.
    REFUSED = "refused"
    #: The body is not what the service documents.
    BROKEN = "broken"
    #: No answer came.
    FAILED = "failed"


#: Outcomes whose body is an input.
GOOD = frozenset({Outcome.NEW, Outcome.SAME})


@dataclass(frozen=True)
class Resource:
    """What was asked for. The parts are names of folders: letters, digits and `._-`."""

    provider: str
    name: str
    key: str

    @property
    def path(self) -> str:
        return f"{self.provider}/{self.name}/{self.key}"


@dataclass(frozen=True)
class Landed:
    """An answer in the zone. `path` is relative to the zone."""

    resource: Resource
    fetched_at: datetime
    digest: str
    path: str


@dataclass(frozen=True)
class RequestRecord:
    """One request.

    Attributes:
        resource: what was asked for.
        url: the address, without secrets.
        asked_at: when it was sent, UTC.
        outcome: the outcome.
        status: the HTTP status; None if no answer came.
        cost: its credits.
        fetched_at: the moment from which the answer is known; None without an answer.
        source_time: the moment at which the answer was true, by its own words.
        sha256, bytes: of the body.
        headers: the headers of the answer that matter.
        run_id: the run that asked.
        error: the problem, without secrets.
        path: the file with the body, relative to the zone; empty without one.
        request_id: identifies the request; both its reservation and its result have it.
    """

    resource: Resource
    url: str
    asked_at: datetime
    outcome: Outcome = Outcome.ASKED
    status: int | None = None
    cost: int = 0
    fetched_at: datetime | None = None
    source_time: datetime | None = None
    sha256: str = ""
    bytes: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    run_id: str = ""
    error: str = ""
    path: str = ""
    request_id: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    @property
    def file_name(self) -> str:
        return (
            f"{self.asked_at.astimezone(timezone.utc):{_STAMP}}.{self.request_id}."
            f"{self.resource.provider}.{self.outcome.value}.{self.cost}.json"
        )

    def to_json(self) -> str:
        return json.dumps(asdict(self), default=_plain, indent=1, sort_keys=True)

    @classmethod
    def of_json(cls, text: str) -> RequestRecord:
        values: dict[str, Any] = json.loads(text)
        for name in ("asked_at", "fetched_at", "source_time"):
            values[name] = values[name] and datetime.fromisoformat(values[name])
        values["resource"] = Resource(**values["resource"])
        values["outcome"] = Outcome(values["outcome"])
        return cls(**values)


class LandingZone:
    """A folder of answers and requests. It is created when something is written."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = UPath(folder)
        if not isinstance(self.folder, Path):
            # The listings of an object store would hide what another process lands later.
            self.folder = UPath(folder, use_listings_cache=False)
        self._past_requests: dict[str, list[str]] = {}

    def versions(self, resource: Resource, as_of: datetime | None = None) -> list[Landed]:
        """Return the answers about a resource that were known at a moment, oldest first."""
        found = []
        for name in self._names(resource.path):
            match = _ANSWER.fullmatch(name)
            if match is None:
                continue
            fetched_at = _moment(match["stamp"])
            if as_of is None or fetched_at <= as_of:
                path = f"{resource.path}/{name}"
                found.append(Landed(resource, fetched_at, match["digest"], path))
        return sorted(found, key=lambda landed: landed.path)

    def newest(self, resource: Resource, as_of: datetime | None = None) -> Landed | None:
        """Return the newest answer about a resource that was known at a moment."""
        versions = self.versions(resource, as_of)
        return versions[-1] if versions else None

    def keys(self, provider: str, name: str, prefix: str = "") -> list[str]:
        """Return the keys of a resource that begin with a prefix, sorted."""
        return [key for key in self._names(f"{provider}/{name}") if key.startswith(prefix)]

    def read(self, landed: Landed) -> bytes:
        """Return an answer as it came.

        Raises:
            SourceDataError: the file is damaged.
        """
        try:
            body = gzip.decompress(self._at(landed.path).read_bytes())
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise self._damaged(landed, str(error)) from error
        if hashlib.sha256(body).hexdigest()[:8] != landed.digest:
            raise self._damaged(landed, "its content differs from its checksum")
        return body

    def reserve(self, record: RequestRecord) -> None:
        """Write that a request is going to be sent. Its cost counts as spent from now on.

        Raises:
            StorageError: it cannot be written.
        """
        self._write(self._record_path(record), record.to_json().encode())

    def settle(
        self, record: RequestRecord, body: bytes | None, extension: str, *, reserved: int = 0
    ) -> RequestRecord:
        """Store the outcome of a request; return the record with what was added to it.

        The body is written first, then the record, and then the reservation is removed. A process
        that is killed in between leaves an answer without a record, or a reservation.

        Args:
            record: the request, with its outcome. NEW becomes SAME if the body is the newest one.
            body: the answer, None if there is none.
            extension: the kind of its file, for example `json`.
            reserved: the cost of its reservation.

        Raises:
            StorageError: the answer or the record cannot be written.
        """
        reservation = self._record_path(replace(record, outcome=Outcome.ASKED, cost=reserved))
        if body is not None and record.outcome is not Outcome.NOT_THERE:
            record = self._store(record, body, extension)
        self._write(self._record_path(record), record.to_json().encode())
        self._at(reservation).unlink(missing_ok=True)
        return record

    def records(
        self,
        first: date,
        last: date,
        provider: str | None = None,
        outcomes: Collection[Outcome] = frozenset(Outcome),
    ) -> list[RequestRecord]:
        """Return the requests of the UTC days from `first` to `last`, oldest first.

        Records that cannot be read are left out: the name of a record has its cost.

        Args:
            first, last: the days.
            provider: the only one whose records are read; None for all.
            outcomes: those that are read.
        """
        found: dict[tuple[str, str], RequestRecord] = {}
        wanted = {outcome.value for outcome in outcomes}
        for path, match in self._record_files(first, last):
            if provider not in (None, match["provider"]) or match["outcome"] not in wanted:
                continue
            try:
                record = RequestRecord.of_json(self._at(path).read_text("utf-8"))
            except (OSError, ValueError, TypeError, KeyError):
                continue
            request = (match["stamp"], match["id"])
            if record.outcome is not Outcome.ASKED or request not in found:
                found[request] = record
        return sorted(found.values(), key=lambda record: (record.asked_at, record.request_id))

    def spent(self, provider: str, since: datetime, until: datetime) -> int:
        """Return the credits of the requests that were sent from `since` to before `until`."""
        costs: dict[tuple[str, str], tuple[bool, int]] = {}
        for _, match in self._record_files(since.date(), until.date()):
            if match["provider"] != provider or not since <= _moment(match["stamp"]) < until:
                continue
            cost = (match["outcome"] != Outcome.ASKED.value, int(match["cost"]))
            # The result of a request counts, and its reservation until there is one.
            request = (match["stamp"], match["id"])
            costs[request] = max(costs.get(request, cost), cost)
        return sum(cost for _, cost in costs.values())

    def _store(self, record: RequestRecord, body: bytes, extension: str) -> RequestRecord:
        sha256 = hashlib.sha256(body).hexdigest()
        newest = self.newest(record.resource)
        fetched_at = record.fetched_at or record.asked_at
        if newest is not None:
            # If the clock was set back, the answer is still the newest one.
            fetched_at = max(fetched_at, newest.fetched_at + timedelta(microseconds=1))
        record = replace(record, sha256=sha256, bytes=len(body), fetched_at=fetched_at)
        if record.outcome in GOOD and newest is not None and self._holds(newest, body):
            return replace(record, outcome=Outcome.SAME, path=newest.path)
        folder = record.resource.path
        if record.outcome not in GOOD:
            folder = f"{_QUARANTINE}/{folder}"
            for name in self._names(folder):
                if f".{sha256[:8]}." in name:
                    # A service that repeats a fault must not fill the disk.
                    return replace(record, path=f"{folder}/{name}")
        name = f"{fetched_at.astimezone(timezone.utc):{_STAMP}}.{sha256[:8]}.{extension}.gz"
        path = f"{folder}/{name}"
        # Without a time stamp, the same body is always the same file.
        self._write(path, gzip.compress(body, mtime=0))
        return replace(record, path=path)

    def _holds(self, landed: Landed, body: bytes) -> bool:
        """Return whether an answer is this one. A damaged file is not: it is replaced."""
        try:
            return self.read(landed) == body
        except SourceDataError:
            return False

    def _damaged(self, landed: Landed, problem: str) -> SourceDataError:
        return SourceDataError(
            f"{self.folder / landed.path} is damaged: {problem}; fetch again, or remove the file"
        )

    def _record_path(self, record: RequestRecord) -> str:
        return f"{self._day_path(record.asked_at)}/{record.file_name}"

    @staticmethod
    def _day_path(moment: datetime) -> str:
        return f"{_REQUESTS}/{moment.astimezone(timezone.utc):%Y-%m/%d}"

    def _record_files(self, first: date, last: date) -> Iterator[tuple[str, re.Match[str]]]:
        for days in range((last - first).days + 1):
            day = first + timedelta(days=days)
            folder = f"{_REQUESTS}/{day:%Y-%m/%d}"
            for name in self._request_names(folder, day):
                match = _REQUEST.fullmatch(name)
                if match:
                    yield f"{folder}/{name}", match

    def _request_names(self, folder: str, day: date) -> list[str]:
        """Return the names of the requests of a day.

        A past day does not change, unless the clock is set back. It is listed once.
        """
        if folder in self._past_requests:
            return self._past_requests[folder]
        names = self._names(folder)
        if day < utc_now().date() - timedelta(days=1):
            self._past_requests[folder] = names
        return names

    def _at(self, path: str) -> UPath:
        return self.folder / path

    def _names(self, path: str) -> list[str]:
        """Return the names in a folder, sorted; none if it does not exist."""
        try:
            names = sorted(entry.name for entry in self._at(path).iterdir())
            return [name for name in names if not name.startswith(".")]
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _write(self, path: str, content: bytes) -> None:
        target = self._at(path)
        self._past_requests.pop(path.rpartition("/")[0], None)
        try:
            if isinstance(target, Path):
                write_file(target, content)
            else:
                # Object stores write an object completely or not at all.
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
        except OSError as error:
            raise StorageError(
                f"{target} cannot be written: {error.strerror or error}; free space or correct the "
                "permissions, and fetch again"
            ) from error


def _moment(stamp: str) -> datetime:
    return datetime.strptime(stamp, _STAMP).replace(tzinfo=timezone.utc)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat()
    raise TypeError(f"{value!r} has no JSON form")
