"""The equations that the numbers of a merge must satisfy."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_predictions.domain.batches.reconciliation import (
    MergeCounts,
    Reconciliation,
    TargetCounts,
    reconcile,
)
from nba_predictions_tests.examples import (
    batch,
    completion,
    skipped,
)

DONE = [completion("a"), completion("b"), skipped("c")]
WHOLE = reconcile(batch(), DONE, DONE[:2], MergeCounts(2, 50, 50, 40, 10, 3), TargetCounts(50, 0))


def test_numbers_that_agree_have_no_problems() -> None:
    assert WHOLE.merge_problems() == []
    assert WHOLE.merged == 50
    assert WHOLE.duplicates_collapsed == 0


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"tables_found": 1}, "2 staging tables were recorded, 1 exist"),
        ({"rows_recorded": 51}, "completions recorded 51 rows, staging holds 50"),
        ({"inserted": 39}, "50 distinct keys were staged, the merge affected 49"),
        ({"updated": 0}, "50 distinct keys were staged, the merge affected 40"),
        ({"batch_rows_in_target": 49}, "should hold 50 rows of this batch, it holds 49"),
        ({"batch_rows_in_target": 51}, "should hold 50 rows of this batch, it holds 51"),
        ({"batch_rows_expected": 75}, "should hold 75 rows of this batch, it holds 50"),
    ],
)
def test_each_number_that_disagrees_is_one_problem(changed: dict[str, int], words: str) -> None:
    (problem,) = replace(WHOLE, **changed).merge_problems()
    assert words in problem


def test_duplicate_keys_in_staging_are_a_problem() -> None:
    # Five lines of a player were staged under one key, so that one of them was merged.
    collapsed = replace(
        WHOLE, distinct_keys=10, inserted=10, updated=0, batch_rows_in_target=10
    ).merge_problems()
    assert "50 rows were staged under 10 distinct keys" in collapsed
    assert any("should hold 50 rows" in problem for problem in collapsed)


def test_an_empty_merge_is_a_problem_if_players_are_expected() -> None:
    nothing = MergeCounts(0, 0, 0, 0, 0, 0)
    empty = reconcile(batch(), [], [], nothing, TargetCounts(0, 0))
    assert empty.merge_problems() == ["the merge wrote nothing, though 3 players are expected"]
    skips = [skipped(name) for name in "abc"]
    assert reconcile(batch(), skips, [], nothing, TargetCounts(0, 0)).merge_problems()


def test_an_empty_merge_is_correct_on_a_date_without_players() -> None:
    empty = reconcile(
        batch(expected_players=0, games=0),
        [],
        [],
        MergeCounts(0, 0, 0, 0, 0, 0),
        TargetCounts(0, 0),
    )
    assert empty.merge_problems() == []


def test_an_empty_merge_is_correct_if_all_rows_were_merged_and_cleaned_up_before() -> None:
    nothing = MergeCounts(0, 0, 0, 0, 0, 0)
    assert reconcile(batch(), DONE, [], nothing, TargetCounts(50, 0)).merge_problems() == []
    assert reconcile(batch(), DONE, [], nothing, TargetCounts(0, 0)).merge_problems()


def test_a_replay_reconciles_its_own_rows_and_the_whole_batch() -> None:
    replayed = reconcile(
        batch(), DONE, DONE[1:2], MergeCounts(1, 25, 25, 0, 25, 0), TargetCounts(50, 0)
    )
    assert replayed.merge_problems() == []
    assert (replayed.rows_recorded, replayed.batch_rows_expected) == (25, 50)


_COUNTS = st.integers(0, 60)


@given(st.builds(Reconciliation, **dict.fromkeys(Reconciliation.__dataclass_fields__, _COUNTS)))
def test_without_problems_every_equation_holds(numbers: Reconciliation) -> None:
    if not numbers.merge_problems():
        assert numbers.rows_staged == numbers.distinct_keys + numbers.duplicates_collapsed
        assert numbers.rows_recorded == numbers.rows_staged == numbers.distinct_keys
        assert numbers.distinct_keys == numbers.inserted + numbers.updated
        assert numbers.batch_rows_in_target == numbers.batch_rows_expected
        assert numbers.tables_found == numbers.tables_expected


@given(st.builds(Reconciliation, **dict.fromkeys(Reconciliation.__dataclass_fields__, _COUNTS)))
def test_numbers_are_read_back_from_the_ledger(numbers: Reconciliation) -> None:
    written: dict[str, Any] = json.loads(json.dumps(numbers.numbers()))
    assert Reconciliation.from_numbers(written) == numbers


def test_a_stored_entry_without_retired_rows_is_read_as_zero_retired() -> None:
    written = WHOLE.numbers()
    del written["retired"]
    assert Reconciliation.from_numbers(written) == WHOLE
