"""Delivery to a destination: messages, reasons of failures, and no secrets in them."""

from __future__ import annotations

import logging
import re

import pytest
from apprise import Apprise
from apprise.plugins.custom_json import NotifyJSON

from nba_predictions.alerts.apprise_notifier import AppriseNotifier
from nba_predictions.domain.errors import SettingsError
from nba_predictions.domain.policies.alerting import Message, Severity
from nba_predictions_tests.alerts.receiver import SECRET, Receiver

MESSAGE = Message("[nba_predictions files] ERROR: broken", "rows_staged: 455\n<b>&", Severity.ERROR)


def only(notifier: AppriseNotifier) -> str:
    (destination,) = notifier.destinations
    return destination


@pytest.mark.parametrize(
    ("severity", "kind"),
    [(Severity.ERROR, "failure"), (Severity.WARNING, "warning"), (None, "success")],
)
def test_a_message_arrives_unchanged_with_its_severity(
    slack: Receiver, severity: Severity | None, kind: str
) -> None:
    notifier = AppriseNotifier([slack.url])
    message = Message(MESSAGE.title, MESSAGE.body, severity)
    assert notifier.send(only(notifier), message) is None
    (post,) = slack.posts
    assert (post["title"], post["message"], post["type"]) == (MESSAGE.title, MESSAGE.body, kind)


def test_a_destination_that_is_down_returns_a_reason(mail: Receiver) -> None:
    notifier = AppriseNotifier([mail.url])
    reason = notifier.send(only(notifier), MESSAGE)
    assert reason is not None
    assert "127.0.0.1" in reason


def test_a_destination_that_refuses_returns_its_status(slack: Receiver) -> None:
    slack.status = 403
    notifier = AppriseNotifier([slack.url])
    assert "403" in str(notifier.send(only(notifier), MESSAGE))
    assert slack.posts == []


def test_a_plugin_that_raises_returns_a_reason(
    slack: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*args: object, **kwargs: object) -> None:
        raise RuntimeError(f"cannot send to {slack.url}")

    notifier = AppriseNotifier([slack.url])
    monkeypatch.setattr(Apprise, "notify", breaks)
    reason = notifier.send(only(notifier), MESSAGE)
    assert reason is not None
    assert reason.startswith("RuntimeError: cannot send to json://")
    assert SECRET not in reason


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"slack://T1JJ3T3L2/A1BRTD4JD/{SECRET}/#nba", "Slack 1 (slack://****)"),
        (f"mailtos://me:{SECRET}@gmail.com", "E-Mail 1 (mailtos://gmail.com/****)"),
        (f"json://127.0.0.1:8080/x/{SECRET}?-k={SECRET}", "JSON 1 (json://127.0.0.1:8080/****)"),
        (f"ntfy://{SECRET}", "ntfy 1 (ntfys://****)"),
        (
            f"discord://4174216298/{SECRET}JHMHI8qBe7bk2ZwO5U711o3dV_js",
            "Discord 1 (discord://****)",
        ),
        (f"pagerduty://A1BRTD4JD@{SECRET}", "Pager Duty 1 (pagerduty://****)"),
        (f"jsons://{SECRET}@hooks.example.com", "JSON 1 (jsons://hooks.example.com/****)"),
    ],
)
def test_a_destination_is_named_without_its_secrets(url: str, shown: str) -> None:
    notifier = AppriseNotifier([url])
    assert list(notifier.destinations.values()) == [shown]
    assert SECRET not in repr(notifier) + only(notifier)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"nope://{SECRET}", "nope://****"),
        (f"https://example.com/{SECRET}", "https://example.com/****"),
        (SECRET, "****"),
        ("json://", "json://****"),
        (f"slack://{SECRET}", "slack://****"),
    ],
)
def test_an_unsupported_address_is_refused_with_its_number_and_masked(
    url: str, shown: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises(
            SettingsError, match=f"not support address number 2, {re.escape(shown)};"
        ) as refused,
    ):
        AppriseNotifier(["json://127.0.0.1:80", url])
    output = str(refused.value) + caplog.text + "".join(capfd.readouterr())
    assert SECRET not in output


def test_no_secret_is_logged_whether_a_message_arrives_or_not(
    slack: Receiver,
    mail: Receiver,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    notifier = AppriseNotifier([slack.url, mail.url])
    with caplog.at_level(logging.INFO):
        reasons = [notifier.send(key, MESSAGE) for key in notifier.destinations]
    assert [reason is None for reason in reasons] == [True, False]
    assert SECRET not in caplog.text + "".join(capfd.readouterr()) + str(reasons)


@pytest.mark.parametrize(("more", "length"), [("", 100), ("&overflow=upstream", 5000)])
def test_a_message_that_is_too_long_is_truncated_unless_the_address_says_otherwise(
    slack: Receiver, monkeypatch: pytest.MonkeyPatch, more: str, length: int
) -> None:
    monkeypatch.setattr(NotifyJSON, "body_maxlen", 100)
    notifier = AppriseNotifier([slack.url + more])
    long = Message(MESSAGE.title, "x" * 5000, Severity.ERROR)
    assert notifier.send(only(notifier), long) is None
    (post,) = slack.posts
    assert len(post["message"]) == length


def test_the_same_address_twice_is_one_destination() -> None:
    assert len(AppriseNotifier(["json://127.0.0.1:80", "json://127.0.0.1:80"]).destinations) == 1


def test_the_id_of_a_destination_does_not_depend_on_its_position() -> None:
    urls = ["json://127.0.0.1:80", "json://127.0.0.1:81"]
    first, second = AppriseNotifier(urls), AppriseNotifier(urls[::-1])
    assert set(first.destinations) == set(second.destinations)
