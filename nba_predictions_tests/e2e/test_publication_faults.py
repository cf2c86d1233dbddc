"""Publication faults: the night stays complete, and its message is published later, once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from nba_predictions.domain.batches.batch import BatchState
from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.domain.clock import utc_now
from nba_predictions.orchestration.sensors import batch_followup as batch_sensors
from nba_predictions_tests.e2e.pipeline import GAME_DATE, Pipeline, check_results, errors, facts


class Clock:
    """The sensor's clock, which can be ahead of the clock of recorded runs."""

    ahead = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(batch_sensors, "machine_now", clock)
    return clock


def broken_broker(real: Any, message: Any) -> Any:
    raise AttributeError("'NoneType' object has no attribute 'publish'")


def test_a_failed_publication_leaves_the_night_intact_and_is_retried_until_it_succeeds(
    pipeline: Pipeline, clock: Clock
) -> None:
    assert pipeline.predict().success
    table = facts(pipeline.table())

    keys = []
    with pipeline.publisher.broken("publish", broken_broker):
        for wait in (30, 60, 120):
            (request,) = pipeline.tick()
            keys.append(request.run_key)
            failed = pipeline.publish(request)
            assert not failed.success
            assert "AttributeError: 'NoneType'" in errors(failed)[0]
            assert pipeline.batch().state is BatchState.CLEANED
            audit = pipeline.audit()
            assert audit.verdict is Verdict.MERGED_NOT_PUBLISHED
            # The audit shows that the merge was correct and only the message is missing.
            audit_facts = " | ".join(audit.facts)
            assert "staging was merged and cleaned up at " in audit_facts
            rows = len(table)
            assert f"holds {rows} rows of this batch, {rows} were recorded" in audit_facts
            assert f"of these, {rows} were inserted and 0 updated" in audit_facts
            assert pipeline.ledger()[-1].event == "publish_failed"
            clock.ahead = timedelta(seconds=wait - 10)
            assert pipeline.tick() == []
            clock.ahead = timedelta(seconds=wait)
    assert pipeline.messages() == []
    assert facts(pipeline.table()) == table

    (request,) = pipeline.tick()
    keys.append(request.run_key)
    assert len(set(keys)) == 4
    published = pipeline.publish(request)
    assert published.success
    (message,) = pipeline.messages()
    assert message.dedup_id == pipeline.batch().batch_id
    assert pipeline.audit().verdict is Verdict.COMPLETE
    check = check_results(published)["the_night_is_whole"]
    assert check.passed
    assert check.metadata["verdict"].value == "COMPLETE"
    clock.ahead = timedelta(days=1)
    assert pipeline.tick() == []


def test_a_message_acknowledged_before_a_crash_is_delivered_once(
    pipeline: Pipeline, clock: Clock
) -> None:
    assert pipeline.predict().success

    def acknowledged_then_lost(real: Any, message: Any) -> Any:
        real(message)
        raise ConnectionResetError("the answer was lost")

    with pipeline.publisher.broken("publish", acknowledged_then_lost):
        (request,) = pipeline.tick()
        assert not pipeline.publish(request).success
    assert len(pipeline.messages()) == 1
    assert pipeline.batch().state is BatchState.CLEANED
    clock.ahead = timedelta(minutes=1)
    (request,) = pipeline.tick()
    assert pipeline.publish(request).success
    assert len(pipeline.messages()) == 1
    assert pipeline.batch().state is BatchState.PUBLISHED


def test_repeated_publications_of_a_batch_send_one_message(pipeline: Pipeline) -> None:
    assert pipeline.predict().success
    (request,) = pipeline.tick()
    assert pipeline.publish(request).success
    assert pipeline.publish(request).success
    assert pipeline.materialize("phase5_completion").success
    assert len(pipeline.messages()) == 1


def test_a_batch_that_is_not_cleaned_up_cannot_be_published_by_hand(pipeline: Pipeline) -> None:
    assert pipeline.materialize_until_staged().success
    refused = pipeline.materialize("phase5_completion")
    assert not refused.success
    assert "only a cleaned-up batch is published" in errors(refused)[0]
    assert pipeline.messages() == []


def test_a_superseded_batch_is_not_published(
    pipeline: Pipeline,
) -> None:
    assert pipeline.predict().success
    assert pipeline.predict().success
    assert len(pipeline.batches.of_date(GAME_DATE)) == 2
    (request,) = pipeline.tick()
    assert request.tags[batch_sensors.BATCH_TAG] == pipeline.batch().batch_id
    assert pipeline.publish(request).success
    assert [m.dedup_id for m in pipeline.messages()] == [pipeline.batch().batch_id]


def test_merge_and_publication_are_separate_runs(
    pipeline: Pipeline,
) -> None:
    """The run that predicts succeeds even if the publication fails."""
    night = pipeline.predict()
    with pipeline.publisher.broken("publish", broken_broker):
        pipeline.publish(pipeline.tick()[0])
    statuses = {
        record.dagster_run.job_name: record.dagster_run.status
        for record in pipeline.instance.get_run_records()
    }
    assert night.success
    assert statuses == {
        "nightly_predictions": dg.DagsterRunStatus.SUCCESS,
        "publish_phase5_completion": dg.DagsterRunStatus.FAILURE,
    }
