"""Read the values of a parsed document, and say where a value is wrong.

A `Node` is a value of a document and its path. Its methods return None for a missing value: null,
NaN or blank text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any

from nba_predictions.domain.league.games import EASTERN
from nba_predictions.inputs.parsing import shown

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}(\.0*)?")
_NUMBER = re.compile(r"[+-]?([0-9]{1,18}(\.[0-9]*)?|\.[0-9]+)")
_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ]00:00(?::00(?:\.0+)?)?Z?)?")
_MONTH_DAY = re.compile(r"([A-Za-z]{3})[a-z]* ([0-9]{1,2}), ([0-9]{4})")
_SNAP = re.compile(r"([0-9]{2})_([0-9]{2})_([0-9]{4})")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?"
    r" ?(Z|[+-][0-9]{2}:?[0-9]{2})"
)
#: Years in which a date of the league is plausible.
_YEARS = range(1946, 2200)
#: The longest game in seconds is about 80 minutes.
_MOST_SECONDS = 100 * 60


def slug(label: str) -> str:
    """Return a label as lower-case letters and digits only, to compare spellings."""
    return "".join(c for c in label.lower() if c.isascii() and c.isalnum())


class ConversionError(ValueError):
    """A document cannot be converted. The message is the problem and the fix, without the file."""


class MissingContextError(ConversionError):
    """A document lacks a fact that another document of the same call may contain."""


class Node:
    """A value of a document with its path, for example `game.homeTeam.players[3]`.

    A season has a million cells, so the path of a member is made when an error needs it.
    """

    __slots__ = ("_key", "_parent", "value")

    def __init__(self, path: str, value: Any, parent: Node | None = None) -> None:
        self._key = path
        self._parent = parent
        self.value = value

    @property
    def path(self) -> str:
        if self._parent is None:
            return self._key
        above = self._parent.path
        separator = ", column " if above.startswith("row ") else "." if above else ""
        return f"{above}{separator}{self._key}"

    def __getitem__(self, key: str) -> Node:
        """Return a member of an object; its value is None if it is missing."""
        value = self.value
        if type(value) is not dict and not isinstance(value, Mapping):
            raise self.error("an object")
        return Node(key, value.get(key), self)

    def __contains__(self, key: str) -> bool:
        return isinstance(self.value, Mapping) and key in self.value

    def items(self) -> list[Node]:
        """Return the items of a list."""
        if not isinstance(self.value, list):
            raise self.error("a list")
        return [Node(f"{self.path}[{i}]", item) for i, item in enumerate(self.value)]

    def error(self, expected: str) -> ConversionError:
        """Return the error that the value is not what is expected."""
        if self._missing:
            return ConversionError(f"{self.path or 'the document'} is missing or empty")
        value = shown(self.value)
        if isinstance(self.value, (dict, list)):
            value = "an object" if isinstance(self.value, dict) else "a list"
        return ConversionError(f"{self.path or 'the document'}: {value} is not {expected}")

    @property
    def _missing(self) -> bool:
        value = self.value
        if isinstance(value, float):
            return math.isnan(value)
        return value is None or (isinstance(value, str) and not value.strip())

    def text(self) -> str | None:
        """Return text without surrounding blanks. A number becomes text."""
        if self._missing:
            return None
        if isinstance(self.value, str):
            return self.value.strip()
        if isinstance(self.value, (int, float)) and not isinstance(self.value, bool):
            number = self.number()
            assert number is not None, "it is not missing"
            return str(self.value if isinstance(self.value, int) else f"{number:g}")
        raise self.error("text")

    def name(self) -> str:
        """Return text that must exist."""
        text = self.text()
        if text is None:
            raise self.error("text")
        return text

    def whole(self) -> int | None:
        """Return a whole number; `12.0` is one."""
        if self._missing:
            return None
        value = self.value
        if isinstance(value, bool):
            raise self.error("a whole number")
        if isinstance(value, int) and abs(value) < 10**18:
            return value
        if isinstance(value, float) and value == round(value, 0) and abs(value) < 2**53:
            return int(value)
        if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
            return int(value.strip().partition(".")[0])
        raise self.error("a whole number")

    def number(self) -> float | None:
        """Return a finite number."""
        if self._missing:
            return None
        value = self.value
        if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e18:
            return float(value)
        if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
            return float(value.strip())
        raise self.error("a number")

    def day(self) -> date | None:
        """Return a day: ISO, `JAN 10, 2025`, or the milliseconds since 1970 that pandas writes."""
        if self._missing:
            return None
        value = self.value
        if isinstance(value, datetime) and value.time() == datetime.min.time():
            value = value.date()
        if isinstance(value, int) and value % 86_400_000 == 0 and 10**10 < value < 10**13:
            value = date(1970, 1, 1) + timedelta(milliseconds=value)
        if isinstance(value, str):
            value = _day_of_text(value.strip())
        if isinstance(value, date) and not isinstance(value, datetime) and value.year in _YEARS:
            return value
        raise self.error("a day, as in 2025-01-10")

    def moment(self) -> datetime | None:
        """Return a moment in UTC: ISO with an offset or `Z`, or the seconds since 1970.

        Raises:
            ConversionError: the value is not a moment, or has no time zone.
        """
        if self._missing:
            return None
        value = self.value
        moment = None
        if isinstance(value, datetime) and value.tzinfo is not None:
            moment = value.astimezone(timezone.utc)
        elif isinstance(value, int) and not isinstance(value, bool) and 10**8 < value < 5 * 10**9:
            moment = datetime.fromtimestamp(value, timezone.utc)
        elif isinstance(value, str):
            moment = read_moment(value)
        if moment is None or moment.year not in _YEARS:
            raise self.error("a time with a time zone, as in 2025-01-11T00:10:00Z")
        return moment

    def moment_or_none(self) -> datetime | None:
        """Return a moment in UTC, None also if the value has no time zone."""
        try:
            return self.moment()
        except ConversionError:
            return None

    def minutes(self) -> int | None:
        """Return a playing time in whole minutes.

        It may be a number of minutes, `25:01`, `25.000000:01` or `PT25M01.00S`. The league game log
        has whole minutes, so the others are rounded in the same way: the rows of a game must not
        depend on the document that they come from.
        """
        if self._missing:
            return None
        seconds: float | None = None
        if isinstance(self.value, str):
            text = self.value.strip()
            if iso := re.fullmatch(r"PT([0-9]{1,3})M(?:([0-9]{1,2}(?:\.[0-9]+)?)S)?", text):
                seconds = int(iso[1]) * 60 + float(iso[2] or 0)
            elif clock := re.fullmatch(r"([0-9]{1,3})(?:\.0+)?:([0-5][0-9])", text):
                seconds = int(clock[1]) * 60 + int(clock[2])
        if seconds is None:
            number = self.number()
            assert number is not None, "it is not missing"
            seconds = number * 60
        if not 0 <= seconds <= _MOST_SECONDS:
            raise self.error("a playing time")
        return int(seconds / 60 + 0.5)


@dataclass(frozen=True)
class Cells:
    """The cells of a row by the names that a format gives them. A missing column is empty."""

    row: Node
    columns: Mapping[str, str]

    def __getitem__(self, name: str) -> Node:
        if name in self.columns:
            return self.row[self.columns[name]]
        return Node(name, None, self.row)


def _eastern_moment(text: str) -> datetime | None:
    clock, _, zone = text.rpartition(" ")
    if zone.upper() not in ("ET", "EST", "EDT"):
        return None
    for form in ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %I:%M %p"):
        try:
            local = datetime.strptime(clock, form).replace(tzinfo=EASTERN)
            return local.astimezone(timezone.utc)
        except (ValueError, OverflowError):
            continue
    return None


def _day_of_text(text: str) -> date | None:
    try:
        if iso := _DAY.fullmatch(text):
            return date(int(iso[1]), int(iso[2]), int(iso[3]))
        if snap := _SNAP.fullmatch(text):
            return date(int(snap[3]), int(snap[1]), int(snap[2]))
        if written := _MONTH_DAY.fullmatch(text):
            month = _MONTHS.index(written[1].lower()) + 1
            return date(int(written[3]), month, int(written[2]))
    except ValueError:
        pass
    return None


def read_moment(text: str) -> datetime | None:
    """Return a moment in UTC; None if the text is not one or has no time zone.

    The zone may be `Z`, an offset, or the name of US Eastern time as in `2025-01-10 7:30 PM ET`.
    """
    found = _MOMENT.fullmatch(text.strip())
    if not found:
        return _eastern_moment(text.strip())
    day, clock, seconds, fraction, zone = found.groups()
    offset = "+0000" if zone == "Z" else zone.replace(":", "")
    micros = (fraction or "0")[:6].ljust(6, "0")
    try:
        moment = datetime.strptime(
            f"{day}T{clock}:{seconds or '00'}.{micros}{offset}", "%Y-%m-%dT%H:%M:%S.%f%z"
        )
        return moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None
