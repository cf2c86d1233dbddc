"""What is deployed beside the code fits the code."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from google.cloud import firestore
from google.cloud.firestore_v1.services.firestore import FirestoreClient

from nba_predictions.batch_store.firestore_store import FirestoreBatchStore
from nba_predictions.batch_store.port import BatchStore
from nba_predictions.domain.batches.batch import BatchState
from nba_predictions.domain.batches.retention import Retention
from nba_predictions_tests.examples import GAME_DATE, NOON, batch, completion, dead_letter
from nba_predictions_tests.examples import ledger_entry as entry

GCP = Path(__file__).resolve().parents[2] / "deploy" / "gcp"
CONFIGURED = json.loads((GCP / "firestore.indexes.json").read_text("utf-8"))
OVERRIDES = CONFIGURED["fieldOverrides"]
INDEXED = {(o["collectionGroup"], o["fieldPath"]) for o in OVERRIDES if o["indexes"]}
#: The collections without indexes but for those of the overrides.
EXEMPT = {o["collectionGroup"] for o in OVERRIDES if o["fieldPath"] == "*"}


def test_the_indexes_have_the_documented_format() -> None:
    # https://firebase.google.com/docs/reference/firestore/indexes
    assert set(CONFIGURED) == {"indexes", "fieldOverrides"}
    assert CONFIGURED["indexes"] == []
    for override in OVERRIDES:
        required = {"collectionGroup", "fieldPath", "indexes"}
        assert required <= set(override) <= required | {"ttl"}
        assert isinstance(override.get("ttl", True), bool)
        for index in override["indexes"]:
            assert index == {"order": "ASCENDING", "queryScope": "COLLECTION"}
            assert override["fieldPath"] != "*"
    keys = [(o["collectionGroup"], o["fieldPath"]) for o in OVERRIDES]
    assert len(keys) == len(set(keys))
    # One policy per collection, on one field. The API refuses one on all fields.
    ttl = [key for key, override in zip(keys, OVERRIDES, strict=True) if override.get("ttl")]
    assert ttl == [("versions", "delete_after")]


def test_the_firebase_command_line_finds_the_files() -> None:
    (files,) = json.loads((GCP / "firebase.json").read_text("utf-8")).values()
    assert set(files) == {"rules", "indexes"}
    assert all((GCP / file).is_file() for file in files.values())


@pytest.fixture
def store(open_google_cloud_store: Callable[[], BatchStore]) -> FirestoreBatchStore:
    store = open_google_cloud_store()
    assert isinstance(store, FirestoreBatchStore)
    return store


def use_everything(store: BatchStore) -> None:
    """Write each kind of document, and send each kind of query."""
    assert store.create(batch())
    store.complete("batch_1", completion("a"))
    # The tally of a batch with replays sends other queries.
    store.tally("batch_1")
    store.complete("batch_1", completion("b"), replace=True)
    store.add_dead_letter("batch_1", dead_letter("c"))
    lease = store.acquire_lease(GAME_DATE, "me", timedelta(minutes=1))
    store.append("batch_1", entry("resumed"), lease)
    store.release_lease(lease)
    store.of_date(GAME_DATE)
    store.in_states(set(BatchState))
    store.failed_since(NOON)
    store.tally("batch_1")
    store.completions("batch_1")
    store.dead_letters("batch_1")
    store.ledger("batch_1")


def searched_fields(query: Any) -> Iterator[tuple[str, str]]:
    (source,) = query.from_
    where = query.where
    filters = [where, *where.composite_filter.filters]
    for each in filters:
        if path := each.field_filter.field.field_path:
            yield source.collection_id, path
    for order in query.order_by:
        yield source.collection_id, order.field.field_path


def test_every_field_that_is_searched_has_an_index(
    store: FirestoreBatchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: set[tuple[str, str]] = set()
    for name in ("run_query", "run_aggregation_query"):
        real = getattr(FirestoreClient, name)

        def call(
            client: FirestoreClient, request: Any, real: Callable[..., Any] = real, **options: Any
        ) -> Any:
            query = request.get("structured_query")
            if query is None:
                query = request["structured_aggregation_query"].structured_query
            searched.update(searched_fields(query))
            return real(client, request=request, **options)

        monkeypatch.setattr(FirestoreClient, name, call)
    use_everything(store)
    assert searched == INDEXED


def test_no_collection_has_the_default_indexes(store: FirestoreBatchStore) -> None:
    use_everything(store)
    found: set[str] = set()

    def visit(document: firestore.DocumentReference) -> None:
        for collection in document.collections():
            found.add(collection.id)
            for below in collection.list_documents():
                visit(below)

    visit(store._root)
    assert found == EXEMPT


def test_a_version_is_deleted_after_every_worker_that_read_an_earlier_one(
    store: FirestoreBatchStore,
) -> None:
    use_everything(store)
    now = store.now()
    parents = (store._batches.document("batch_1"), store._leases.document(GAME_DATE.isoformat()))
    for parent in parents:
        versions = [document.to_dict() for document in parent.collection("versions").stream()]
        assert versions
        for version in versions:
            assert timedelta(days=89) < version["delete_after"] - now < timedelta(days=91)


def test_compute_logs_are_deleted_with_their_runs() -> None:
    lifecycle = json.loads((GCP / "compute-logs-lifecycle.json").read_text("utf-8"))
    age = {"age": Retention().runs_days}
    assert lifecycle == {"rule": [{"action": {"type": "Delete"}, "condition": age}]}


def test_nobody_but_service_accounts_reaches_the_batch_store() -> None:
    rules = (GCP / "firestore.rules").read_text("utf-8")
    assert rules.count("allow") == 1
    assert "allow read, write: if false;" in rules
