"""The landing zone: versions of answers, records of requests, and credits, whatever interrupts."""

from __future__ import annotations

import errno
import gzip
import os
import signal
import subprocess
import sys
import threading
import uuid
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from google.cloud import storage
from hypothesis import given, settings
from hypothesis import strategies as st

from nba_predictions.domain.errors import SourceDataError, StorageError
from nba_predictions.inputs.landing.zone import (
    GOOD,
    LandingZone,
    Outcome,
    RequestRecord,
    Resource,
)
from nba_predictions_tests.fetching.toys import set_clock
from nba_predictions_tests.standins import StandIn

LOG = Resource("nba_stats", "leaguegamelog", "2026-27.regular-season")
ODDS = Resource("odds_api", "odds", "2026-11-25.0123")
NOON = datetime(2026, 11, 25, 17, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)
DAY = NOON.date()


@pytest.fixture(params=["local", "memory"])
def zone(request: pytest.FixtureRequest, tmp_path: Path) -> LandingZone:
    if request.param == "memory":
        return LandingZone(f"memory://{uuid.uuid4().hex}/landing")
    return LandingZone(tmp_path / "landing")


@pytest.fixture
def local(tmp_path: Path) -> LandingZone:
    return LandingZone(tmp_path / "landing")


def asked(resource: Resource = LOG, at: datetime = NOON, cost: int = 0) -> RequestRecord:
    return RequestRecord(resource, "http://localhost/x?key=***", at, cost=cost, run_id="run")


def land(
    zone: LandingZone,
    body: bytes,
    at: datetime = NOON,
    resource: Resource = LOG,
    outcome: Outcome = Outcome.NEW,
) -> RequestRecord:
    record = replace(asked(resource, at), outcome=outcome, status=200, fetched_at=at)
    return zone.settle(record, body, "json")


def spent(zone: LandingZone, provider: str = "odds_api") -> int:
    return zone.spent(provider, NOON - timedelta(days=1), NOON + timedelta(days=1))


class TestVersions:
    def test_an_empty_zone(self, zone: LandingZone) -> None:
        assert zone.versions(LOG) == []
        assert zone.newest(LOG) is None
        assert zone.keys("nba_stats", "leaguegamelog") == []
        assert zone.records(DAY, DAY) == []
        assert spent(zone) == 0

    def test_the_newest_as_of_a_moment(self, zone: LandingZone) -> None:
        for number in range(3):
            land(zone, b"%d" % number, NOON + number * MINUTE)
        assert [zone.read(landed) for landed in zone.versions(LOG)] == [b"0", b"1", b"2"]
        moments = {-1: None, 0: b"0", 1: b"1", 1.5: b"1", 9: b"2"}
        for minutes, body in moments.items():
            newest = zone.newest(LOG, NOON + minutes * MINUTE)
            assert (None if newest is None else zone.read(newest)) == body

    def test_the_same_body_again_is_only_a_record(self, zone: LandingZone) -> None:
        first, again = land(zone, b"a"), land(zone, b"a", NOON + MINUTE)
        assert (first.outcome, again.outcome) == (Outcome.NEW, Outcome.SAME)
        assert again.path == first.path
        assert again.fetched_at == NOON + MINUTE
        assert len(zone.versions(LOG)) == 1
        assert [r.outcome for r in zone.records(DAY, DAY)] == [Outcome.NEW, Outcome.SAME]

    def test_a_body_that_returns_is_a_new_version(self, zone: LandingZone) -> None:
        outcomes = [
            land(zone, body, NOON + number * MINUTE).outcome
            for number, body in enumerate((b"a", b"b", b"a"))
        ]
        assert outcomes == [Outcome.NEW] * 3
        assert [zone.read(landed) for landed in zone.versions(LOG)] == [b"a", b"b", b"a"]

    def test_a_clock_that_was_set_back_hides_no_answer(self, zone: LandingZone) -> None:
        land(zone, b"a", NOON)
        for number, body in enumerate((b"b", b"c")):
            record = land(zone, body, NOON - timedelta(days=1))
            assert record.fetched_at == NOON + (number + 1) * timedelta(microseconds=1)
        assert [zone.read(landed) for landed in zone.versions(LOG)] == [b"a", b"b", b"c"]
        newest = zone.newest(LOG)
        assert newest is not None
        assert zone.read(newest) == b"c"

    def test_keys(self, zone: LandingZone) -> None:
        for key in ("2026-11-26.a", "2026-11-25.b", "2026-11-25.a"):
            land(zone, b"x", resource=Resource("odds_api", "odds", key))
        assert zone.keys("odds_api", "odds", "2026-11-25.") == ["2026-11-25.a", "2026-11-25.b"]
        assert len(zone.keys("odds_api", "odds")) == 3

    @pytest.mark.parametrize("outcome", [o for o in Outcome if o not in GOOD])
    def test_what_is_no_input_is_no_version(self, zone: LandingZone, outcome: Outcome) -> None:
        record = land(zone, b"<html>", outcome=outcome)
        assert zone.newest(LOG) is None
        assert zone.keys("nba_stats", "leaguegamelog") == []
        if outcome is Outcome.NOT_THERE:
            assert record.path == ""
        else:
            assert record.path.startswith("quarantine/nba_stats/leaguegamelog/")

    def test_a_repeated_fault_is_in_quarantine_once(self, zone: LandingZone) -> None:
        """Each retry of a service that repeats its answer would take as much space again."""
        paths = {
            land(zone, b"half a season", NOON + n * MINUTE, outcome=Outcome.REFUSED).path
            for n in range(3)
        }
        assert len(paths) == 1


