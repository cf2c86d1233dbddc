"""A broker that is away: the night stays good, and the message gets out later, once."""

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
    """The sensor's clock, which can be put ahead of the time at which runs are recorded."""

    ahead = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(batch_sensors, "utc_now", clock)
    return clock


def broken_broker(real: Any, message: Any) -> Any:
    raise AttributeError("'NoneType' object has no attribute 'publish'")


def test_a_failed_publication_leaves_a_good_night_and_is_tried_again_until_it_is_out(
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
            # What would have ended the famous night in a minute.
            facts_told = " | ".join(audit.facts)
            assert "staging was merged and cleaned up at " in facts_told
            rows = len(table)
            assert f"holds {rows} rows of this batch, {rows} were recorded" in facts_told
            assert f"of these, {rows} were inserted and 0 updated" in facts_told
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


def test_a_crash_after_the_acknowledgement_publishes_again_and_is_delivered_once(
    pipeline: Pipeline, clock: Clock
) -> None:
    assert pipeline.predict().success

    def acknowledged_then_lost(real: Any, message: Any) -> Any:
        real(message)
        raise ConnectionResetError("the answer never came")

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


def test_two_publishing_runs_of_one_batch_send_one_message(pipeline: Pipeline) -> None:
    assert pipeline.predict().success
    (request,) = pipeline.tick()
    assert pipeline.publish(request).success
    assert pipeline.publish(request).success
    assert pipeline.materialize("phase5_completion").success
    assert len(pipeline.messages()) == 1


def test_a_batch_that_is_not_cleaned_is_not_published_by_hand(pipeline: Pipeline) -> None:
    assert pipeline.materialize_until_staged().success
    refused = pipeline.materialize("phase5_completion")
    assert not refused.success
    assert "only a cleaned-up batch is published" in errors(refused)[0]
    assert pipeline.messages() == []


def test_an_earlier_batch_whose_rows_were_taken_over_is_not_published(
    pipeline: Pipeline,
) -> None:
    assert pipeline.predict().success
    assert pipeline.predict().success
    assert len(pipeline.batches.of_date(GAME_DATE)) == 2
    (request,) = pipeline.tick()
    assert request.tags[batch_sensors.BATCH_TAG] == pipeline.batch().batch_id
    assert pipeline.publish(request).success
    assert [m.dedup_id for m in pipeline.messages()] == [pipeline.batch().batch_id]


def test_the_consolidation_is_told_apart_from_its_publication_in_the_runs(
    pipeline: Pipeline,
) -> None:
    """The run that predicts stays green, whatever becomes of the message."""
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
