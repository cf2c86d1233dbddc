"""The embedded publisher: a durable outbox in SQLite that subscribers read in order."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import PublishError, StorageError
from nba_predictions.domain.messages.completion import TOPIC, CompletionMessage
from nba_predictions.durable_files import naming_damaged_sqlite
from nba_predictions.messaging.port import Message, topic_of

_SCHEMA = """
CREATE TABLE IF NOT EXISTS outbox (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  topic TEXT NOT NULL,
  dedup_id TEXT NOT NULL,
  ordering_key TEXT NOT NULL,
  attributes TEXT NOT NULL,
  data TEXT NOT NULL,
  published_at TEXT NOT NULL,
  UNIQUE (topic, dedup_id)
)
"""


@dataclass(frozen=True)
class OutboxMessage:
    """A message as a subscriber receives it. `position` increases with each message."""

    position: int
    dedup_id: str
    ordering_key: str
    attributes: dict[str, str]
    message: CompletionMessage
    published_at: datetime

    @property
    def message_id(self) -> str:
        return f"outbox-{self.position}"


@dataclass(frozen=True)
class OutboxPublisher:
    """Publishes to the SQLite file `path`. A message with an existing dedup_id is ignored.

    A message with a lower sequence than a stored one of its date is refused. A worker that was
    paused while a later message was published sends such a message.
    """

    path: Path
    topic: str = TOPIC

    def prepare(self) -> list[str]:
        new = not self.path.exists()
        with self._transaction():
            """Opening the file creates the table."""
        return [f"outbox {self.path}"] if new else []

    def publish(self, message: Message) -> str:
        topic = topic_of(type(message), self.topic)
        try:
            with self._transaction() as connection:
                self._refuse_outdated(connection, topic, message)
                connection.execute(
                    "INSERT OR IGNORE INTO outbox "
                    "(topic, dedup_id, ordering_key, attributes, data, published_at) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        topic,
                        message.dedup_id,
                        message.ordering_key,
                        json.dumps(message.attributes),
                        message.model_dump_json(),
                        utc_now().isoformat(),
                    ),
                )
                (position,) = connection.execute(
                    "SELECT position FROM outbox WHERE topic = ? AND dedup_id = ?",
                    (topic, message.dedup_id),
                ).fetchone()
        except (sqlite3.Error, StorageError, OSError) as error:
            raise PublishError(
                f"the outbox {self.path} did not store {message.dedup_id}: {error}"
            ) from error
        return f"outbox-{position}"

    @staticmethod
    def _refuse_outdated(connection: sqlite3.Connection, topic: str, message: Message) -> None:
        sequence = message.attributes.get("sequence")
        if sequence is None:
            return
        # The write lock comes first, so that no later message is stored between the two statements.
        connection.execute("BEGIN IMMEDIATE")
        newer = connection.execute(
            "SELECT dedup_id FROM outbox WHERE topic = ? AND ordering_key = ? "
            "AND CAST(json_extract(attributes, '$.sequence') AS INTEGER) > ?",
            (topic, message.ordering_key, int(sequence)),
        ).fetchone()
        if newer:
            raise PublishError(
                f"{message.dedup_id} is outdated: {newer[0]} was published after it for "
                f"{message.ordering_key}"
            )

    def read(self, after: int = 0) -> list[OutboxMessage]:
        """Return the messages after a position, oldest first. A subscriber stores the last one."""
        with self._transaction() as connection:
            rows = connection.execute(
                "SELECT position, dedup_id, ordering_key, attributes, data, published_at "
                "FROM outbox WHERE topic = ? AND position > ? ORDER BY position",
                (self.topic, after),
            ).fetchall()
        return [
            OutboxMessage(
                position,
                dedup_id,
                ordering_key,
                json.loads(attributes),
                CompletionMessage.model_validate_json(data),
                datetime.fromisoformat(published_at),
            )
            for position, dedup_id, ordering_key, attributes, data, published_at in rows
        ]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with (
            naming_damaged_sqlite(self.path),
            closing(sqlite3.connect(self.path, timeout=60)) as connection,
            connection,
        ):
            # An acknowledged message must survive a power failure.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(_SCHEMA)
            yield connection
