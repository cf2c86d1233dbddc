"""The port for message brokers."""

from __future__ import annotations

from typing import Protocol

from nba_predictions.domain.messages.completion import CompletionMessage
from nba_predictions.domain.messages.dead_letter import DeadLetterMessage

Message = CompletionMessage | DeadLetterMessage


def topic_of(kind: type[Message], topic: str) -> str:
    """Return the topic of a kind of message. Dead letters have a separate topic."""
    return f"{topic}-dead-letters" if issubclass(kind, DeadLetterMessage) else topic


class Publisher(Protocol):
    """Publishes messages at least once. Subscribers deduplicate them by dedup_id."""

    def prepare(self) -> list[str]:
        """Create the topics or files of the broker. Safe to repeat. Return what was created."""
        ...

    def publish(self, message: Message) -> str:
        """Publish the message, and return its id after the broker has acknowledged it.

        Completion messages and dead letters have separate topics.

        Raises:
            PublishError: the broker did not acknowledge the message. It may have received it.
        """
        ...
