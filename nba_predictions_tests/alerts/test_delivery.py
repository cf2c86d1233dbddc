"""Delivery to several destinations, some of which do not answer, and to the log."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from nba_predictions.alerts.apprise_notifier import AppriseNotifier
from nba_predictions.alerts.delivery import Delivery, deliver
from nba_predictions.domain.policies.alerting import AlertBook, Condition, read_cursor, write_cursor
from nba_predictions_tests.alerts.receiver import SECRET, Receiver
from nba_predictions_tests.domain.policies.test_alerting import NOW, UI, condition


class Ticks:
    """Ticks of one sensor that share nothing but the cursor."""

    def __init__(self, *receivers: Receiver) -> None:
        self.urls = [receiver.url for receiver in receivers]
        self.cursor: str | None = None

    def tick(self, *conditions: Condition) -> Delivery:
        book = read_cursor(self.cursor)[0] if self.cursor else AlertBook()
        delivery = deliver(
            book, conditions, AppriseNotifier(self.urls), now=NOW, source="files", ui_url=UI
        )
        self.cursor = write_cursor(delivery.book, {})
        assert SECRET not in self.cursor + delivery.summary
        return delivery


def events(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    out = capsys.readouterr().out
    assert SECRET not in out
    return [json.loads(line) for line in out.splitlines()]


def test_a_destination_that_is_down_is_notified_later_and_the_others_not_twice(
    slack: Receiver, mail: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    ticks, broken = Ticks(slack, mail), condition("merged")
    for _ in range(2):
        delivery = ticks.tick(broken)
        assert "JSON 2 (json://127.0.0.1" in delivery.summary
        assert list(delivery.failures) == [f"JSON 2 (json://127.0.0.1:{mail.port}/****)"]
    assert len(slack.posts) == 1
    logged = [(e["event"], e["severity"]) for e in events(capsys)]
    assert logged.count(("alert_raised", "ERROR")) == 1
    assert logged.count(("alert_not_delivered", "WARNING")) == 2

    mail.up()
    ticks.tick(broken)
    ticks.tick(broken)
    assert mail.titles == slack.titles
    ticks.tick()
    ticks.tick()
    assert [t.split("] ")[1].split(":")[0] for t in slack.titles] == ["ERROR", "CLEARED"]
    assert mail.titles == slack.titles
    assert [e["event"] for e in events(capsys)] == ["alert_cleared"]


def test_a_destination_that_answers_with_an_error_is_retried(slack: Receiver) -> None:
    ticks, slack.status = Ticks(slack), 500
    assert "500" in ticks.tick(condition()).summary
    slack.status = 200
    assert ticks.tick(condition()).sent == 1
    assert len(slack.posts) == 1


def test_without_a_destination_an_alert_is_logged_once_and_every_tick_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ticks = Ticks()
    for _ in range(3):
        summary = ticks.tick(condition("merged")).summary
        assert "1 open; the check merged failed" in summary
        assert "NBA_PREDICTIONS_ALERT_URLS names no destination" in summary
    assert ticks.tick().summary == "0 open"
    raised, cleared = events(capsys)
    assert (raised["event"], cleared["event"]) == ("alert_raised", "alert_cleared")
    assert raised["game_date"] == "2026-01-15"
    assert raised["batch_id"] == "batch_2026-01-15_1"
    assert raised["run_id"] == "run-1"
    assert raised["facts"] == {"rows_staged": 455, "rows_merged": 0}
    assert raised["link"] == "http://localhost:3000/runs/run-1"


def test_a_destination_that_is_added_gets_the_open_alerts(slack: Receiver, mail: Receiver) -> None:
    ticks = Ticks(slack)
    ticks.tick(condition())
    mail.up()
    ticks.urls.append(mail.url)
    ticks.tick(condition())
    assert (len(slack.posts), len(mail.posts)) == (1, 1)


def test_a_flood_is_one_message(slack: Receiver) -> None:
    ticks = Ticks(slack)
    flood = [condition(f"{n:03}", since=NOW + timedelta(seconds=n)) for n in range(250)]
    ticks.tick(*flood)
    ticks.tick(*flood)
    (post,) = slack.posts
    assert "101 raised" in post["title"]
    assert len(post["message"]) < 4000
