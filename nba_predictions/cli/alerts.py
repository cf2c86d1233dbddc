"""Alerts: try the destinations, and see what is open."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

import dagster as dg

from nba_predictions.cli.common import Commands, add_command, open_pipeline
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.policies.alerting import Kind, Message, Severity, link, read_cursor
from nba_predictions.settings import Settings

if TYPE_CHECKING:
    from nba_predictions.alerts.port import Notifier

_HOW = (
    "NBA_PREDICTIONS_ALERT_URLS names no destination; set it to one or several addresses, "
    "separated by blanks, e.g. NBA_PREDICTIONS_ALERT_URLS='slack://tokenA/tokenB/tokenC "
    "mailtos://user:password@example.com' (docs/alerts.md)"
)


def add_commands(commands: Commands) -> None:
    """Add `alerts test` and `alerts status`."""
    sub = commands.add_parser("alerts", help="try where alerts go, see what is open")
    alerts = sub.add_subparsers(required=True)
    add_command(alerts, "test", test, "send a message to every destination of alerts")
    add_command(alerts, "status", status, "list what is wrong now, from data; 1 when anything is")


def test(settings: Settings, options: argparse.Namespace) -> int:
    """Send a message to every destination; 0 only when all took it, 2 when there is none."""
    notifier: Notifier = open_pipeline(settings).notifier
    if not notifier.destinations:
        print(f"nba-predictions: {_HOW}", file=sys.stderr)
        return 2
    message = Message(
        title=f"[nba_predictions {settings.profile} {settings.source}] test of alerts",
        body=f"Alerts of this pipeline come here. Nothing is wrong.\nlook: {settings.ui_url}",
        severity=None,
    )
    refused = 0
    for key, name in notifier.destinations.items():
        reason = notifier.send(key, message)
        refused += reason is not None
        print(f"SENT {name}" if reason is None else f"FAILED {name}: {reason}")
    return 1 if refused else 0


def status(settings: Settings, options: argparse.Namespace) -> int:
    """List what is open now; 1 when anything is, or when something cannot be looked at."""
    night = open_pipeline(settings)
    from nba_predictions.orchestration.conditions.ticks import kept_by
    from nba_predictions.orchestration.sensors.alerting import FIND, SENSORS, Scene

    errors = warnings = blind = 0
    with dg.DagsterInstance.get() as instance:
        for kind, find in FIND.items():
            try:
                cursor = kept_by(instance, SENSORS[kind][0])
                if kind is Kind.MISSED_TICK and cursor is None:
                    print("NOTE schedules are watched from the daemon's first look at them on")
                _, memory = read_cursor(cursor)
                scene = Scene(instance, night.repository, night.batches, utc_now(), memory)
                found = find(scene)
            except Exception as error:
                # The other kinds are still worth knowing, and this one is not fine.
                print(f"UNKNOWN {kind.value}: {type(error).__name__}: {error}")
                blind += 1
                continue
            for condition in sorted(found, key=lambda c: (c.since, c.key)):
                errors += condition.severity is Severity.ERROR
                warnings += condition.severity is Severity.WARNING
                print(
                    f"{condition.severity.value} {condition.since:%Y-%m-%d %H:%M:%S} UTC  "
                    f"{condition.title}"
                )
                for name, value in condition.facts.items():
                    print(f"{'':>4}{name}: {value}")
                print(f"{'':>4}to do: {condition.to_do}")
                print(f"{'':>4}look: {link(condition, settings.ui_url)}")
    print(f"ALERTS errors={errors} warnings={warnings} unknown={blind}")
    return 1 if errors or warnings or blind else 0
