"""The clock of the pipeline: the only code that reads the current time.

The variable NBA_PREDICTIONS_NOW, an ISO 8601 moment, starts the clock at another moment. It runs on
from there at normal speed, in this process and in those that it starts. It is for tests, and for
repeating a past day against a stand-in of the services.

Dagster, the operating system and other services have the clock of the machine. Times of theirs are
converted with `from_machine`, or compared with `machine_now`.
"""

import os
import time
from datetime import datetime, timedelta, timezone

from nba_predictions.domain.errors import SettingsError

NOW_VARIABLE = "NBA_PREDICTIONS_NOW"
#: The value of NOW_VARIABLE, and the time of the machine at which the clock started with it. The
#: processes that this one starts inherit the variable.
_STARTED_VARIABLE = "_NBA_PREDICTIONS_CLOCK_STARTED"
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def utc_now() -> datetime:
    """Return the current time of the pipeline, in UTC.

    Raises:
        SettingsError: NBA_PREDICTIONS_NOW is not a moment.
    """
    # The first call fixes the offset, so it comes before the time.
    offset = _offset()
    return machine_now() + offset


def machine_now() -> datetime:
    """Return the current time of the machine, in UTC."""
    return datetime.now(timezone.utc)


def from_machine(moment: datetime | float) -> datetime:
    """Return a time of the machine as a time of the pipeline, in UTC.

    Args:
        moment: an aware datetime, or seconds since 1970.
    """
    if not isinstance(moment, datetime):
        moment = datetime.fromtimestamp(moment, timezone.utc)
    return moment.astimezone(timezone.utc) + _offset()


def is_set() -> bool:
    """Return whether the clock was started at another moment."""
    return bool(os.environ.get(NOW_VARIABLE))


def start_at(moment: datetime) -> None:
    """Start the clock at a moment, for this process and those that it starts."""
    os.environ[NOW_VARIABLE] = moment.isoformat()
    os.environ.pop(_STARTED_VARIABLE, None)
    _offset()


def _offset() -> timedelta:
    """Return the difference between the clock of the pipeline and that of the machine."""
    text = os.environ.get(NOW_VARIABLE)
    if not text:
        return timedelta()
    value, _, started = os.environ.get(_STARTED_VARIABLE, "").rpartition(" ")
    if value != text:
        started = repr(time.time())
        os.environ[_STARTED_VARIABLE] = f"{text} {started}"
    return read_moment(text, NOW_VARIABLE) - datetime.fromtimestamp(float(started), timezone.utc)


def read_moment(text: str, name: str) -> datetime:
    """Read a moment in ISO 8601 with an offset or `Z`; return it in UTC.

    Args:
        text: for example 2026-01-15T18:30:00-05:00.
        name: the option, tag or variable that has the text, for the error.

    Raises:
        SettingsError: the text is not a moment, or has no offset.
    """
    example = "write ISO 8601 with an offset, for example 2026-01-15T18:30:00-05:00"
    try:
        # Before Python 3.11, fromisoformat does not read `Z`.
        moment = datetime.fromisoformat(f"{text[:-1]}+00:00" if text[-1:] in ("Z", "z") else text)
    except ValueError:
        raise SettingsError(f"{name} is {text!r}, which is not a moment; {example}") from None
    if moment.tzinfo is None:
        raise SettingsError(f"{name} is {text!r}, which has no offset from UTC; {example}")
    return moment.astimezone(timezone.utc)


def read_as_of(text: str, now: datetime, name: str) -> datetime:
    """Read the moment whose knowledge a run uses, as `read_moment` does.

    Args:
        text: the moment.
        now: the current time.
        name: the option or tag that has the text, for the error.

    Raises:
        SettingsError: the text is not a moment, has no offset, or is in the future.
    """
    moment = read_moment(text, name)
    if moment > now:
        it_is = now.isoformat(timespec="seconds")
        raise SettingsError(
            f"{name} is {text!r}, which is in the future; it is {it_is}, choose an earlier moment"
        )
    return moment


def microseconds(moment: datetime) -> int:
    """Return a moment as microseconds since 1970, without the rounding of a float."""
    return (moment - _EPOCH) // timedelta(microseconds=1)
