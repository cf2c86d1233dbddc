"""Which destination is notified of which change, how often, and in which words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_predictions.domain.errors import AlertBookError
from nba_predictions.domain.policies.alerting import (
    MAX_ALERTS_PER_MESSAGE,
    MAX_CONDITIONS_PER_KIND,
    WATCH_PERIOD,
    Alert,
    AlertBook,
    Change,
    Condition,
    Kind,
    Severity,
    message_of,
    read_cursor,
    within_bounds,
    write_cursor,
)

NOW = datetime(2026, 1, 15, 12, tzinfo=timezone.utc)
UI = "http://localhost:3000"


def condition(
    key: str = "a",
    severity: Severity = Severity.ERROR,
    since: datetime = NOW,
    until: datetime | None = None,
) -> Condition:
    return Condition(
        key=key,
        kind=Kind.FAILED_CHECK,
        severity=severity,
        title=f"the check {key} failed for 2026-01-15",
        since=since,
        watched_until=until,
        to_do="nba-predictions repair --game-date 2026-01-15",
        game_date=date(2026, 1, 15),
        batch_id="batch_2026-01-15_1",
        run_id="run-1",
        facts={"rows_staged": 455, "rows_merged": 0},
    )


def changes(alerts: Sequence[Alert]) -> list[tuple[str, str]]:
    return [(alert.change.value, alert.condition.key) for alert in alerts]


def test_a_condition_is_reported_once_when_it_opens_and_once_when_it_clears() -> None:
    book, a = AlertBook(), condition()
    assert changes(book.due("slack", [a], NOW)) == [("raised", "a")]
    book = book.after([a], ["slack"], ["slack"])
    assert book.due("slack", [a], NOW) == []
    assert changes(book.due("slack", [], NOW)) == [("cleared", "a")]
    book = book.after([], ["slack"], ["slack"])
    assert book.due("slack", [], NOW) == []


def test_a_condition_that_comes_back_is_reported_again() -> None:
    a = condition()
    book = AlertBook().after([a], ["slack"], ["slack"]).after([], ["slack"], ["slack"])
    assert changes(book.due("slack", [a], NOW)) == [("raised", "a")]


def test_a_destination_that_was_down_is_notified_later_and_the_others_not_twice() -> None:
    a = condition()
    book = AlertBook().after([a], ["slack", "mail"], ["slack"])
    assert book.due("slack", [a], NOW) == []
    assert changes(book.due("mail", [a], NOW)) == [("raised", "a")]


def test_a_destination_that_was_down_is_not_notified_of_a_condition_that_ended() -> None:
    a = condition()
    book = AlertBook().after([a], ["slack", "mail"], ["slack"])
    assert book.due("mail", [], NOW) == []
    assert changes(book.due("slack", [], NOW)) == [("cleared", "a")]


def test_a_destination_that_was_down_at_the_end_is_notified_of_it_later() -> None:
    a = condition()
    book = AlertBook().after([a], ["mail"], ["mail"])
    book = book.after([], ["mail"], [])
    assert changes(book.due("mail", [], NOW)) == [("cleared", "a")]


def test_a_warning_that_becomes_an_error_is_raised_again_but_not_the_reverse() -> None:
    warning, error = condition(severity=Severity.WARNING), condition()
    book = AlertBook().after([warning], ["slack"], ["slack"])
    assert changes(book.due("slack", [error], NOW)) == [("raised", "a")]
    book = book.after([error], ["slack"], ["slack"])
    assert book.due("slack", [warning], NOW) == []
    book = book.after([warning], ["slack"], ["slack"])
    assert book.due("slack", [error], NOW) == []


def test_a_condition_after_its_watch_period_expires_and_is_not_cleared() -> None:
    a = condition(until=NOW + WATCH_PERIOD)
    book = AlertBook().after([a], ["slack"], ["slack"])
    before, after = NOW + WATCH_PERIOD - timedelta(seconds=1), NOW + WATCH_PERIOD
    assert changes(book.due("slack", [], before)) == [("cleared", "a")]
    (alert,) = book.due("slack", [], after)
    assert alert.change is Change.EXPIRED
    assert "not fixed within 8 days" in message_of([alert], source="files", ui_url=UI).body


def test_a_destination_that_is_no_longer_configured_is_removed() -> None:
    a = condition()
    book = AlertBook().after([a], ["slack", "mail"], ["slack", "mail"])
    book = book.after([a], ["slack"], ["slack"])
    assert set(book.notified) == {"slack"}
    assert AlertBook().after([a], [], []) == AlertBook()


def test_the_end_is_reported_with_the_last_known_batch_and_run() -> None:
    first, later = condition(), replace(condition(), batch_id="batch_2026-01-15_2", run_id="run-2")
    book = AlertBook().after([first], ["slack"], ["slack"]).after([later], ["slack"], ["slack"])
    (alert,) = book.due("slack", [], NOW)
    assert (alert.condition.batch_id, alert.condition.run_id) == ("batch_2026-01-15_2", "run-2")


KEYS = st.sampled_from("abcdef")
CONDITIONS = st.builds(condition, key=KEYS, severity=st.sampled_from(Severity))
OPEN = st.lists(CONDITIONS, max_size=6, unique_by=lambda c: c.key)
DESTINATIONS = ("slack", "mail", "hook")
TICKS = st.lists(st.tuples(OPEN, st.sets(st.sampled_from(DESTINATIONS))), max_size=12)


@given(TICKS)
def test_no_destination_is_notified_twice_of_the_same_change(
    ticks: list[tuple[list[Condition], set[str]]],
) -> None:
    """The state that a destination derives from its messages equals the open conditions."""
    book = AlertBook()
    derived: dict[str, dict[str, Severity]] = {d: {} for d in DESTINATIONS}
    for open_now, reached in ticks:
        for destination in DESTINATIONS:
            due = book.due(destination, open_now, NOW)
            if destination not in reached:
                continue
            known = derived[destination]
            for alert in due:
                key, severity = alert.condition.key, alert.condition.severity
                if alert.change is Change.RAISED:
                    assert key not in known or known[key].rank < severity.rank
                    known[key] = severity
                else:
                    assert key in known
                    del known[key]
            assert set(known) == {c.key for c in open_now}
            assert all(known[c.key].rank >= c.severity.rank for c in open_now)
        book = book.after(open_now, DESTINATIONS, reached)
        # Each tick may be in another process.
        book, memory = read_cursor(write_cursor(book, {"watched": {"x": 1}}))
        assert memory == {"watched": {"x": 1}}
        assert set(book.conditions) == {key for keys in derived.values() for key in keys}


@given(st.integers(0, 400), st.integers(0, 400))
def test_many_conditions_are_bounded_and_stay_the_same(first: int, more: int) -> None:
    flood = [condition(f"{n:04}", since=NOW + timedelta(seconds=n)) for n in range(first + more)]
    early, late = within_bounds(flood[:first], NOW), within_bounds(flood, NOW)
    assert len(late) <= MAX_CONDITIONS_PER_KIND + 1
    assert {c.key for c in early} <= {c.key for c in late}
    if first + more > MAX_CONDITIONS_PER_KIND:
        assert late[-1].facts == {"others": first + more - MAX_CONDITIONS_PER_KIND}
    book = AlertBook().after(late, ["slack", "mail"], ["slack", "mail"])
    assert len(write_cursor(book, {})) < 100_000


@pytest.mark.parametrize(
    "cursor",
    [
        "not json",
        "[1]",
        "{}",
        json.dumps({"book": {"conditions": [], "told": {"slack": {"a": "ERROR"}}}}),
        json.dumps({"book": {"conditions": [{"key": "a"}], "told": {}}}),
        json.dumps({"book": {"conditions": {}, "told": []}}),
        write_cursor(AlertBook().after([condition()], ["s"], ["s"]), {}).replace("00Z", "00"),
    ],
)
def test_a_cursor_of_another_form_is_refused(cursor: str) -> None:
    with pytest.raises(AlertBookError, match="all open alerts will be sent again"):
        read_cursor(cursor)


def test_an_empty_cursor_is_an_empty_book() -> None:
    assert read_cursor(None) == (AlertBook(), {})


# ------------------------------------------------------------------------------- messages


def test_a_message_has_date_batch_numbers_what_to_do_and_a_link_to_the_run() -> None:
    message = message_of([Alert(Change.RAISED, condition("merged"))], source="files", ui_url=UI)
    assert message.title == (
        "[nba_predictions files] ERROR: the check merged failed for 2026-01-15"
    )
    assert message.severity is Severity.ERROR
    assert message.body.splitlines() == [
        "game_date: 2026-01-15",
        "batch: batch_2026-01-15_1",
        "rows_staged: 455",
        "rows_merged: 0",
        "since: 2026-01-15 12:00:00 UTC",
        "to do: nba-predictions repair --game-date 2026-01-15",
        "link: http://localhost:3000/runs/run-1",
    ]


def test_a_message_about_an_end_has_nothing_to_do() -> None:
    message = message_of([Alert(Change.CLEARED, condition())], source="files", ui_url=UI + "/")
    assert message.title.endswith("CLEARED: the check a failed for 2026-01-15")
    assert message.severity is None
    assert "to do" not in message.body
    assert message.body.endswith("link: http://localhost:3000/runs/run-1")


def test_many_alerts_are_one_message_with_the_worst_first_and_the_number_of_the_others() -> None:
    alerts = [Alert(Change.CLEARED, condition("z"))]
    alerts += [
        Alert(Change.RAISED, condition(f"w{n:02}", Severity.WARNING))
        for n in range(MAX_ALERTS_PER_MESSAGE + 5)
    ]
    alerts.append(Alert(Change.RAISED, condition("e")))
    message = message_of(alerts, source="files", ui_url=UI)
    assert message.title.endswith("alerts: 16 raised, 1 cleared or expired")
    assert message.severity is Severity.ERROR
    assert message.body.startswith("ERROR: the check e failed")
    assert message.body.count("\nlink: ") == MAX_ALERTS_PER_MESSAGE
    assert message.body.endswith("and 7 more: nba-predictions alerts status lists what is open")


def test_a_condition_without_a_run_links_to_the_automation_page() -> None:
    tick = replace(condition(), run_id=None)
    message = message_of([Alert(Change.RAISED, tick)], source="files", ui_url=UI)
    assert message.body.endswith("link: http://localhost:3000/automation")
