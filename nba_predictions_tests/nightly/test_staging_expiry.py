"""Staging that maintenance drops after its window, and staging that it keeps."""

from __future__ import annotations

from datetime import datetime, timedelta

from nba_predictions.domain.batches.batch import BatchState
from nba_predictions.domain.batches.ledger import LedgerEvent, last_entry
from nba_predictions.domain.batches.verdict import STAGING_KEPT, Verdict
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.nightly.leases import LEASE_TTL
from nba_predictions.nightly.staging_expiry import ExpiredStaging, expire_staging
from nba_predictions_tests.examples import rows_of, slate_of, slate_player
from nba_predictions_tests.nightly.conftest import ROWS, SLATE, Night
from nba_predictions_tests.nights import Scene, stage


def month_later(night: Night) -> datetime:
    return night.store.now() + STAGING_KEPT + timedelta(hours=1)


def expire(night: Night, *, dry_run: bool = False) -> list[ExpiredStaging]:
    return expire_staging(
        night.store, night.warehouse, run_id="m", now=month_later(night), dry_run=dry_run
    )


def staged(night: Night) -> int:
    folder = night.warehouse.staging_dir
    return sum(path.is_file() for path in folder.rglob("*"))


def superseded(night: Night) -> str:
    """Supersede a staged batch by a batch of a changed slate; return the id of the first."""
    first = night.open()
    night.stage(first)
    changed = slate_of([*SLATE.players, slate_player("tyresemaxey", "25.5")], SLATE.skips)
    second = night.open(changed, run_id="run_2")
    night.stage(second, changed.players)
    night.close(second)
    assert first.batch_id != second.batch_id
    return first.batch_id


def test_only_the_staging_of_the_superseded_batch_is_dropped(
    night: Night,
) -> None:
    old = superseded(night)
    assert staged(night) == 3 + 4
    (would,) = expire(night, dry_run=True)
    assert staged(night) == 3 + 4
    (dropped,) = expire(night)
    assert dropped == would == ExpiredStaging(old, tables=3, rows=ROWS, dropped=3)
    assert staged(night) == 4
    entry = night.store.ledger(old)[-1]
    assert entry.event == "staging_expired"
    assert entry.stored_payload() == {"tables": 3, "rows": ROWS, "dropped": 3}
    assert expire(night) == []

    batch = next(b for b in night.store.of_date(SLATE.game_date) if b.batch_id != old)
    night.merge_batch(batch)
    night.clean(batch)
    night.publish(batch)
    assert night.verdict().verdict is Verdict.COMPLETE


def test_staging_within_its_window_is_kept(night: Night) -> None:
    superseded(night)
    now = night.store.now() + STAGING_KEPT - timedelta(hours=1)
    assert expire_staging(night.store, night.warehouse, run_id="m", now=now) == []
    assert staged(night) == 3 + 4


def test_staging_is_kept_while_another_worker_holds_the_lease_of_the_date(night: Night) -> None:
    superseded(night)
    night.store.acquire_lease(SLATE.game_date, "a merge", LEASE_TTL)
    assert expire(night) == []
    assert staged(night) == 3 + 4


def test_a_batch_without_its_staging_can_still_be_resumed(night: Night) -> None:
    batch = night.open()
    night.stage(batch)
    night.store.move(batch.batch_id, BatchState.FAILED, "stalled: nothing was recorded")
    assert len(expire(night)) == 1
    assert staged(night) == 0
    assert night.verdict().verdict is Verdict.PARTIAL

    again = night.staged(run_id="run_2")
    assert again.batch_id == batch.batch_id
    assert staged(night) == len(SLATE.players)
    assert night.verdict().verdict is Verdict.STAGED_NOT_MERGED
    night.merge_batch(again)
    night.clean(again)
    night.publish(again)
    assert night.verdict().verdict is Verdict.COMPLETE


def test_files_of_a_killed_writer_are_dropped_and_the_rows_of_the_night_stay(
    night: Night,
) -> None:
    batch = night.published()
    rows = night.rows()
    never_recorded = night.warehouse.stage(
        PREDICTIONS, batch.batch_id, "tyresemaxey", rows_of(slate_player("tyresemaxey"))
    )
    half_written = night.warehouse.staging_dir / batch.batch_id / ".paulgeorge.0123abcd.part"
    half_written.write_bytes(b"PAR1")
    # Staging of an unknown batch is not dropped.
    stranger = night.warehouse.stage(PREDICTIONS, "batch_unknown", "a", rows_of(slate_player("a")))
    assert expire_staging(night.store, night.warehouse, run_id="m", now=night.store.now()) == []
    assert half_written.exists()

    (dropped,) = expire(night)
    assert (dropped.tables, dropped.rows, dropped.dropped) == (0, 0, 1)
    assert not half_written.parent.exists()
    existing = night.warehouse.existing_staging([never_recorded.name, stranger.name])
    assert existing == {stranger.name}
    assert night.rows() == rows
    assert night.verdict().verdict is Verdict.COMPLETE
    assert expire(night) == []


def test_staging_of_an_abandoned_batch_is_dropped_on_each_profile(scene: Scene) -> None:
    parts = scene.home.open()
    batch = stage(parts, "run_1")
    parts.batches.move(batch.batch_id, BatchState.FAILED, "superseded: the slate changed")
    assert len(scene.staging_left()) == 2
    now = parts.batches.now() + STAGING_KEPT + timedelta(hours=1)
    (dropped,) = expire_staging(parts.batches, parts.warehouse, run_id="m", now=now)
    assert (dropped.tables, dropped.dropped) == (2, 2)
    assert scene.staging_left() == []
    entry = last_entry(parts.batches.ledger(batch.batch_id), LedgerEvent.STAGING_EXPIRED)
    assert entry is not None
    assert entry.stored_payload()["rows"] == dropped.rows
    assert expire_staging(parts.batches, parts.warehouse, run_id="m", now=now) == []
