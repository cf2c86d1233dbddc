"""Structured logs: one JSON object per line on stdout.

The field names are those of Cloud Logging. The package's own logger has its own handler, so the
logging configuration of a server or framework does not drop or reformat lines.
"""

import json
import logging
import sys
import threading
from datetime import datetime, timezone
from typing import Any

from nba_predictions.domain import clock

LOGGER_NAME = "nba_predictions"
_FIELDS = "fields"
_configuring = threading.Lock()


class JsonFormatter(logging.Formatter):
    """Formats a record as JSON: `severity`, `message`, `time`, and the fields of the record.

    `clock` is the time of the pipeline if NBA_PREDICTIONS_NOW is set.
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "severity": record.levelname,
            "message": record.getMessage(),
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(
                timespec="milliseconds"
            ),
            **({"clock": clock.utc_now().isoformat()} if clock.is_set() else {}),
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        # ASCII can be written in every encoding of stdout.
        return json.dumps(line, default=str)


class _StdoutHandler(logging.Handler):
    """Writes to the current sys.stdout, which Dagster redirects for each step."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            # A single write, because threads must not interleave within a line.
            sys.stdout.write(self.format(record) + "\n")
            sys.stdout.flush()
        except Exception:
            # A line that cannot be written must not stop a night. Other handlers do the same.
            self.handleError(record)


def configure() -> logging.Logger:
    """Return the logger of the package, with a handler on stdout and the level INFO."""
    logger = logging.getLogger(LOGGER_NAME)
    with _configuring:
        if not any(isinstance(h, _StdoutHandler) for h in logger.handlers):
            handler = _StdoutHandler()
            handler.setFormatter(JsonFormatter())
            logger.addHandler(handler)
    # logging.config.dictConfig disables unknown loggers.
    logger.disabled = False
    logger.setLevel(logging.INFO)
    # The root logger would print each line again, in another format.
    logger.propagate = False
    return logger


def milestone(event: str, message: str, *, severity: int = logging.INFO, **fields: object) -> None:
    """Log one milestone of a night. `fields` has further values, for example counts."""
    configure().log(severity, message, extra={_FIELDS: {"event": event, **fields}})
