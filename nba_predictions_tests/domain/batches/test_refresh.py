from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from nba_predictions.domain.batches.batch import Completion
from nba_predictions.domain.batches.refresh import (
    GAME_BEGUN,
    LEFT_SLATE,
    Refresh,
    games_begun,
    plan_refresh,
)
from nba_predictions.domain.betting.slate import Skip, Slate
from nba_predictions_tests.examples import (
    GAME_DATE,
    NOON,
    SECOND,
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
) -> Refresh:
    dead_letters = [dead_letter(name) for name in letters]
    return plan_refresh(slate, fingerprints or PRINTS, completions, dead_letters, **options)


def names(plan: Refresh) -> list[str]:
    return [p.player_lookup for p in plan.predict]


def test_where_nothing_has_changed_nothing_is_to_be_done() -> None:
    assert planned() == Refresh((), (), (), unchanged=3, expected=3)


def test_who_has_other_inputs_is_predicted_again_and_nobody_else() -> None:
    plan = planned(fingerprints={"a": "A1", "b": "B2"})
    assert (names(plan), plan.skip, plan.unchanged) == (["b"], (), 2)


def test_what_an_earlier_version_recorded_is_of_unknown_inputs_and_predicted_again() -> None:
    assert names(planned(completions=(done("a", None), *MORNING[1:]))) == ["a"]


@pytest.mark.parametrize("was", [(), (skipped("a", "injury_report: OUT"),)], ids=["new", "was out"])
def test_who_has_no_rows_yet_is_predicted(was: tuple[Completion, ...]) -> None:
    assert names(planned(completions=(*was, *MORNING[1:]))) == ["a"]


def test_who_failed_is_tried_again() -> None:
    assert names(planned(completions=MORNING[1:], letters=("a",))) == ["a"]


def test_whose_staging_was_lost_before_a_merge_is_predicted_again() -> None:
    assert names(planned(lost={"b"})) == ["b"]


def test_who_is_out_now_or_for_another_reason_is_skipped() -> None:
    doubtful = Skip("c", "injury_report: DOUBTFUL")
    plan = planned(slate_of([slate_player("a")], [Skip("b", OUT.reason), doubtful]))
    assert (plan.predict, plan.skip) == ((), (Skip("b", OUT.reason), doubtful))
    assert plan.expected == 3


def test_who_has_left_the_slate_is_skipped_once_and_stays_accounted_for() -> None:
    alone = slate_of([slate_player("a")])
    plan = planned(alone, letters=("d",))
    assert plan.skip == (Skip("b", LEFT_SLATE), Skip("d", LEFT_SLATE))
    # c was skipped before, and keeps his reason.
    assert (plan.unchanged, plan.expected) == (2, 4)
    after = (MORNING[0], *(skipped(name, LEFT_SLATE) for name in "bd"), MORNING[2])
    assert planned(alone, after, letters=("d",)).skip == ()


def test_a_game_has_begun_at_its_tip_off_where_that_is_known() -> None:
    slate = Slate(GAME_DATE, (replace(EARLY, tipoff=NOON), LATE), (), ())
    assert games_begun(slate, NOON - SECOND) == set()
    assert games_begun(slate, NOON) == {EARLY.game_id}
    assert games_begun(slate, NOON + timedelta(hours=9)) == {EARLY.game_id}
    assert games_begun(slate, None) == set()


def test_whose_game_has_begun_is_left_alone_whatever_has_changed() -> None:
    late = slate_player("b", game_id=LATE.game_id)
    new = {"a": "A2", "b": "B2"}
    begun: dict[str, Any] = {
        "begun": {EARLY.game_id},
        "predicted_for": dict.fromkeys("ab", EARLY.game_id),
    }
    # His line moved; he is out; he has left the slate, for books take lines down at tip-off.
    for slate in (SLATE, slate_of([late], [Skip("a", OUT.reason)]), slate_of([late])):
        plan = planned(slate, fingerprints=new, **begun)
        assert "a" in plan.begun
        assert "a" not in names(plan)
        assert all(skip.player_lookup != "a" for skip in plan.skip)
    # The other one is in a game that has not, and was not predicted for one that has.
    free = {**begun, "predicted_for": {"a": EARLY.game_id, "b": LATE.game_id}}
    assert names(planned(slate_of([late]), fingerprints=new, **free)) == ["b"]


def test_who_comes_onto_the_slate_after_his_tip_off_is_skipped_with_that_reason() -> None:
    plan = planned(completions=MORNING[1:], begun={EARLY.game_id})
    assert plan.skip == (Skip("a", GAME_BEGUN),)
    # So is he, the next time, though the slate has him as a player.
    again = (skipped("a", GAME_BEGUN), *MORNING[1:])
    assert planned(completions=again, begun={EARLY.game_id}).skip == ()
