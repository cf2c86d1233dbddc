"""Structured logs: one JSON object per line on stdout, from every process that does work.

The field names are those of Cloud Logging. The handler belongs to the package's own logger, so no
server's, framework's or image's logging set-up can swallow or reformat a line.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from datetime import datetime, timezone
from typing import Any

LOGGER_NAME = "nba_predictions"
_FIELDS = "fields"
_configuring = threading.Lock()


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
        # Plain ASCII, so that no encoding of stdout can refuse a name and lose its line.
        return json.dumps(line, default=str)


class _StdoutHandler(logging.Handler):
    """Writes to whatever sys.stdout is when a line is logged: Dagster redirects it per step."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            # One write per line: lines of several threads must not run into each other.
            sys.stdout.write(self.format(record) + "\n")
            sys.stdout.flush()
        except Exception:
            # As logging's own handlers do: a line that cannot be written must not stop a night.
            self.handleError(record)


def configure() -> logging.Logger:
    """Return the package's logger, with its one handler on stdout at INFO."""
    logger = logging.getLogger(LOGGER_NAME)
    with _configuring:
        if not any(isinstance(h, _StdoutHandler) for h in logger.handlers):
            handler = _StdoutHandler()
            handler.setFormatter(JsonFormatter())
            logger.addHandler(handler)
    # logging.config.dictConfig disables loggers that it does not know.
    logger.disabled = False
    logger.setLevel(logging.INFO)
    # Passing lines on to the root logger would print them a second time, in another shape.
    logger.propagate = False
    return logger


def milestone(event: str, message: str, *, severity: int = logging.INFO, **fields: object) -> None:
    """Log one milestone of a night. `fields` are batch_id, game_date, player_lookup, counts..."""
    configure().log(severity, message, extra={_FIELDS: {"event": event, **fields}})
