"""The port for the destinations of alerts."""

from collections.abc import Mapping
from typing import Protocol

from nba_predictions.domain.policies.alerting import Message


class Notifier(Protocol):
    """Sends messages to the configured destinations."""

    @property
    def destinations(self) -> Mapping[str, str]:
        """Return the names of the destinations by id. An id stays the same after a restart.

        Ids are stored in cursors and names are logged, so neither contains a secret.
        """
        ...

    def send(self, destination: str, message: Message) -> str | None:
        """Send a message to one destination; return None if it was accepted, else the reason.

        It returns after some seconds at most, and raises nothing. The reason contains no secret.
        """
        ...
