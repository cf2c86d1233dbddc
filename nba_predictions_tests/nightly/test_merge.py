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
from nba_predictions.domain.batches.reconciliation import MergeCounts, last_entry
from nba_predictions.domain.batches.verdict import Verdict, judge
from nba_predictions.domain.betting.slate import Skip, Slate
from nba_predictions.domain.errors import BatchStateError, CleanupRefusedError, LeaseLostError
from nba_predictions.domain.tables import PREDICTIONS, Table
from nba_predictions.nightly.audit import gather_evidence
from nba_predictions.nightly.staging import players_to_stage
from nba_predictions.warehouse.duckdb_warehouse import DuckDBWarehouse
from nba_predictions_tests.examples import GAME_DATE, slate_of, slate_player
from nba_predictions_tests.nightly.conftest import ROWS, SLATE, Night, failing, predictor

S = BatchState
TEN = slate_of(slate_player(f"player{n}") for n in range(10))


class WrappedWarehouse(DuckDBWarehouse):
    """A warehouse with something between the MERGE and its counts."""

    def after_merge(self, counts: MergeCounts) -> MergeCounts:
        raise NotImplementedError

    def merge(
        self, table: Table, partition: date, staging: Sequence[str], merged_at: datetime
    ) -> MergeCounts:
        return self.after_merge(super().merge(table, partition, staging, merged_at))


class LosingRows(WrappedWarehouse):
    """Says that everything was merged, but a player's rows are not there."""

    def after_merge(self, counts: MergeCounts) -> MergeCounts:
        with duckdb.connect(str(self.path)) as connection:
            connection.execute(f"DELETE FROM {PREDICTIONS.name} WHERE player_lookup = 'paulgeorge'")
        return counts


class AffectingFewer(LosingRows):
    """A MERGE that leaves a player out, and says so only in its number of affected rows."""

    def after_merge(self, counts: MergeCounts) -> MergeCounts:
        super().after_merge(counts)
        return replace(counts, inserted=counts.inserted - 25)


def assert_nothing_may_follow(night: Night, batch: Batch, staging: int) -> None:
    """A merge that does not reconcile stops the night, and loses nothing."""
    assert night.state(batch) is S.STAGED
    with pytest.raises(CleanupRefusedError, match="Mend the cause"):
        night.clean(batch)
    assert len(night.staging(batch)) == staging
    assert "cleanup_refused" in night.events(batch)
    with pytest.raises(BatchStateError, match="only a cleaned batch"):
        night.publish(batch)
    assert night.publisher.read() == []
    assert night.verdict().verdict is Verdict.STAGED_NOT_MERGED


# ---------------------------------------------------------------------------------- the good night


def test_a_staged_batch_is_merged_counted_cleaned_and_published(night: Night) -> None:
    batch = night.staged()
    report = night.consolidate(batch)
    numbers = report.reconciliation
    assert numbers.merge_problems() == []
    assert (numbers.players_expected, numbers.tables_expected, numbers.tables_found) == (4, 3, 3)
    assert (numbers.rows_recorded, numbers.rows_staged, numbers.distinct_keys) == (ROWS,) * 3
    assert (numbers.inserted, numbers.updated, numbers.superseded) == (ROWS, 0, 0)
    assert (numbers.batch_rows_expected, numbers.batch_rows_in_target) == (ROWS, ROWS)
    assert report.merge_seconds > 0
    assert night.state(batch) is S.CONSOLIDATED
    assert len(night.staging(batch)) == 3
    assert night.verdict().verdict is Verdict.CONSOLIDATED_NOT_PUBLISHED

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


def test_a_second_consolidation_is_harmless(night: Night) -> None:
    batch = night.staged()
    first = night.consolidate(batch)
    before = night.rows()
    assert night.consolidate(batch).reconciliation == first.reconciliation
    night.clean(batch)
    assert night.consolidate(batch).reconciliation == first.reconciliation
    night.publish(batch)
    assert night.consolidate(batch, run_id="run_2").reconciliation == first.reconciliation
    assert night.state(batch) is S.PUBLISHED
    assert sorted(map(str, night.rows())) == sorted(map(str, before))
    assert night.events(batch).count("merged") == 1


