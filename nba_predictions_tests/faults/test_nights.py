"""Whole nights: concurrent merges on both profiles, and faults of all cloud services together."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from threading import Barrier

from google.cloud.pubsub_v1 import SubscriberClient

from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions_tests.examples import GAME_DATE
from nba_predictions_tests.faults.grpc_proxy import GrpcProxy
from nba_predictions_tests.faults.http_proxy import HttpProxy
from nba_predictions_tests.faults.script import Kind
from nba_predictions_tests.nights import (
    ROWS,
    Parts,
    Scene,
    cloud_scene,
    merge,
    predict,
    publish,
    stage,
)


def test_consolidations_at_once_leave_the_table_of_one(
    scene: Scene, undisturbed: list[dict[str, object]]
) -> None:
    workers = [scene.home.open() for _ in range(4)]
    start = Barrier(len(workers))

    def merging(parts: Parts) -> list[str]:
        start.wait()
        return merge(parts, "racing", wait_seconds=60)

    batch = stage(workers[0], "run_1")
    with ThreadPoolExecutor(len(workers)) as pool:
        assert list(pool.map(merging, workers)) == [[]] * len(workers)

    assert scene.table() == undisturbed
    assert len(undisturbed) == ROWS
    target = workers[0].warehouse.count(PREDICTIONS, GAME_DATE, batch.batch_id)
    assert (target.batch_rows, target.duplicate_keys) == (ROWS, 0)
    events = [entry.event.value for entry in workers[0].batches.ledger(batch.batch_id)]
    assert events.count("merged") == 1


def test_a_cloud_night_with_faults_of_all_services_ends_in_the_same_table(
    environment: Mapping[str, str],
    subscriber: SubscriberClient,
    tmp_path: Path,
    undisturbed: list[dict[str, object]],
) -> None:
    with ExitStack() as stack:
        bigquery = stack.enter_context(HttpProxy(environment["BIGQUERY_EMULATOR_HOST"]))
        firestore = stack.enter_context(GrpcProxy(environment["FIRESTORE_EMULATOR_HOST"]))
        pubsub = stack.enter_context(GrpcProxy(environment["PUBSUB_EMULATOR_HOST"]))
        scene = cloud_scene(tmp_path, environment, subscriber)
        behind_proxies = {
            "BIGQUERY_EMULATOR_HOST": bigquery.url,
            "FIRESTORE_EMULATOR_HOST": firestore.address,
            "PUBSUB_EMULATOR_HOST": pubsub.address,
        }
        parts = replace(scene.home, environment=behind_proxies).open()
        faults = ExitStack()
        for script, calls, kind, error in (
            (bigquery.script, "^POST /upload/", Kind.ANSWER_CUT, ""),
            (bigquery.script, "^POST /bigquery/.*/jobs", Kind.ANSWER_LOST, "unavailable"),
            (bigquery.script, "^GET /bigquery/.*/queries/", Kind.REFUSED, "internal"),
            (bigquery.script, "^DELETE .*/tables/batch_", Kind.ANSWER_CUT, ""),
            (firestore.script, "/Commit$", Kind.ANSWER_LOST, "aborted"),
            (firestore.script, "/Commit$", Kind.REFUSED, "aborted"),
            (firestore.script, "/BatchGetDocuments$", Kind.REQUEST_CUT, ""),
            (firestore.script, "/RunQuery$", Kind.ANSWER_CUT, ""),
            (firestore.script, "/RunAggregationQuery$", Kind.REFUSED, "unavailable"),
            (pubsub.script, "/Publish$", Kind.ANSWER_LOST, "deadline_exceeded"),
        ):
            faults.enter_context(script.fault(calls, kind, error, times=3))
        with faults:
            predict(parts, "run_1")
            publish(parts, "run_1")

    assert scene.table() == undisturbed
    assert scene.staging_left() == []
    assert [sent.record_count for sent in scene.messages()] == [ROWS]
    assert scene.audit().verdict is Verdict.COMPLETE