class TestRecords:
    def test_a_record_returns_as_it_was_written(self, zone: LandingZone) -> None:
        record = replace(
            asked(ODDS, cost=1),
            outcome=Outcome.NEW,
            status=200,
            fetched_at=NOON + MINUTE,
            source_time=NOON - MINUTE,
            headers={"etag": "x"},
            error="none",
        )
        settled = zone.settle(record, b"{}", "json")
        assert zone.records(DAY, DAY) == [settled]
        assert settled.bytes == 2
        assert settled.run_id == "run"

    def test_a_settled_request_counts_once(self, zone: LandingZone) -> None:
        reserved = asked(ODDS, cost=3)
        zone.reserve(reserved)
        assert [r.outcome for r in zone.records(DAY, DAY)] == [Outcome.ASKED]
        assert spent(zone) == 3
        zone.settle(replace(reserved, outcome=Outcome.NEW, cost=1), b"{}", "json", reserved=3)
        assert [r.outcome for r in zone.records(DAY, DAY)] == [Outcome.NEW]
        assert spent(zone) == 1
        assert spent(zone, "nba_stats") == 0

    def test_selection(self, zone: LandingZone) -> None:
        land(zone, b"a")
        land(zone, b"b", NOON + timedelta(days=1), ODDS)
        land(zone, b"c", NOON + timedelta(days=1), ODDS, Outcome.BROKEN)
        tomorrow = DAY + timedelta(days=1)
        assert len(zone.records(DAY, tomorrow)) == 3
        assert len(zone.records(DAY, DAY)) == 1
        assert len(zone.records(DAY, tomorrow, "odds_api")) == 2
        (broken,) = zone.records(DAY, tomorrow, "odds_api", {Outcome.BROKEN})
        assert broken.outcome is Outcome.BROKEN
        assert zone.records(DAY, tomorrow, outcomes=set()) == []

    def test_spent_within_a_period(self, zone: LandingZone) -> None:
        for number, at in enumerate((NOON, NOON + MINUTE, NOON + 2 * MINUTE)):
            record = replace(asked(ODDS, at), outcome=Outcome.FAILED, cost=10**number)
            zone.settle(record, None, "json")
        assert zone.spent("odds_api", NOON, NOON + 2 * MINUTE) == 11
        assert zone.spent("odds_api", NOON + MINUTE, NOON + 9 * MINUTE) == 110

    def test_equal_ids_of_two_requests(self, zone: LandingZone) -> None:
        for at in (NOON, NOON + MINUTE):
            record = replace(asked(ODDS, at, cost=1), outcome=Outcome.NEW, request_id="0" * 8)
            zone.settle(record, None, "json")
        assert spent(zone) == 2
        assert len(zone.records(DAY, DAY)) == 2

    @pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"outcome": "x"}', b"\xff\xfe"])
    def test_a_damaged_record_hides_no_other_and_counts(
        self, local: LandingZone, content: bytes
    ) -> None:
        land(local, b"a")
        zone_path = Path(str(local.folder))
        damaged = replace(asked(ODDS, cost=2), outcome=Outcome.NEW)
        local.settle(damaged, None, "json")
        (path,) = zone_path.glob(f"requests/*/*/*{damaged.request_id}*")
        path.write_bytes(content)
        assert [r.resource for r in local.records(DAY, DAY)] == [LOG]
        assert spent(local) == 2

    def test_a_day_in_the_past_that_changes_is_read_again(self, zone: LandingZone) -> None:
        old = NOON - timedelta(days=400)
        for total in (1, 2):
            record = replace(asked(ODDS, old + total * MINUTE, cost=1), outcome=Outcome.NEW)
            zone.settle(record, None, "json")
            assert zone.spent("odds_api", old, NOON) == total