def test_a_crash_between_the_merge_and_its_record_is_made_up_for(night: Night) -> None:
    batch = night.staged()

    class Dying(SQLiteBatchStore):
        def append(self, *arguments: Any, **options: Any) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        night.consolidate(batch, store=Dying(night.store.path))
    assert len(night.rows()) == ROWS
    assert night.state(batch) is S.STAGED
    again = night.consolidate(batch).reconciliation
    assert (again.inserted, again.updated) == (0, ROWS)
    assert again.merge_problems() == []
    assert night.state(batch) is S.CONSOLIDATED


def test_a_crash_between_the_record_and_the_move_is_made_up_for(night: Night) -> None:
    batch = night.staged()

    class Dying(SQLiteBatchStore):
        def move(self, batch_id: str, to: BatchState, reason: str | None = None) -> bool:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        night.consolidate(batch, store=Dying(night.store.path))
    assert night.state(batch) is S.STAGED
    assert night.consolidate(batch).reconciliation.merge_problems() == []
    night.clean(batch)
    assert night.state(batch) is S.CLEANED


def test_a_new_batch_of_the_date_takes_the_rows_over(night: Night) -> None:
    first = night.published()
    second = night.published(run_id="run_2")
    assert second.batch_id != first.batch_id
    merged = last_entry(night.store.ledger(second.batch_id), "merged")
    assert merged is not None
    assert (merged.counts["inserted"], merged.counts["updated"]) == (0, ROWS)
    assert {row["batch_id"] for row in night.rows()} == {second.batch_id}
    assert all(row["created_at"] < row["updated_at"] for row in night.rows())


def test_two_consolidations_at_once_leave_no_duplicates_and_lose_nothing(night: Night) -> None:
    batch = night.staged()
    stores = [SQLiteBatchStore(night.store.path) for _ in range(4)]
    start = Barrier(4)

    def run(number: int) -> int:
        start.wait()
        report = night.consolidate(batch, store=stores[number], run_id=f"run_{number}")
        return len(report.reconciliation.merge_problems())

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(run, range(4))) == [0] * 4
    assert night.warehouse.count(PREDICTIONS, GAME_DATE, batch.batch_id).duplicate_keys == 0
    assert len(night.rows()) == ROWS
    assert night.events(batch).count("merged") == 1
    night.clean(batch)


def test_a_consolidation_that_another_one_keeps_waiting_gives_up_by_name(night: Night) -> None:
    batch = night.staged()
    lease = night.store.acquire_lease(GAME_DATE, "somebody:else", timedelta(minutes=10))
    with pytest.raises(LeaseLostError, match="somebody:else"):
        night.consolidate(batch, lease_wait_seconds=0.2)
    assert night.rows() == []
    night.store.release_lease(lease)
    assert night.consolidate(batch).reconciliation.merge_problems() == []


def test_who_loses_his_lease_during_the_merge_cannot_record_it(night: Night) -> None:
    batch = night.staged()

    class Slow(WrappedWarehouse):
        def after_merge(self, counts: MergeCounts) -> MergeCounts:
            with duckdb.connect(":memory:"):
                other = SQLiteBatchStore(night.store.path)
                with other._transaction() as connection:
                    connection.execute("UPDATE leases SET expires_at = '2000'")
                other.acquire_lease(GAME_DATE, "the next", timedelta(minutes=10))
            return counts

    slow = Slow(night.warehouse.path, night.warehouse.staging_dir)
    with pytest.raises(LeaseLostError, match="'merged' was not written"):
        night.consolidate(batch, warehouse=slow)
    assert night.state(batch) is S.STAGED
    assert "merged" not in night.events(batch)


