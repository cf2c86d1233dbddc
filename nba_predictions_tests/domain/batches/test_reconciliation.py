import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba_predictions.domain.batches.batch import LedgerEntry
from nba_predictions.domain.batches.reconciliation import (
    MergeCounts,
    Reconciliation,
    TargetCounts,
    last_entry,
    last_time,
    pending_staging,
    predicted_players,
    reconcile,
)
from nba_predictions_tests.examples import NOON, SECOND, batch, completion, dead_letter, skipped

DONE = [completion("a"), completion("b"), skipped("c")]
WHOLE = reconcile(batch(), DONE, DONE[:2], MergeCounts(2, 50, 50, 40, 10, 3), TargetCounts(50, 0))


def test_numbers_that_agree_are_no_problem() -> None:
    assert WHOLE.merge_problems() == []
    assert WHOLE.merged == 50
    assert WHOLE.duplicates_collapsed == 0


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"tables_found": 1}, "2 staging tables were recorded, 1 found"),
        ({"rows_recorded": 51}, "completions recorded 51 rows, staging holds 50"),
        ({"inserted": 39}, "50 distinct keys were staged, the merge affected 49"),
        ({"updated": 0}, "50 distinct keys were staged, the merge affected 40"),
        ({"batch_rows_in_target": 49}, "should hold 50 rows of this batch, it holds 49"),
        ({"batch_rows_in_target": 51}, "should hold 50 rows of this batch, it holds 51"),
        ({"batch_rows_expected": 75}, "should hold 75 rows of this batch, it holds 50"),
    ],
)
def test_each_number_that_disagrees_is_named_alone(changed: dict[str, int], words: str) -> None:
    (problem,) = replace(WHOLE, **changed).merge_problems()
    assert words in problem


def test_duplicate_keys_in_staging_are_named() -> None:
    # The night of 2026: five lines of a player staged under one key, one of them merged.
    collapsed = replace(
        WHOLE, distinct_keys=10, inserted=10, updated=0, batch_rows_in_target=10
    ).merge_problems()
    assert "50 rows were staged under 10 distinct keys" in collapsed
    assert any("should hold 50 rows" in problem for problem in collapsed)


def test_a_merge_of_nothing_is_a_problem_where_players_are_expected() -> None:
    nothing = MergeCounts(0, 0, 0, 0, 0, 0)
    empty = reconcile(batch(), [], [], nothing, TargetCounts(0, 0))
    assert empty.merge_problems() == ["the merge wrote nothing, though 3 players are expected"]
    skips = [skipped(name) for name in "abc"]
    assert reconcile(batch(), skips, [], nothing, TargetCounts(0, 0)).merge_problems()


def test_a_merge_of_nothing_is_right_on_a_date_without_players() -> None:
    idle = reconcile(
        batch(expected_players=0, games=0),
        [],
        [],
        MergeCounts(0, 0, 0, 0, 0, 0),
        TargetCounts(0, 0),
    )
    assert idle.merge_problems() == []


def test_a_merge_of_nothing_is_right_when_all_rows_were_merged_and_cleaned_before() -> None:
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
def test_no_problem_means_that_every_equation_holds(numbers: Reconciliation) -> None:
    if not numbers.merge_problems():
        assert numbers.rows_staged == numbers.distinct_keys + numbers.duplicates_collapsed
        assert numbers.rows_recorded == numbers.rows_staged == numbers.distinct_keys
        assert numbers.distinct_keys == numbers.inserted + numbers.updated
        assert numbers.batch_rows_in_target == numbers.batch_rows_expected
        assert numbers.tables_found == numbers.tables_expected


@given(st.builds(Reconciliation, **dict.fromkeys(Reconciliation.__dataclass_fields__, _COUNTS)))
def test_numbers_survive_the_ledger(numbers: Reconciliation) -> None:
    written: dict[str, Any] = json.loads(json.dumps(numbers.numbers()))
    assert Reconciliation.from_numbers(written) == numbers


def test_a_ledger_that_knows_of_no_retired_rows_is_read_as_none_retired() -> None:
    written = WHOLE.numbers()
    del written["retired"]
    assert Reconciliation.from_numbers(written) == WHOLE


def test_a_date_keeps_rows_of_who_is_predicted_or_failed_and_of_nobody_who_is_skipped() -> None:
    letters = [dead_letter(name) for name in ("a", "c", "d")]
    # A dead letter of c, who is skipped by now, keeps nothing.
    assert predicted_players(DONE, letters) == {"a", "b", "d"}
    assert predicted_players([], []) == set()


def entry(event: str, seconds: int) -> LedgerEntry:
    return LedgerEntry(event, NOON + seconds * SECOND, "run")


def test_the_newest_entry_of_an_event_counts() -> None:
    ledger = [entry("merged", 1), entry("merged", 5), entry("cleaned", 9)]
    assert last_entry(ledger, "merged") == ledger[1]
    assert last_time(ledger, "merged") == NOON + timedelta(seconds=5)
    assert last_entry(ledger, "published") is None
    assert last_time(ledger, "published") is None


def test_staging_waits_until_a_clean_up_that_came_after_it() -> None:
    done = [completion("a"), completion("b", at=NOON + 5 * SECOND), skipped("c")]
    assert pending_staging(done, []) == done[:2]
    assert pending_staging(done, [entry("cleaned", 3)]) == done[1:2]
    assert pending_staging(done, [entry("cleaned", 3), entry("cleaned", 9)]) == []
    assert pending_staging(done, [entry("merged", 9)]) == done[:2]
