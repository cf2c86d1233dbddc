from typing import Any

import pytest

from nba_predictions.domain.batches.batch import BatchState
from nba_predictions.domain.batches.reconciliation import TargetCounts
from nba_predictions.domain.batches.repair import Plan, Remedy, plan_repair
from nba_predictions.domain.batches.verdict import Evidence, Verdict, judge
from nba_predictions_tests.domain.batches.test_verdict import ALL, CLEANED, PUBLISHED, merged
from nba_predictions_tests.examples import NOON, SECOND, batch, dead_letter

S, R = BatchState, Remedy


def plan(state: BatchState | None, rows: int = 50, **changed: Any) -> tuple[Verdict, Plan]:
    there = {c.staging_table for c in ALL if c.staging_table} - set(changed.pop("gone", ()))
    evidence = Evidence(
        batch=None if state is None else batch(state=state, **changed.pop("batch", {})),
        completions=ALL,
        dead_letters=changed.pop("letters", ()),
        ledger=changed.pop("ledger", ()),
        staging_there=there,
        target=TargetCounts(rows, changed.pop("duplicates", 0)),
        now=NOON + changed.pop("after", 60) * SECOND,
    )
    judgement = judge(evidence)
    return judgement.verdict, plan_repair(evidence, judgement, **changed)


GOOD = (merged(), CLEANED, PUBLISHED)
CASES: dict[str, tuple[tuple[Verdict, Plan], tuple[Remedy, ...], tuple[str, ...]]] = {
    "complete": (plan(S.PUBLISHED, ledger=GOOD), (), ()),
    "at work": (plan(S.STAGING), (), ()),
    "not started": (plan(None), (R.RUN_NIGHT, R.PUBLISH), ()),
    "stalled": (plan(S.STAGING, after=3600), (R.RUN_NIGHT, R.PUBLISH), ()),
    "given up": (plan(S.FAILED), (R.RUN_NIGHT, R.PUBLISH), ()),
    "staged": (plan(S.STAGED), (R.FINISH, R.PUBLISH), ()),
    "staged, a table gone": (
        plan(S.STAGED, gone=["batch_1/b"]),
        (R.REPLAY, R.PUBLISH),
        ("b",),
    ),
    "consolidated": (plan(S.CONSOLIDATED, ledger=GOOD[:1]), (R.FINISH, R.PUBLISH), ()),
    "cleaned": (plan(S.CLEANED, ledger=GOOD[:2]), (R.PUBLISH,), ()),
    "published, never sent": (plan(S.PUBLISHED, ledger=GOOD[:2]), (R.PUBLISH,), ()),
    "rows missing": (
        plan(S.PUBLISHED, 25, ledger=GOOD, players_without_rows=["b", "a"]),
        (R.REPLAY, R.PUBLISH),
        ("a", "b"),
    ),
    "duplicates": (plan(S.PUBLISHED, 60, ledger=GOOD, duplicates=10), (R.REMOVE_DUPLICATES,), ()),
    "partial": (
        plan(
            S.PUBLISHED,
            ledger=GOOD,
            letters=[dead_letter("d")],
            batch={"expected_players": 4, "completion_threshold": 0.5},
        ),
        (R.REPLAY, R.PUBLISH),
        (),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_plan(name: str) -> None:
    (verdict, planned), remedies, players = CASES[name]
    assert (planned.remedies, planned.players) == (remedies, players), verdict
    assert planned.why


QUIET: dict[str, Any] = {"batch": {"announce": False}}


@pytest.mark.parametrize(
    ("planned", "remedies"),
    [
        (plan(S.FAILED, **QUIET), (R.RUN_NIGHT,)),
        (plan(S.STAGED, **QUIET), (R.FINISH,)),
        (plan(S.CONSOLIDATED, ledger=GOOD[:1], **QUIET), (R.FINISH,)),
        (plan(S.CLEANED, ledger=GOOD[:2], **QUIET), ()),
        (plan(S.CLEANED, 25, ledger=GOOD[:2], players_without_rows=["a"], **QUIET), (R.REPLAY,)),
    ],
)
def test_a_batch_that_is_not_to_be_announced_is_mended_and_not_published(
    planned: tuple[Verdict, Plan], remedies: tuple[Remedy, ...]
) -> None:
    assert planned[1].remedies == remedies


def test_every_verdict_has_a_plan() -> None:
    assert {verdict for (verdict, _), _, _ in CASES.values()} == set(Verdict)
