"""Alerts: which open conditions to report to which destination, and the text of the message.

A condition is open as long as the data says so. Each destination is notified once when a condition
opens and once when it ends. If a destination cannot be reached, its next message has only the
conditions that are still open. The log has every condition.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any

from pydantic import AwareDatetime, TypeAdapter

from nba_predictions.domain.errors import AlertBookError

#: The time for which a failure is watched. Then its alert expires.
WATCH_PERIOD = timedelta(days=8)
#: How many conditions of one kind have an alert each. The others share one alert.
MAX_CONDITIONS_PER_KIND = 100
#: Alerts that one message contains in full. It gives only the number of the others.
MAX_ALERTS_PER_MESSAGE = 10


class Kind(str, Enum):
    """The kinds of conditions. Each has its own sensor."""

    FAILED_CHECK = "failed_check"
    FAILED_RUN = "failed_run"
    STALLED_BATCH = "stalled_batch"
    UNPUBLISHED_BATCH = "unpublished_batch"
    MISSED_TICK = "missed_tick"
    CHANGED_ROWS = "changed_rows"


class Severity(str, Enum):
    WARNING = "WARNING"
    ERROR = "ERROR"

    @property
    def rank(self) -> int:
        return 1 if self is Severity.ERROR else 0


@dataclass(frozen=True)
class Condition:
    """Something that is wrong now.

    `key` identifies the condition for as long as it is open. Its alert expires at `watched_until`.
    `to_do` is what an operator should do. `facts` are numbers and short texts by name.
    """

    key: str
    kind: Kind
    severity: Severity
    title: str
    since: AwareDatetime
    to_do: str = ""
    watched_until: AwareDatetime | None = None
    game_date: date | None = None
    batch_id: str | None = None
    run_id: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


class Change(str, Enum):
    RAISED = "raised"
    CLEARED = "cleared"
    #: The watch period ended before the condition did.
    EXPIRED = "expired"


@dataclass(frozen=True)
class Alert:
    """A change of a condition that a destination should know."""

    change: Change
    condition: Condition


def within_bounds(conditions: Sequence[Condition], now: datetime) -> list[Condition]:
    """Return the conditions, oldest first, with one condition for all after the first hundred.

    The oldest are kept, so that the conditions of earlier alerts stay the same when others follow.
    """
    ordered = sorted(conditions, key=lambda c: (c.since, c.key))
    kept, others = ordered[:MAX_CONDITIONS_PER_KIND], ordered[MAX_CONDITIONS_PER_KIND:]
    if others:
        kind = others[0].kind
        kept.append(
            Condition(
                key=f"{kind.value}:others",
                kind=kind,
                severity=max((c.severity for c in others), key=lambda s: s.rank),
                title=f"more than {MAX_CONDITIONS_PER_KIND} alerts of kind {kind.value} are open",
                since=now,
                to_do="nba-predictions alerts status lists them",
                facts={"others": len(others)},
            )
        )
    return kept


@dataclass(frozen=True)
class AlertBook:
    """The open conditions that each destination was notified of, with their highest severity.

    `conditions` has what a message about the end of a condition needs.
    """

    conditions: Mapping[str, Condition] = field(default_factory=dict)
    notified: Mapping[str, Mapping[str, Severity]] = field(default_factory=dict)

    def due(self, destination: str, open_now: Sequence[Condition], now: datetime) -> list[Alert]:
        """Return the alerts that are due at a destination.

        A condition that became more severe is raised again. One that became less severe is not.
        """
        known = self.notified.get(destination, {})
        raised = [
            Alert(Change.RAISED, condition)
            for condition in open_now
            if condition.key not in known or known[condition.key].rank < condition.severity.rank
        ]
        open_keys = {condition.key for condition in open_now}
        ended = [self.conditions[key] for key in sorted(known) if key not in open_keys]
        return raised + [Alert(_end(condition, now), condition) for condition in ended]

    def after(
        self, open_now: Sequence[Condition], destinations: Collection[str], reached: Collection[str]
    ) -> AlertBook:
        """Return the book after the destinations in `reached` got all alerts that were due.

        A destination that is only in `destinations` is unchanged. Any other is removed.
        """
        current = {condition.key: condition for condition in open_now}
        notified: dict[str, Mapping[str, Severity]] = {}
        for destination in sorted({*destinations, *reached}):
            before = self.notified.get(destination, {})
            if destination in reached:
                notified[destination] = {
                    key: max(before.get(key, c.severity), c.severity, key=lambda s: s.rank)
                    for key, c in sorted(current.items())
                }
            elif before:
                notified[destination] = before
        needed = {key for keys in notified.values() for key in keys}
        conditions = {
            key: replace(current[key], facts={}) if key in current else self.conditions[key]
            for key in sorted(needed)
        }
        return AlertBook(conditions, notified)

    def to_json(self) -> dict[str, Any]:
        """Return the book as plain values. The ids of destinations must not contain secrets."""
        conditions = list(self.conditions.values())
        unused = {"__all__": {"to_do", "facts"}}
        return {
            "conditions": _CONDITIONS.dump_python(conditions, mode="json", exclude=unused),
            "told": _NOTIFIED.dump_python(dict(self.notified), mode="json"),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> AlertBook:
        """Return the book from the values of `to_json`.

        Raises:
            AlertBookError: the values have another form.
        """
        try:
            conditions = {c.key: c for c in _CONDITIONS.validate_python(values["conditions"])}
            notified = _NOTIFIED.validate_python(values["told"])
        except (KeyError, TypeError, ValueError) as error:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            raise AlertBookError(
                f"this is not a record of sent alerts ({reason}); "
                "all open alerts will be sent again"
            ) from error
        unknown = {key for keys in notified.values() for key in keys} - set(conditions)
        if unknown:
            raise AlertBookError(
                f"the record of sent alerts lacks {', '.join(sorted(unknown))}; "
                "all open alerts will be sent again"
            )
        return cls(conditions, notified)


_CONDITIONS = TypeAdapter(list[Condition])
_NOTIFIED = TypeAdapter(dict[str, Mapping[str, Severity]])


def _end(condition: Condition, now: datetime) -> Change:
    until = condition.watched_until
    return Change.EXPIRED if until is not None and now >= until else Change.CLEARED


@dataclass(frozen=True)
class Message:
    """A message to a destination, in plain text, which every service can show."""

    title: str
    body: str
    #: The highest severity of the raised alerts, None if all alerts ended.
    severity: Severity | None


def message_of(alerts: Sequence[Alert], *, source: str, ui_url: str) -> Message:
    """Return one message for all alerts (at least one), the raised ones first.

    `source` is the profile and the source of the pipeline, for the title. `ui_url` is the address
    of the Dagster UI, for links.
    """
    raised = [a for a in alerts if a.change is Change.RAISED]
    ended = [a for a in alerts if a.change is not Change.RAISED]
    worst_first = sorted(raised, key=lambda a: -a.condition.severity.rank)
    ordered = worst_first + ended
    if len(ordered) == 1:
        title = _headline(ordered[0])
    else:
        counts = {"raised": len(raised), "cleared or expired": len(ended)}
        title = "alerts: " + ", ".join(f"{n} {change}" for change, n in counts.items() if n)
    blocks = [
        "\n".join([*([_headline(alert)] if len(ordered) > 1 else []), *_lines(alert, ui_url)])
        for alert in ordered[:MAX_ALERTS_PER_MESSAGE]
    ]
    others = len(ordered) - MAX_ALERTS_PER_MESSAGE
    if others > 0:
        blocks.append(f"and {others} more: nba-predictions alerts status lists what is open")
    return Message(
        title=f"[nba_predictions {source}] {title}",
        body="\n\n".join(blocks),
        severity=worst_first[0].condition.severity if worst_first else None,
    )


def _headline(alert: Alert) -> str:
    if alert.change is Change.RAISED:
        return f"{alert.condition.severity.value}: {alert.condition.title}"
    return f"{alert.change.value.upper()}: {alert.condition.title}"


def _lines(alert: Alert, ui_url: str) -> list[str]:
    condition = alert.condition
    lines = []
    if alert.change is Change.EXPIRED:
        lines.append(f"not fixed within {WATCH_PERIOD.days} days; it is no longer watched")
    if condition.game_date:
        lines.append(f"game_date: {condition.game_date}")
    if condition.batch_id:
        lines.append(f"batch: {condition.batch_id}")
    lines += [f"{name}: {value}" for name, value in condition.facts.items()]
    lines.append(f"since: {condition.since:%Y-%m-%d %H:%M:%S} UTC")
    if alert.change is Change.RAISED and condition.to_do:
        lines.append(f"to do: {condition.to_do}")
    lines.append(f"link: {link(condition, ui_url)}")
    return lines


def link(condition: Condition, ui_url: str) -> str:
    """Return the address of the run in the Dagster UI, or that of the automation page."""
    path = f"runs/{condition.run_id}" if condition.run_id else "automation"
    return f"{ui_url.rstrip('/')}/{path}"


def write_cursor(book: AlertBook, memory: Mapping[str, Any]) -> str:
    """Return the cursor of an alert sensor: its book, and values that its finder keeps."""
    return json.dumps({"book": book.to_json(), **memory}, separators=(",", ":"))


def read_cursor(cursor: str | None) -> tuple[AlertBook, dict[str, Any]]:
    """Return the book and the other values of the cursor of an alert sensor.

    Raises:
        AlertBookError: the cursor was not written by `write_cursor` of a compatible version.
    """
    if not cursor:
        return AlertBook(), {}
    try:
        values = dict(json.loads(cursor))
    except (TypeError, ValueError) as error:
        raise AlertBookError(
            f"this is not a record of sent alerts ({error}); all open alerts will be sent again"
        ) from error
    book = AlertBook.from_json(values.pop("book", {}))
    return book, values