class TestDamage:
    DAMAGES: tuple[Callable[[bytes], bytes], ...] = (
        lambda raw: b"",
        lambda raw: raw[:-9],
        lambda raw: raw[:12] + bytes([raw[12] ^ 0xFF]) + raw[13:],
        lambda raw: raw[: len(raw) // 2] + bytes(20) + raw[len(raw) // 2 :],
        lambda raw: b"not compressed",
        lambda raw: gzip.compress(b"other content"),
    )

    @pytest.mark.parametrize("damage", DAMAGES)
    def test_the_error_names_the_file_and_the_fix(
        self, local: LandingZone, damage: Callable[[bytes], bytes]
    ) -> None:
        land(local, b"first")
        newest_path = Path(str(local.folder)) / land(local, b"second" * 99, NOON + MINUTE).path
        newest_path.write_bytes(damage(newest_path.read_bytes()))
        newest = local.newest(LOG)
        assert newest is not None
        with pytest.raises(SourceDataError, match=r"is damaged: .*; fetch again, or remove") as e:
            local.read(newest)
        assert str(newest_path) in str(e.value)

    def test_every_changed_byte_is_noticed(self, local: LandingZone) -> None:
        landed = land(local, b"some content")
        path = Path(str(local.folder)) / landed.path
        raw, found = path.read_bytes(), local.newest(LOG)
        assert found is not None
        noticed = 0
        for at in range(len(raw)):
            path.write_bytes(raw[:at] + bytes([raw[at] ^ 0x10]) + raw[at + 1 :])
            try:
                assert local.read(found) == b"some content"
            except SourceDataError as error:
                noticed += 1
                assert not isinstance(error, zlib.error)
        # The header has bytes without meaning for the content.
        assert noticed >= len(raw) - 8

    def test_the_same_answer_replaces_a_damaged_file(self, local: LandingZone) -> None:
        path = Path(str(local.folder)) / land(local, b"a").path
        path.write_bytes(b"")
        again = land(local, b"a", NOON + MINUTE)
        assert again.outcome is Outcome.NEW
        newest = local.newest(LOG)
        assert newest is not None
        assert local.read(newest) == b"a"

    def test_foreign_files_are_ignored(self, local: LandingZone) -> None:
        land(local, b"a")
        folder = Path(str(local.folder))
        for name in (".DS_Store", "notes.txt", ".20261125T170000000000Z.01234567.json.gz.x.part"):
            (folder / LOG.path / name).write_text("x")
            (folder / LOG.provider / LOG.name / f".{name}").write_text("x")
        (folder / "requests/2026-11/25/x.json").write_text("x")
        assert len(local.versions(LOG)) == 1
        assert local.keys(LOG.provider, LOG.name) == [LOG.key]
        assert len(local.records(DAY, DAY)) == 1


class Killed(BaseException):
    """The process ends here."""


class TestInterruptions:
    @pytest.mark.parametrize("written", [0, 1])
    def test_between_body_record_and_reservation(
        self, zone: LandingZone, written: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reserved = asked(ODDS, cost=1)
        zone.reserve(reserved)
        write, count = LandingZone._write, 0

        def killed(self: LandingZone, path: str, content: bytes) -> None:
            nonlocal count
            if count == written:
                raise Killed
            count += 1
            write(self, path, content)

        monkeypatch.setattr(LandingZone, "_write", killed)
        settled = replace(reserved, outcome=Outcome.NEW, fetched_at=NOON)
        with pytest.raises(Killed):
            zone.settle(settled, b"{}", "json", reserved=1)
        monkeypatch.undo()
        assert spent(zone) == 1
        assert [r.outcome for r in zone.records(DAY, DAY)] == [Outcome.ASKED]
        # The answer is there if it was written completely, and the next one continues.
        assert [zone.read(landed) for landed in zone.versions(ODDS)] == [b"{}"] * written
        again = land(zone, b"{}", NOON + MINUTE, ODDS)
        assert again.outcome is (Outcome.SAME if written else Outcome.NEW)
        assert len(zone.versions(ODDS)) == 1

    def test_before_the_reservation_is_removed(
        self, local: LandingZone, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reserved = asked(ODDS, cost=2)
        local.reserve(reserved)

        def killed(self: Path, missing_ok: bool = False) -> None:
            if "asked" in self.name:
                raise Killed

        monkeypatch.setattr(type(local.folder), "unlink", killed)
        with pytest.raises(Killed):
            local.settle(replace(reserved, outcome=Outcome.NEW, cost=1), b"{}", "x", reserved=2)
        monkeypatch.undo()
        files = list(Path(str(local.folder)).glob("requests/*/*/*"))
        assert len(files) == 2
        assert spent(local) == 1
        assert [r.outcome for r in local.records(DAY, DAY)] == [Outcome.NEW]

    def test_kill_9(self, local: LandingZone) -> None:
        """A process that lands without end is killed ten times."""
        body = """
import os, sys, itertools
from dataclasses import replace
from nba_predictions_tests.inputs.landing.test_zone import *
zone = LandingZone(sys.argv[1])
print("ready", flush=True)
for n in itertools.count():
    record = asked(ODDS, NOON + n * timedelta(microseconds=1), cost=1)
    print("ask", flush=True)
    zone.reserve(record)
    zone.settle(replace(record, outcome=Outcome.NEW), os.urandom(200_000), "json", reserved=1)
"""
        for number in range(4):
            zone = LandingZone(str(local.folder / str(number)))
            command = [sys.executable, "-c", body, str(zone.folder)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
                threading.Event().wait(0.05 + 0.03 * number)
                process.send_signal(signal.SIGKILL)
                asks = process.stdout.read().count("ask\n")
            assert asks > 0
            versions = zone.versions(ODDS)
            assert all(len(zone.read(landed)) == 200_000 for landed in versions)
            # The last request may have been killed before it was reserved, and so before it was
            # sent. All others count.
            assert asks - 1 <= spent(zone) <= asks
            records = zone.records(DAY, DAY)
            assert len(records) == spent(zone)
            assert len(versions) >= sum(r.outcome is Outcome.NEW for r in records)

    @pytest.mark.parametrize("written", [0, 1, 2])
    def test_a_full_disk(
        self, local: LandingZone, written: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The reservation, the body or the record does not fit."""
        fsync, count = os.fsync, 0

        def full(descriptor: int) -> None:
            nonlocal count
            if not os.path.isdir(f"/proc/self/fd/{descriptor}"):  # noqa: PTH112
                if count == written:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                count += 1
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", full)
        record = asked(ODDS, cost=1)
        with pytest.raises(StorageError, match=r"cannot be written: No space left.*free space"):
            local.reserve(record)
            local.settle(replace(record, outcome=Outcome.NEW), b"{}", "json", reserved=1)
        monkeypatch.undo()
        assert spent(local) == min(written, 1)
        assert [local.read(landed) for landed in local.versions(ODDS)] == [b"{}"] * (written == 2)
        assert not list(Path(str(local.folder)).rglob("*.part"))

    def test_a_folder_that_is_closed(self, tmp_path: Path) -> None:
        (tmp_path / "landing").write_text("a file")
        with pytest.raises(StorageError, match="cannot be written"):
            land(LandingZone(tmp_path / "landing"), b"a")


class TestTwoWriters:
    def test_threads(self, local: LandingZone) -> None:
        def write(number: int) -> None:
            zone = LandingZone(str(local.folder))
            for turn in range(20):
                at = NOON + turn * timedelta(microseconds=1)
                record = asked(ODDS, at, cost=1)
                zone.reserve(record)
                body = b"%d %d" % (number, turn)
                zone.settle(replace(record, outcome=Outcome.NEW), body, "json", reserved=1)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        bodies = {local.read(landed) for landed in local.versions(ODDS)}
        assert bodies == {b"%d %d" % (n, turn) for n in range(4) for turn in range(20)}
        assert spent(local) == 80
        assert len(local.records(DAY, DAY)) == 80


STEPS = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.integers(0, 5),
        st.sampled_from(["open", "settle", "die", "direct"]),
        st.sampled_from([o for o in Outcome if o is not Outcome.ASKED]),
    ),
    max_size=12,
)


@settings(deadline=None)
@given(steps=STEPS)
def test_spent_is_the_sum_over_requests(steps: list[tuple[int, int, str, Outcome]]) -> None:
    zone = LandingZone(f"memory://{uuid.uuid4().hex}/landing")
    expected = 0
    for number, (reserved, cost, what, outcome) in enumerate(steps):
        record = asked(ODDS, NOON + number * MINUTE, cost=reserved)
        if what != "direct":
            zone.reserve(record)
        if what == "open":
            expected += reserved
            continue
        settled = replace(record, outcome=outcome, cost=cost)
        zone.settle(settled, b"%d" % (number % 3), "json", reserved=reserved)
        if what == "die":
            # The reservation is still there.
            zone.reserve(record)
        expected += cost
    assert spent(zone) == expected
    assert len(zone.records(DAY, DAY)) == len(steps)
    later = LandingZone(str(zone.folder))
    assert spent(later) == expected


def test_records_of_other_versions(local: LandingZone) -> None:
    """A record with a field that this version does not know is left out, and counts."""
    record = replace(asked(ODDS, cost=1), outcome=Outcome.NEW)
    local.settle(record, None, "json")
    (path,) = Path(str(local.folder)).glob("requests/*/*/*")
    path.write_text(path.read_text("utf-8").replace('"bytes"', '"octets"'), "utf-8")
    assert local.records(date(2026, 11, 25), date(2026, 11, 25)) == []
    assert spent(local) == 1


@pytest.fixture
def bucket(storage_standin: StandIn, monkeypatch: pytest.MonkeyPatch) -> storage.Bucket:
    for name, value in storage_standin.environment.items():
        monkeypatch.setenv(name, value)
    set_clock(monkeypatch, NOON)
    client = storage.Client(project="test-project")
    return client.create_bucket(f"landing-{uuid.uuid4().hex}")


def test_a_bucket(bucket: storage.Bucket) -> None:
    zone = LandingZone(f"gs://{bucket.name}/landing")
    assert zone.newest(LOG) is None
    for number, body in enumerate((b"a", b"b")):
        reserved = asked(LOG, NOON + number * MINUTE, cost=1)
        zone.reserve(reserved)
        assert zone.spent("nba_stats", NOON, NOON + 9 * MINUTE) == number + 1
        settled = replace(reserved, outcome=Outcome.NEW, fetched_at=NOON + number * MINUTE)
        zone.settle(settled, body, "json", reserved=1)
    assert [zone.read(landed) for landed in zone.versions(LOG)] == [b"a", b"b"]
    assert [r.outcome for r in zone.records(DAY, DAY)] == [Outcome.NEW] * 2
    assert zone.keys(LOG.provider, LOG.name) == [LOG.key]


def test_answers_of_another_process_in_a_bucket(bucket: storage.Bucket, tmp_path: Path) -> None:
    """A process that runs for days sees what others land: no listing is remembered."""
    reader = LandingZone(f"gs://{bucket.name}/landing")
    others = LandingZone(tmp_path / "landing")
    for number, body in enumerate((b"a", b"b")):
        land(others, body, NOON + number * MINUTE)
        for path in tmp_path.rglob("*.*"):
            if path.is_file():
                name = path.relative_to(tmp_path).as_posix()
                bucket.blob(name).upload_from_filename(str(path))
        newest = reader.newest(LOG)
        assert newest is not None
        assert reader.read(newest) == body
        assert len(reader.records(DAY, DAY)) == number + 1
