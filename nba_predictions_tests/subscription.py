"""A deduplicating Pub/Sub subscriber for tests, based on the documented example."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import ModuleType

from google.api_core.exceptions import DeadlineExceeded
from google.cloud.pubsub_v1 import SubscriberClient
from google.pubsub_v1.types import PubsubMessage, ReceivedMessage

EXAMPLE = Path(__file__).resolve().parents[1] / "docs" / "examples" / "subscriber.py"


def example() -> ModuleType:
    """Return the module of the documented subscriber."""
    spec = importlib.util.spec_from_file_location("subscriber_example", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Subscription:
    """The messages that a deduplicating subscriber has received, in order of arrival."""

    def __init__(self, client: SubscriberClient, project: str, topic: str, seen: Path) -> None:
        self._client = client
        self._path = f"projects/{project}/subscriptions/{topic}-reader"
        self._once = example().Once(str(seen))
        self._received: list[PubsubMessage] = []
        self.deliveries = 0
        client.create_subscription(
            request={
                "name": self._path,
                "topic": f"projects/{project}/topics/{topic}",
                "enable_message_ordering": True,
            }
        )

    def read(self) -> list[PubsubMessage]:
        """Return all messages delivered so far, each dedup_id once."""
        while pulled := self._pull():
            for received in pulled:
                self.deliveries += 1
                act = partial(self._received.append, received.message)
                self._once.act(received.message.attributes["dedup_id"], act)
            acknowledged = [received.ack_id for received in pulled]
            self._client.acknowledge(subscription=self._path, ack_ids=acknowledged)
        return list(self._received)

    def _pull(self) -> Sequence[ReceivedMessage]:
        try:
            answer = self._client.pull(
                subscription=self._path, max_messages=100, retry=None, timeout=0.7
            )
        except DeadlineExceeded:
            return []
        return list(answer.received_messages)
