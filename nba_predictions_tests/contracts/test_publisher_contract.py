"""The contract of a message publisher, checked on every adapter.

`broker.messages` and `broker.dead_letters` show what a deduplicating subscriber receives. A broker
may deliver the same message more than once.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from nba_predictions.domain.errors import PublishError
from nba_predictions.domain.messages.dead_letter import DeadLetterMessage
from nba_predictions_tests.backends import BrokerBackend
from nba_predictions_tests.examples import batch, dead_letter, message


def test_a_message_arrives_complete_with_its_attributes(broker: BrokerBackend) -> None:
    message_id = broker.connect().publish(message())
    assert message_id
    assert broker.messages() == [(message().attributes, message())]


def test_the_same_dedup_id_reaches_a_subscriber_once(broker: BrokerBackend) -> None:
    publisher = broker.connect()
    publisher.publish(message())
    assert publisher.publish(message(correlation_id="run_2"))
    assert broker.connect().publish(message())
    assert [sent for _, sent in broker.messages()] == [message()]


def test_concurrent_publishes_of_one_message_reach_a_subscriber_once(broker: BrokerBackend) -> None:
    publishers = [broker.connect() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda publisher: publisher.publish(message()), publishers))
    assert len(broker.messages()) == 1


def test_messages_of_a_date_arrive_in_publication_order(broker: BrokerBackend) -> None:
    publisher = broker.connect()
    names = [f"batch_{n}" for n in (3, 1, 2)]
    ids = [publisher.publish(message(name)) for name in names]
    publisher.publish(message("batch_1"))
    assert len(set(ids)) == 3
    assert [sent.execution_id for _, sent in broker.messages()] == names


def test_messages_survive_reopening(broker: BrokerBackend) -> None:
    broker.connect().publish(message("batch_1"))
    broker.connect().publish(message("batch_2"))
    assert [sent.dedup_id for _, sent in broker.messages()] == ["batch_1", "batch_2"]


def test_dead_letters_are_published_on_a_separate_topic(broker: BrokerBackend) -> None:
    dead_letters = [DeadLetterMessage.of(batch(), dead_letter(lookup)) for lookup in ("a", "b")]
    again = DeadLetterMessage.of(batch(), replace(dead_letter("a"), run_id="run_2"))
    publisher = broker.connect()
    for letter in (*dead_letters, dead_letters[0], again):
        publisher.publish(letter)
    publisher.publish(message())
    assert broker.dead_letters() == [*dead_letters, again]
    assert [sent for _, sent in broker.messages()] == [message()]


def test_an_unreachable_broker_raises_a_publish_error_with_its_address(
    broker: BrokerBackend,
) -> None:
    publisher, address = broker.unreachable()
    with pytest.raises(PublishError) as failed:
        publisher.publish(message())
    assert address in str(failed.value)
    assert "batch_1" in str(failed.value)


def test_prepare_returns_only_newly_created_objects(broker: BrokerBackend) -> None:
    # `connect` has already prepared it.
    assert broker.connect().prepare() == []
