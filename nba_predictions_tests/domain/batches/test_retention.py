"""Which dates, models and staging tables expire, and which are kept at any age."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest

from nba_predictions.domain.batches.batch import CLEANED_UP, BatchState
from nba_predictions.domain.batches.retention import (
    UNFINISHED,
    Retention,
    dates_in_use,
    expired_dates,
    expired_models,
    staging_may_expire,
)
from nba_predictions.domain.batches.snapshot import BatchSnapshot
from nba_predictions.domain.batches.verdict import STAGING_KEPT, Verdict
from nba_predictions.domain.errors import SettingsError
from nba_predictions_tests.domain.batches.test_verdict import verdict
from nba_predictions_tests.examples import NOON, SECOND, batch, completion, ledger_entry, skipped

DAY = timedelta(days=1)
NOW = datetime(2026, 4, 1, 12, tzinfo=timezone.utc)
TODAY = date(2026, 4, 1)
OLD = TODAY - timedelta(days=61)
KEPT = Retention(nights_days=60)


def test_dates_older_than_the_retention_expire_and_its_last_day_stays() -> None:
    edge = TODAY - timedelta(days=60)
    assert expired_dates([OLD, edge, TODAY], set(), NOW, KEPT) == {OLD}


def test_the_retention_counts_days_in_us_eastern() -> None:
    late = datetime(2026, 4, 2, 3, tzinfo=timezone.utc)
    assert expired_dates([OLD + DAY], set(), late, KEPT) == set()
    assert expired_dates([OLD + DAY], set(), late + timedelta(hours=1), KEPT) == {OLD + DAY}


def test_an_old_date_that_was_predicted_recently_is_in_use() -> None:
    recent = batch(game_date=OLD, state=BatchState.PUBLISHED, created_at=NOW - 59 * DAY)
    before = batch(game_date=OLD - DAY, state=BatchState.PUBLISHED, created_at=NOW - 61 * DAY)
    assert dates_in_use([recent, before], set(), NOW, KEPT) == {OLD}


@pytest.mark.parametrize("state", BatchState)
def test_an_unfinished_batch_keeps_its_date(state: BatchState) -> None:
    old = batch(game_date=OLD, state=state, created_at=NOW - 90 * DAY)
    assert (dates_in_use([old], set(), NOW, KEPT) == {OLD}) == (state in UNFINISHED)


def test_a_batch_without_announcement_keeps_its_date_only_until_it_is_cleaned_up() -> None:
    for state in (BatchState.MERGED, BatchState.CLEANED):
        old = batch(game_date=OLD, state=state, created_at=NOW - 90 * DAY, announce=False)
        kept = dates_in_use([old], set(), NOW, KEPT)
        assert (kept == {OLD}) == (state is BatchState.MERGED)


def test_a_date_with_an_unfinished_run_is_in_use() -> None:
    assert dates_in_use([], {OLD}, NOW, KEPT) == {OLD}


def test_old_models_expire_unless_a_kept_night_uses_them() -> None:
    saved = {"used": NOW - 90 * DAY, "old": NOW - 61 * DAY, "new": NOW - 59 * DAY}
    assert expired_models(saved, {"used"}, NOW, KEPT) == ["old"]


@pytest.mark.parametrize(("nights", "runs"), [(13, 400), (60, 29)])
def test_a_retention_that_is_too_short_is_refused(nights: int, runs: int) -> None:
    with pytest.raises(SettingsError, match="keep at least"):
        Retention(nights, runs)


# ------------------------------------------------------------------------------- staging

DONE = [completion("a"), completion("b"), skipped("c")]
ABANDONED = batch(state=BatchState.FAILED, times={"failed": NOON + 60 * SECOND})
LATE = NOON + STAGING_KEPT + timedelta(hours=1)


CLEANED = ledger_entry("cleaned", NOON + 30 * SECOND, "r")
EXPIRED = ledger_entry("staging_expired", LATE, "r", {"tables": 2, "rows": 50, "dropped": 2})


def test_staging_of_a_failed_batch_expires_after_its_window() -> None:
    assert staging_may_expire(BatchSnapshot(ABANDONED, DONE, (), []), LATE)
    assert not staging_may_expire(BatchSnapshot(ABANDONED, DONE, (), []), NOON + STAGING_KEPT)


@pytest.mark.parametrize("state", [s for s in BatchState if s is not BatchState.FAILED])
def test_staging_that_can_still_be_merged_never_expires(state: BatchState) -> None:
    unmerged = batch(state=state)
    assert not staging_may_expire(BatchSnapshot(unmerged, DONE, (), []), NOON + 10 * STAGING_KEPT)


@pytest.mark.parametrize("state", BatchState)
def test_unrecorded_staging_expires_after_all_recorded_staging_is_cleaned_up(
    state: BatchState,
) -> None:
    finished = batch(state=state)
    expires = state in (*CLEANED_UP, BatchState.FAILED)
    assert staging_may_expire(BatchSnapshot(finished, DONE, (), [CLEANED]), LATE) == expires
    replayed = completion("a", at=NOON + 60 * SECOND)
    kept = state is not BatchState.FAILED
    assert (
        staging_may_expire(BatchSnapshot(finished, [replayed, *DONE[1:]], (), [CLEANED]), LATE)
        != kept
    )


def test_dropped_staging_is_not_selected_again_until_a_run_stages_new_rows() -> None:
    much_later = LATE + 2 * STAGING_KEPT
    assert not staging_may_expire(BatchSnapshot(ABANDONED, DONE, (), [EXPIRED]), much_later)
    ledger = [EXPIRED, ledger_entry("resumed", LATE + DAY, "r")]
    assert staging_may_expire(BatchSnapshot(ABANDONED, DONE, (), ledger), much_later)
    assert not staging_may_expire(BatchSnapshot(ABANDONED, DONE, (), ledger), LATE + 2 * DAY)


def test_the_audit_distinguishes_expired_staging_from_lost_staging() -> None:
    expired = verdict(
        BatchState.FAILED, done=DONE, ledger=[EXPIRED], missing=["a", "b"], now=LATE + DAY
    )
    assert expired.verdict is Verdict.PARTIAL
    assert any("was never merged; it was dropped at" in fact for fact in expired.facts)
    lost = verdict(BatchState.FAILED, done=DONE, missing=["a", "b"], now=LATE + DAY)
    assert lost.verdict is Verdict.STAGED_NOT_MERGED
