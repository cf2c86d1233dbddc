"""The commands `alerts test` and `alerts status`."""

import sys

from nba_predictions.cli.homes import describe_home
from nba_predictions.cli.pipeline import Pipeline
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.policies.alerting import (
    Condition,
    Kind,
    Message,
    Severity,
    link,
    read_cursor,
)
from nba_predictions.orchestration.conditions.ticks import sensor_cursor
from nba_predictions.orchestration.sensors.alerting import (
    CONDITION_FINDERS,
    SENSOR_NAMES,
    AlertContext,
)
from nba_predictions.settings import Settings

_NO_DESTINATION = (
    "NBA_PREDICTIONS_ALERT_URLS names no destination; set it to one or more URLs separated by "
    "spaces, for example NBA_PREDICTIONS_ALERT_URLS='slack://tokenA/tokenB/tokenC "
    "mailtos://user:password@example.com' (docs/alerts.md)"
)


def send_test_message(settings: Settings) -> int:
    """Send a message to every destination; return 0 if all accepted it, 2 if there is none."""
    notifier = Pipeline(settings, reading=True).notifier
    if not notifier.destinations:
        print(f"nba-predictions: {_NO_DESTINATION}", file=sys.stderr)
        return 2
    message = Message(
        title=f"[nba_predictions {settings.profile} {settings.source}] test of alerts",
        body=f"Alerts of this pipeline arrive here. Nothing is wrong.\nlink: {settings.ui_url}",
        severity=None,
    )
    errors = 0
    for key, name in notifier.destinations.items():
        error = notifier.send(key, message)
        errors += error is not None
        print(f"SENT {name}" if error is None else f"FAILED {name}: {error}")
    return 1 if errors else 0


def print_status(settings: Settings) -> int:
    """Print the open conditions; return 1 if any is open, or if a kind cannot be evaluated."""
    errors = warnings = unknown = 0
    print(f"home {describe_home(settings)}")
    with Pipeline(settings, reading=True) as pipeline:
        for kind, find in CONDITION_FINDERS.items():
            try:
                cursor = sensor_cursor(pipeline.instance, SENSOR_NAMES[kind])
                if kind is Kind.MISSED_TICK and cursor is None:
                    print("NOTE schedules are watched only after the daemon has run once")
                _, memory = read_cursor(cursor)
                context = AlertContext(
                    pipeline.instance,
                    pipeline.repository,
                    pipeline.batches,
                    settings.home,
                    utc_now(),
                    memory,
                )
                conditions = find(context)
            except Exception as error:
                # The other kinds are still worth showing. This one counts as a failure.
                print(f"UNKNOWN {kind.value}: {type(error).__name__}: {error}")
                unknown += 1
                continue
            for condition in sorted(conditions, key=lambda c: (c.since, c.key)):
                errors += condition.severity is Severity.ERROR
                warnings += condition.severity is Severity.WARNING
                _print_condition(condition, settings.ui_url)
    print(f"ALERTS errors={errors} warnings={warnings} unknown={unknown}")
    return 1 if errors or warnings or unknown else 0


def _print_condition(condition: Condition, ui_url: str) -> None:
    since = f"{condition.since:%Y-%m-%d %H:%M:%S} UTC"
    print(f"{condition.severity.value} {since}  {condition.title}")
    for name, value in condition.facts.items():
        print(f"{'':>4}{name}: {value}")
    print(f"{'':>4}to do: {condition.to_do}")
    print(f"{'':>4}link: {link(condition, ui_url)}")
