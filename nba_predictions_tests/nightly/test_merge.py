"""Merge, reconcile and clean up a batch, with failures at every step."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta
from threading import Barrier
from typing import Any

import duckdb
import pytest

from nba_predictions.batch_store.sqlite_store import SQLiteBatchStore
from nba_predictions.domain.batches.batch import Batch, BatchState, BatchStatus
from nba_predictions.domain.batches.ledger import LedgerEvent, last_entry
from nba_predictions.domain.batches.reconciliation import MergeCounts
from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.domain.betting.slate import Skip, Slate
from nba_predictions.domain.errors import BatchStateError, CleanupRefusedError, LeaseLostError
from nba_predictions.domain.tables import PREDICTIONS, Table
from nba_predictions.nightly import leases
from nba_predictions.nightly.audit import audit_night
from nba_predictions.nightly.start import players_to_stage
from nba_predictions.warehouse.duckdb_warehouse import DuckDBWarehouse
from nba_predictions_tests.examples import GAME_DATE, dead_letter, slate_of, slate_player
from nba_predictions_tests.nightly.conftest import ROWS, SLATE, Night, failing, predictor

S = BatchState
TEN = slate_of(slate_player(f"player{n}") for n in range(10))


class WrappedWarehouse(DuckDBWarehouse):
    """A warehouse that runs code between the MERGE and the return of its counts."""

    def after_merge(self, counts: MergeCounts) -> MergeCounts:
        raise NotImplementedError

    def merge(
        self,
        table: Table,
        partition: date,
        staging: Sequence[str],
        merged_at: datetime,
        write_sequence: int,
    ) -> MergeCounts:
        counts = super().merge(table, partition, staging, merged_at, write_sequence)
        return self.after_merge(counts)


class LosingRows(WrappedWarehouse):
    """A MERGE that reports all rows as merged, although a player's rows are missing."""

    def after_merge(self, counts: MergeCounts) -> MergeCounts:
        with duckdb.connect(str(self.path)) as connection:
            connection.execute(f"DELETE FROM {PREDICTIONS.name} WHERE player_lookup = 'paulgeorge'")
        return counts


class AffectingFewer(LosingRows):
    """A MERGE that omits a player and reports that only in its number of affected rows."""

    def after_merge(self, counts: MergeCounts) -> MergeCounts:
        super().after_merge(counts)
        return replace(counts, inserted=counts.inserted - 25)


def assert_night_stops(night: Night, batch: Batch, staging: int) -> None:
    """Assert that a merge that does not reconcile stops the night and loses no staging."""
    assert night.state(batch) is S.STAGED
    with pytest.raises(CleanupRefusedError, match="Fix the cause"):
        night.clean(batch)
    assert len(night.staging(batch)) == staging
    assert "cleanup_refused" in night.events(batch)
    with pytest.raises(BatchStateError, match="only a cleaned-up batch"):
        night.publish(batch)
    assert night.publisher.read() == []
    assert night.verdict().verdict is Verdict.STAGED_NOT_MERGED


# --------------------------------------------------------------------------------- complete nights


def test_a_staged_batch_is_merged_counted_cleaned_and_published(night: Night) -> None:
    batch = night.staged()
    report = night.merge_batch(batch)
    numbers = report.reconciliation
    assert numbers.merge_problems() == []
    assert (numbers.players_expected, numbers.tables_expected, numbers.tables_found) == (4, 3, 3)
    assert (numbers.rows_recorded, numbers.rows_staged, numbers.distinct_keys) == (ROWS,) * 3
    assert (numbers.inserted, numbers.updated, numbers.superseded) == (ROWS, 0, 0)
    assert (numbers.batch_rows_expected, numbers.batch_rows_in_target) == (ROWS, ROWS)
    assert report.merge_seconds > 0
    assert night.state(batch) is S.MERGED
    assert len(night.staging(batch)) == 3
    assert night.verdict().verdict is Verdict.MERGED_NOT_PUBLISHED

    cleanup = night.clean(batch)
    assert (cleanup.tables_dropped, cleanup.rows_in_target) == (3, ROWS)
    assert night.staging(batch) == []
    assert night.state(batch) is S.CLEANED

    night.publish(batch)
    assert night.state(batch) is S.PUBLISHED
    assert night.events(batch) == ["created", "staged", "merged", "cleaned", "published"]
    assert night.verdict().verdict is Verdict.COMPLETE
    assert {row["batch_id"] for row in night.rows()} == {batch.batch_id}
    assert len(night.rows()) == ROWS


