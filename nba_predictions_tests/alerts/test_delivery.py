"""One message for each destination, whichever of them is away, and the log always."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from nba_predictions.alerts.apprise_notifier import AppriseNotifier
from nba_predictions.alerts.delivery import Told, tell
from nba_predictions.domain.policies.alerting import AlertBook, Condition, read_cursor, write_cursor
from nba_predictions_tests.alerts.receiver import SECRET, Receiver
from nba_predictions_tests.domain.policies.test_alerting import NOW, UI, condition


class Teller:
    """Ticks of one sensor, each of them in a process of its own as far as memory goes."""

    def __init__(self, *receivers: Receiver) -> None:
        self.urls = [receiver.url for receiver in receivers]
        self.cursor: str | None = None

    def tick(self, *conditions: Condition) -> Told:
        book = read_cursor(self.cursor)[0] if self.cursor else AlertBook()
        told = tell(
            book, conditions, AppriseNotifier(self.urls), now=NOW, source="files", ui_url=UI
        )
        self.cursor = write_cursor(told.book, {})
        assert SECRET not in self.cursor + told.words
        return told


def events(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    out = capsys.readouterr().out
    assert SECRET not in out
    return [json.loads(line) for line in out.splitlines()]


def test_one_that_is_away_is_told_when_it_comes_back_and_nobody_twice(
    slack: Receiver, mail: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    teller, broken = Teller(slack, mail), condition("merged")
    for _ in range(2):
        told = teller.tick(broken)
        assert "JSON 2 (json://127.0.0.1" in told.words
        assert list(told.refused) == [f"JSON 2 (json://127.0.0.1:{mail.port}/****)"]
    assert len(slack.posts) == 1
    logged = [(e["event"], e["severity"]) for e in events(capsys)]
    assert logged.count(("alert_raised", "ERROR")) == 1
    assert logged.count(("alert_not_delivered", "WARNING")) == 2

    mail.up()
    teller.tick(broken)
    teller.tick(broken)
    assert mail.titles == slack.titles
    teller.tick()
    teller.tick()
    assert [t.split("] ")[1].split(":")[0] for t in slack.titles] == ["ERROR", "CLEARED"]
    assert mail.titles == slack.titles
    assert [e["event"] for e in events(capsys)] == ["alert_cleared"]


def test_one_that_answers_with_an_error_is_tried_again(slack: Receiver) -> None:
    teller, slack.status = Teller(slack), 500
    assert "500" in teller.tick(condition()).words
    slack.status = 200
    assert teller.tick(condition()).sent == 1
    assert len(slack.posts) == 1


def test_without_a_destination_the_log_is_told_once_and_every_tick_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    teller = Teller()
    for _ in range(3):
        told = teller.tick(condition("merged"))
        assert "1 open; the check merged failed" in told.words
        assert "NBA_PREDICTIONS_ALERT_URLS names no destination" in told.words
    assert teller.tick().words == "0 open"
    raised, cleared = events(capsys)
    assert (raised["event"], cleared["event"]) == ("alert_raised", "alert_cleared")
    assert raised["game_date"] == "2026-01-15"
    assert raised["batch_id"] == "batch_2026-01-15_1"
    assert raised["run_id"] == "run-1"
    assert raised["facts"] == {"rows_staged": 455, "rows_merged": 0}
    assert raised["link"] == "http://localhost:3000/runs/run-1"


def test_a_destination_that_is_added_is_told_of_what_is_open(
    slack: Receiver, mail: Receiver
) -> None:
    teller = Teller(slack)
    teller.tick(condition())
    mail.up()
    teller.urls.append(mail.url)
    teller.tick(condition())
    assert (len(slack.posts), len(mail.posts)) == (1, 1)


def test_a_flood_is_one_message(slack: Receiver) -> None:
    teller = Teller(slack)
    flood = [condition(f"{n:03}", since=NOW + timedelta(seconds=n)) for n in range(250)]
    teller.tick(*flood)
    teller.tick(*flood)
    (post,) = slack.posts
    assert "101 raised" in post["title"]
    assert len(post["message"]) < 4000
