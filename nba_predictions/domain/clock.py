"""The one place where the pipeline asks what time it is."""

from __future__ import annotations

from datetime import datetime, timezone


def utc_now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(timezone.utc)
