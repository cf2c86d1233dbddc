"""What the pipeline asks of whoever carries its alerts to people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from nba_predictions.domain.policies.alerting import Message


class Notifier(Protocol):
    """The destinations of alerts, and the way there."""

    @property
    def destinations(self) -> Mapping[str, str]:
        """Return each destination's id, which stays the same over restarts, and its name.

        Both are shown in logs and kept in cursors: neither holds a secret.
        """
        ...

    def send(self, destination: str, message: Message) -> str | None:
        """Send a message to one destination; return None when it took it, else the reason.

        It gives up after some seconds, raises nothing, and never returns a secret.
        """
        ...
