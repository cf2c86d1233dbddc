"""Open a batch, stage its players, and close the staging."""

import logging
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest

from nba_predictions.batch_store.sqlite_store import SQLiteBatchStore
from nba_predictions.domain.batches.batch import (
    Batch,
    BatchState,
    BatchStatus,
    Completion,
    DeadLetter,
)
from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.domain.betting.slate import Slate, SlatePlayer
from nba_predictions.domain.errors import BatchStateError, PermanentPredictionError
from nba_predictions.nightly.open_batch import BatchTerms, open_batch
from nba_predictions.nightly.staging import (
    MAX_ATTEMPTS,
    close_staging,
)
from nba_predictions.nightly.start import players_to_stage
from nba_predictions_tests import examples
from nba_predictions_tests.examples import GAME_DATE, rows_of, slate_of, slate_player, with_line
from nba_predictions_tests.nightly.conftest import ROWS, SLATE, Night, failing, predictor

S = BatchState
MOVED = replace(SLATE, players=(with_line(SLATE.players[0], "32.5"), *SLATE.players[1:]))

# ---------------------------------------------------------------------------------- opening


def test_a_new_batch_expects_all_players_of_the_slate_and_records_its_skips(night: Night) -> None:
    batch = night.open()
    assert batch.state is S.STAGING
    assert (batch.expected_players, batch.games, batch.game_date) == (4, 1, GAME_DATE)
    assert batch.slate_fingerprint == SLATE.fingerprint()
    assert (batch.run_id, batch.source, batch.completion_threshold) == ("run_1", "test", 0.9)
    assert set(batch.times) == {"created", "staging"}
    (skip,) = night.store.completions(batch.batch_id)
    assert (skip.player_lookup, skip.rows) == ("joelembiid", 0)
    assert skip.skip_reason == "injury_report: OUT"
    assert night.events(batch) == ["created"]
    counts = night.store.ledger(batch.batch_id)[0].details()
    assert (counts["players"], counts["skips"], counts["with_line"]) == (3, 1, 2)


@pytest.mark.parametrize("reached", ["staging", "staged"])
def test_an_unfinished_batch_of_the_same_slate_is_resumed(night: Night, reached: str) -> None:
    batch = night.open()
    night.stage(batch, SLATE.players[:1])
    if reached == "staged":
        night.close(batch)
    again = night.open(run_id="run_2")
    assert again.batch_id == batch.batch_id
    assert again.state.value == reached
    assert night.events(batch)[-1] == "resumed"
    assert len(night.store.of_date(GAME_DATE)) == 1
    todo = players_to_stage(again, SLATE, night.store, night.warehouse)
    assert [p.player_lookup for p in todo] == ["paulgeorge", "zachcollins"]


def test_a_stalled_batch_is_resumed(night: Night) -> None:
    batch = night.open()
    night.store.move(batch.batch_id, S.STALLED)
    assert night.open().state is S.STAGING


def test_the_next_run_records_the_skips_of_a_run_that_died_right_after_creating_its_batch(
    night: Night,
) -> None:
    interrupted = examples.batch(
        "interrupted", slate_fingerprint=SLATE.fingerprint(), expected_players=4
    )
    assert night.store.create(interrupted)
    resumed = night.open(run_id="run_2")
    assert (resumed.batch_id, resumed.state) == ("interrupted", S.STAGING)
    assert [c.player_lookup for c in night.store.completions("interrupted")] == ["joelembiid"]


def test_a_changed_slate_supersedes_the_unfinished_batch_and_keeps_its_staging(
    night: Night,
) -> None:
    old = night.staged()
    new = night.open(MOVED, run_id="run_2")
    assert new.batch_id != old.batch_id
    assert new.state is S.STAGING
    closed = night.store.get(old.batch_id)
    assert closed.state is S.FAILED
    assert closed.reason is not None
    assert "superseded: the slate changed, run run_2" in closed.reason
    assert night.events(old)[-1] == "superseded"
    assert len(night.staging(old)) == 3


def test_a_finished_batch_is_followed_by_a_new_one(night: Night) -> None:
    first = night.published()
    second = night.open(run_id="run_2")
    assert second.batch_id != first.batch_id
    assert night.state(first) is S.PUBLISHED
    assert [b.batch_id for b in night.store.of_date(GAME_DATE)] == [
        second.batch_id,
        first.batch_id,
    ]


def test_batches_of_the_same_second_have_different_ids_and_true_times(night: Night) -> None:
    batches = []
    for number in range(4):
        slate = slate_of([slate_player("lukadoncic", f"{20 + number}.5")])
        batches.append(night.open(slate, run_id=f"run_{number}"))
        night.store.move(batches[-1].batch_id, S.FAILED)
    assert len({b.batch_id for b in batches}) == 4
    assert [b.batch_id for b in night.store.of_date(GAME_DATE)] == [
        b.batch_id for b in batches[::-1]
    ]
    assert all(b.created_at <= datetime.now(timezone.utc) for b in batches)


