"""Structured logs: one JSON object per line on stdout, from every process that does work.

The field names are those of Cloud Logging. The handler belongs to the package's own logger, so no
server's, framework's or image's logging set-up can swallow or reformat a line.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime, timezone
from typing import Any, TextIO

LOGGER_NAME = "nba_predictions"
_FIELDS = "fields"


class JsonFormatter(logging.Formatter):
    """`severity`, `message`, `time`, `event`, and whatever fields the line was logged with."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "severity": record.levelname,
            "message": record.getMessage(),
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(
                timespec="milliseconds"
            ),
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class _StdoutHandler(logging.StreamHandler[TextIO]):
    """Writes to whatever sys.stdout is when a line is logged: Dagster redirects it per step."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)

    @property
    def stream(self) -> TextIO:
        return sys.stdout

    @stream.setter
    def stream(self, _: TextIO) -> None:
        """The stream is always the present sys.stdout."""


def configure() -> logging.Logger:
    """Return the package's logger, with its one handler on stdout at INFO."""
    logger = logging.getLogger(LOGGER_NAME)
    if not any(isinstance(h, _StdoutHandler) for h in logger.handlers):
        handler = _StdoutHandler()
        handler.setFormatter(JsonFormatter())
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    # Passing lines on to the root logger would print them a second time, in another shape.
    logger.propagate = False
    return logger


def milestone(event: str, message: str, *, severity: int = logging.INFO, **fields: object) -> None:
    """Log one milestone of a night. `fields` are batch_id, game_date, player_lookup, counts..."""
    configure().log(severity, message, extra={_FIELDS: {"event": event, **fields}})
