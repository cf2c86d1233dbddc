"""The remedies for each verdict."""

from typing import Any

import pytest

from nba_predictions.domain.batches.batch import BatchState
from nba_predictions.domain.batches.reconciliation import TargetCounts
from nba_predictions.domain.batches.repair import Plan, Remedy, plan_repair
from nba_predictions.domain.batches.snapshot import BatchSnapshot
from nba_predictions.domain.batches.verdict import Evidence, Verdict, conclude
from nba_predictions_tests.domain.batches.test_verdict import ALL, CLEANED, PUBLISHED, merged
from nba_predictions_tests.examples import NOON, SECOND, batch, dead_letter

S, R = BatchState, Remedy


def plan(state: BatchState | None, rows: int = 50, **changed: Any) -> tuple[Verdict, Plan]:
    existing = {c.staging_table for c in ALL if c.staging_table} - set(changed.pop("missing", ()))
    letters, ledger = changed.pop("letters", ()), changed.pop("ledger", ())
    subject = None if state is None else batch(state=state, **changed.pop("batch", {}))
    evidence = Evidence(
        snapshot=BatchSnapshot(subject, ALL, letters, ledger) if subject else None,
        existing_staging=existing,
        target=TargetCounts(rows, changed.pop("duplicates", 0), checksum=7),
        now=NOON + changed.pop("after", 60) * SECOND,
    )
    verdict = conclude(evidence).verdict
    return verdict, plan_repair(evidence, verdict, **changed)


GOOD = (merged(), CLEANED, PUBLISHED)
CASES: dict[str, tuple[tuple[Verdict, Plan], tuple[Remedy, ...], tuple[str, ...]]] = {
    "complete": (plan(S.PUBLISHED, ledger=GOOD), (), ()),
    "in progress": (plan(S.STAGING), (), ()),
    "not started": (plan(None), (R.RUN_NIGHT, R.PUBLISH), ()),
    "stalled": (plan(S.STAGING, after=3600), (R.RUN_NIGHT, R.PUBLISH), ()),
    "failed": (plan(S.FAILED), (R.RUN_NIGHT, R.PUBLISH), ()),
    "staged": (plan(S.STAGED), (R.FINISH, R.PUBLISH), ()),
    "staged, a table missing": (
        plan(S.STAGED, missing=["batch_1/b"]),
        (R.REPLAY, R.PUBLISH),
        ("b",),
    ),
    "merged": (plan(S.MERGED, ledger=GOOD[:1]), (R.FINISH, R.PUBLISH), ()),
    "cleaned": (plan(S.CLEANED, ledger=GOOD[:2]), (R.PUBLISH,), ()),
    "published, but no message was sent": (plan(S.PUBLISHED, ledger=GOOD[:2]), (R.PUBLISH,), ()),
    "rows missing": (
        plan(S.PUBLISHED, 25, ledger=GOOD, players_without_rows=["b", "a"]),
        (R.REPLAY, R.PUBLISH),
        ("a", "b"),
    ),
    "rows changed": (
        plan(S.PUBLISHED, ledger=(merged(checksum=8), CLEANED, PUBLISHED)),
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
        (plan(S.MERGED, ledger=GOOD[:1], **QUIET), (R.FINISH,)),
        (plan(S.CLEANED, ledger=GOOD[:2], **QUIET), ()),
        (plan(S.CLEANED, 25, ledger=GOOD[:2], players_without_rows=["a"], **QUIET), (R.REPLAY,)),
    ],
)
def test_the_repair_of_a_batch_without_announcement_does_not_publish_it(
    planned: tuple[Verdict, Plan], remedies: tuple[Remedy, ...]
) -> None:
    assert planned[1].remedies == remedies


def test_every_verdict_has_a_plan() -> None:
    assert {verdict for (verdict, _), _, _ in CASES.values()} == set(Verdict)
