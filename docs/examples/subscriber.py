"""Read "Phase 5 complete" messages from a Pub/Sub subscription and act on each night once.

    pip install google-cloud-pubsub
    python subscriber.py PROJECT SUBSCRIPTION [seen.sqlite]

Pub/Sub delivers at least once, and the pipeline publishes at least once. This subscriber
acknowledges and ignores a message whose dedup_id it has already handled. Enable message ordering
for the subscription, so that a later message of a game date never arrives before an earlier one.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing

from google.cloud.pubsub_v1 import SubscriberClient
from google.cloud.pubsub_v1.subscriber.message import Message


class Once:
    """Record handled messages in a file, so that a restart does not repeat an action."""

    def __init__(self, path: str) -> None:
        self._path = path
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("CREATE TABLE IF NOT EXISTS seen (dedup_id TEXT PRIMARY KEY)")

    def act(self, dedup_id: str, action: Callable[[], None]) -> bool:
        """Run the action unless it was done before. Return whether it ran.

        An action that raises or is interrupted runs again for the next delivery. If it must not run
        twice, store the dedup_id in the same transaction as the effect of the action.
        """
        with closing(sqlite3.connect(self._path, timeout=60)) as connection, connection:
            known = "SELECT 1 FROM seen WHERE dedup_id = ?"
            if connection.execute(known, (dedup_id,)).fetchone():
                return False
            action()
            connection.execute("INSERT OR IGNORE INTO seen VALUES (?)", (dedup_id,))
        return True


def start_phase_6(night: dict[str, object]) -> None:
    """Start the next phase. It decides what to do with a `partial` or `failed` night."""
    print(f"{night['game_date']}: {night['status']}, {night['record_count']} predictions")


def main(project: str, subscription: str, seen: str = "seen.sqlite") -> None:
    once = Once(seen)

    def receive(message: Message) -> None:
        try:
            night = json.loads(message.data)
            once.act(message.attributes["dedup_id"], lambda: start_phase_6(night))
        except Exception:
            # Pub/Sub delivers it again. After too many attempts it goes to the dead-letter topic.
            message.nack()
            raise
        message.ack()

    with SubscriberClient() as subscriber:
        path = subscriber.subscription_path(project, subscription)
        subscriber.subscribe(path, callback=receive).result()


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(*sys.argv[1:])