def test_a_consolidation_that_fails_gives_its_lease_back(night: Night) -> None:
    batch = night.open()
    with pytest.raises(BatchStateError, match="is staging; only a staged batch"):
        night.consolidate(batch)
    assert night.store.acquire_lease(GAME_DATE, "next", timedelta(0)).token == 2


def test_what_was_given_up_is_not_merged(night: Night) -> None:
    batch = night.staged()
    night.store.move(batch.batch_id, S.FAILED, "superseded: the slate changed")
    with pytest.raises(BatchStateError, match="superseded: the slate changed"):
        night.consolidate(batch)
    assert night.rows() == []


# ---------------------------------------------------------------------------------- the bad nights


def test_a_staging_table_that_is_gone_before_the_merge_stops_the_night(night: Night) -> None:
    batch = night.staged()
    night.staging(batch)[1].unlink()
    problems = night.consolidate(batch).reconciliation.merge_problems()
    assert "3 staging tables were recorded, 2 found" in problems
    assert any("completions recorded 55 rows, staging holds 30" in p for p in problems)
    assert any("should hold 55 rows of this batch, it holds 30" in p for p in problems)
    assert_nothing_may_follow(night, batch, staging=2)


def test_zero_staging_tables_with_a_positive_expectation_are_never_a_success(
    night: Night,
) -> None:
    batch = night.staged()
    for file in night.staging(batch):
        file.unlink()
    problems = night.consolidate(batch).reconciliation.merge_problems()
    assert "the merge wrote nothing, though 4 players are expected" in problems
    assert_nothing_may_follow(night, batch, staging=0)


def test_nobody_staged_at_all_is_never_a_success(night: Night) -> None:
    batch = night.open()
    night.stage(batch, predict=failing(batch, *(p.player_lookup for p in SLATE.players)))
    night.close(batch)
    problems = night.consolidate(batch).reconciliation.merge_problems()
    assert problems == ["the merge wrote nothing, though 4 players are expected"]
    assert_nothing_may_follow(night, batch, staging=0)


def test_a_slate_on_which_everybody_is_skipped_is_never_a_success(night: Night) -> None:
    batch = night.staged(slate=slate_of([], [Skip("joelembiid", "injury_report: OUT")]))
    assert night.consolidate(batch).reconciliation.merge_problems()
    assert_nothing_may_follow(night, batch, staging=0)


def test_games_without_anybody_to_predict_do_not_go_out(night: Night) -> None:
    batch = night.staged(slate=slate_of([]))
    night.consolidate(batch)
    with pytest.raises(CleanupRefusedError, match="0 of 0 players"):
        night.clean(batch)


@pytest.mark.parametrize("broken", [LosingRows, AffectingFewer])
def test_a_merge_that_loses_rows_stops_the_night(
    night: Night, broken: type[WrappedWarehouse]
) -> None:
    batch = night.staged()
    wrapped = broken(night.warehouse.path, night.warehouse.staging_dir)
    problems = night.consolidate(batch, warehouse=wrapped).reconciliation.merge_problems()
    assert any("should hold 55 rows of this batch, it holds 30" in p for p in problems)
    assert any("affected 30" in p for p in problems) == (broken is AffectingFewer)
    assert_nothing_may_follow(night, batch, staging=3)
    # With the cause mended, the same staging is merged, and nothing was lost.
    assert night.consolidate(batch).reconciliation.merge_problems() == []
    night.clean(batch)
    assert len(night.rows()) == ROWS


def test_five_lines_under_one_key_stop_the_night(night: Night) -> None:
    # 1,000 rows staged, 200 merged, and nobody noticed for five weeks.
    batch = night.open()
    good = predictor(batch)
    night.stage(
        batch,
        predict=lambda p: [{**row, "points_line": row["base_line"]} for row in good(p)],
    )
    night.close(batch)
    problems = night.consolidate(batch).reconciliation.merge_problems()
    assert "55 rows were staged under 15 distinct keys" in problems
    assert_nothing_may_follow(night, batch, staging=3)


