"""What every publisher owes the pipeline, whichever it is."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from nba_predictions.domain.errors import PublishError
from nba_predictions_tests.contracts.conftest import BrokerBackend
from nba_predictions_tests.examples import message


def test_a_message_arrives_whole_with_its_attributes(broker: BrokerBackend) -> None:
    message_id = broker.connect().publish(message())
    assert message_id
    assert broker.messages() == [(message().attributes, message())]


def test_the_same_dedup_id_is_delivered_once_under_the_same_id(broker: BrokerBackend) -> None:
    publisher = broker.connect()
    first = publisher.publish(message())
    assert publisher.publish(message(correlation_id="run_2")) == first
    assert broker.connect().publish(message()) == first
    assert [sent for _, sent in broker.messages()] == [message()]


def test_of_many_at_once_one_is_delivered(broker: BrokerBackend) -> None:
    publishers = [broker.connect() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(lambda publisher: publisher.publish(message()), publishers))
    assert len(ids) == 1
    assert len(broker.messages()) == 1


def test_messages_are_delivered_in_the_order_of_publication(broker: BrokerBackend) -> None:
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


def test_an_unreachable_broker_is_a_publish_error_that_names_the_place(
    broker: BrokerBackend,
) -> None:
    publisher, place = broker.unreachable()
    with pytest.raises(PublishError) as failed:
        publisher.publish(message())
    assert place in str(failed.value)
    assert "batch_1" in str(failed.value)
