"""What the pipeline asks of a message broker."""

from __future__ import annotations

from typing import Protocol

from nba_predictions.domain.completion_message import CompletionMessage


class Publisher(Protocol):
    """Hands completion messages over. At least once: readers deduplicate by dedup_id."""

    def prepare(self) -> list[str]:
        """Create whatever the broker needs; safe to repeat. Return what was made, in words."""
        ...

    def publish(self, message: CompletionMessage) -> str:
        """Hand the message over and return its id only once the broker has acknowledged it.

        Raises:
            PublishError: the broker did not acknowledge; it is not known to have the message.
        """
        ...