# ---------------------------------------------------------------------------------- late scratches

#: An earlier batch of SLATE; then Luka is out, and Zach's game is off.
SCRATCHED = slate_of(
    [slate_player()],
    [Skip("joelembiid", "injury_report: OUT"), Skip("lukadoncic", "injury_report: OUT")],
)


def players_in(night: Night) -> set[str]:
    return {row["player_lookup"] for row in night.rows()}


def test_rows_of_who_is_not_predicted_any_more_are_retired_by_the_next_batch(
    night: Night, milestones: Callable[[], list[dict[str, Any]]]
) -> None:
    first = night.published()
    milestones()
    second = night.staged(slate=SCRATCHED, run_id="run_2")
    numbers = night.consolidate(second).reconciliation
    assert (numbers.retired, numbers.merged, numbers.batch_rows_in_target) == (30, 25, 25)
    assert numbers.merge_problems() == []
    assert players_in(night) == {"paulgeorge"}
    (told,) = (line for line in milestones() if line["event"] == "rows_retired")
    assert told["rows"] == 30
    merged = last_entry(night.store.ledger(second.batch_id), "merged")
    assert merged is not None
    assert merged.counts["retired"] == 30
    night.clean(second)
    night.publish(second)
    assert night.verdict().verdict is Verdict.COMPLETE
    # Nothing is missing of the earlier one: its rows were taken over.
    earlier = judge(
        gather_evidence(GAME_DATE, night.store, night.warehouse, batch_id=first.batch_id)
    )
    assert earlier.verdict is Verdict.COMPLETE
    assert f"its rows were taken over by {second.batch_id}" in earlier.facts


def test_who_failed_keeps_the_rows_of_the_batch_before(night: Night) -> None:
    night.published()
    batch = night.open(run_id="run_2", threshold=0.5)
    night.stage(batch, predict=failing(batch, "lukadoncic"))
    night.close(batch)
    assert night.consolidate(batch).reconciliation.retired == 0
    assert players_in(night) == {p.player_lookup for p in SLATE.players}


def test_a_batch_below_its_threshold_retires_nothing(night: Night) -> None:
    night.published()
    batch = night.open(SCRATCHED, run_id="run_2", threshold=0.9)
    night.stage(batch, SCRATCHED.players, failing(batch, "paulgeorge"))
    night.close(batch)
    night.consolidate(batch)
    assert len(night.rows()) == ROWS


def test_a_date_that_seems_to_have_no_games_retires_nothing(night: Night) -> None:
    night.published()
    night.published(slate=Slate(GAME_DATE, (), (), ()), run_id="run_2")
    assert len(night.rows()) == ROWS


def test_a_merge_that_does_not_reconcile_retires_nothing(night: Night) -> None:
    night.published()
    batch = night.staged(slate=SCRATCHED, run_id="run_2")
    night.staging(batch)[0].unlink()
    numbers = night.consolidate(batch).reconciliation
    assert numbers.merge_problems()
    assert numbers.retired == 0
    assert len(night.rows()) == ROWS


class DyingInRetire(DuckDBWarehouse):
    """A worker that is killed on its way into, or out of, the statement."""

    after: bool

    def retire(
        self, table: Table, partition: date, players: Sequence[str], before: datetime
    ) -> int:
        if self.after:
            super().retire(table, partition, players, before)
        raise KeyboardInterrupt


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_between_the_merge_and_the_retiring_is_made_up_for(
    night: Night, after: bool
) -> None:
    night.published()
    batch = night.staged(slate=SCRATCHED, run_id="run_2")
    dying = DyingInRetire(night.warehouse.path, night.warehouse.staging_dir)
    object.__setattr__(dying, "after", after)
    with pytest.raises(KeyboardInterrupt):
        night.consolidate(batch, warehouse=dying)
    assert night.state(batch) is S.STAGED
    assert night.verdict().verdict is Verdict.STAGED_NOT_MERGED
    numbers = night.consolidate(batch).reconciliation
    assert numbers.merge_problems() == []
    assert numbers.retired == (0 if after else 30)
    assert players_in(night) == {"paulgeorge"}


