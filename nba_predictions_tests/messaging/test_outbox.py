"""What is particular to the outbox: how a subscriber reads it."""

import json
import sqlite3
from datetime import datetime, timezone
from pathlib import Path

import pytest

from nba_predictions.domain.errors import PublishError
from nba_predictions.domain.messages.completion import TOPIC
from nba_predictions.messaging.outbox import OutboxPublisher
from nba_predictions_tests.examples import message


@pytest.fixture
def outbox(tmp_path: Path) -> OutboxPublisher:
    return OutboxPublisher(tmp_path / "outbox.sqlite")


def test_a_subscriber_goes_on_behind_the_last_position_it_has_seen(
    outbox: OutboxPublisher,
) -> None:
    ids = [outbox.publish(message(f"batch_{n}")) for n in (1, 2, 3)]
    seen = outbox.read()
    assert [sent.message_id for sent in seen] == ids
    assert [sent.dedup_id for sent in outbox.read(after=seen[1].position)] == ["batch_3"]
    assert outbox.read(after=seen[-1].position) == []


def test_what_is_read_says_when_it_was_published_and_under_which_key(
    outbox: OutboxPublisher,
) -> None:
    before = datetime.now(timezone.utc)
    outbox.publish(message())
    (sent,) = outbox.read()
    assert before <= sent.published_at <= datetime.now(timezone.utc)
    assert sent.ordering_key == "2026-01-01"


def test_the_same_dedup_id_keeps_its_id(outbox: OutboxPublisher) -> None:
    first = outbox.publish(message())
    assert outbox.publish(message(correlation_id="run_2")) == first
    assert len(outbox.read()) == 1


def test_topics_of_one_file_do_not_mix(outbox: OutboxPublisher) -> None:
    other = OutboxPublisher(outbox.path, topic="another")
    outbox.publish(message())
    other.publish(message())
    assert (len(outbox.read()), len(other.read())) == (1, 1)


def test_the_table_is_plain_enough_for_a_reader_of_another_language(
    outbox: OutboxPublisher,
) -> None:
    outbox.publish(message())
    with sqlite3.connect(outbox.path) as connection:
        topic, data = connection.execute("SELECT topic, data FROM outbox").fetchone()
    assert topic == TOPIC
    assert json.loads(data)["metadata"]["completion_pct"] == 100.0


def test_a_file_that_is_no_database_is_a_publish_error(outbox: OutboxPublisher) -> None:
    outbox.path.write_text("this is no database, and never was; it is only here to be in the way")
    with pytest.raises(PublishError, match=r"outbox\.sqlite did not store batch_1"):
        outbox.publish(message())