def test_a_second_merge_changes_nothing(night: Night) -> None:
    batch = night.staged()
    first = night.merge_batch(batch)
    before = night.rows()
    assert night.merge_batch(batch).reconciliation == first.reconciliation
    night.clean(batch)
    assert night.merge_batch(batch).reconciliation == first.reconciliation
    night.publish(batch)
    assert night.merge_batch(batch, run_id="run_2").reconciliation == first.reconciliation
    assert night.state(batch) is S.PUBLISHED
    assert sorted(map(str, night.rows())) == sorted(map(str, before))
    assert night.events(batch).count("merged") == 1


def test_the_next_merge_recovers_from_a_crash_between_merge_and_ledger_entry(night: Night) -> None:
    batch = night.staged()

    class Dying(SQLiteBatchStore):
        def append(self, *arguments: Any, **options: Any) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        night.merge_batch(batch, store=Dying(night.store.path))
    assert len(night.rows()) == ROWS
    assert night.state(batch) is S.STAGED
    again = night.merge_batch(batch).reconciliation
    assert (again.inserted, again.updated) == (0, ROWS)
    assert again.merge_problems() == []
    assert night.state(batch) is S.MERGED


def test_the_next_merge_recovers_from_a_crash_between_ledger_entry_and_state_change(
    night: Night,
) -> None:
    batch = night.staged()

    class Dying(SQLiteBatchStore):
        def move(self, batch_id: str, to: BatchState, reason: str | None = None) -> bool:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        night.merge_batch(batch, store=Dying(night.store.path))
    assert night.state(batch) is S.STAGED
    assert night.merge_batch(batch).reconciliation.merge_problems() == []
    night.clean(batch)
    assert night.state(batch) is S.CLEANED


def test_a_new_batch_of_the_date_takes_over_the_rows(night: Night) -> None:
    first = night.published()
    second = night.published(run_id="run_2")
    assert second.batch_id != first.batch_id
    merged = last_entry(night.store.ledger(second.batch_id), LedgerEvent.MERGED)
    assert merged is not None
    assert (merged.stored_payload()["inserted"], merged.stored_payload()["updated"]) == (0, ROWS)
    assert {row["batch_id"] for row in night.rows()} == {second.batch_id}
    assert all(row["created_at"] < row["updated_at"] for row in night.rows())


def test_concurrent_merges_create_no_duplicates_and_lose_no_rows(night: Night) -> None:
    batch = night.staged()
    stores = [SQLiteBatchStore(night.store.path) for _ in range(4)]
    start = Barrier(4)

    def run(number: int) -> int:
        start.wait()
        report = night.merge_batch(batch, store=stores[number], run_id=f"run_{number}")
        return len(report.reconciliation.merge_problems())

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(run, range(4))) == [0] * 4
    assert night.warehouse.count(PREDICTIONS, GAME_DATE, batch.batch_id).duplicate_keys == 0
    assert len(night.rows()) == ROWS
    assert night.events(batch).count("merged") == 1
    night.clean(batch)