# ---------------------------------------------------------------------------------- clean-up


@pytest.mark.parametrize("reached", ["staging", "staged"])
def test_nothing_is_cleaned_up_before_the_merge(night: Night, reached: str) -> None:
    batch = night.open()
    night.stage(batch)
    if reached == "staged":
        night.close(batch)
    with pytest.raises(CleanupRefusedError, match=f"is {reached}, not consolidated.*no merge"):
        night.clean(batch)
    assert len(night.staging(batch)) == 3


def test_rows_that_vanish_after_the_merge_keep_staging(night: Night) -> None:
    batch = night.staged()
    night.consolidate(batch)
    night.delete_rows("points_line = 22.5")
    with pytest.raises(CleanupRefusedError, match="recorded 55 rows, the target holds 50"):
        night.clean(batch)
    assert len(night.staging(batch)) == 3
    assert night.verdict().verdict is Verdict.ROWS_MISSING


def test_a_key_that_stands_twice_in_the_target_keeps_staging(night: Night) -> None:
    batch = night.staged()
    night.consolidate(batch)
    with duckdb.connect(str(night.warehouse.path)) as connection:
        connection.execute(
            f"INSERT INTO {PREDICTIONS.name} SELECT * REPLACE ('by hand' AS batch_id) "
            f"FROM {PREDICTIONS.name} LIMIT 1"
        )
    with pytest.raises(CleanupRefusedError, match="1 keys stand twice"):
        night.clean(batch)
    assert len(night.staging(batch)) == 3


def test_a_completion_after_the_merge_keeps_staging(night: Night) -> None:
    batch = night.open()
    night.stage(batch, SLATE.players[:2])
    night.close(batch)
    night.consolidate(batch)
    night.stage(batch, SLATE.players[2:])
    with pytest.raises(CleanupRefusedError, match="1 players were staged after the merge"):
        night.clean(batch)
    assert len(night.staging(batch)) == 3
    assert night.consolidate(batch).reconciliation.merge_problems() == []
    assert night.clean(batch).tables_dropped == 3


def test_a_player_replayed_during_the_merge_is_not_taken_for_merged(night: Night) -> None:
    batch = night.staged()

    class Meanwhile(WrappedWarehouse):
        def after_merge(self, counts: MergeCounts) -> MergeCounts:
            night.stage(batch, SLATE.players[:1], predictor(batch, mean=30.0), replay=True)
            return counts

    night.consolidate(batch, warehouse=Meanwhile(night.warehouse.path, night.warehouse.staging_dir))
    with pytest.raises(CleanupRefusedError, match="1 players were staged after the merge"):
        night.clean(batch)
    assert len(night.staging(batch)) == 3
    night.consolidate(batch)
    night.clean(batch)
    replayed = {r["predicted_points"] for r in night.rows() if r["player_lookup"] == "lukadoncic"}
    assert list(map(str, replayed)) == ["30.00"]


def test_cleaning_up_twice_is_harmless(night: Night) -> None:
    batch = night.cleaned()
    again = night.clean(batch)
    assert (again.tables_dropped, again.rows_in_target) == (0, ROWS)
    assert night.events(batch).count("cleaned") == 1
    assert night.state(batch) is S.CLEANED


def test_a_crash_in_the_middle_of_a_clean_up_is_made_up_for(night: Night) -> None:
    batch = night.staged()
    night.consolidate(batch)
    night.staging(batch)[0].unlink()
    assert night.clean(batch).tables_dropped == 2
    assert night.state(batch) is S.CLEANED


