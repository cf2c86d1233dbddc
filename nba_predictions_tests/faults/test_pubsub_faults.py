"""Faults between the client and Pub/Sub: a subscriber receives a message once, or publish fails."""

from __future__ import annotations

import pytest

from nba_predictions.domain.errors import PublishError
from nba_predictions_tests.examples import message
from nba_predictions_tests.faults.conftest import PubSub
from nba_predictions_tests.faults.script import Kind


@pytest.mark.parametrize(
    ("kind", "error", "deliveries"),
    [
        (Kind.REFUSED, "unavailable", 1),
        (Kind.REFUSED, "aborted", 1),
        (Kind.REFUSED, "too_many_requests", 1),
        (Kind.REQUEST_CUT, "", 1),
        (Kind.ANSWER_LOST, "deadline_exceeded", 2),
        (Kind.ANSWER_CUT, "", 2),
        (Kind.DUPLICATED, "", 2),
    ],
)
def test_a_message_reaches_a_subscriber_once(
    pubsub: PubSub, kind: Kind, error: str, deliveries: int
) -> None:
    with pubsub.script.fault("/Publish$", kind, error):
        assert pubsub.publisher.publish(message())
    received = pubsub.subscription.read()
    assert [sent.attributes["dedup_id"] for sent in received] == ["batch_1"]
    assert pubsub.subscription.deliveries == deliveries


def test_a_delay_of_five_seconds_is_tolerated(pubsub: PubSub) -> None:
    with pubsub.script.fault("/Publish$", Kind.SLOW, seconds=5.0):
        assert pubsub.publisher.publish(message())
    assert len(pubsub.subscription.read()) == 1


@pytest.mark.usefixtures("impatient")
def test_a_permanent_fault_is_a_publish_error(pubsub: PubSub) -> None:
    unreachable = pubsub.script.fault("/Publish$", Kind.REFUSED, times=None)
    with unreachable, pytest.raises(PublishError, match=r"batch_1.*is retried"):
        pubsub.publisher.publish(message())
    assert pubsub.publisher.publish(message())
    assert len(pubsub.subscription.read()) == 1
