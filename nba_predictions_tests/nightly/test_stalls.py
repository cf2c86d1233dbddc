"""Batches without progress, with a clock that the test controls."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from nba_predictions.domain.batches.batch import Batch, BatchState
from nba_predictions.domain.batches.verdict import STALL_WINDOW, Verdict
from nba_predictions.nightly.stalls import Stall, settle_stalls
from nba_predictions.nightly.start import players_to_stage
from nba_predictions_tests.examples import GAME_DATE, batch, slate_of
from nba_predictions_tests.nightly.conftest import SLATE, Night

S = BatchState
MINUTE = timedelta(minutes=1)


def settle(night: Night, after: timedelta) -> list[Stall]:
    return settle_stalls(night.store, run_id="sensor", now=night.store.now() + after)


def test_within_the_window_nothing_is_stalled(night: Night) -> None:
    batch = night.open()
    night.stage(batch, SLATE.players[:2])
    assert settle(night, STALL_WINDOW - MINUTE) == []
    assert night.state(batch) is S.STAGING


def test_a_stalled_batch_with_enough_players_may_be_finished(night: Night) -> None:
    batch = night.open(threshold=0.7)
    night.stage(batch, SLATE.players[:2])
    (stall,) = settle(night, STALL_WINDOW + MINUTE)
    assert stall.may_be_finished
    assert night.state(batch) is S.STALLED
    assert night.verdict().verdict is Verdict.STALLED


def test_a_stalled_batch_with_too_few_players_fails_and_the_next_run_resumes_it(
    night: Night,
) -> None:
    batch = night.open()
    night.stage(batch, SLATE.players[:1])
    (stall,) = settle(night, STALL_WINDOW + MINUTE)
    assert not stall.may_be_finished
    stored = night.store.get(batch.batch_id)
    assert stored.state is S.FAILED
    assert stored.reason == "stalled: nothing was recorded for 11 minutes"

    again = night.open(run_id="run_2")
    assert again.batch_id == batch.batch_id
    todo = players_to_stage(again, SLATE, night.store, night.warehouse)
    assert [p.player_lookup for p in todo] == ["paulgeorge", "zachcollins"]
    night.stage(again, todo)
    night.close(again)
    night.merge_batch(again)
    night.clean(again)
    night.publish(again)
    assert night.verdict().verdict is Verdict.COMPLETE


def test_a_failed_batch_of_another_slate_is_not_resumed(night: Night) -> None:
    batch = night.open()
    settle(night, STALL_WINDOW + MINUTE)
    other = night.open(slate_of(SLATE.players[:2]), run_id="run_2")
    assert other.batch_id != batch.batch_id
    assert night.state(batch) is S.FAILED


def test_a_stall_is_logged_once(
    night: Night, milestones: Callable[[], list[dict[str, Any]]]
) -> None:
    batch = night.open(threshold=0.7)
    night.stage(batch, SLATE.players[:2])
    milestones()
    for minutes in (11, 12, 60):
        assert len(settle(night, minutes * MINUTE)) == 1
    (line,) = milestones()
    assert (line["event"], line["severity"]) == ("batch_stalled", "ERROR")
    assert line["batch_id"] == batch.batch_id
    assert line["idle_seconds"] in (659, 660)
    assert line["completion_pct"] == 75.0
    assert night.events(batch).count("stalled") == 1


def test_a_second_stall_is_recorded_again(night: Night) -> None:
    batch = night.open()
    settle(night, STALL_WINDOW + MINUTE)
    night.open(run_id="run_2")
    settle(night, STALL_WINDOW + MINUTE)
    assert night.events(batch) == ["created", "stalled", "resumed", "stalled"]


@pytest.mark.parametrize("reached", [S.STAGED, S.MERGED])
def test_a_batch_whose_run_died_after_staging_may_be_finished(night: Night, reached: S) -> None:
    batch = night.staged()
    if reached is S.MERGED:
        night.merge_batch(batch)
    (stall,) = settle(night, STALL_WINDOW + MINUTE)
    assert stall.may_be_finished
    # Its state stays, so that the next step continues from there.
    assert night.state(batch) is reached


def test_a_replay_that_died_before_its_merge_may_be_finished(night: Night) -> None:
    batch = night.cleaned()
    night.stage(batch, SLATE.players[:1], replay=True, run_id="replay")
    (stall,) = settle(night, STALL_WINDOW + MINUTE)
    assert stall.may_be_finished
    assert night.state(batch) is S.CLEANED
    night.merge_batch(batch)
    night.clean(batch)
    assert settle(night, STALL_WINDOW + MINUTE) == []


@pytest.mark.parametrize("done", ["cleaned", "published"])
def test_a_finished_batch_does_not_stall(night: Night, done: str) -> None:
    getattr(night, done)()
    assert settle(night, 24 * 60 * MINUTE) == []


def left_cleaned(night: Night, announce: bool = False) -> Batch:
    """Return a cleaned-up batch as a cleanup of an earlier version left it."""
    batch = night.cleaned(announce=announce)
    if not announce:
        night.store.move(batch.batch_id, S.CLEANED)
    assert night.state(batch) is S.CLEANED
    return batch


def test_a_finished_batch_that_is_not_to_be_published_is_closed(night: Night) -> None:
    batch = left_cleaned(night)
    assert settle(night, STALL_WINDOW - MINUTE) == []
    assert night.state(batch) is S.CLEANED
    assert settle(night, STALL_WINDOW + MINUTE) == []
    assert night.state(batch) is S.CLOSED
    assert night.verdict().verdict is Verdict.COMPLETE


def test_a_batch_that_is_to_be_published_is_not_closed(night: Night) -> None:
    batch = left_cleaned(night, announce=True)
    assert settle(night, STALL_WINDOW + MINUTE) == []
    assert night.state(batch) is S.CLEANED


def test_a_batch_with_unmerged_players_is_not_closed(night: Night) -> None:
    batch = left_cleaned(night)
    night.stage(batch, SLATE.players[:1], replay=True, run_id="replay")
    (stall,) = settle(night, STALL_WINDOW + MINUTE)
    assert stall.may_be_finished
    assert night.state(batch) is S.CLEANED


def test_a_superseded_batch_that_is_not_to_be_published_is_closed(night: Night) -> None:
    batch = left_cleaned(night)
    night.published(slate=slate_of(SLATE.players[:2]), run_id="run_2")
    settle(night, STALL_WINDOW + MINUTE)
    assert night.state(batch) is S.CLOSED


def test_a_call_reads_and_closes_a_bounded_number_of_batches_of_an_earlier_version(
    night: Night,
) -> None:
    for day in range(50):
        on = GAME_DATE - timedelta(days=day)
        old = batch(f"batch_{day}", game_date=on, state=S.CLEANED, announce=False)
        assert night.store.create(old)
    open_batch = night.open()
    closed = []
    for minutes in (11, 12, 13, 14):
        stalls = settle(night, minutes * MINUTE)
        assert [stall.batch.batch_id for stall in stalls] == [open_batch.batch_id] * len(stalls)
        closed.append(len(night.store.in_states({S.CLOSED})))
    assert closed == [20, 40, 50, 50]


def test_a_batch_with_a_newer_successor_does_not_stall(night: Night) -> None:
    night.merge_batch(night.staged())
    night.published(slate=slate_of(SLATE.players[:2]), run_id="run_2")
    assert settle(night, 60 * MINUTE) == []


def test_a_run_that_closes_its_batch_first_keeps_it(night: Night) -> None:
    batch = night.open()

    class Faster:
        def __getattr__(self, name: str) -> Any:
            return getattr(night.store, name)

        def move(self, *arguments: Any) -> bool:
            night.close(batch)
            return night.store.move(*arguments)

    store: Any = Faster()
    late = night.store.now() + 11 * MINUTE
    settle_stalls(store, run_id="sensor", now=late)
    assert night.state(batch) in (S.STAGED, S.FAILED)
