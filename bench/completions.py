"""Measure completions per second: one document per completion, against one shared document.

    python -m nba_predictions_tests.standins python -m bench.completions [--writers 40]

The shared document is updated in transactions, a common design that this project avoids. Both
variants run against the same Firestore, one after the other, for the same time. Only the ratio of
the two rates is meaningful.
"""

from __future__ import annotations

import argparse
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from google.api_core.exceptions import GoogleAPICallError
from google.cloud import firestore

from nba_predictions.batch_store.firestore_store import FirestoreBatchStore
from nba_predictions.domain.batches.batch import Completion
from nba_predictions.domain.clock import utc_now


def rate(write: Callable[[int], None], writers: int, seconds: float) -> float:
    """Return the successful writes per second of all writers together."""
    done: list[int] = []
    lock = threading.Lock()
    end = time.monotonic() + seconds

    def work(writer: int) -> None:
        number = writer
        while time.monotonic() < end:
            try:
                write(number)
            except (GoogleAPICallError, ValueError):
                # A transaction that was abandoned after its attempts.
                continue
            with lock:
                done.append(number)
            number += writers

    started = time.monotonic()
    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(work, range(writers)))
    return len(done) / (time.monotonic() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writers", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    store = FirestoreBatchStore("bench-project", uuid.uuid4().hex)
    client = firestore.Client(project="bench-project")
    shared = client.collection("bench").document(uuid.uuid4().hex)
    shared.set({"completed": []})

    def create(number: int) -> None:
        name = f"player{number}"
        store.complete("batch", Completion(name, 25, utc_now(), "run", staging_table=name))

    @firestore.transactional
    def add(transaction: firestore.Transaction, number: int) -> None:
        completed = shared.get(transaction=transaction).get("completed")
        transaction.update(shared, {"completed": [*completed, f"player{number}"]})

    own = rate(create, options.writers, options.seconds)
    one = rate(lambda number: add(client.transaction(), number), options.writers, options.seconds)
    print(
        f"separate documents: {own:.1f}/s  shared document: {one:.1f}/s  "
        f"ratio {own / max(one, 0.01):.0f}"
    )


if __name__ == "__main__":
    main()
