"""Refresh a night of the morning with the changed lines, injuries and games of the afternoon."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, cast

import polars as pl
import pytest

from nba_predictions.batch_store.sqlite_store import SQLiteBatchStore
from nba_predictions.domain import clock
from nba_predictions.domain.batches.batch import RESUMABLE, Batch, BatchState
from nba_predictions.domain.batches.refresh import LEFT_SLATE
from nba_predictions.domain.batches.verdict import STALL_WINDOW, Verdict
from nba_predictions.domain.betting.slate import Slate
from nba_predictions.domain.errors import BatchStateError
from nba_predictions.messaging.outbox import OutboxPublisher
from nba_predictions.nightly import leases
from nba_predictions.nightly.current_batch import current_batch
from nba_predictions.nightly.predicting import input_fingerprints
from nba_predictions.nightly.publication import unpublished_batches
from nba_predictions.nightly.refresh import finished_batch, refresh_batch, refuse_the_past
from nba_predictions.nightly.replay import batch_to_replay
from nba_predictions.nightly.stalls import settle_stalls
from nba_predictions.nightly.start import players_to_stage
from nba_predictions.warehouse.duckdb_warehouse import DuckDBWarehouse
from nba_predictions_tests.examples import GAME_DATE, NOON, Skip, game, slate_player
from nba_predictions_tests.nightly.conftest import Night, failing
from nba_predictions_tests.nights import Scene, embedded_scene

S = BatchState
OFF = game("BOS", "LAL")
JOEL = Skip("joelembiid", "injury_report: OUT")
MORNING = Slate(
    GAME_DATE,
    (OFF, game()),
    (
        slate_player("jaysontatum", "27.5", game_id=OFF.game_id, team="BOS", opponent="LAL"),
        slate_player("kellyoubre", "14.5"),
        slate_player("lukadoncic", "31.5"),
        slate_player("paulgeorge", "22.5"),
        slate_player("zachcollins", None),
    ),
    (JOEL,),
)
#: Two lines have moved, Zach is out, Tyrese plays, and Jayson's game is canceled.
AFTERNOON = Slate(
    GAME_DATE,
    (game(),),
    (
        slate_player("kellyoubre", "14.5"),
        slate_player("lukadoncic", "29.5"),
        slate_player("paulgeorge", "23.5"),
        slate_player("tyresemaxey", "25.5"),
    ),
    (JOEL, Skip("zachcollins", "injury_report: OUT")),
)
ROWS = 4 * 25


def prints(slate: Slate) -> dict[str, str]:
    names = [p.player_lookup for p in slate.players]
    return input_fingerprints(slate.players, pl.DataFrame({"player_lookup": names}), "models", NOON)


def run(
    night: Night,
    slate: Slate,
    *,
    refresh: bool,
    now: datetime | None = None,
    predict: Callable[[Batch], Any] | None = None,
) -> Batch:
    """Do what the nightly job or the refresh job does, and then what the publishing sensor does."""
    finished = finished_batch(night.store, GAME_DATE) if refresh else None
    if finished is None:
        batch = night.open(slate)
        players = players_to_stage(batch, slate, night.store, night.warehouse)
    else:
        batch = finished
        players = refresh_batch(
            *(batch, slate, prints(slate), night.store, night.warehouse),
            run_id="refresh",
            now=now,
        )
    night.stage(
        batch,
        players,
        predict(batch) if predict else None,
        replay=finished is not None,
        fingerprints=prints(slate),
        threads=1,
    )
    if night.store.get(batch.batch_id).state in RESUMABLE:
        night.close(batch)
    night.merge_batch(batch)
    night.clean(batch)
    for unpublished in unpublished_batches(night.store):
        night.publish(unpublished)
    return current_batch(night.store, GAME_DATE)


def night_in(folder: Path) -> Night:
    return Night(
        SQLiteBatchStore(folder / "batches.sqlite"),
        DuckDBWarehouse(folder / "warehouse.duckdb", folder / "staging"),
        OutboxPublisher(folder / "outbox.sqlite"),
    )


def table(night: Night) -> list[str]:
    """Return all rows without the columns that differ between equal nights."""
    differing = {"batch_id", "created_at", "updated_at", "write_sequence"}
    return sorted(str({k: v for k, v in row.items() if k not in differing}) for row in night.rows())


def dedup_ids(night: Night) -> list[str]:
    """Return the dedup_ids of the published messages."""
    return [sent.attributes["dedup_id"] for sent in night.publisher.read()]


@pytest.fixture
def fresh(tmp_path: Path) -> list[str]:
    """Return the table of a night that started with the inputs of the afternoon."""
    night = night_in(tmp_path / "fresh")
    night.warehouse.prepare()
    run(night, AFTERNOON, refresh=False)
    return table(night)


def test_a_refresh_writes_the_table_of_a_fresh_night_and_predicts_only_affected_players(
    night: Night, fresh: list[str], milestones: Callable[[], list[dict[str, Any]]]
) -> None:
    morning = run(night, MORNING, refresh=False)
    before = {row["prediction_id"]: row for row in night.rows()}
    milestones()
    batch = run(night, AFTERNOON, refresh=True)
    lines = milestones()
    assert batch.batch_id == morning.batch_id
    assert table(night) == fresh
    staged = [line["player_lookup"] for line in lines if line["event"] == "player_staged"]
    assert staged == ["lukadoncic", "paulgeorge", "tyresemaxey"]
    # Players who are not affected keep their rows unchanged.
    kelly = [row for row in night.rows() if row["player_lookup"] == "kellyoubre"]
    assert len(kelly) == 25
    assert all(row == before[row["prediction_id"]] for row in kelly)
    # The batch has the numbers of the afternoon.
    done = {c.player_lookup: c for c in night.store.completions(batch.batch_id)}
    assert done["zachcollins"].skip_reason == "injury_report: OUT"
    assert done["jaysontatum"].skip_reason == LEFT_SLATE
    assert (batch.games, batch.expected_players) == (1, 7)
    assert batch_to_replay(night.store, AFTERNOON).batch_id == batch.batch_id
    assert night.verdict().verdict is Verdict.COMPLETE
    assert night.staging(batch) == []
    assert dedup_ids(night) == [batch.batch_id, f"{batch.batch_id}.1"]
    second = night.publisher.read()[1].message
    assert (second.record_count, second.metadata.skipped_players) == (ROWS, 3)
    assert second.status.value == "success"


def test_a_refresh_equals_a_fresh_night_on_each_profile(scene: Scene, tmp_path: Path) -> None:
    def night_of(scene: Scene) -> Night:
        parts = scene.home.open()
        parts.warehouse.prepare()
        return Night(*(cast(Any, part) for part in (parts.batches, parts.warehouse, None)))

    fresh = embedded_scene(tmp_path / "fresh")
    undisturbed = night_of(fresh)
    undisturbed.merge_batch(undisturbed.staged(slate=AFTERNOON))

    night = night_of(scene)
    night = replace(night, publisher=cast(Any, scene.home.open().publisher))
    for slate, refresh in ((MORNING, False), (AFTERNOON, True), (AFTERNOON, True)):
        batch = run(night, slate, refresh=refresh)
    assert scene.table() == fresh.table()
    assert (batch.games, batch.expected_players) == (1, 7)
    assert scene.audit().verdict is Verdict.COMPLETE
    assert scene.staging_left() == []
    # The second refresh had nothing to do and published nothing.
    assert [message.record_count for message in scene.messages()] == [105, ROWS]


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_refresh_under_a_clock_that_has_stepped_writes_the_new_rows(
    night: Night, fresh: list[str], monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    run(night, MORNING, refresh=False)

    class Stepped(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.now(tz) + timedelta(hours=hours)

    monkeypatch.setattr(clock, "datetime", Stepped)
    batch = run(night, AFTERNOON, refresh=True)
    assert table(night) == fresh
    assert night.staging(batch) == []
    assert dedup_ids(night) == [batch.batch_id, f"{batch.batch_id}.1"]
    assert night.verdict().verdict is Verdict.COMPLETE
    # Nothing is left for another refresh.
    run(night, AFTERNOON, refresh=True)
    assert night.events(batch).count("refreshed") == 1


def test_a_refresh_without_changes_writes_and_publishes_nothing(
    night: Night, milestones: Callable[[], list[dict[str, Any]]]
) -> None:
    batch = run(night, MORNING, refresh=False)
    rows, events = night.rows(), night.events(batch)
    milestones()
    assert run(night, MORNING, refresh=True) == batch
    logged = [line["event"] for line in milestones()]
    assert "refresh_not_needed" in logged
    assert "merge_executed" not in logged
    assert night.rows() == rows
    assert night.events(batch) == events
    assert len(night.publisher.read()) == 1


def test_a_single_scratch_is_merged_without_staging(night: Night) -> None:
    run(night, MORNING, refresh=False)
    out = Skip("lukadoncic", "injury_report: OUT")
    kept = tuple(p for p in MORNING.players if p.player_lookup != "lukadoncic")
    run(night, replace(MORNING, players=kept, skips=(JOEL, out)), refresh=True)
    assert "lukadoncic" not in {row["player_lookup"] for row in night.rows()}
    assert len(night.rows()) == 3 * 25 + 5
    assert night.verdict().verdict is Verdict.COMPLETE
    assert len(dedup_ids(night)) == 2


def test_a_scratched_player_who_plays_after_all_is_predicted_again(night: Night) -> None:
    run(night, MORNING, refresh=False)
    before = table(night)
    run(night, AFTERNOON, refresh=True)
    run(night, MORNING, refresh=True)
    assert table(night) == before
    assert night.verdict().verdict is Verdict.COMPLETE
    assert [message.partition(".")[2] for message in dedup_ids(night)] == ["", "1", "2"]


def test_players_in_games_that_have_begun_are_left_unchanged(night: Night) -> None:
    run(night, MORNING, refresh=False)
    before = table(night)
    begun = replace(AFTERNOON, games=(replace(game(), tipoff=NOON),))
    run(night, begun, refresh=True, now=NOON - timedelta(hours=1))
    assert table(night) != before
    # Jayson's game is canceled. The other game has not begun yet, so its players are refreshed.
    other = night_in(night.warehouse.path.parent / "other")
    other.warehouse.prepare()
    run(other, MORNING, refresh=False)
    run(other, begun, refresh=True, now=NOON)
    rows = {row["player_lookup"]: row["base_line"] for row in other.rows()}
    assert str(rows["lukadoncic"]) == "31.5"
    assert set(rows) == {"kellyoubre", "lukadoncic", "paulgeorge", "zachcollins"}


def test_a_refresh_without_a_finished_batch_runs_the_night(night: Night, fresh: list[str]) -> None:
    run(night, AFTERNOON, refresh=True)
    assert table(night) == fresh
    assert night.verdict().verdict is Verdict.COMPLETE


def test_a_refresh_does_not_publish_a_batch_without_announcement(night: Night) -> None:
    batch = night.cleaned(slate=MORNING, announce=False)
    assert not run(night, AFTERNOON, refresh=True).announce
    assert night.publisher.read() == []
    assert night.state(batch) is S.CLOSED


def test_a_refresh_that_dies_in_a_closed_batch_is_seen_by_the_sensor(night: Night) -> None:
    batch = night.cleaned(slate=MORNING, announce=False)
    players = refresh_batch(
        *(batch, AFTERNOON, prints(AFTERNOON), night.store, night.warehouse),
        run_id="refresh",
        now=None,
    )
    night.stage(batch, players[:1], replay=True, run_id="refresh")
    assert night.state(batch) is S.CLEANED
    later = night.store.now() + 2 * STALL_WINDOW
    (stall,) = settle_stalls(night.store, run_id="sensor", now=later)
    assert stall.batch.batch_id == batch.batch_id
    run(night, AFTERNOON, refresh=True)
    assert night.state(batch) is S.CLOSED


def test_a_refresh_without_changes_leaves_a_batch_closed(night: Night) -> None:
    night.cleaned(slate=MORNING, announce=False)
    batch = run(night, AFTERNOON, refresh=True)
    arguments = (batch, AFTERNOON, prints(AFTERNOON), night.store, night.warehouse)
    assert refresh_batch(*arguments, run_id="refresh", now=None) == []
    assert night.state(batch) is S.CLOSED


def test_a_player_who_fails_in_a_refresh_keeps_their_rows_and_is_predicted_by_the_next_refresh(
    night: Night, fresh: list[str]
) -> None:
    run(night, MORNING, refresh=False)
    run(night, AFTERNOON, refresh=True, predict=lambda batch: failing(batch, "lukadoncic"))
    luka = [row for row in night.rows() if row["player_lookup"] == "lukadoncic"]
    assert {str(row["base_line"]) for row in luka} == {"31.5"}
    run(night, AFTERNOON, refresh=True)
    assert table(night) == fresh


def test_a_refresh_is_refused_if_another_run_has_reopened_the_batch(night: Night) -> None:
    batch = run(night, MORNING, refresh=False)
    night.store.move(batch.batch_id, S.STAGING)
    with pytest.raises(BatchStateError, match="is staging; another run is working on it"):
        refresh_batch(
            *(batch, AFTERNOON, prints(AFTERNOON), night.store, night.warehouse),
            run_id="refresh",
            now=None,
        )


def test_a_past_date_in_us_eastern_is_refused() -> None:
    midnight = datetime.fromisoformat("2026-01-02T05:00:00+00:00")
    refuse_the_past(GAME_DATE, midnight - timedelta(seconds=1))
    with pytest.raises(BatchStateError, match=r"2026-01-01 is past, today is 2026-01-02"):
        refuse_the_past(GAME_DATE, midnight)


# ---------------------------------------------------------------------------------- interrupted

WRITES = frozenset(
    {"acquire_lease", "revise", "append", "complete", "move", "release_lease", "stage", "merge"}
    | {"retire", "drop_staging", "publish"}
)


class Killed:
    """A proxy of a port that kills the process after the given number of writes."""

    def __init__(self, real: Any, remaining: list[int]) -> None:
        self._real, self._remaining = real, remaining

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)
        if name not in WRITES:
            return real

        def call(*arguments: Any, **named: Any) -> Any:
            if not self._remaining[0]:
                raise KeyboardInterrupt
            self._remaining[0] -= 1
            return real(*arguments, **named)

        return call


def test_a_refresh_killed_after_any_write_and_run_again_ends_the_same(
    tmp_path: Path, fresh: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LEASE_TTL", timedelta(seconds=0.05))
    prepared = night_in(tmp_path / "prepared")
    prepared.warehouse.prepare()
    run(prepared, MORNING, refresh=False)
    writes = 0
    while True:
        folder = tmp_path / f"after_{writes}"
        shutil.copytree(tmp_path / "prepared", folder)
        night, remaining = night_in(folder), [writes]
        store, warehouse, publisher = (
            cast(Any, Killed(part, remaining))
            for part in (night.store, night.warehouse, night.publisher)
        )
        try:
            run(Night(store, warehouse, publisher), AFTERNOON, refresh=True)
        except KeyboardInterrupt:
            writes += 1
        else:
            break
        run(night_in(folder), AFTERNOON, refresh=True)
        again = night_in(folder)
        assert table(again) == fresh, writes
        assert again.verdict().verdict is Verdict.COMPLETE, (writes, again.verdict().facts)
        assert again.staging(current_batch(again.store, GAME_DATE)) == [], writes
        # A deduplicating subscriber receives the morning and the afternoon.
        assert [message.partition(".")[2] for message in dedup_ids(again)] == ["", "1"], writes
    assert writes > 25
