"""Tell each destination what it has not been told, and remember it."""

from __future__ import annotations

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

#: The log is told like a destination, and is never away.
LOG = "log"


@dataclass(frozen=True)
class Told:
    """What came of telling: the book to keep, and in words what was open, sent and refused."""

    book: AlertBook
    sent: int
    refused: Mapping[str, str]
    words: str


def tell(
    book: AlertBook,
    conditions: Sequence[Condition],
    notifier: Notifier,
    *,
    now: datetime,
    source: str,
    ui_url: str,
) -> Told:
    """Tell the log and each destination what is due, one message each; return what came of it.

    A destination that does not take it keeps what it was told, and is tried again the next time.
    """
    open_now = within_bounds(conditions, now)
    for alert in book.due(LOG, open_now, now):
        _log(alert, ui_url)
    names = notifier.destinations
    due = {key: book.due(key, open_now, now) for key in names}
    waiting = {key: alerts for key, alerts in due.items() if alerts}

    def send(key: str) -> str | None:
        return notifier.send(key, message_of(waiting[key], source=source, ui_url=ui_url))

    # At once, so that one that is away does not hold up the others.
    with ThreadPoolExecutor(max_workers=max(1, len(waiting))) as pool:
        answers = dict(zip(waiting, pool.map(send, waiting), strict=True))
    refused = {names[key]: reason for key, reason in answers.items() if reason is not None}
    for key, reason in answers.items():
        if reason is not None:
            milestone(
                "alert_not_delivered",
                f"{names[key]} did not take what was to be told: {reason}; "
                "it is sent again with the next tick",
                severity=logging.WARNING,
                destination=names[key],
                alerts=len(waiting[key]),
                reason=reason,
            )
    reached = {LOG, *(key for key in names if answers.get(key) is None)}
    return Told(
        book=book.after(open_now, names, reached),
        sent=len(answers) - len(refused),
        refused=refused,
        words=_words(open_now, len(names), len(answers) - len(refused), refused),
    )


def _words(
    open_now: Sequence[Condition], destinations: int, sent: int, refused: Mapping[str, str]
) -> str:
    said = [f"{len(open_now)} open" + "".join(f"; {c.title}" for c in open_now[:3])]
    if open_now and not destinations:
        said.append("nobody is told but the log: NBA_PREDICTIONS_ALERT_URLS names no destination")
    if sent:
        said.append(f"{sent} told")
    said += [f"{name} did not take it: {reason}" for name, reason in refused.items()]
    return "; ".join(said)


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
        error = condition.severity is Severity.ERROR
        milestone(
            "alert_raised",
            condition.title,
            severity=logging.ERROR if error else logging.WARNING,
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