def test_a_run_that_was_paused_with_an_older_slate_creates_no_batch(night: Night) -> None:
    paused = replace(SLATE, sequence=night.store.next_sequence(GAME_DATE))
    moved = slate_of([with_line(SLATE.players[0], "33.5"), *SLATE.players[1:]], SLATE.skips)
    newer = replace(moved, sequence=night.store.next_sequence(GAME_DATE))
    published = night.published(slate=newer, run_id="run_2")
    with pytest.raises(BatchStateError, match=f"outdated: {published.batch_id} has a slate"):
        night.open(paused)
    assert len(night.store.of_date(GAME_DATE)) == 1
    assert night.open(replace(paused, sequence=night.store.next_sequence(GAME_DATE)))


def test_a_run_that_was_paused_before_its_batch_creates_none_after_a_newer_one(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused = replace(SLATE, sequence=night.store.next_sequence(GAME_DATE))
    create = SQLiteBatchStore.create

    def after_another_run(store: SQLiteBatchStore, batch: Batch, **options: Any) -> bool:
        monkeypatch.setattr(SQLiteBatchStore, "create", create)
        other = replace(
            batch, batch_id="other", state=S.PUBLISHED, slate_fingerprint="of newer lines"
        )
        assert store.create(other)
        return store.create(batch, **options)

    monkeypatch.setattr(SQLiteBatchStore, "create", after_another_run)
    with pytest.raises(BatchStateError, match="outdated: other has a slate"):
        night.open(paused)
    assert [batch.batch_id for batch in night.store.of_date(GAME_DATE)] == ["other"]


def test_the_next_run_resumes_a_replay_that_died_before_its_merge(night: Night) -> None:
    batch = night.published()
    night.stage(batch, SLATE.players[:1], replay=True, run_id="replay")
    assert night.staged(run_id="run_2").batch_id == batch.batch_id
    night.merge_batch(batch)
    assert night.clean(batch).tables_dropped == 1
    night.publish(batch)
    assert night.verdict().verdict is Verdict.COMPLETE


def test_the_next_run_records_a_missing_skip(night: Night) -> None:
    batch = night.staged()
    with night.store._transaction() as connection:
        connection.execute("DELETE FROM completions WHERE row_count = 0")
    assert night.open(run_id="run_2").batch_id == batch.batch_id
    assert night.close(batch).skipped == 1


def test_concurrent_runs_share_one_batch(night: Night) -> None:
    stores = [SQLiteBatchStore(night.store.path) for _ in range(8)]
    start = threading.Barrier(8)

    def open_it(number: int) -> str:
        start.wait()
        return open_batch(
            stores[number], SLATE, BatchTerms("test"), run_id=f"run_{number}"
        ).batch_id

    with ThreadPoolExecutor(8) as pool:
        opened = set(pool.map(open_it, range(8)))
    assert len(opened) == 1
    assert [b.batch_id for b in night.store.of_date(GAME_DATE)] == list(opened)
    assert len(night.store.completions(opened.pop())) == 1


def test_a_date_without_games_has_a_batch(night: Night) -> None:
    batch = night.open(Slate(GAME_DATE, (), (), ()))
    assert (batch.expected_players, batch.games) == (0, 0)
    assert night.close(batch).status is BatchStatus.NO_DATA
    assert night.state(batch) is S.STAGED


# ---------------------------------------------------------------------------------- staging


def test_every_player_is_staged_and_recorded_in_the_given_order(night: Night) -> None:
    batch = night.open()
    players = SLATE.players[::-1]
    staged = night.stage(batch, players)
    assert [s.player_lookup for s in staged] == [p.player_lookup for p in players]
    assert [s.rows for s in staged] == [5, 25, 25]
    assert [s.error for s in staged] == [None] * 3
    done = {c.player_lookup: c for c in night.store.completions(batch.batch_id)}
    for one in staged:
        assert done[one.player_lookup].staging_table == one.staging_table
        assert done[one.player_lookup].rows == one.rows
    assert night.staged_players(batch) == ["lukadoncic", "paulgeorge", "zachcollins"]
    assert players_to_stage(batch, SLATE, night.store, night.warehouse) == []


def test_a_transient_error_is_retried(night: Night) -> None:
    batch = night.open()
    tries: Counter[str] = Counter()

    def predict(player: SlatePlayer) -> list[dict[str, Any]]:
        tries[player.player_lookup] += 1
        if player.player_lookup == "paulgeorge" and tries["paulgeorge"] < MAX_ATTEMPTS:
            raise ConnectionError("reset by peer")
        return rows_of(player, batch.batch_id)

    assert [s.error for s in night.stage(batch, predict=predict)] == [None] * 3
    assert tries == {"lukadoncic": 1, "paulgeorge": MAX_ATTEMPTS, "zachcollins": 1}
    assert night.store.dead_letters(batch.batch_id) == []


def test_a_persistent_error_is_dead_lettered_and_affects_only_its_player(night: Night) -> None:
    batch = night.open()
    luka, paul, zach = night.stage(batch, predict=failing(batch, "paulgeorge"))
    assert (luka.error, zach.error) == (None, None)
    assert paul.error == "RuntimeError: cannot predict paulgeorge"
    assert (paul.rows, paul.staging_table) == (0, None)
    (letter,) = night.store.dead_letters(batch.batch_id)
    assert (letter.player_lookup, letter.error_class) == ("paulgeorge", "RuntimeError")
    assert (letter.message, letter.attempts) == ("cannot predict paulgeorge", MAX_ATTEMPTS)
    assert "Traceback (most recent call last)" in letter.traceback
    assert "in predict" in letter.traceback
    assert letter.run_id == "run_1"
    done = night.close(batch)
    assert (done.completed, done.skipped, done.failed) == (2, 1, 1)
    assert night.state(batch) is S.STAGED


@pytest.mark.parametrize(
    "error", [PermanentPredictionError("no features"), RuntimeError("unknown")], ids=repr
)
def test_permanent_errors_are_not_retried(night: Night, error: Exception) -> None:
    batch = night.open()
    night.stage(batch, predict=failing(batch, "paulgeorge", error=error))
    (letter,) = night.store.dead_letters(batch.batch_id)
    permanent = isinstance(error, PermanentPredictionError)
    assert letter.attempts == (1 if permanent else MAX_ATTEMPTS)
    assert letter.error_class == type(error).__name__


def test_rows_that_do_not_match_the_schema_are_not_retried(night: Night) -> None:
    batch = night.open()

    def predict(player: SlatePlayer) -> list[dict[str, Any]]:
        rows = rows_of(player, batch.batch_id)
        if player.player_lookup == "paulgeorge":
            rows[-1]["over_probability"] = float("nan")
        return rows

    night.stage(batch, predict=predict)
    (letter,) = night.store.dead_letters(batch.batch_id)
    assert (letter.error_class, letter.attempts) == ("SchemaMismatchError", 1)
    assert "over_probability" in letter.message
    assert night.staged_players(batch) == ["lukadoncic", "zachcollins"]


def test_a_prediction_without_rows_fails(night: Night) -> None:
    batch = night.open()
    _, paul, _ = night.stage(
        batch,
        predict=lambda p: [] if p.player_lookup == "paulgeorge" else rows_of(p, batch.batch_id),
    )
    assert paul.error is not None
    assert night.close(batch).failed == 1


def test_a_player_whose_completion_cannot_be_recorded_fails(night: Night) -> None:
    class FailingStore(SQLiteBatchStore):
        def complete(self, batch_id: str, completion: Completion, *, replace: bool = False) -> bool:
            if completion.player_lookup == "paulgeorge":
                raise ConnectionError("the store is unreachable")
            return super().complete(batch_id, completion, replace=replace)

    batch = night.open()
    night.store = FailingStore(night.store.path)
    _, paul, _ = night.stage(batch)
    assert paul.error == "ConnectionError: the store is unreachable"
    (letter,) = night.store.dead_letters(batch.batch_id)
    assert letter.attempts == MAX_ATTEMPTS
    done = night.close(batch)
    assert (done.completed, done.failed) == (2, 1)


def test_the_step_fails_if_the_dead_letter_cannot_be_recorded(night: Night) -> None:
    class FailingStore(SQLiteBatchStore):
        def complete(self, batch_id: str, completion: Completion, *, replace: bool = False) -> bool:
            raise ConnectionError("the store is unreachable")

        def add_dead_letter(self, batch_id: str, letter: DeadLetter) -> None:
            raise ConnectionError("still unreachable")

    batch = night.open()
    night.store = FailingStore(night.store.path)
    with pytest.raises(ConnectionError, match="still unreachable"):
        night.stage(batch)


def test_a_player_staged_twice_has_one_completion_and_is_cleaned_up(night: Night) -> None:
    batch = night.open()
    night.stage(batch)
    first = night.store.completions(batch.batch_id)
    assert [s.error for s in night.stage(batch, run_id="run_2")] == [None] * 3
    assert night.store.completions(batch.batch_id) == first
    # Each attempt has its own tables, so none is overwritten.
    assert len(night.staging(batch)) == 6
    night.close(batch)
    assert night.merge_batch(batch).reconciliation.tables_found == 3
    assert night.clean(batch).tables_dropped == 3
    assert night.staging(batch) == []


def test_a_replay_replaces_the_completion_and_clears_the_dead_letter(night: Night) -> None:
    batch = night.open()
    night.stage(batch, predict=failing(batch, "paulgeorge"))
    night.stage(batch, SLATE.players[:2], replay=True, run_id="replay")
    runs = {c.player_lookup: c.run_id for c in night.store.completions(batch.batch_id)}
    assert runs["lukadoncic"] == runs["paulgeorge"] == "replay"
    assert runs["zachcollins"] == "run_1"
    assert night.close(batch).failed == 0


def test_lost_staging_is_predicted_again(night: Night) -> None:
    batch = night.staged()
    night.staging(batch)[1].unlink()
    again = night.open(run_id="run_2")
    assert again.batch_id == batch.batch_id
    todo = players_to_stage(again, SLATE, night.store, night.warehouse)
    assert [p.player_lookup for p in todo] == ["paulgeorge"]
    night.stage(again, todo, lost={"paulgeorge"})
    night.close(again)
    assert night.merge_batch(again).reconciliation.merge_problems() == []


def test_players_who_were_merged_and_cleaned_up_are_not_staged_again(night: Night) -> None:
    batch = night.published()
    night.store.move(batch.batch_id, S.STAGING, "players were replayed")
    again = night.open(run_id="run_2")
    assert again.batch_id == batch.batch_id
    assert players_to_stage(again, SLATE, night.store, night.warehouse) == []


def test_forty_players_are_staged_and_recorded_concurrently(night: Night) -> None:
    slate = slate_of(slate_player(f"player{n:02}") for n in range(40))
    batch = night.open(slate)
    staged = night.stage(batch, slate.players, threads=40)
    assert [s.player_lookup for s in staged] == [p.player_lookup for p in slate.players]
    assert len(night.store.completions(batch.batch_id)) == 40
    assert len(night.staging(batch)) == 40


# ---------------------------------------------------------------------------------- closing


def test_closing_twice_changes_nothing(night: Night) -> None:
    batch = night.staged()
    assert night.close(batch).completed == 3
    assert night.events(batch) == ["created", "staged"]


@pytest.mark.parametrize("reached", ["consolidated", "cleaned", "published"])
def test_closing_a_batch_that_another_run_has_merged_changes_nothing(
    night: Night, reached: str
) -> None:
    batch = night.staged()
    night.merge_batch(batch)
    if reached != "consolidated":
        night.clean(batch)
    if reached == "published":
        night.publish(batch)
    assert night.close(batch).completed == 3
    assert night.state(batch).value == reached


def test_a_failed_batch_cannot_be_closed(night: Night) -> None:
    batch = night.open()
    night.store.move(batch.batch_id, S.FAILED, "superseded")
    with pytest.raises(BatchStateError, match="failed"):
        close_staging(batch, night.store, run_id="run_1")


# ---------------------------------------------------------------------------------- log lines


def test_each_step_is_logged_with_its_batch_date_and_run(
    night: Night, milestones: Callable[[], list[dict[str, Any]]]
) -> None:
    logging.basicConfig(level=logging.WARNING)
    batch = night.open()
    night.stage(batch, predict=failing(batch, "paulgeorge"), threads=1)
    night.close(batch)
    lines = milestones()
    assert [line["event"] for line in lines] == [
        "batch_created",
        "slate_loaded",
        "player_staged",
        "completion_recorded",
        "player_failed",
        "player_staged",
        "completion_recorded",
        "batch_staged",
    ]
    assert {line["batch_id"] for line in lines} == {batch.batch_id}
    assert {line["game_date"] for line in lines} == {"2026-01-01"}
    assert {line["run_id"] for line in lines} == {"run_1"}
    loaded, failed, staged = lines[1], lines[4], lines[-1]
    assert loaded["skipped_players"] == {"joelembiid": "injury_report: OUT"}
    assert (failed["severity"], failed["player_lookup"]) == ("ERROR", "paulgeorge")
    assert (failed["error_class"], failed["attempts"]) == ("RuntimeError", MAX_ATTEMPTS)
    assert "Traceback" in failed["traceback"]
    assert (staged["completed"], staged["skipped"], staged["failed"]) == (2, 1, 1)


def test_a_repeated_completion_is_logged_as_already_done(
    night: Night, milestones: Callable[[], list[dict[str, Any]]]
) -> None:
    batch = night.open()
    night.stage(batch)
    milestones()
    night.stage(batch, predict=predictor(batch))
    recorded = [x for x in milestones() if x["event"] == "completion_recorded"]
    assert [line["already_done"] for line in recorded] == [True] * 3


def test_the_example_night_has_the_expected_number_of_rows(night: Night) -> None:
    batch = night.staged()
    assert sum(c.rows for c in night.store.completions(batch.batch_id)) == ROWS