def test_the_refusal_is_kept_with_all_its_reasons(
    night: Night, milestones: Callable[[], list[dict[str, Any]]]
) -> None:
    batch = night.staged()
    night.consolidate(batch)
    night.delete_rows("true")
    with pytest.raises(CleanupRefusedError):
        night.clean(batch)
    entry = last_entry(night.store.ledger(batch.batch_id), "cleanup_refused")
    assert entry is not None
    assert entry.counts["objections"] == ["completions recorded 55 rows, the target holds 0"]
    (line,) = [x for x in milestones() if x["event"] == "cleanup_refused"]
    assert (line["severity"], line["objections"]) == ("ERROR", entry.counts["objections"])


# ---------------------------------------------------------------------------------- the threshold


def ten(night: Night, *failed: str, threshold: float = 0.9) -> Batch:
    batch = night.open(TEN, threshold=threshold)
    night.stage(batch, TEN.players, failing(batch, *failed))
    night.close(batch)
    night.consolidate(batch)
    return batch


def test_below_the_threshold_nothing_is_cleaned_up_or_published(night: Night) -> None:
    batch = ten(night, "player3", "player7")
    assert night.state(batch) is S.CONSOLIDATED
    with pytest.raises(CleanupRefusedError, match=r"8 of 10 players .* below the threshold of 90%"):
        night.clean(batch)
    assert len(night.staging(batch)) == 8
    with pytest.raises(BatchStateError, match="only a cleaned batch"):
        night.publish(batch)
    assert night.verdict().verdict is Verdict.PARTIAL


