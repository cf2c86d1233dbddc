"""What an idle tick of each sensor reads of the batch store: the same after 10 and 1,000 nights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from google.cloud.firestore_v1.services.firestore import FirestoreClient

from nba_predictions.alerts.apprise_notifier import AppriseNotifier
from nba_predictions.batch_store.firestore_store import FirestoreBatchStore, _batch_fields
from nba_predictions.batch_store.port import BatchStore
from nba_predictions.batch_store.sqlite_store import SQLiteBatchStore
from nba_predictions.definitions import defs
from nba_predictions.domain.batches.batch import Batch, BatchState
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.policies.alerting import WATCH_PERIOD
from nba_predictions.inputs.simulated import SimulatedLeague
from nba_predictions.settings import Settings
from nba_predictions_tests.examples import batch, completion

S = BatchState
NOW = utc_now()
#: The reads of one tick of each sensor, by kind.
Reads = dict[str, Counter[str]]
#: The calls that read, and the fields of a response that are a billed read.
_FIRESTORE_READS = {
    "run_query": ("document",),
    "batch_get_documents": ("found", "missing"),
    "run_aggregation_query": ("result",),
}


def past_nights(first: int, last: int) -> Iterator[Batch]:
    """Yield the batches of nights that ended: published, of a backfill, and every tenth abandoned
    before another batch replaced it."""
    for number in range(first, last):
        ended = NOW - WATCH_PERIOD - timedelta(days=number + 1)
        night = batch(
            f"batch_{number}",
            game_date=ended.date(),
            created_at=ended,
            state=S.PUBLISHED if number % 2 else S.CLOSED,
            announce=bool(number % 2),
        )
        yield night
        if number % 10 == 0:
            yield replace(
                night,
                batch_id=f"abandoned_{number}",
                state=S.FAILED,
                created_at=ended - timedelta(hours=1),
            )


def fill_embedded(store: SQLiteBatchStore, batches: Iterator[Batch]) -> None:
    for each in batches:
        assert store.create(each)
        store.complete(each.batch_id, completion("paulgeorge"))
        with store._transaction() as connection:
            connection.execute(
                "UPDATE batch_times SET at = ? WHERE batch_id = ?",
                (each.created_at.isoformat(timespec="microseconds"), each.batch_id),
            )


def fill_google_cloud(store: FirestoreBatchStore, batches: Iterator[Batch]) -> None:
    writer = store._client.bulk_writer()
    for each in batches:
        document = store._batches.document(each.batch_id)
        writer.create(document, {**_batch_fields(each), "version": 1})
        done = vars(completion("paulgeorge"))
        writer.create(document.collection("completions").document("a"), done)
    writer.close()


def fill(store: BatchStore, batches: Iterator[Batch]) -> None:
    if isinstance(store, SQLiteBatchStore):
        fill_embedded(store, batches)
    else:
        assert isinstance(store, FirestoreBatchStore)
        fill_google_cloud(store, batches)


@contextmanager
def counted(store: BatchStore, reads: Counter[str]) -> Iterator[None]:
    """Count what the store reads.

    SQLite counts statements, and the steps of its virtual machine: each row that a statement looks
    at, returned or not, takes some. Firestore bills documents, and one read for an empty answer.
    """
    if isinstance(store, SQLiteBatchStore):

        def step() -> int:
            reads["steps"] += 1
            return 0

        store._connection.set_trace_callback(lambda _: reads.update(["statements"]))
        store._connection.set_progress_handler(step, 1)
        yield
        store._connection.set_trace_callback(None)
        store._connection.set_progress_handler(None, 1)
        return
    with pytest.MonkeyPatch.context() as patch:
        for name in _FIRESTORE_READS:
            patch.setattr(FirestoreClient, name, _counting(name, reads))
        yield


def _counting(name: str, reads: Counter[str]) -> Callable[..., Iterator[Any]]:
    real = getattr(FirestoreClient, name)

    def call(*arguments: Any, **options: Any) -> Iterator[Any]:
        reads["calls"] += 1
        for response in real(*arguments, **options):
            reads["documents"] += any(field in response for field in _FIRESTORE_READS[name])
            yield response

    return call


class Sensors:
    """The sensors of the pipeline with a batch store, on a Dagster instance without runs."""

    def __init__(self, store: BatchStore, folder: Path) -> None:
        self.store = store
        self.instance = dg.DagsterInstance.local_temp(str(folder))
        self.resources: dict[str, Any] = {
            "batches": store,
            "league": SimulatedLeague(),
            "notifier": AppriseNotifier([]),
            "settings": Settings(),
        }

    def tick(self) -> tuple[Reads, dict[str, int]]:
        """Evaluate each sensor once; return its reads, and the number of runs it requests."""
        repository = defs.get_repository_def()
        reads, requests = {}, {}
        for sensor in repository.sensor_defs:
            reads[sensor.name] = Counter[str]()
            needed = {key: self.resources[key] for key in sensor.required_resource_keys}
            with (
                dg.build_sensor_context(
                    instance=self.instance, repository_def=repository, resources=needed
                ) as context,
                counted(self.store, reads[sensor.name]),
            ):
                requests[sensor.name] = len(sensor.evaluate_tick(context).run_requests or [])
        return reads, requests


@pytest.fixture
def sensors(open_store: Callable[[], BatchStore], tmp_path: Path) -> Iterator[Sensors]:
    made = Sensors(open_store(), tmp_path)
    yield made
    made.instance.dispose()


def test_an_idle_tick_reads_the_same_after_10_and_after_1000_nights(sensors: Sensors) -> None:
    fill(sensors.store, past_nights(0, 10))
    few, requests = sensors.tick()
    assert set(requests.values()) == {0}
    fill(sensors.store, past_nights(10, 1000))
    assert len(sensors.store.in_states(set(BatchState))) == 1100
    many, requests = sensors.tick()
    assert set(requests.values()) == {0}
    assert many == few
    readers = {name for name, reads in few.items() if reads}
    assert readers == {
        *("publish_cleaned_batches", "settle_stalled_batches"),
        *("alert_on_failed_runs", "alert_on_stalled_batches", "alert_on_unpublished_batches"),
    }
    if isinstance(sensors.store, FirestoreBatchStore):
        # The clock of the store is a document. The other answers are empty.
        assert sum(reads["documents"] for reads in few.values()) <= len(readers)


def test_an_open_batch_adds_reads(sensors: Sensors) -> None:
    fill(sensors.store, past_nights(0, 10))
    idle, _ = sensors.tick()
    created = NOW - timedelta(hours=1)
    fill(sensors.store, iter([batch("open", state=S.CLEANED, created_at=created)]))
    busy, requests = sensors.tick()
    assert requests["publish_cleaned_batches"] == 1
    for name in ("publish_cleaned_batches", "settle_stalled_batches", "alert_on_failed_runs"):
        assert busy[name].total() > idle[name].total()


def test_nights_that_an_earlier_version_left_open_cost_a_bounded_tick_and_then_nothing(
    sensors: Sensors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nba_predictions.nightly.stalls._MAX_QUIET", 5)
    fill(sensors.store, past_nights(0, 10))
    idle, _ = sensors.tick()
    left = [
        replace(each, batch_id=f"left_{each.batch_id}", state=S.CLEANED, announce=False)
        for each in past_nights(20, 30)
        if each.state is not S.FAILED
    ]
    fill(sensors.store, iter(left))
    # A completion without a merge in the ledger would be work that is left.
    for each in left:
        _forget_completions(sensors.store, each.batch_id)
    closed = []
    for _ in range(3):
        sensors.tick()
        closed.append(len(sensors.store.in_states({S.CLOSED})) - 5)
    assert closed == [5, 10, 10]
    assert sensors.tick()[0] == idle


def _forget_completions(store: BatchStore, batch_id: str) -> None:
    if isinstance(store, SQLiteBatchStore):
        with store._transaction() as connection:
            connection.execute("DELETE FROM completions WHERE batch_id = ?", (batch_id,))
    else:
        assert isinstance(store, FirestoreBatchStore)
        for document in store._of_batch(batch_id, "completions").list_documents():
            document.delete()
