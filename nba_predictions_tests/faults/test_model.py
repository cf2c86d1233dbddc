"""A state machine of a night: steps, crashes and replays of two actors in any order.

Hypothesis chooses what happens next, on both profiles; the invariants are checked after each step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from google.cloud.pubsub_v1 import SubscriberClient
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from tenacity import wait_none

from nba_predictions.domain.batches.batch import (
    RESUMABLE,
    ROWS_IN_TARGET,
    Batch,
    BatchState,
    Completion,
)
from nba_predictions.domain.batches.lease import Lease
from nba_predictions.domain.batches.verdict import STALL_WINDOW, Verdict
from nba_predictions.domain.betting.slate import SlatePlayer
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import BatchStateError, NbaPredictionsError
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.nightly.current_batch import newest_batch, read_snapshot
from nba_predictions.nightly.leases import date_lease
from nba_predictions.nightly.open_batch import BatchTerms, open_batch
from nba_predictions.nightly.publication import publish_completion
from nba_predictions.nightly.replay import batch_to_replay, players_to_replay
from nba_predictions.nightly.staging import (
    close_staging,
    stage_players,
)
from nba_predictions.nightly.stalls import settle_stalls
from nba_predictions.nightly.start import players_to_stage
from nba_predictions_tests.examples import GAME_DATE, Skip, rows_of, slate_of, slate_player
from nba_predictions_tests.faults.strikes import SHORT_LEASE, InjectedError
from nba_predictions_tests.nights import (
    Parts,
    Scene,
    clean,
    cloud_scene,
    embedded_scene,
    merge,
    publish,
    stage,
)

NAMES = ("anthonydavis", "lukadoncic", "zachcollins")
SLATE = slate_of(
    [slate_player(NAMES[0], "25.5"), slate_player(NAMES[1], "31.5"), slate_player(NAMES[2], None)],
    [Skip("joelembiid", "injury_report: OUT")],
)
ROWS = 55
ACTORS = ("run_1", "run_2")
WRITES = frozenset(
    {"create", "move", "complete", "append", "release_lease", "merge", "retire", "drop_staging"}
    | {"publish"}
)
OPTIONS = settings(
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class CutOff:
    """A wrapper of a port that raises at the write after `left` writes."""

    def __init__(self, real: Any, left: list[int], applied: bool) -> None:
        self._real, self._left, self._applied = real, left, applied

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)
        if name not in WRITES:
            return real

        def call(*arguments: Any, **named: Any) -> Any:
            self._left[0] -= 1
            if self._left[0] >= 0:
                return real(*arguments, **named)
            if self._applied:
                real(*arguments, **named)
            raise InjectedError(name)

        return call


class Nights(RuleBasedStateMachine):
    """Two actors that run the steps of a night in any order. Some steps crash."""

    make_scene: ClassVar[Callable[[], Scene]]

    @initialize()
    def begin(self) -> None:
        self.scene = type(self).make_scene()
        self.actors = {name: self.scene.home.open() for name in ACTORS}
        for parts in self.actors.values():
            parts.warehouse.prepare()

    # Actions

    @rule(actor=st.sampled_from(ACTORS))
    def open_a_batch(self, actor: str) -> None:
        open_batch(
            self.actors[actor].batches,
            SLATE,
            BatchTerms("test", completion_threshold=0.7),
            run_id=actor,
        )

    @rule(actor=st.sampled_from(ACTORS), names=st.sets(st.sampled_from(NAMES)), fails=st.booleans())
    def stage_some(self, actor: str, names: set[str], fails: bool) -> None:
        parts, batch = self._at(actor)
        if batch is None or batch.state is not BatchState.STAGING:
            return
        done = {c.player_lookup for c in parts.batches.completions(batch.batch_id)}
        players = players_to_stage(batch, SLATE, parts.batches, parts.warehouse)
        chosen = [p for p in players if p.player_lookup in names]
        self._stage(parts, batch, chosen, fails, lost=done)

    @rule(actor=st.sampled_from(ACTORS), name=st.sampled_from(NAMES))
    def redeliver_a_completion(self, actor: str, name: str) -> None:
        parts, batch = self._at(actor)
        if batch is None:
            return
        for there in parts.batches.completions(batch.batch_id):
            if there.player_lookup == name:
                again = Completion(name, there.rows, utc_now(), "late", there.staging_table)
                assert not parts.batches.complete(batch.batch_id, again)

    @rule(actor=st.sampled_from(ACTORS))
    def close(self, actor: str) -> None:
        parts, batch = self._at(actor)
        if batch is not None:
            with suppress(NbaPredictionsError):
                close_staging(batch, parts.batches, run_id=actor)

    @rule(actor=st.sampled_from(ACTORS))
    def merge_batch(self, actor: str) -> None:
        with suppress(NbaPredictionsError):
            merge(self.actors[actor], actor)

    @rule(actor=st.sampled_from(ACTORS))
    def clean_up(self, actor: str) -> None:
        with suppress(NbaPredictionsError):
            clean(self.actors[actor], actor)

    @rule(actor=st.sampled_from(ACTORS))
    def publish(self, actor: str) -> None:
        parts, batch = self._at(actor)
        if batch is not None:
            with suppress(NbaPredictionsError):
                publish_completion(batch, parts.batches, parts.publisher, run_id=actor)

    @rule(actor=st.sampled_from(ACTORS), name=st.sampled_from(NAMES), fails=st.booleans())
    def replay(self, actor: str, name: str, fails: bool) -> None:
        parts, _ = self._at(actor)
        with suppress(NbaPredictionsError):
            batch = batch_to_replay(parts.batches, SLATE)
            players = players_to_replay(batch, SLATE, parts.batches, [name])
            with date_lease(batch.game_date, parts.batches, run_id=actor) as lease:
                self._stage(parts, batch, players, fails, lease)

    @rule(actor=st.sampled_from(ACTORS))
    def notice_stalls(self, actor: str) -> None:
        store = self.actors[actor].batches
        settle_stalls(store, run_id=actor, now=store.now() + STALL_WINDOW + timedelta(minutes=1))

    @rule(
        actor=st.sampled_from(ACTORS),
        step=st.sampled_from(["stage", "merge", "clean", "publish"]),
        call=st.integers(0, 10),
        applied=st.booleans(),
    )
    def crash(self, actor: str, step: str, call: int, applied: bool) -> None:
        """Interrupt a step at one of its writes, before or after the write is applied."""
        left = [call]
        whole = self.actors[actor]
        parts = Parts(
            **{
                name: CutOff(getattr(whole, name), left, applied)
                for name in ("batches", "warehouse", "publisher")
            }
        )
        batch = newest_batch(parts.batches, GAME_DATE)
        with suppress(InjectedError, NbaPredictionsError):
            if step == "publish" and batch is not None:
                publish_completion(batch, parts.batches, parts.publisher, run_id=actor)
            elif step != "publish":
                steps: dict[str, Callable[[Parts, str], object]] = {
                    "stage": lambda parts, run_id: stage(parts, run_id, SLATE),
                    "merge": merge,
                    "clean": clean,
                }
                steps[step](parts, actor)

    # Invariants

    @invariant()
    def no_key_is_duplicated(self) -> None:
        parts = self.actors["run_1"]
        for batch in parts.batches.of_date(GAME_DATE):
            target = parts.warehouse.count(PREDICTIONS, GAME_DATE, batch.batch_id)
            assert target.duplicate_keys == 0

    @invariant()
    def nothing_staged_is_gone_before_it_is_in_the_target(self) -> None:
        parts = self.actors["run_1"]
        for batch in parts.batches.of_date(GAME_DATE):
            snapshot = read_snapshot(parts.batches, batch.batch_id)
            staged = [c.staging_table for c in snapshot.unmerged_staging if c.staging_table]
            assert parts.warehouse.existing_staging(staged) == set(staged)

    @invariant()
    def what_is_merged_is_counted_in_the_target(self) -> None:
        parts = self.actors["run_1"]
        batch = newest_batch(parts.batches, GAME_DATE)
        if batch is None or batch.state not in ROWS_IN_TARGET:
            return
        snapshot = read_snapshot(parts.batches, batch.batch_id)
        if not snapshot.unmerged_staging:
            target = parts.warehouse.count(PREDICTIONS, GAME_DATE, batch.batch_id)
            assert target.batch_rows == sum(c.rows for c in snapshot.completions)

    @invariant()
    def a_date_has_one_unfinished_batch(self) -> None:
        batches = self.actors["run_1"].batches.of_date(GAME_DATE)
        assert sum(batch.state in RESUMABLE for batch in batches) <= 1

    def teardown(self) -> None:
        """Check that sensor and schedule complete the night from any state."""
        if not hasattr(self, "scene") or self._at("run_1")[1] is None:
            return
        time.sleep(SHORT_LEASE.total_seconds() / 4)
        parts = self.scene.home.open()
        for _ in range(3):
            with suppress(BatchStateError):
                publish(parts, "sensor")
            batch = newest_batch(parts.batches, GAME_DATE)
            if batch is not None and batch.state is BatchState.PUBLISHED:
                # Players who were replayed and never merged are what `repair` is for.
                merge(parts, "repair")
                if parts.batches.get(batch.batch_id).state is BatchState.PUBLISHED:
                    break
            else:
                stage(parts, "next_run", SLATE)
                merge(parts, "next_run")
            clean(parts, "next_run")
        self._check_the_end(parts)

    def _check_the_end(self, parts: Parts) -> None:
        verdict = self.scene.audit().verdict
        assert verdict in (Verdict.COMPLETE, Verdict.PARTIAL)
        assert self.scene.staging_left() == []
        batches = parts.batches.of_date(GAME_DATE)
        rows = sum(c.rows for c in parts.batches.completions(batches[0].batch_id))
        assert len(self.scene.table()) == rows
        assert (rows == ROWS) == (verdict is Verdict.COMPLETE)
        messages = [message.execution_id for message in self.scene.messages()]
        for batch in batches:
            events = [entry.event.value for entry in parts.batches.ledger(batch.batch_id)]
            assert messages.count(batch.batch_id) <= 1 + events.count("reopened")
        assert batches[0].batch_id in messages

    # Helpers

    def _at(self, actor: str) -> tuple[Parts, Batch | None]:
        parts = self.actors[actor]
        return parts, newest_batch(parts.batches, GAME_DATE)

    @staticmethod
    def _stage(
        parts: Parts,
        batch: Batch,
        players: list[SlatePlayer],
        fails: bool,
        replay_lease: Lease | None = None,
        lost: Collection[str] = (),
    ) -> None:
        def predict(player: SlatePlayer) -> list[dict[str, Any]]:
            if fails:
                raise FloatingPointError("no forecast")
            return rows_of(player, batch.batch_id)

        for _ in stage_players(
            batch,
            players,
            predict,
            parts.batches,
            parts.warehouse,
            run_id="actor",
            threads=1,
            wait=wait_none(),
            replay_lease=replay_lease,
            lost=lost,
        ):
            """Each player is done by being asked for."""


@pytest.mark.usefixtures("short_leases")
def test_any_order_of_steps_keeps_the_invariants(tmp_path_factory: pytest.TempPathFactory) -> None:
    def make_scene() -> Scene:
        return embedded_scene(tmp_path_factory.mktemp("night"))

    class Embedded(Nights):
        pass

    Embedded.make_scene = staticmethod(make_scene)
    run_state_machine_as_test(
        Embedded, settings=settings(OPTIONS, max_examples=60, stateful_step_count=20)
    )


@pytest.mark.usefixtures("short_leases")
def test_any_order_of_steps_on_google_cloud(
    tmp_path_factory: pytest.TempPathFactory,
    environment: Mapping[str, str],
    subscriber: SubscriberClient,
) -> None:
    def make_scene() -> Scene:
        return cloud_scene(tmp_path_factory.mktemp("night"), environment, subscriber)

    class Cloud(Nights):
        pass

    Cloud.make_scene = staticmethod(make_scene)
    # Each step takes a tenth of a second here, and each end some more.
    run_state_machine_as_test(
        Cloud, settings=settings(OPTIONS, max_examples=6, stateful_step_count=12)
    )
