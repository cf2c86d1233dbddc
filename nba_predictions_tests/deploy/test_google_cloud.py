"""What is deployed beside the code fits the code."""

import json
from pathlib import Path

from nba_predictions.batch_store import firestore_store
from nba_predictions.domain.batches.retention import Retention

GCP = Path(__file__).resolve().parents[2] / "deploy" / "gcp"


def test_what_is_not_indexed_is_a_field_of_a_collection_of_the_batch_store() -> None:
    source = Path(firestore_store.__file__).read_text("utf-8")
    overrides = json.loads((GCP / "firestore.indexes.json").read_text("utf-8"))["fieldOverrides"]
    assert overrides
    for override in overrides:
        assert f'"{override["collectionGroup"]}"' in source
        assert f'"{override["fieldPath"]}"' in source
        # These two are searched for.
        assert override["fieldPath"] not in {"state", "game_date", "rows"}


def test_compute_logs_are_deleted_with_their_runs() -> None:
    lifecycle = json.loads((GCP / "compute-logs-lifecycle.json").read_text("utf-8"))
    age = {"age": Retention().runs_days}
    assert lifecycle == {"rule": [{"action": {"type": "Delete"}, "condition": age}]}


def test_nobody_but_service_accounts_reaches_the_batch_store() -> None:
    rules = (GCP / "firestore.rules").read_text("utf-8")
    assert rules.count("allow") == 1
    assert "allow read, write: if false;" in rules
