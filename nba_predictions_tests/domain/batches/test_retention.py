"""What may be forgotten, and what may not, however old it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

import pytest

from nba_predictions.domain.batches.batch import BatchState, LedgerEntry
from nba_predictions.domain.batches.retention import (
    UNFINISHED,
    Retention,
    dates_in_use,
    expired_dates,
    expired_models,
    staging_may_expire,
)
from nba_predictions.domain.batches.verdict import STAGING_KEPT, Verdict
from nba_predictions.domain.errors import SettingsError
from nba_predictions_tests.domain.batches.test_verdict import verdict
from nba_predictions_tests.examples import NOON, SECOND, batch, completion, skipped

DAY = timedelta(days=1)
NOW = datetime(2026, 4, 1, 12, tzinfo=timezone.utc)
TODAY = date(2026, 4, 1)
OLD = TODAY - timedelta(days=61)
KEPT = Retention(nights_days=60)


def test_dates_beyond_the_retention_go_and_the_last_day_of_it_stays() -> None:
    edge = TODAY - timedelta(days=60)
    assert expired_dates([OLD, edge, TODAY], set(), NOW, KEPT) == {OLD}


def test_the_retention_counts_eastern_days() -> None:
    late = datetime(2026, 4, 2, 3, tzinfo=timezone.utc)
    assert expired_dates([OLD + DAY], set(), late, KEPT) == set()
    assert expired_dates([OLD + DAY], set(), late + timedelta(hours=1), KEPT) == {OLD + DAY}


def test_a_date_of_long_ago_that_was_predicted_lately_is_in_use() -> None:
    lately = batch(game_date=OLD, state=BatchState.PUBLISHED, created_at=NOW - 59 * DAY)
    before = batch(game_date=OLD - DAY, state=BatchState.PUBLISHED, created_at=NOW - 61 * DAY)
    assert dates_in_use([lately, before], set(), NOW, KEPT) == {OLD}


@pytest.mark.parametrize("state", BatchState)
def test_an_unfinished_batch_keeps_its_date(state: BatchState) -> None:
    old = batch(game_date=OLD, state=state, created_at=NOW - 90 * DAY)
    assert (dates_in_use([old], set(), NOW, KEPT) == {OLD}) == (state in UNFINISHED)


def test_what_a_backfill_made_and_does_not_announce_keeps_its_date_only_until_it_is_cleaned() -> (
    None
):
    for state in (BatchState.CONSOLIDATED, BatchState.CLEANED):
        old = batch(game_date=OLD, state=state, created_at=NOW - 90 * DAY, announce=False)
        kept = dates_in_use([old], set(), NOW, KEPT)
        assert (kept == {OLD}) == (state is BatchState.CONSOLIDATED)


def test_a_date_with_a_run_that_goes_on_is_in_use() -> None:
    assert dates_in_use([], {OLD}, NOW, KEPT) == {OLD}


def test_models_go_when_they_are_old_and_no_kept_night_uses_them() -> None:
    saved = {"used": NOW - 90 * DAY, "old": NOW - 61 * DAY, "new": NOW - 59 * DAY}
    assert expired_models(saved, {"used"}, NOW, KEPT) == ["old"]


@pytest.mark.parametrize(("nights", "runs"), [(13, 400), (60, 29)])
def test_a_retention_that_reaches_into_present_work_is_refused(nights: int, runs: int) -> None:
    with pytest.raises(SettingsError, match="keep at least"):
        Retention(nights, runs)


# ------------------------------------------------------------------------------- staging

DONE = [completion("a"), completion("b"), skipped("c")]
GIVEN_UP = batch(state=BatchState.FAILED, times={"failed": NOON + 60 * SECOND})
LATE = NOON + STAGING_KEPT + timedelta(hours=1)


CLEANED = LedgerEntry("cleaned", NOON + 30 * SECOND, "r")
EXPIRED = LedgerEntry("staging_expired", LATE, "r", {"tables": 2, "rows": 50, "dropped": 2})


def test_staging_of_a_batch_that_was_given_up_expires_after_its_window() -> None:
    assert staging_may_expire(GIVEN_UP, DONE, [], [], LATE)
    assert not staging_may_expire(GIVEN_UP, DONE, [], [], NOON + STAGING_KEPT)


@pytest.mark.parametrize("state", [s for s in BatchState if s is not BatchState.FAILED])
def test_staging_that_may_be_merged_yet_never_expires(state: BatchState) -> None:
    waiting = batch(state=state)
    assert not staging_may_expire(waiting, DONE, [], [], NOON + 10 * STAGING_KEPT)


@pytest.mark.parametrize("state", BatchState)
def test_what_a_clean_up_did_not_know_of_expires_once_all_that_was_recorded_is_cleaned_up(
    state: BatchState,
) -> None:
    finished = batch(state=state)
    expires = state in (BatchState.CLEANED, BatchState.PUBLISHED, BatchState.FAILED)
    assert staging_may_expire(finished, DONE, [], [CLEANED], LATE) == expires
    replayed = replace(completion("a"), recorded_at=NOON + 60 * SECOND)
    waits = state is not BatchState.FAILED
    assert staging_may_expire(finished, [replayed, *DONE[1:]], [], [CLEANED], LATE) != waits


def test_what_was_dropped_once_is_not_chosen_again_until_a_run_has_staged_anew() -> None:
    much_later = LATE + 2 * STAGING_KEPT
    assert not staging_may_expire(GIVEN_UP, DONE, [], [EXPIRED], much_later)
    ledger = [EXPIRED, LedgerEntry("resumed", LATE + DAY, "r")]
    assert staging_may_expire(GIVEN_UP, DONE, [], ledger, much_later)
    assert not staging_may_expire(GIVEN_UP, DONE, [], ledger, LATE + 2 * DAY)


def test_the_audit_tells_dropped_staging_from_staging_that_got_lost() -> None:
    told = verdict(BatchState.FAILED, done=DONE, ledger=[EXPIRED], gone=["a", "b"], now=LATE + DAY)
    assert told.verdict is Verdict.PARTIAL
    assert any("was never merged; it was dropped at" in fact for fact in told.facts)
    lost = verdict(BatchState.FAILED, done=DONE, gone=["a", "b"], now=LATE + DAY)
    assert lost.verdict is Verdict.STAGED_NOT_MERGED
