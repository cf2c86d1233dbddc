"""The states of a batch, its completions, and its progress."""

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_predictions.domain.batches.batch import (
    RESUMABLE,
    TRANSITIONS,
    BatchState,
    BatchStatus,
    Completion,
    Progress,
    make_batch_id,
    progress,
    states_before,
    tally,
)
from nba_predictions.domain.errors import BatchStateError
from nba_predictions_tests.examples import GAME_DATE, NOON, batch, completion, dead_letter, skipped

S = BatchState

#: The allowed transitions, repeated here so that a change of the rules must change both.
EXPECTED_TRANSITIONS = {
    S.CREATED: {S.STAGING, S.FAILED, S.STALLED},
    S.STAGING: {S.STAGED, S.FAILED, S.STALLED},
    S.STAGED: {S.STAGING, S.MERGED, S.FAILED},
    S.MERGED: {S.STAGING, S.CLEANED},
    S.CLEANED: {S.STAGING, S.PUBLISHED, S.CLOSED},
    S.PUBLISHED: {S.STAGING},
    S.CLOSED: {S.STAGING, S.CLEANED},
    S.FAILED: {S.STAGING},
    S.STALLED: {S.STAGING, S.STAGED, S.FAILED},
}


def test_the_transitions_are_the_documented_ones() -> None:
    assert set(EXPECTED_TRANSITIONS) == set(BatchState)
    assert dict(TRANSITIONS) == EXPECTED_TRANSITIONS


@pytest.mark.parametrize("state", BatchState)
def test_states_before_inverts_the_transitions(state: BatchState) -> None:
    assert states_before(state) == {
        a for a, following in EXPECTED_TRANSITIONS.items() if state in following
    }


def test_a_batch_is_published_only_after_staged_merged_and_cleaned() -> None:
    assert states_before(S.PUBLISHED) == {S.CLEANED}
    assert states_before(S.CLEANED) == {S.MERGED, S.CLOSED}
    assert states_before(S.CLOSED) == {S.CLEANED}
    assert states_before(S.MERGED) == {S.STAGED}


def test_a_merged_batch_never_becomes_failed() -> None:
    assert not states_before(S.FAILED) & {S.MERGED, S.CLEANED, S.PUBLISHED, S.CLOSED}


def test_batches_that_are_not_merged_and_not_failed_are_resumable() -> None:
    assert {S.CREATED, S.STAGING, S.STAGED, S.STALLED} == RESUMABLE


def test_a_batch_id_contains_date_and_second() -> None:
    moment = datetime(2026, 1, 1, 17, 0, 0, 999_999, tzinfo=timezone.utc)
    assert make_batch_id(GAME_DATE, moment) == "batch_2026-01-01_1767286800"


@pytest.mark.parametrize(
    ("rows", "table", "reason"),
    [
        (25, None, None),
        (25, None, "injury"),
        (25, "batch/table", "injury"),
        (0, "batch/table", None),
        (0, "batch/table", "injury"),
        (0, None, None),
    ],
)
def test_a_completion_has_rows_in_a_table_or_a_skip_reason(
    rows: int, table: str | None, reason: str | None
) -> None:
    with pytest.raises(BatchStateError, match="completion of paulgeorge"):
        Completion("paulgeorge", rows, NOON, "run", staging_table=table, skip_reason=reason)


def counted(
    expected: int,
    completed: int,
    skipped: int = 0,
    failed: int = 0,
    *,
    games: int = 1,
    threshold: float = 0.9,
) -> Progress:
    return Progress(games, expected, completed, skipped, failed, threshold)


@pytest.mark.parametrize(
    ("done", "status"),
    [
        (counted(0, 0, games=0), BatchStatus.NO_DATA),
        (counted(0, 0, games=5), BatchStatus.FAILED),
        (counted(10, 0, 10), BatchStatus.FAILED),
        (counted(10, 0, 0, 10), BatchStatus.FAILED),
        (counted(10, 0, 0, 0), BatchStatus.FAILED),
        (counted(10, 10), BatchStatus.SUCCESS),
        (counted(10, 7, 3), BatchStatus.SUCCESS),
        (counted(10, 1, 9), BatchStatus.SUCCESS),
        (counted(10, 9, 0, 1), BatchStatus.PARTIAL),
        (counted(10, 5, 4, 1), BatchStatus.PARTIAL),
        (counted(10, 9, 0, 0), BatchStatus.PARTIAL),
        (counted(10, 8, 0, 2), BatchStatus.FAILED),
        (counted(450, 404, 0, 46), BatchStatus.FAILED),
        (counted(450, 405, 0, 45), BatchStatus.PARTIAL),
        (counted(10, 9, threshold=1.0), BatchStatus.FAILED),
        (counted(10, 10, threshold=1.0), BatchStatus.SUCCESS),
        (counted(2, 2, 0, 1), BatchStatus.PARTIAL),
    ],
)
def test_status(done: Progress, status: BatchStatus) -> None:
    assert done.status is status
    assert done.may_be_published == (status is not BatchStatus.FAILED)


@given(st.integers(1, 100), st.integers(1, 60))
def test_a_share_equal_to_the_threshold_is_enough(percent: int, many: int) -> None:
    done = counted(100 * many, percent * many, threshold=percent / 100)
    assert done.may_be_published
    assert not counted(100 * many, percent * many - 1, threshold=percent / 100).may_be_published


@pytest.mark.parametrize(
    ("done", "percent"),
    [
        (counted(0, 0, games=0), 100.0),
        (counted(3, 2), 66.67),
        (counted(3, 2, 1), 100.0),
        (counted(450, 449, 0, 1), 99.78),
        (counted(3, 0), 0.0),
        (counted(3, 4), 100.0),
    ],
)
def test_completion_percentage(done: Progress, percent: float) -> None:
    assert done.completion_pct == percent


def test_progress_counts_completions_and_dead_letters() -> None:
    done = progress(
        batch(expected_players=4, games=2, completion_threshold=0.5),
        tally([completion("a"), completion("b"), skipped("c")], [dead_letter("d")]),
    )
    assert done == Progress(2, 4, completed=2, skipped=1, failed=1, threshold=0.5)


def test_a_dead_letter_of_a_player_who_was_completed_later_does_not_count() -> None:
    done = progress(batch(expected_players=1), tally([completion("a")], [dead_letter("a")]))
    assert done.failed == 0
    assert done.status is BatchStatus.SUCCESS
