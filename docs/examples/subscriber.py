"""Reads "Phase 5 complete" from a Pub/Sub subscription, and acts on each night once.

    pip install google-cloud-pubsub
    python subscriber.py PROJECT SUBSCRIPTION [seen.sqlite]

Pub/Sub delivers at least once, and the pipeline publishes at least once. Both are made up for here:
a message whose dedup_id was acted on before is acknowledged and left alone. The subscription should
have message ordering switched on: a later message of a game_date then never overtakes an earlier.
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
    """Remembers in a file what was acted on, so that a restart does not act again."""

    def __init__(self, path: str) -> None:
        self._path = path
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("CREATE TABLE IF NOT EXISTS seen (dedup_id TEXT PRIMARY KEY)")

    def act(self, dedup_id: str, action: Callable[[], None]) -> bool:
        """Act, unless it was done before; return whether it was done now.

        An action that raises is not remembered. One that was interrupted is done again: an action
        that must not be should keep the dedup_id in the same transaction as its effect.
        """
        with closing(sqlite3.connect(self._path, timeout=60)) as connection, connection:
            known = "SELECT 1 FROM seen WHERE dedup_id = ?"
            if connection.execute(known, (dedup_id,)).fetchone():
                return False
            action()
            connection.execute("INSERT OR IGNORE INTO seen VALUES (?)", (dedup_id,))
        return True


def start_phase_6(night: dict[str, object]) -> None:
    """What follows a finished night. A `partial` or `failed` one is for this phase to judge."""
    print(f"{night['game_date']}: {night['status']}, {night['record_count']} predictions")


def main(project: str, subscription: str, seen: str = "seen.sqlite") -> None:
    once = Once(seen)

    def receive(message: Message) -> None:
        try:
            night = json.loads(message.data)
            once.act(message.attributes["dedup_id"], lambda: start_phase_6(night))
        except Exception:
            # It comes back, and after too many times goes to the subscription's dead letters.
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
