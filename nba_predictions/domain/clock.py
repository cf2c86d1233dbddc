"""The clock of the pipeline: the only code that reads the current time."""

from datetime import datetime, timezone


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(timezone.utc)
