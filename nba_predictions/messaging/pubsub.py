"""The publisher on Pub/Sub: one topic for completion messages and one for dead letters."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial

from google.api_core.exceptions import AlreadyExists, GoogleAPIError, NotFound
from google.auth.exceptions import GoogleAuthError
from google.cloud.pubsub_v1 import PublisherClient
from google.pubsub_v1 import PublisherClient as UnaryPublisher
from google.pubsub_v1.types import PubsubMessage

from nba_predictions.domain.errors import CloudAccessError, PublishError
from nba_predictions.domain.messages.completion import CompletionMessage
from nba_predictions.domain.messages.dead_letter import DeadLetterMessage
from nba_predictions.google_cloud import ONCE, connect, persist
from nba_predictions.messaging.port import Message, topic_of

#: How long a publication is retried before it fails. The sensor retries a failed publication.
PUBLISH_SECONDS = 30.0


@dataclass(frozen=True)
class PubSubPublisher:
    """Publishes completion messages to `topic`, and dead letters to `{topic}-dead-letters`.

    Each message is one unary call with a deadline. The queue of the client would retry in the
    background after the deadline, and the caller would not know.
    """

    project: str
    topic: str
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def prepare(self) -> list[str]:
        created = []
        for kind in (CompletionMessage, DeadLetterMessage):
            path = self.topic_path(kind)
            try:
                persist(partial(self._client.get_topic, topic=path, **ONCE))
            except NotFound:
                # Another process may create it at the same moment.
                with suppress(AlreadyExists):
                    persist(partial(self._client.create_topic, name=path, **ONCE))
                created.append(f"topic {path}")
        return created

    def publish(self, message: Message) -> str:
        path = self.topic_path(type(message))
        envelope = PubsubMessage(
            data=message.model_dump_json().encode(),
            attributes=message.attributes,
            ordering_key=message.ordering_key,
        )
        try:
            answer = persist(
                # PublisherClient overrides the generated method with one that uses a queue.
                lambda: UnaryPublisher.publish(
                    self._client, topic=path, messages=[envelope], **ONCE
                ),
                seconds=PUBLISH_SECONDS,
            )
        except (CloudAccessError, GoogleAPIError, GoogleAuthError) as error:
            raise PublishError(
                f"{path} did not acknowledge {message.dedup_id}: {error}. It is retried. If the "
                f"error persists, create the topic with `nba-predictions gcp init`, or grant the "
                f"service account roles/pubsub.publisher on it"
            ) from error
        return str(answer.message_ids[0])

    def topic_path(self, kind: type[Message]) -> str:
        """Return the full name of the topic that carries a kind of message."""
        return f"projects/{self.project}/topics/{topic_of(kind, self.topic)}"

    @property
    def _client(self) -> PublisherClient:
        with self._lock:
            return self._connected

    @cached_property
    def _connected(self) -> PublisherClient:
        return connect(PublisherClient)
