"""Which players a refresh predicts again, skips, or leaves unchanged."""

from dataclasses import replace
from typing import Any

import pytest

from nba_predictions.domain.batches.batch import Completion
from nba_predictions.domain.batches.refresh import (
    GAME_BEGUN,
    LEFT_SLATE,
    RefreshPlan,
    plan_refresh,
)
from nba_predictions.domain.batches.snapshot import BatchSnapshot
from nba_predictions.domain.betting.slate import Skip, Slate
from nba_predictions_tests.examples import (
    batch,
    completion,
    dead_letter,
    game,
    skipped,
    slate_of,
    slate_player,
)

EARLY, LATE = game("PHI", "DAL"), game("BOS", "LAL")
OUT = Skip("c", "injury_report: OUT")
SLATE = slate_of([slate_player("a"), slate_player("b")], [OUT])
PRINTS = {"a": "A1", "b": "B1"}


def done(lookup: str, fingerprint: str | None) -> Completion:
    return replace(completion(lookup), fingerprint=fingerprint)


MORNING = (done("a", "A1"), done("b", "B1"), skipped("c", OUT.reason))


def planned(
    slate: Slate = SLATE,
    completions: tuple[Completion, ...] = MORNING,
    fingerprints: dict[str, str] | None = None,
    letters: tuple[str, ...] = (),
    **options: Any,
) -> RefreshPlan:
    snapshot = BatchSnapshot(batch(), completions, [dead_letter(name) for name in letters])
    return plan_refresh(slate, fingerprints or PRINTS, snapshot, **options)


def names(plan: RefreshPlan) -> list[str]:
    return [p.player_lookup for p in plan.predict]


def test_an_unchanged_slate_needs_no_refresh() -> None:
    assert planned() == RefreshPlan((), (), (), unchanged=3, expected=3)


def test_only_players_with_changed_inputs_are_predicted_again() -> None:
    plan = planned(fingerprints={"a": "A1", "b": "B2"})
    assert (names(plan), plan.skip, plan.unchanged) == (["b"], (), 2)


def test_a_completion_without_a_fingerprint_is_predicted_again() -> None:
    assert names(planned(completions=(done("a", None), *MORNING[1:]))) == ["a"]


@pytest.mark.parametrize("was", [(), (skipped("a", "injury_report: OUT"),)], ids=["new", "was out"])
def test_a_player_without_rows_is_predicted(was: tuple[Completion, ...]) -> None:
    assert names(planned(completions=(*was, *MORNING[1:]))) == ["a"]


def test_a_failed_player_is_predicted_again() -> None:
    assert names(planned(completions=MORNING[1:], letters=("a",))) == ["a"]


def test_a_player_whose_staging_was_lost_before_a_merge_is_predicted_again() -> None:
    assert names(planned(lost={"b"})) == ["b"]


def test_a_player_who_is_out_now_or_for_a_new_reason_is_skipped() -> None:
    doubtful = Skip("c", "injury_report: DOUBTFUL")
    plan = planned(slate_of([slate_player("a")], [Skip("b", OUT.reason), doubtful]))
    assert (plan.predict, plan.skip) == ((), (Skip("b", OUT.reason), doubtful))
    assert plan.expected == 3


def test_a_player_who_left_the_slate_is_skipped_once_and_stays_accounted_for() -> None:
    alone = slate_of([slate_player("a")])
    plan = planned(alone, letters=("d",))
    assert plan.skip == (Skip("b", LEFT_SLATE), Skip("d", LEFT_SLATE))
    # c was skipped before and keeps that reason.
    assert (plan.unchanged, plan.expected) == (2, 4)
    after = (MORNING[0], *(skipped(name, LEFT_SLATE) for name in "bd"), MORNING[2])
    assert planned(alone, after, letters=("d",)).skip == ()


def test_a_player_whose_game_has_begun_is_left_unchanged() -> None:
    late = slate_player("b", game_id=LATE.game_id)
    new = {"a": "A2", "b": "B2"}
    begun: dict[str, Any] = {
        "begun": {EARLY.game_id},
        "predicted_for": dict.fromkeys("ab", EARLY.game_id),
    }
    # The line of a moved, a is out, or a left the slate because books remove lines at tip-off.
    for slate in (SLATE, slate_of([late], [Skip("a", OUT.reason)]), slate_of([late])):
        plan = planned(slate, fingerprints=new, **begun)
        assert "a" in plan.begun
        assert "a" not in names(plan)
        assert all(skip.player_lookup != "a" for skip in plan.skip)
    # The game of b has not begun, and b was not predicted for a game that has begun.
    free = {**begun, "predicted_for": {"a": EARLY.game_id, "b": LATE.game_id}}
    assert names(planned(slate_of([late]), fingerprints=new, **free)) == ["b"]


def test_a_player_added_to_the_slate_after_tip_off_is_skipped_with_that_reason() -> None:
    plan = planned(completions=MORNING[1:], begun={EARLY.game_id})
    assert plan.skip == (Skip("a", GAME_BEGUN),)
    # The next refresh keeps the skip, although the slate lists a as a player.
    again = (skipped("a", GAME_BEGUN), *MORNING[1:])
    assert planned(completions=again, begun={EARLY.game_id}).skip == ()


def test_players_whom_the_slate_leaves_alone_keep_what_was_recorded() -> None:
    # a has rows, d failed, and e joined the slate after its game had begun.
    alone = replace(slate_of([slate_player("b")], [OUT]), left_alone=("a", "d", "e"))
    plan = planned(alone, letters=("d",), begun={EARLY.game_id})
    assert (plan.predict, plan.skip, plan.begun) == ((), (), ("a", "d"))
    # The batch never expected e.
    assert plan.expected == 4