def test_a_merge_that_waits_too_long_names_the_holder_of_the_lease(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The lease must not expire on a machine that stands still for a while.
    monkeypatch.setattr(leases, "LEASE_TTL", timedelta(hours=1))
    batch = night.staged()
    lease = night.store.acquire_lease(GAME_DATE, "run_9:merge", leases.LEASE_TTL)
    with pytest.raises(LeaseLostError, match="run_9:merge"):
        night.merge_batch(batch, wait_seconds=0.2)
    assert night.rows() == []
    night.store.release_lease(lease)
    assert night.merge_batch(batch).reconciliation.merge_problems() == []


def test_a_worker_that_loses_its_lease_during_the_merge_cannot_record_it(night: Night) -> None:
    batch = night.staged()

    class Slow(WrappedWarehouse):
        def after_merge(self, counts: MergeCounts) -> MergeCounts:
            with duckdb.connect(":memory:"):
                other = SQLiteBatchStore(night.store.path)
                with other._transaction() as connection:
                    connection.execute("UPDATE leases SET expires_at = '2000'")
                other.acquire_lease(GAME_DATE, "run_9:merge", timedelta(minutes=10))
            return counts

    slow = Slow(night.warehouse.path, night.warehouse.staging_dir)
    with pytest.raises(LeaseLostError, match="'merged' was not written"):
        night.merge_batch(batch, warehouse=slow)
    assert night.state(batch) is S.STAGED
    assert "merged" not in night.events(batch)


def test_a_failed_merge_releases_its_lease(night: Night) -> None:
    batch = night.open()
    with pytest.raises(BatchStateError, match="is staging; only a staged batch"):
        night.merge_batch(batch)
    assert night.store.lease(GAME_DATE) is None


def test_a_failed_batch_is_not_merged(night: Night) -> None:
    batch = night.staged()
    night.store.move(batch.batch_id, S.FAILED, "superseded: the slate changed")
    with pytest.raises(BatchStateError, match="superseded: the slate changed"):
        night.merge_batch(batch)
    assert night.rows() == []


# ----------------------------------------------------------------------------------- failed nights


def test_a_missing_staging_table_stops_the_night(night: Night) -> None:
    batch = night.staged()
    night.staging(batch)[1].unlink()
    problems = night.merge_batch(batch).reconciliation.merge_problems()
    assert "3 staging tables were recorded, 2 exist" in problems
    assert any("completions recorded 55 rows, staging holds 30" in p for p in problems)
    assert any("should hold 55 rows of this batch, it holds 30" in p for p in problems)
    assert_night_stops(night, batch, staging=2)


def test_a_merge_without_staging_tables_is_no_success_if_players_are_expected(
    night: Night,
) -> None:
    batch = night.staged()
    for file in night.staging(batch):
        file.unlink()
    problems = night.merge_batch(batch).reconciliation.merge_problems()
    assert "the merge wrote nothing, though 4 players are expected" in problems
    assert_night_stops(night, batch, staging=0)


def test_a_night_on_which_every_player_failed_is_no_success(night: Night) -> None:
    batch = night.open()
    night.stage(batch, predict=failing(batch, *(p.player_lookup for p in SLATE.players)))
    night.close(batch)
    problems = night.merge_batch(batch).reconciliation.merge_problems()
    assert problems == ["the merge wrote nothing, though 4 players are expected"]
    assert_night_stops(night, batch, staging=0)


def test_a_slate_on_which_every_player_is_skipped_is_no_success(night: Night) -> None:
    batch = night.staged(slate=slate_of([], [Skip("joelembiid", "injury_report: OUT")]))
    assert night.merge_batch(batch).reconciliation.merge_problems()
    assert_night_stops(night, batch, staging=0)


def test_games_without_players_are_not_cleaned_up(night: Night) -> None:
    batch = night.staged(slate=slate_of([]))
    night.merge_batch(batch)
    with pytest.raises(CleanupRefusedError, match="no player is predicted"):
        night.clean(batch)


@pytest.mark.parametrize("broken", [LosingRows, AffectingFewer])
def test_a_merge_that_loses_rows_stops_the_night(
    night: Night, broken: type[WrappedWarehouse]
) -> None:
    batch = night.staged()
    wrapped = broken(night.warehouse.path, night.warehouse.staging_dir)
    problems = night.merge_batch(batch, warehouse=wrapped).reconciliation.merge_problems()
    assert any("should hold 55 rows of this batch, it holds 30" in p for p in problems)
    assert any("affected 30" in p for p in problems) == (broken is AffectingFewer)
    assert_night_stops(night, batch, staging=3)
    # After the cause is fixed, the same staging is merged without loss.
    assert night.merge_batch(batch).reconciliation.merge_problems() == []
    night.clean(batch)
    assert len(night.rows()) == ROWS


def test_five_lines_under_one_key_stop_the_night(night: Night) -> None:
    # Without this check, four of five staged rows would be lost unnoticed.
    batch = night.open()
    good = predictor(batch)
    night.stage(
        batch,
        predict=lambda p: [{**row, "points_line": row["base_line"]} for row in good(p)],
    )
    night.close(batch)
    problems = night.merge_batch(batch).reconciliation.merge_problems()
    assert "55 rows were staged under 15 distinct keys" in problems
    assert_night_stops(night, batch, staging=3)


# ---------------------------------------------------------------------------------- late scratches

#: A later slate than SLATE: Luka is out, and Zach's game is canceled.
SCRATCHED = slate_of(
    [slate_player()],
    [Skip("joelembiid", "injury_report: OUT"), Skip("lukadoncic", "injury_report: OUT")],
)


def players_in_table(night: Night) -> set[str]:
    return {row["player_lookup"] for row in night.rows()}


def test_the_next_batch_retires_the_rows_of_players_it_does_not_predict(
    night: Night, milestones: Callable[[], list[dict[str, Any]]]
) -> None:
    first = night.published()
    milestones()
    second = night.staged(slate=SCRATCHED, run_id="run_2")
    numbers = night.merge_batch(second).reconciliation
    assert (numbers.retired, numbers.merged, numbers.batch_rows_in_target) == (30, 25, 25)
    assert numbers.merge_problems() == []
    assert players_in_table(night) == {"paulgeorge"}
    (line,) = (line for line in milestones() if line["event"] == "rows_retired")
    assert line["rows"] == 30
    merged = last_entry(night.store.ledger(second.batch_id), LedgerEvent.MERGED)
    assert merged is not None
    assert merged.stored_payload()["retired"] == 30
    night.clean(second)
    night.publish(second)
    assert night.verdict().verdict is Verdict.COMPLETE
    # The earlier batch is complete, because the later one took over its rows.
    earlier = audit_night(GAME_DATE, night.store, night.warehouse, batch_id=first.batch_id)
    assert earlier.verdict is Verdict.COMPLETE
    assert f"its rows now belong to {second.batch_id}" in earlier.facts


def test_a_failed_player_keeps_the_rows_of_the_previous_batch(night: Night) -> None:
    night.published()
    batch = night.open(run_id="run_2", threshold=0.5)
    night.stage(batch, predict=failing(batch, "lukadoncic"))
    night.close(batch)
    assert night.merge_batch(batch).reconciliation.retired == 0
    assert players_in_table(night) == {p.player_lookup for p in SLATE.players}


def test_a_player_who_is_dead_lettered_during_the_merge_keeps_their_earlier_rows(
    night: Night,
) -> None:
    night.published()
    batch = night.open(run_id="run_2", threshold=0.5)
    night.stage(batch, [p for p in SLATE.players if p.player_lookup != "lukadoncic"])
    night.close(batch)

    class Straggling(WrappedWarehouse):
        """A straggler dead-letters the missing player during the MERGE."""

        def after_merge(self, counts: MergeCounts) -> MergeCounts:
            night.store.add_dead_letter(batch.batch_id, dead_letter("lukadoncic"))
            return counts

    straggling = Straggling(night.warehouse.path, night.warehouse.staging_dir)
    assert night.merge_batch(batch, warehouse=straggling).reconciliation.retired == 0
    assert players_in_table(night) == {p.player_lookup for p in SLATE.players}


def test_a_batch_below_its_threshold_retires_nothing(night: Night) -> None:
    night.published()
    batch = night.open(SCRATCHED, run_id="run_2", threshold=0.9)
    night.stage(batch, SCRATCHED.players, failing(batch, "paulgeorge"))
    night.close(batch)
    night.merge_batch(batch)
    assert len(night.rows()) == ROWS


def test_a_batch_without_games_retires_nothing(night: Night) -> None:
    night.published()
    night.published(slate=Slate(GAME_DATE, (), (), ()), run_id="run_2")
    assert len(night.rows()) == ROWS


def test_a_merge_that_does_not_reconcile_retires_nothing(night: Night) -> None:
    night.published()
    batch = night.staged(slate=SCRATCHED, run_id="run_2")
    night.staging(batch)[0].unlink()
    numbers = night.merge_batch(batch).reconciliation
    assert numbers.merge_problems()
    assert numbers.retired == 0
    assert len(night.rows()) == ROWS


class DyingInRetire(DuckDBWarehouse):
    """A worker that is killed right before or right after it retires rows."""

    after: bool

    def retire(
        self, table: Table, partition: date, players: Sequence[str], write_sequence: int
    ) -> int:
        if self.after:
            super().retire(table, partition, players, write_sequence)
        raise KeyboardInterrupt


@pytest.mark.parametrize("after", [False, True])
def test_the_next_merge_recovers_from_a_crash_while_rows_are_retired(
    night: Night, after: bool
) -> None:
    night.published()
    batch = night.staged(slate=SCRATCHED, run_id="run_2")
    dying = DyingInRetire(night.warehouse.path, night.warehouse.staging_dir)
    object.__setattr__(dying, "after", after)
    with pytest.raises(KeyboardInterrupt):
        night.merge_batch(batch, warehouse=dying)
    assert night.state(batch) is S.STAGED
    assert night.verdict().verdict is Verdict.STAGED_NOT_MERGED
    numbers = night.merge_batch(batch).reconciliation
    assert numbers.merge_problems() == []
    assert numbers.retired == (0 if after else 30)
    assert players_in_table(night) == {"paulgeorge"}


# ---------------------------------------------------------------------------------- cleanup


@pytest.mark.parametrize("reached", ["staging", "staged"])
def test_a_cleanup_before_the_merge_is_refused(night: Night, reached: str) -> None:
    batch = night.open()
    night.stage(batch)
    if reached == "staged":
        night.close(batch)
    with pytest.raises(CleanupRefusedError, match=f"is {reached}, not merged.*no merge"):
        night.clean(batch)
    assert len(night.staging(batch)) == 3


def test_staging_is_kept_if_rows_vanish_after_the_merge(night: Night) -> None:
    batch = night.staged()
    night.merge_batch(batch)
    night.delete_rows("points_line = 22.5")
    with pytest.raises(CleanupRefusedError, match="recorded 55 rows, the target holds 50"):
        night.clean(batch)
    assert len(night.staging(batch)) == 3
    assert night.verdict().verdict is Verdict.ROWS_MISSING


def test_staging_is_kept_if_the_target_has_duplicate_keys(night: Night) -> None:
    batch = night.staged()
    night.merge_batch(batch)
    with duckdb.connect(str(night.warehouse.path)) as connection:
        connection.execute(
            f"INSERT INTO {PREDICTIONS.name} SELECT * REPLACE ('by hand' AS batch_id) "
            f"FROM {PREDICTIONS.name} LIMIT 1"
        )
    with pytest.raises(CleanupRefusedError, match="1 keys are duplicated"):
        night.clean(batch)
    assert len(night.staging(batch)) == 3


def test_staging_is_kept_if_a_player_is_completed_after_the_merge(night: Night) -> None:
    batch = night.open()
    night.stage(batch, SLATE.players[:2])
    night.close(batch)
    night.merge_batch(batch)
    night.stage(batch, SLATE.players[2:])
    with pytest.raises(CleanupRefusedError, match="1 players were staged after the merge"):
        night.clean(batch)
    assert len(night.staging(batch)) == 3
    assert night.merge_batch(batch).reconciliation.merge_problems() == []
    assert night.clean(batch).tables_dropped == 3


def test_a_player_replayed_during_the_merge_does_not_count_as_merged(night: Night) -> None:
    batch = night.staged()

    class ReplayDuringMerge(WrappedWarehouse):
        def after_merge(self, counts: MergeCounts) -> MergeCounts:
            night.stage(batch, SLATE.players[:1], predictor(batch, mean=30.0), replay=True)
            return counts

    night.merge_batch(
        batch, warehouse=ReplayDuringMerge(night.warehouse.path, night.warehouse.staging_dir)
    )
    with pytest.raises(CleanupRefusedError, match="1 players were staged after the merge"):
        night.clean(batch)
    assert len(night.staging(batch)) == 4
    night.merge_batch(batch)
    night.clean(batch)
    assert night.staging(batch) == []
    replayed = {r["predicted_points"] for r in night.rows() if r["player_lookup"] == "lukadoncic"}
    assert list(map(str, replayed)) == ["30.00"]


def test_a_second_cleanup_changes_nothing(night: Night) -> None:
    batch = night.cleaned()
    again = night.clean(batch)
    assert (again.tables_dropped, again.rows_in_target) == (0, ROWS)
    assert night.events(batch).count("cleaned") == 1
    assert night.state(batch) is S.CLEANED


def test_the_next_cleanup_recovers_from_an_interrupted_one(night: Night) -> None:
    batch = night.staged()
    night.merge_batch(batch)
    night.staging(batch)[0].unlink()
    assert night.clean(batch).tables_dropped == 2
    assert night.state(batch) is S.CLEANED


def test_a_refused_cleanup_is_recorded_with_all_its_reasons(
    night: Night, milestones: Callable[[], list[dict[str, Any]]]
) -> None:
    batch = night.staged()
    night.merge_batch(batch)
    night.delete_rows("true")
    with pytest.raises(CleanupRefusedError):
        night.clean(batch)
    entry = last_entry(night.store.ledger(batch.batch_id), LedgerEvent.CLEANUP_REFUSED)
    assert entry is not None
    assert entry.stored_payload()["objections"] == [
        "completions recorded 55 rows, the target holds 0"
    ]
    (line,) = [x for x in milestones() if x["event"] == "cleanup_refused"]
    assert (line["severity"], line["objections"]) == ("ERROR", entry.stored_payload()["objections"])


# ---------------------------------------------------------------------------------- the threshold


def ten(night: Night, *failed: str, threshold: float = 0.9) -> Batch:
    batch = night.open(TEN, threshold=threshold)
    night.stage(batch, TEN.players, failing(batch, *failed))
    night.close(batch)
    night.merge_batch(batch)
    return batch


def test_below_the_threshold_nothing_is_cleaned_up_or_published(night: Night) -> None:
    batch = ten(night, "player3", "player7")
    assert night.state(batch) is S.MERGED
    with pytest.raises(CleanupRefusedError, match=r"8 of 10 players .* below the threshold of 90%"):
        night.clean(batch)
    assert len(night.staging(batch)) == 8
    with pytest.raises(BatchStateError, match="only a cleaned-up batch"):
        night.publish(batch)
    assert night.verdict().verdict is Verdict.PARTIAL


@pytest.mark.parametrize(("failed", "threshold"), [(1, 0.9), (2, 0.8), (5, 0.5)])
def test_at_or_above_the_threshold_a_batch_is_published_as_partial(
    night: Night, failed: int, threshold: float
) -> None:
    batch = ten(night, *(f"player{n}" for n in range(failed)), threshold=threshold)
    night.clean(batch)
    night.publish(batch)
    (sent,) = night.publisher.read()
    assert sent.message.status is BatchStatus.PARTIAL
    assert sent.message.records_failed == failed
    assert sent.message.metadata.completion_pct == 100 - 10 * failed
    assert night.verdict().verdict is Verdict.PARTIAL


# ---------------------------------------------------------------------------------- replay


def replay(night: Night, batch: Batch, lookup: str, *, fail: bool = False) -> None:
    (player,) = [p for p in SLATE.players if p.player_lookup == lookup]
    predict = failing(batch, lookup) if fail else predictor(batch, mean=33.0)
    night.stage(batch, [player], predict, replay=True, run_id="replay")


def test_a_failed_player_is_replayed_into_a_published_batch(night: Night) -> None:
    batch = night.open(threshold=0.5)
    night.stage(batch, predict=failing(batch, "paulgeorge"))
    night.close(batch)
    night.merge_batch(batch)
    night.clean(batch)
    night.publish(batch)
    assert len(night.rows()) == 30

    replay(night, batch, "paulgeorge")
    assert night.verdict().verdict is Verdict.STAGED_NOT_MERGED
    numbers = night.merge_batch(batch).reconciliation
    assert numbers.merge_problems() == []
    assert (numbers.tables_expected, numbers.rows_staged, numbers.inserted) == (1, 25, 25)
    assert (numbers.batch_rows_expected, numbers.batch_rows_in_target) == (ROWS, ROWS)
    assert night.clean(batch).tables_dropped == 1
    night.publish(batch)
    assert night.state(batch) is S.PUBLISHED
    assert night.verdict().verdict is Verdict.COMPLETE

    # Subscribers drop a dedup_id that they have seen, so the new message has another one.
    sent = night.publisher.read()
    assert [m.dedup_id for m in sent] == [batch.batch_id, f"{batch.batch_id}.1"]
    assert [m.message.status for m in sent] == [BatchStatus.PARTIAL, BatchStatus.SUCCESS]


def test_the_next_run_finishes_a_batch_that_was_merged_and_not_cleaned_up(night: Night) -> None:
    batch = night.staged()
    night.merge_batch(batch)
    next(iter(night.staging(batch))).unlink()  # its cleanup was interrupted

    assert night.staged(run_id="run_2").batch_id == batch.batch_id
    night.merge_batch(batch)
    assert night.clean(batch).tables_dropped == 2
    assert night.staging(batch) == []
    assert len(night.rows()) == ROWS


def test_a_merged_batch_of_another_slate_is_not_resumed(night: Night) -> None:
    batch = night.staged()
    night.merge_batch(batch)
    other = night.open(slate_of(SLATE.players[:2]), run_id="run_2")
    assert other.batch_id != batch.batch_id
    assert night.state(batch) is S.MERGED


def test_the_next_run_of_a_batch_below_the_threshold_predicts_only_the_failed_players(
    night: Night,
) -> None:
    batch = night.open()
    night.stage(batch, predict=failing(batch, "paulgeorge"))
    night.close(batch)
    night.merge_batch(batch)
    with pytest.raises(CleanupRefusedError, match="below the threshold"):
        night.clean(batch)

    again = night.open(run_id="run_2")
    assert again.batch_id == batch.batch_id
    todo = players_to_stage(again, SLATE, night.store, night.warehouse)
    assert [p.player_lookup for p in todo] == ["paulgeorge"]
    night.stage(again, todo)
    night.close(again)
    assert night.merge_batch(again).reconciliation.merge_problems() == []
    assert night.clean(again).rows_in_target == ROWS


def test_a_completed_player_is_replayed_into_a_published_batch(night: Night) -> None:
    batch = night.published()
    replay(night, batch, "lukadoncic")
    numbers = night.merge_batch(batch).reconciliation
    assert numbers.merge_problems() == []
    assert (numbers.inserted, numbers.updated, numbers.batch_rows_in_target) == (0, 25, ROWS)
    night.clean(batch)
    points = {r["player_lookup"]: str(r["predicted_points"]) for r in night.rows()}
    assert points == {"lukadoncic": "33.00", "paulgeorge": "21.37", "zachcollins": "21.37"}


@pytest.mark.parametrize("before", ["published", "cleaned"])
def test_a_failed_replay_does_not_damage_a_complete_night(night: Night, before: str) -> None:
    batch = night.cleaned()
    if before == "published":
        night.publish(batch)
    replay(night, batch, "paulgeorge", fail=True)
    assert night.merge_batch(batch).reconciliation.merge_problems() == []
    night.clean(batch)
    night.publish(batch)
    assert night.verdict().verdict is Verdict.COMPLETE
    assert len(night.publisher.read()) == 1
    assert len(night.rows()) == ROWS


def test_a_replay_does_not_reconcile_if_other_rows_have_vanished(night: Night) -> None:
    batch = night.published()
    night.delete_rows("player_lookup = 'zachcollins'")
    replay(night, batch, "paulgeorge")
    assert night.merge_batch(batch).reconciliation.merge_problems()
    assert night.state(batch) is S.STAGED


def test_a_batch_with_an_unmerged_replay_is_not_published(night: Night) -> None:
    batch = night.cleaned()
    replay(night, batch, "paulgeorge")
    with pytest.raises(BatchStateError, match="1 players were staged or skipped after its merge"):
        night.publish(batch)
    night.merge_batch(batch)
    night.clean(batch)
    night.publish(batch)
    assert night.verdict().verdict is Verdict.COMPLETE


# ---------------------------------------------------------------------------------- no games


def test_a_date_without_games_is_published_as_no_data(night: Night) -> None:
    batch = night.published(slate=Slate(GAME_DATE, (), (), ()))
    (sent,) = night.publisher.read()
    assert sent.message.status is BatchStatus.NO_DATA
    assert (sent.message.record_count, sent.message.metadata.expected_players) == (0, 0)
    assert night.state(batch) is S.PUBLISHED
    assert night.verdict().verdict is Verdict.COMPLETE


# ---------------------------------------------------------------------------------- log lines


def test_the_milestones_of_a_complete_night_are_in_order(
    night: Night, milestones: Callable[[], list[dict[str, Any]]]
) -> None:
    batch = night.staged()
    milestones()
    night.merge_batch(batch)
    night.clean(batch)
    night.publish(batch)
    lines = milestones()
    assert [line["event"] for line in lines] == [
        "consolidation_started",
        "staging_found",
        "merge_executed",
        "reconciliation",
        "cleanup_done",
        "phase5_published",
        "batch_complete",
    ]
    by_event = {line["event"]: line for line in lines}
    assert {line["batch_id"] for line in lines} == {batch.batch_id}
    assert {line["severity"] for line in lines} == {"INFO"}
    assert (by_event["staging_found"]["expected"], by_event["staging_found"]["found"]) == (3, 3)
    assert by_event["merge_executed"]["rows"] == ROWS
    assert by_event["merge_executed"]["ms"] > 0
    assert by_event["reconciliation"]["agrees"] is True
    assert by_event["cleanup_done"]["rows_in_target"] == ROWS
    assert by_event["batch_complete"]["completion_pct"] == 100.0


def test_a_merge_that_does_not_reconcile_logs_errors(
    night: Night, milestones: Callable[[], list[dict[str, Any]]]
) -> None:
    batch = night.staged()
    night.staging(batch)[0].unlink()
    milestones()
    night.merge_batch(batch)
    by_event = {line["event"]: line for line in milestones()}
    assert by_event["staging_found"]["severity"] == "ERROR"
    (missing,) = by_event["staging_found"]["missing"]
    assert missing.startswith(f"{batch.batch_id}/lukadoncic.")
    assert by_event["reconciliation"]["severity"] == "ERROR"
    assert by_event["reconciliation"]["agrees"] is False
    assert "2 exist" in by_event["reconciliation"]["message"]
