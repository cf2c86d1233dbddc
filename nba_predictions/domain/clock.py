"""The clock of the pipeline: the only code that reads the current time."""

from datetime import datetime, timedelta, timezone

from nba_predictions.domain.errors import SettingsError

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(timezone.utc)


def read_as_of(text: str, now: datetime, name: str) -> datetime:
    """Read the moment whose knowledge a run uses; return it in UTC.

    Args:
        text: ISO 8601 with an offset or `Z`, for example 2026-01-15T18:30:00-05:00.
        now: the current time.
        name: the option or tag that has the text, for the error.

    Raises:
        SettingsError: the text is not a moment, has no offset, or is in the future.
    """
    example = "write ISO 8601 with an offset, for example 2026-01-15T18:30:00-05:00"
    try:
        # Before Python 3.11, fromisoformat does not read `Z`.
        moment = datetime.fromisoformat(f"{text[:-1]}+00:00" if text[-1:] in ("Z", "z") else text)
    except ValueError:
        raise SettingsError(f"{name} is {text!r}, which is not a moment; {example}") from None
    if moment.tzinfo is None:
        raise SettingsError(f"{name} is {text!r}, which has no offset from UTC; {example}")
    if moment > now:
        it_is = now.isoformat(timespec="seconds")
        raise SettingsError(
            f"{name} is {text!r}, which is in the future; it is {it_is}, choose an earlier moment"
        )
    return moment.astimezone(timezone.utc)


def microseconds(moment: datetime) -> int:
    """Return a moment as microseconds since 1970, without the rounding of a float."""
    return (moment - _EPOCH) // timedelta(microseconds=1)
