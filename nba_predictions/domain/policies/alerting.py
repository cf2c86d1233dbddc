"""What somebody should know of, and who has been told of it already.

A condition is open as long as the data says so. Each destination is told once that it is open, and
once that it is not any longer. A destination that could not be reached is told of what is open when
it can be reached again; of what came and went meanwhile it hears nothing: a message that is late is
about how things stand, and how they stood is in the log, which is always told.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any

from nba_predictions.domain.errors import AlertBookError

#: Failures before this are history: nobody is told of them, and of those who were told, that
#: nobody watches them any longer.
WATCHED = timedelta(days=8)
#: Of one kind so many conditions are told of one by one; the others are one condition together.
MOST_CONDITIONS = 100
#: So many alerts are told of in full in one message; of the others it gives the number.
MOST_IN_A_MESSAGE = 10


class Kind(str, Enum):
    """What is watched, each by a sensor of its own."""

    FAILED_CHECK = "failed_check"
    FAILED_RUN = "failed_run"
    STALLED_BATCH = "stalled_batch"
    UNPUBLISHED_BATCH = "unpublished_batch"
    MISSED_TICK = "missed_tick"


class Severity(str, Enum):
    WARNING = "WARNING"
    ERROR = "ERROR"

    @property
    def rank(self) -> int:
        return 1 if self is Severity.ERROR else 0


@dataclass(frozen=True)
class Condition:
    """Something that is not as it should be. `key` stays the same as long as it is the same thing.

    `facts` are numbers and short texts by their names; `since` is when it began (UTC); `to_do` is
    what helps; `watched_until` is when it is given up to look whether it was mended.
    """

    key: str
    kind: Kind
    severity: Severity
    title: str
    since: datetime
    to_do: str = ""
    watched_until: datetime | None = None
    game_date: date | None = None
    batch_id: str | None = None
    run_id: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


class Change(str, Enum):
    RAISED = "raised"
    CLEARED = "cleared"
    #: It left the time that is watched, and nobody saw it mended.
    EXPIRED = "expired"


@dataclass(frozen=True)
class Alert:
    """One thing to tell a destination."""

    change: Change
    condition: Condition


def within_bounds(conditions: Sequence[Condition], now: datetime) -> list[Condition]:
    """Return the conditions, oldest first; from the hundredth on one condition for all the others.

    The oldest are kept, so that those who were told of stay the same however many follow.
    """
    ordered = sorted(conditions, key=lambda c: (c.since, c.key))
    kept, others = ordered[:MOST_CONDITIONS], ordered[MOST_CONDITIONS:]
    if others:
        kind = others[0].kind
        kept.append(
            Condition(
                key=f"{kind.value}:others",
                kind=kind,
                severity=max((c.severity for c in others), key=lambda s: s.rank),
                title=f"more than {MOST_CONDITIONS} alerts of the kind {kind.value} are open",
                since=now,
                to_do="nba-predictions alerts status lists them",
                facts={"others": len(others)},
            )
        )
    return kept


@dataclass(frozen=True)
class AlertBook:
    """What each destination has been told: the open conditions, and how severe they were at most.

    `conditions` holds what a message about the end needs, of every condition that somebody was
    told of.
    """

    conditions: Mapping[str, Condition] = field(default_factory=dict)
    told: Mapping[str, Mapping[str, Severity]] = field(default_factory=dict)

    def due(self, destination: str, open_now: Sequence[Condition], now: datetime) -> list[Alert]:
        """Return what a destination has to be told, given what is open.

        A condition that has become more severe is raised again; one that has become less severe is
        not mentioned.
        """
        told = self.told.get(destination, {})
        raised = [
            Alert(Change.RAISED, condition)
            for condition in open_now
            if condition.key not in told or told[condition.key].rank < condition.severity.rank
        ]
        there = {condition.key for condition in open_now}
        ended = [self.conditions[key] for key in sorted(told) if key not in there]
        return raised + [Alert(_end(condition, now), condition) for condition in ended]

    def after(
        self, open_now: Sequence[Condition], destinations: Collection[str], reached: Collection[str]
    ) -> AlertBook:
        """Return the book after everybody in `reached` has been told what was due.

        Who is in `destinations` only keeps what he was told before; who is in neither is forgotten.
        """
        there = {condition.key: condition for condition in open_now}
        told: dict[str, Mapping[str, Severity]] = {}
        for destination in sorted({*destinations, *reached}):
            before = self.told.get(destination, {})
            if destination in reached:
                told[destination] = {
                    key: max(before.get(key, c.severity), c.severity, key=lambda s: s.rank)
                    for key, c in sorted(there.items())
                }
            elif before:
                told[destination] = before
        needed = {key for keys in told.values() for key in keys}
        conditions = {
            key: replace(there[key], facts={}) if key in there else self.conditions[key]
            for key in sorted(needed)
        }
        return AlertBook(conditions, told)

    def to_json(self) -> dict[str, Any]:
        """Return the book as plain values; destinations must be names without secrets."""
        return {
            "conditions": [
                {
                    "key": c.key,
                    "kind": c.kind.value,
                    "severity": c.severity.value,
                    "title": c.title,
                    "since": c.since.isoformat(),
                    "watched_until": c.watched_until.isoformat() if c.watched_until else None,
                    "game_date": c.game_date.isoformat() if c.game_date else None,
                    "batch_id": c.batch_id,
                    "run_id": c.run_id,
                }
                for c in self.conditions.values()
            ],
            "told": {
                destination: {key: severity.value for key, severity in keys.items()}
                for destination, keys in self.told.items()
            },
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> AlertBook:
        """Return the book that was written.

        Raises:
            AlertBookError: the values are not those of a book.
        """
        try:
            conditions = {
                c["key"]: Condition(
                    key=c["key"],
                    kind=Kind(c["kind"]),
                    severity=Severity(c["severity"]),
                    title=c["title"],
                    since=_moment(c["since"]),
                    watched_until=_moment(c["watched_until"]) if c["watched_until"] else None,
                    game_date=date.fromisoformat(c["game_date"]) if c["game_date"] else None,
                    batch_id=c["batch_id"],
                    run_id=c["run_id"],
                )
                for c in values["conditions"]
            }
            told = {
                destination: {key: Severity(severity) for key, severity in keys.items()}
                for destination, keys in values["told"].items()
            }
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise AlertBookError(
                f"this is no record of what was told ({type(error).__name__}: {error}); "
                "what is open will be told again"
            ) from error
        unknown = {key for keys in told.values() for key in keys} - set(conditions)
        if unknown:
            raise AlertBookError(
                f"the record of what was told lacks {', '.join(sorted(unknown))}; "
                "what is open will be told again"
            )
        return cls(conditions, told)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment


def _end(condition: Condition, now: datetime) -> Change:
    until = condition.watched_until
    return Change.EXPIRED if until is not None and now >= until else Change.CLEARED


@dataclass(frozen=True)
class Message:
    """What a destination gets: plain text, for every service shows that."""

    title: str
    body: str
    #: The worst that is raised in it; None when it says only that something ended.
    severity: Severity | None


def message_of(alerts: Sequence[Alert], *, source: str, ui_url: str) -> Message:
    """Put alerts into one message, however many there are: those that are raised first.

    `source` says whose night it is, `ui_url` where the Dagster UI is.
    """
    raised = [a for a in alerts if a.change is Change.RAISED]
    ended = [a for a in alerts if a.change is not Change.RAISED]
    worst_first = sorted(raised, key=lambda a: -a.condition.severity.rank)
    ordered = worst_first + ended
    if len(ordered) == 1:
        title = _headline(ordered[0])
    else:
        counts = {"raised": len(raised), "cleared or expired": len(ended)}
        title = "alerts: " + ", ".join(f"{n} {what}" for what, n in counts.items() if n)
    blocks = [
        "\n".join(
            [
                *([_headline(alert)] if len(ordered) > 1 else []),
                *_lines(alert, ui_url),
            ]
        )
        for alert in ordered[:MOST_IN_A_MESSAGE]
    ]
    others = len(ordered) - MOST_IN_A_MESSAGE
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
        lines.append(
            f"nobody saw it mended, and it is not watched any longer after {WATCHED.days} days"
        )
    if condition.game_date:
        lines.append(f"game_date: {condition.game_date}")
    if condition.batch_id:
        lines.append(f"batch: {condition.batch_id}")
    lines += [f"{name}: {value}" for name, value in condition.facts.items()]
    lines.append(f"since: {condition.since:%Y-%m-%d %H:%M:%S} UTC")
    if alert.change is Change.RAISED and condition.to_do:
        lines.append(f"to do: {condition.to_do}")
    lines.append(f"look: {link(condition, ui_url)}")
    return lines


def link(condition: Condition, ui_url: str) -> str:
    """Return the address of the run in the Dagster UI, or of the schedules and sensors there."""
    place = f"runs/{condition.run_id}" if condition.run_id else "automation"
    return f"{ui_url.rstrip('/')}/{place}"


def write_cursor(book: AlertBook, more: Mapping[str, Any]) -> str:
    """Return what a sensor keeps between two ticks."""
    return json.dumps({"book": book.to_json(), **more}, separators=(",", ":"))


def read_cursor(cursor: str | None) -> tuple[AlertBook, dict[str, Any]]:
    """Return what a sensor kept: its book, and whatever else.

    Raises:
        AlertBookError: somebody else wrote it, or an incompatible version.
    """
    if not cursor:
        return AlertBook(), {}
    try:
        values = json.loads(cursor)
    except ValueError as error:
        raise AlertBookError(
            f"this is no record of what was told ({error}); what is open will be told again"
        ) from error
    if not isinstance(values, dict):
        raise AlertBookError("the record of what was told has another form; it begins anew")
    book = AlertBook.from_json(values.pop("book", {}))
    return book, values
