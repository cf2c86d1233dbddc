"""The verdict on a night for each combination of records and data, with its facts."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from nba_predictions.domain.batches.batch import (
    Batch,
    BatchState,
    Completion,
    DeadLetter,
)
from nba_predictions.domain.batches.lease import Lease
from nba_predictions.domain.batches.ledger import LedgerEntry
from nba_predictions.domain.batches.reconciliation import MergeCounts, TargetCounts, reconcile
from nba_predictions.domain.batches.snapshot import BatchSnapshot
from nba_predictions.domain.batches.verdict import (
    STALL_WINDOW,
    Conclusion,
    Evidence,
    Verdict,
    conclude,
)
from nba_predictions_tests.examples import (
    NOON,
    SECOND,
    batch,
    completion,
    dead_letter,
    ledger_entry,
    skipped,
)

ALL = (completion("a"), completion("b"), skipped("c"))
MERGED_AT, CLEANED_AT, PUBLISHED_AT = (NOON + n * SECOND for n in (10, 20, 30))


def merged(
    done: Sequence[Completion] = ALL,
    *,
    lost: int = 0,
    at: datetime = MERGED_AT,
    checksum: int | None = None,
    **changed: Any,
) -> LedgerEntry:
    rows = sum(c.rows for c in done)
    pending = [c for c in done if c.rows]
    counts = MergeCounts(len(pending), rows, rows, rows - lost, 0, 0)
    target = TargetCounts(rows - lost, 0, checksum=checksum)
    numbers = reconcile(batch(**changed), done, pending, counts, target)
    return ledger_entry("merged", at, "run", numbers.numbers())


CLEANED = ledger_entry("cleaned", CLEANED_AT, "run")
PUBLISHED = ledger_entry("published", PUBLISHED_AT, "run", {"message_id": "m"})


def verdict(
    state: BatchState | None,
    *,
    done: Sequence[Completion] = (),
    letters: Sequence[DeadLetter] = (),
    ledger: Sequence[LedgerEntry] = (),
    rows: int = 0,
    now: datetime = NOON + 60 * SECOND,
    duplicates: int = 0,
    checksum: int | None = 7,
    missing: Collection[str] = (),
    successor: str | None = None,
    lease: Lease | None = None,
    **changed: Any,
) -> Conclusion:
    subject: Batch | None = None if state is None else batch(state=state, **changed)
    existing = {c.staging_table for c in done if c.staging_table and c.player_lookup not in missing}
    target = TargetCounts(
        rows, duplicates, created=10, last_updated_at=MERGED_AT, checksum=checksum
    )
    snapshot = BatchSnapshot(subject, done, letters, ledger) if subject else None
    evidence = Evidence(snapshot, existing, target, now, successor, lease)
    return conclude(evidence)


S, V = BatchState, Verdict
MINUTE = timedelta(minutes=1)
PARTIAL_NIGHT: dict[str, Any] = {"letters": [dead_letter("d")], "expected_players": 4}
HALF: dict[str, Any] = {"completion_threshold": 0.5}

CASES: dict[str, tuple[Verdict, Conclusion]] = {
    "no batch": (V.NOT_STARTED, verdict(None)),
    "just created": (V.IN_PROGRESS, verdict(S.CREATED)),
    "staging, a player a moment ago": (V.IN_PROGRESS, verdict(S.STAGING, done=ALL[:1])),
    "staging, nothing for the whole window": (
        V.IN_PROGRESS,
        verdict(S.STAGING, done=ALL[:1], now=NOON + STALL_WINDOW),
    ),
    "staging, nothing for longer than the window": (
        V.STALLED,
        verdict(S.STAGING, done=ALL[:1], now=NOON + STALL_WINDOW + SECOND),
    ),
    "created long ago and never staged": (V.STALLED, verdict(S.CREATED, now=NOON + 11 * MINUTE)),
    "a late dead letter is progress": (
        V.IN_PROGRESS,
        verdict(
            S.STAGING,
            letters=[dead_letter("d", at=NOON + 9 * MINUTE)],
            now=NOON + 11 * MINUTE,
        ),
    ),
    "a run that resumes it is progress": (
        V.IN_PROGRESS,
        verdict(
            S.STAGING,
            ledger=[ledger_entry("resumed", NOON + 9 * MINUTE, "run")],
            now=NOON + 11 * MINUTE,
        ),
    ),
    "entering a state is progress": (
        V.IN_PROGRESS,
        verdict(S.STAGING, times={"staging": NOON + 9 * MINUTE}, now=NOON + 11 * MINUTE),
    ),
    "declared stalled": (V.STALLED, verdict(S.STALLED, done=ALL[:1])),
    "staged, not merged": (V.STAGED_NOT_MERGED, verdict(S.STAGED, done=ALL)),
    "staged, long ago": (V.STAGED_NOT_MERGED, verdict(S.STAGED, done=ALL, now=NOON + 60 * MINUTE)),
    "merged, but rows were lost": (
        V.STAGED_NOT_MERGED,
        verdict(S.STAGED, done=ALL, ledger=[merged(lost=10)], rows=40),
    ),
    "merged": (
        V.MERGED_NOT_PUBLISHED,
        verdict(S.MERGED, done=ALL, ledger=[merged()], rows=50),
    ),
    "merged, then rows vanish before the cleanup": (
        V.ROWS_MISSING,
        verdict(S.MERGED, done=ALL, ledger=[merged()], rows=49),
    ),
    "cleaned": (
        V.MERGED_NOT_PUBLISHED,
        verdict(S.CLEANED, done=ALL, ledger=[merged(), CLEANED], rows=50),
    ),
    "cleaned, publishing fails": (
        V.MERGED_NOT_PUBLISHED,
        verdict(
            S.CLEANED,
            done=ALL,
            ledger=[merged(), CLEANED, ledger_entry("publish_failed", PUBLISHED_AT, "run")],
            rows=50,
        ),
    ),
    "cleaned, acknowledged, not recorded as published": (
        V.MERGED_NOT_PUBLISHED,
        verdict(S.CLEANED, done=ALL, ledger=[merged(), CLEANED, PUBLISHED], rows=50),
    ),
    "published": (
        V.COMPLETE,
        verdict(S.PUBLISHED, done=ALL, ledger=[merged(), CLEANED, PUBLISHED], rows=50),
    ),
    "published, long ago": (
        V.COMPLETE,
        verdict(
            S.PUBLISHED,
            done=ALL,
            ledger=[merged(), CLEANED, PUBLISHED],
            rows=50,
            now=NOON + timedelta(days=90),
        ),
    ),
    "published, then rows vanish": (
        V.ROWS_MISSING,
        verdict(S.PUBLISHED, done=ALL, ledger=[merged(), CLEANED, PUBLISHED], rows=49),
    ),
    "published, then all rows vanish": (
        V.ROWS_MISSING,
        verdict(S.PUBLISHED, done=ALL, ledger=[merged(), CLEANED, PUBLISHED], rows=0),
    ),
    "published, then a value is changed": (
        V.ROWS_CHANGED,
        verdict(S.PUBLISHED, done=ALL, ledger=[merged(checksum=8), CLEANED, PUBLISHED], rows=50),
    ),
    "published, and nothing is changed": (
        V.COMPLETE,
        verdict(S.PUBLISHED, done=ALL, ledger=[merged(checksum=7), CLEANED, PUBLISHED], rows=50),
    ),
    "published, then rows are added": (
        V.ROWS_CHANGED,
        verdict(S.PUBLISHED, done=ALL, ledger=[merged(checksum=8), CLEANED, PUBLISHED], rows=51),
    ),
    "a replay after the merge changed rows": (
        V.STAGED_NOT_MERGED,
        verdict(
            S.CLEANED,
            done=[*ALL, completion("d", at=CLEANED_AT + SECOND)],
            ledger=[merged(checksum=8), CLEANED],
            rows=75,
        ),
    ),
    "cleaned, then rows vanish": (
        V.ROWS_MISSING,
        verdict(S.CLEANED, done=ALL, ledger=[merged(), CLEANED], rows=0),
    ),
    "published without one player": (
        V.PARTIAL,
        verdict(
            S.PUBLISHED,
            done=ALL,
            ledger=[merged(**HALF), CLEANED, PUBLISHED],
            rows=50,
            **PARTIAL_NIGHT,
            **HALF,
        ),
    ),
    "published, then keys are duplicated": (
        V.DUPLICATE_KEYS,
        verdict(
            S.PUBLISHED, done=ALL, ledger=[merged(), CLEANED, PUBLISHED], rows=60, duplicates=10
        ),
    ),
    "published, but no message was ever sent": (
        V.MERGED_NOT_PUBLISHED,
        verdict(S.PUBLISHED, done=ALL, ledger=[merged(), CLEANED], rows=50),
    ),
    "published, then a completion appears without staging": (
        V.STAGED_NOT_MERGED,
        verdict(
            S.PUBLISHED,
            done=[*ALL, completion("d", at=NOON + 40 * SECOND)],
            ledger=[merged(), CLEANED, PUBLISHED],
            rows=50,
            missing={"d"},
        ),
    ),
    "published, then a newer batch is merged": (
        V.COMPLETE,
        verdict(
            S.PUBLISHED,
            done=ALL,
            ledger=[merged(), CLEANED, PUBLISHED],
            successor="batch_2",
        ),
    ),
    "staged, and not merged for longer than staging is kept": (
        V.STAGED_NOT_MERGED,
        verdict(S.STAGED, done=ALL, missing={"a", "b"}, now=NOON + timedelta(days=31)),
    ),
    "staged, with the lease of a dead worker": (
        V.STAGED_NOT_MERGED,
        verdict(S.STAGED, done=ALL, lease=Lease(NOON.date(), "run_9", 3, NOON + 5 * SECOND)),
    ),
    "staged, with the lease of a live worker": (
        V.STAGED_NOT_MERGED,
        verdict(S.STAGED, done=ALL, lease=Lease(NOON.date(), "run_9", 3, NOON + 90 * SECOND)),
    ),
    "merged below the threshold": (
        V.PARTIAL,
        verdict(S.MERGED, done=ALL, ledger=[merged()], rows=50, **PARTIAL_NIGHT),
    ),
    "no games, published": (
        V.COMPLETE,
        verdict(
            S.PUBLISHED,
            ledger=[merged((), expected_players=0, games=0), CLEANED, PUBLISHED],
            expected_players=0,
            games=0,
        ),
    ),
    "cleaned up, without announcement": (
        V.COMPLETE,
        verdict(S.CLEANED, done=ALL, ledger=[merged(), CLEANED], rows=50, announce=False),
    ),
    "merged, without announcement": (
        V.MERGED_NOT_PUBLISHED,
        verdict(S.MERGED, done=ALL, ledger=[merged()], rows=50, announce=False),
    ),
    "cleaned up without one player, without announcement": (
        V.PARTIAL,
        verdict(
            S.CLEANED,
            done=ALL,
            ledger=[merged(**HALF), CLEANED],
            rows=50,
            announce=False,
            **PARTIAL_NIGHT,
            **HALF,
        ),
    ),
    "failed before anything was staged": (
        V.PARTIAL,
        verdict(S.FAILED, reason="superseded: the slate changed"),
    ),
    "failed with staged players": (V.STAGED_NOT_MERGED, verdict(S.FAILED, done=ALL)),
    "a player is replayed into a published night": (
        V.IN_PROGRESS,
        verdict(S.STAGING, done=ALL, ledger=[merged(), CLEANED, PUBLISHED], rows=50),
    ),
    "a refresh was interrupted after it skipped a player": (
        V.STAGED_NOT_MERGED,
        verdict(
            S.PUBLISHED,
            done=[ALL[0], skipped("b", at=NOON + 40 * SECOND), ALL[2]],
            ledger=[merged(), CLEANED, PUBLISHED],
            rows=50,
        ),
    ),
    "a replayed player is staged and not merged": (
        V.STAGED_NOT_MERGED,
        verdict(
            S.STAGED,
            done=[*ALL, completion("d", at=NOON + 40 * SECOND)],
            ledger=[merged(), CLEANED, PUBLISHED],
            rows=50,
            expected_players=4,
        ),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_verdict(name: str) -> None:
    expected, conclusion = CASES[name]
    assert conclusion.verdict is expected, conclusion.facts


def test_every_verdict_has_a_case() -> None:
    assert {expected for expected, _ in CASES.values()} == set(Verdict)


def test_a_verdict_states_its_evidence() -> None:
    facts = " | ".join(CASES["published, then rows vanish"][1].facts)
    assert "batch_1 is published" in facts
    assert "3 expected, 2 completed, 1 skipped, 0 failed" in facts
    assert "holds 49 rows of this batch, 50 were recorded" in facts


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("just created", "no staging table was ever written"),
        ("staged, not merged", "2 staging tables are not merged and cleaned up, 2 of them exist"),
        ("published", "staging was merged and cleaned up at 2026-01-01 17:00:20 UTC"),
        ("published", "10 were inserted and 40 updated, the last at 2026-01-01 17:00:10 UTC"),
        ("published, then keys are duplicated", "10 keys of the date are duplicated"),
        (
            "published, then a completion appears without staging",
            "1 staging tables are not merged and cleaned up, 0 of them exist; missing: d",
        ),
        ("published, then a newer batch is merged", "its rows now belong to batch_2"),
        (
            "staged, and not merged for longer than staging is kept",
            "0 of them exist; missing: a, b, staged more than 30 days ago: expired",
        ),
        ("staged, with the lease of a dead worker", "run_9 never released the lease of the date"),
        (
            "staged, with the lease of a live worker",
            "run_9 holds the lease of the date until 2026",
        ),
        ("published", "published at 2026-01-01 17:00:30 UTC"),
        ("staged, not merged", "no merge has run"),
        (
            "cleaned up, without announcement",
            "it was made after its date; `nba-predictions publish --batch batch_1`",
        ),
        ("merged, but rows were lost", "the merge affected 40"),
        ("merged below the threshold", "(75.0%) are accounted for, below the threshold of 90%"),
        ("failed before anything was staged", "failed: superseded: the slate changed"),
        (
            "a refresh was interrupted after it skipped a player",
            "skipped since the last merge; the next merge removes their rows: b",
        ),
        ("created long ago and never staged", "last progress 660 s ago"),
    ],
)
def test_the_facts_explain_the_verdict(name: str, words: str) -> None:
    assert words in " | ".join(CASES[name][1].facts)


def test_missing_staging_tables_are_counted() -> None:
    conclusion = conclude(
        Evidence(BatchSnapshot(batch(state=S.STAGED), ALL), set(), TargetCounts(0, 0), NOON)
    )
    assert "2 staging tables are not merged and cleaned up, 0 of them exist" in conclusion.facts[2]
