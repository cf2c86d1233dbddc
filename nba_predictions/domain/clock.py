"""The clock of the pipeline: the only code that reads the current time."""

from datetime import datetime, timedelta, timezone

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(timezone.utc)


def microseconds(moment: datetime) -> int:
    """Return a moment as microseconds since 1970, without the rounding of a float."""
    return (moment - _EPOCH) // timedelta(microseconds=1)