@pytest.mark.parametrize(("failed", "threshold"), [(1, 0.9), (2, 0.8), (5, 0.5)])
def test_at_or_above_the_threshold_a_batch_goes_out_as_partial(
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
    night.consolidate(batch)
    night.clean(batch)
    night.publish(batch)
    assert len(night.rows()) == 30

    replay(night, batch, "paulgeorge")
    assert night.verdict().verdict is Verdict.STAGED_NOT_MERGED
    numbers = night.consolidate(batch).reconciliation
    assert numbers.merge_problems() == []
    assert (numbers.tables_expected, numbers.rows_staged, numbers.inserted) == (1, 25, 25)
    assert (numbers.batch_rows_expected, numbers.batch_rows_in_target) == (ROWS, ROWS)
    assert night.clean(batch).tables_dropped == 1
    night.publish(batch)
    assert night.state(batch) is S.PUBLISHED
    assert night.verdict().verdict is Verdict.COMPLETE

    # Readers drop what they have seen: the better message needs a dedup_id of its own.
    sent = night.publisher.read()
    assert [m.dedup_id for m in sent] == [batch.batch_id, f"{batch.batch_id}.1"]
    assert [m.message.status for m in sent] == [BatchStatus.PARTIAL, BatchStatus.SUCCESS]


def test_a_batch_that_was_merged_and_not_cleaned_is_finished_by_the_next_run(night: Night) -> None:
    batch = night.staged()
    night.consolidate(batch)
    next(iter(night.staging(batch))).unlink()  # its clean-up was cut short

    assert night.staged(run_id="run_2").batch_id == batch.batch_id
    night.consolidate(batch)
    assert night.clean(batch).tables_dropped == 2
    assert night.staging(batch) == []
    assert len(night.rows()) == ROWS


def test_a_merged_batch_of_another_slate_is_not_taken_up(night: Night) -> None:
    batch = night.staged()
    night.consolidate(batch)
    other = night.open(slate_of(SLATE.players[:2]), run_id="run_2")
    assert other.batch_id != batch.batch_id
    assert night.state(batch) is S.CONSOLIDATED


def test_the_next_run_predicts_only_those_who_failed_below_the_threshold(night: Night) -> None:
    batch = night.open()
    night.stage(batch, predict=failing(batch, "paulgeorge"))
    night.close(batch)
    night.consolidate(batch)
    with pytest.raises(CleanupRefusedError, match="below the threshold"):
        night.clean(batch)

    again = night.open(run_id="run_2")
    assert again.batch_id == batch.batch_id
    todo = players_to_stage(again, SLATE, night.store, night.warehouse)
    assert [p.player_lookup for p in todo] == ["paulgeorge"]
    night.stage(again, todo)
    night.close(again)
    assert night.consolidate(again).reconciliation.merge_problems() == []
    assert night.clean(again).rows_in_target == ROWS


def test_a_good_player_is_replayed_into_a_published_batch(night: Night) -> None:
    batch = night.published()
    replay(night, batch, "lukadoncic")
    numbers = night.consolidate(batch).reconciliation
    assert numbers.merge_problems() == []
    assert (numbers.inserted, numbers.updated, numbers.batch_rows_in_target) == (0, 25, ROWS)
    night.clean(batch)
    points = {r["player_lookup"]: str(r["predicted_points"]) for r in night.rows()}
    assert points == {"lukadoncic": "33.00", "paulgeorge": "21.37", "zachcollins": "21.37"}


@pytest.mark.parametrize("before", ["published", "cleaned"])
def test_a_replay_that_fails_again_does_not_spoil_a_good_night(night: Night, before: str) -> None:
    batch = night.cleaned()
    if before == "published":
        night.publish(batch)
    replay(night, batch, "paulgeorge", fail=True)
    assert night.consolidate(batch).reconciliation.merge_problems() == []
    night.clean(batch)
    night.publish(batch)
    assert night.verdict().verdict is Verdict.COMPLETE
    assert len(night.publisher.read()) == 1
    assert len(night.rows()) == ROWS


def test_a_replay_whose_other_rows_have_vanished_does_not_pass(night: Night) -> None:
    batch = night.published()
    night.delete_rows("player_lookup = 'zachcollins'")
    replay(night, batch, "paulgeorge")
    assert night.consolidate(batch).reconciliation.merge_problems()
    assert night.state(batch) is S.STAGED


def test_a_replay_that_is_not_merged_yet_is_not_published(night: Night) -> None:
    batch = night.cleaned()
    replay(night, batch, "paulgeorge")
    with pytest.raises(
        BatchStateError, match="1 players were staged or skipped since it was merged"
    ):
        night.publish(batch)
    night.consolidate(batch)
    night.clean(batch)
    night.publish(batch)
    assert night.verdict().verdict is Verdict.COMPLETE


# ---------------------------------------------------------------------------------- no games


def test_a_date_without_games_passes_through_and_says_no_data(night: Night) -> None:
    batch = night.published(slate=Slate(GAME_DATE, (), (), ()))
    (sent,) = night.publisher.read()
    assert sent.message.status is BatchStatus.NO_DATA
    assert (sent.message.record_count, sent.message.metadata.expected_players) == (0, 0)
    assert night.state(batch) is S.PUBLISHED
    assert night.verdict().verdict is Verdict.COMPLETE


# ---------------------------------------------------------------------------------- log lines


def test_the_milestones_of_a_good_night_come_in_order(
    night: Night, milestones: Callable[[], list[dict[str, Any]]]
) -> None:
    batch = night.staged()
    milestones()
    night.consolidate(batch)
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


def test_a_merge_that_does_not_reconcile_is_loud(
    night: Night, milestones: Callable[[], list[dict[str, Any]]]
) -> None:
    batch = night.staged()
    night.staging(batch)[0].unlink()
    milestones()
    night.consolidate(batch)
    by_event = {line["event"]: line for line in milestones()}
    assert by_event["staging_found"]["severity"] == "ERROR"
    assert by_event["staging_found"]["missing"] == [f"{batch.batch_id}/lukadoncic"]
    assert by_event["reconciliation"]["severity"] == "ERROR"
    assert by_event["reconciliation"]["agrees"] is False
    assert "2 found" in by_event["reconciliation"]["message"]
