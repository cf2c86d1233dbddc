"""Send each destination the alerts that are due, and record what it received."""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nba_predictions.alerts.port import Notifier
from nba_predictions.domain.policies.alerting import (
    Alert,
    AlertBook,
    Change,
    Condition,
    Severity,
    link,
    message_of,
    within_bounds,
)
from nba_predictions.logs import milestone

#: The log is in the book like a destination. It never fails.
LOG = "log"


@dataclass(frozen=True)
class Delivery:
    """The book after a delivery, the number sent, failures (name to reason), and a summary."""

    book: AlertBook
    sent: int
    failures: Mapping[str, str]
    summary: str


def deliver(
    book: AlertBook,
    conditions: Sequence[Condition],
    notifier: Notifier,
    *,
    now: datetime,
    source: str,
    ui_url: str,
) -> Delivery:
    """Log the alerts that are due, and send each destination one message with those that it lacks.

    If a destination fails, its part of the book is unchanged, so the next call tries it again.
    """
    open_now = within_bounds(conditions, now)
    for alert in book.due(LOG, open_now, now):
        _log(alert, ui_url)
    names = notifier.destinations
    due = {key: alerts for key in names if (alerts := book.due(key, open_now, now))}

    def send(key: str) -> str | None:
        return notifier.send(key, message_of(due[key], source=source, ui_url=ui_url))

    # Concurrently, so that a destination that does not answer does not delay the others.
    with ThreadPoolExecutor(max_workers=max(1, len(due))) as pool:
        results = dict(zip(due, pool.map(send, due), strict=True))
    failed = {key: reason for key, reason in results.items() if reason is not None}
    for key, reason in failed.items():
        milestone(
            "alert_not_delivered",
            f"{names[key]} did not accept the message: {reason}; the next tick sends it again",
            severity=logging.WARNING,
            destination=names[key],
            alerts=len(due[key]),
            reason=reason,
        )
    failures = {names[key]: reason for key, reason in failed.items()}
    sent = len(results) - len(failed)
    return Delivery(
        book=book.after(open_now, names, {LOG, *names} - failed.keys()),
        sent=sent,
        failures=failures,
        summary=_summary(open_now, len(names), sent, failures),
    )


def _summary(
    open_now: Sequence[Condition], destinations: int, sent: int, failures: Mapping[str, str]
) -> str:
    parts = [f"{len(open_now)} open" + "".join(f"; {c.title}" for c in open_now[:3])]
    if open_now and not destinations:
        parts.append("only the log has it: NBA_PREDICTIONS_ALERT_URLS names no destination")
    if sent:
        parts.append(f"{sent} notified")
    parts += [f"{name} did not accept the message: {reason}" for name, reason in failures.items()]
    return "; ".join(parts)


def _log(alert: Alert, ui_url: str) -> None:
    condition = alert.condition
    fields: dict[str, Any] = {
        "kind": condition.kind.value,
        "game_date": condition.game_date,
        "batch_id": condition.batch_id,
        "run_id": condition.run_id,
        "since": condition.since.isoformat(),
        "link": link(condition, ui_url),
    }
    if alert.change is Change.RAISED:
        is_error = condition.severity is Severity.ERROR
        milestone(
            "alert_raised",
            condition.title,
            severity=logging.ERROR if is_error else logging.WARNING,
            **fields,
            facts=dict(condition.facts),
            to_do=condition.to_do,
        )
    else:
        milestone(
            "alert_cleared",
            f"{alert.change.value}: {condition.title}",
            **fields,
            change=alert.change.value,
        )
