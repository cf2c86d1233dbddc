"""What the pipeline asks of a message broker."""

from __future__ import annotations

from typing import Protocol

from nba_predictions.domain.messages.completion import CompletionMessage
from nba_predictions.domain.messages.dead_letter import DeadLetterMessage

Message = CompletionMessage | DeadLetterMessage


def topic_of(kind: type[Message], topic: str) -> str:
    """Return the topic that carries a kind of message: dead letters have one of their own."""
    return f"{topic}-dead-letters" if issubclass(kind, DeadLetterMessage) else topic


class Publisher(Protocol):
    """Hands messages over. At least once: readers deduplicate by dedup_id."""

    def prepare(self) -> list[str]:
        """Create whatever the broker needs; safe to repeat. Return what was made, in words."""
        ...

    def publish(self, message: Message) -> str:
        """Hand the message over and return its id only once the broker has acknowledged it.

        Completions and dead letters have a topic each.

        Raises:
            PublishError: the broker did not acknowledge; it is not known to have the message.
        """
        ...
