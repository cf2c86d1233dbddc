"""A night without Dagster: the embedded backends in a temporary folder, with three players."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tenacity import wait_none

from nba_predictions.batch_store.sqlite_store import SQLiteBatchStore
from nba_predictions.domain.batches.batch import Batch, BatchState, Progress
from nba_predictions.domain.batches.lease import Lease
from nba_predictions.domain.betting.slate import Slate, SlatePlayer
from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.messaging.outbox import OutboxPublisher
from nba_predictions.nightly.audit import NightAudit, audit_night
from nba_predictions.nightly.cleanup import CleanupReport, clean_up
from nba_predictions.nightly.merge import MergeReport, merge_batch
from nba_predictions.nightly.open_batch import BatchTerms, open_batch
from nba_predictions.nightly.publication import publish_completion
from nba_predictions.nightly.staging import (
    PredictPlayer,
    StagedPlayer,
    close_staging,
    stage_players,
)
from nba_predictions.nightly.start import players_to_stage
from nba_predictions.warehouse.duckdb_warehouse import DuckDBWarehouse
from nba_predictions_tests.examples import GAME_DATE, Skip, rows_of, slate_of, slate_player

SLATE = slate_of(
    [slate_player("lukadoncic", "31.5"), slate_player(), slate_player("zachcollins", None)],
    [Skip("joelembiid", "injury_report: OUT")],
)
#: 25 rows for each of two players with a line, and 5 for the player without a line.
ROWS = 55


@dataclass
class Night:
    """The backends, with the steps of a night and defaults for their arguments."""

    store: SQLiteBatchStore
    warehouse: DuckDBWarehouse
    publisher: OutboxPublisher

    def open(
        self,
        slate: Slate = SLATE,
        run_id: str = "run_1",
        threshold: float = 0.9,
        announce: bool = True,
    ) -> Batch:
        return open_batch(self.store, slate, BatchTerms("test", threshold, announce), run_id=run_id)

    def stage(
        self,
        batch: Batch,
        players: Sequence[SlatePlayer] = SLATE.players,
        predict: PredictPlayer | None = None,
        **changed: Any,
    ) -> list[StagedPlayer]:
        options: dict[str, Any] = {"run_id": "run_1", "wait": wait_none(), **changed}
        if options.pop("replay", False):
            options["replay_lease"] = self.a_lease()
        return list(
            stage_players(
                batch,
                players,
                predict or predictor(batch),
                self.store,
                options.pop("warehouse", self.warehouse),
                **options,
            )
        )

    def a_lease(self) -> Lease:
        """Return a lease that is newer than everything recorded. It is not acquired."""
        token = self.store.next_sequence(GAME_DATE)
        return Lease(GAME_DATE, "replay", token, utc_now() + timedelta(minutes=1))

    def close(self, batch: Batch) -> Progress:
        return close_staging(batch, self.store, run_id="run_1")

    def staged(
        self,
        slate: Slate = SLATE,
        predict: PredictPlayer | None = None,
        threshold: float = 0.9,
        run_id: str = "run_1",
        announce: bool = True,
    ) -> Batch:
        """Return a batch whose players are all staged and whose staging is closed."""
        batch = self.open(slate, run_id, threshold, announce)
        done = {c.player_lookup for c in self.store.completions(batch.batch_id)}
        todo = players_to_stage(batch, slate, self.store, self.warehouse)
        self.stage(batch, todo, predict, lost=done)
        self.close(batch)
        return batch

    def merge_batch(self, batch: Batch, **changed: Any) -> MergeReport:
        options: dict[str, Any] = {"run_id": "run_1", "wait_seconds": 20.0, **changed}
        warehouse = options.pop("warehouse", self.warehouse)
        return merge_batch(batch, options.pop("store", self.store), warehouse, **options)

    def clean(self, batch: Batch) -> CleanupReport:
        return clean_up(batch, self.store, self.warehouse, run_id="run_1")

    def publish(self, batch: Batch, publisher: Any = None) -> str:
        sent = publish_completion(batch, self.store, publisher or self.publisher, run_id="run_1")
        return sent.message_id

    def cleaned(self, **changed: Any) -> Batch:
        batch = self.staged(**changed)
        self.merge_batch(batch)
        self.clean(batch)
        return batch

    def published(self, **changed: Any) -> Batch:
        batch = self.cleaned(**changed)
        self.publish(batch)
        return batch

    def state(self, batch: Batch) -> BatchState:
        return self.store.get(batch.batch_id).state

    def events(self, batch: Batch) -> list[str]:
        return [entry.event.value for entry in self.store.ledger(batch.batch_id)]

    def staging(self, batch: Batch) -> list[Path]:
        return sorted((self.warehouse.staging_dir / batch.batch_id).glob("*.parquet"))

    def verdict(self) -> NightAudit:
        return audit_night(GAME_DATE, self.store, self.warehouse)

    def staged_players(self, batch: Batch) -> list[str]:
        return [file.stem.partition(".")[0] for file in self.staging(batch)]

    def rows(self) -> list[dict[str, Any]]:
        with duckdb.connect(str(self.warehouse.path)) as connection:
            found = connection.sql(f"SELECT * FROM {PREDICTIONS.name}").to_arrow_table()
        return [dict(row) for row in found.to_pylist()]

    def delete_rows(self, where: str) -> None:
        with duckdb.connect(str(self.warehouse.path)) as connection:
            connection.execute(f"DELETE FROM {PREDICTIONS.name} WHERE {where}")


@pytest.fixture
def night(tmp_path: Path) -> Night:
    night = Night(
        SQLiteBatchStore(tmp_path / "batches.sqlite"),
        DuckDBWarehouse(tmp_path / "warehouse.duckdb", tmp_path / "staging"),
        OutboxPublisher(tmp_path / "outbox.sqlite"),
    )
    night.warehouse.prepare()
    return night


def predictor(batch: Batch, mean: float = 21.37) -> PredictPlayer:
    return lambda player: rows_of(player, batch.batch_id, mean=mean)


def failing(batch: Batch, *lookups: str, error: Exception | None = None) -> PredictPlayer:
    """Return a predictor that fails for the named players."""

    def predict(player: SlatePlayer) -> list[dict[str, Any]]:
        if player.player_lookup in lookups:
            raise error or RuntimeError(f"cannot predict {player.player_lookup}")
        return rows_of(player, batch.batch_id)

    return predict


@pytest.fixture
def milestones(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    """Return the lines logged since the last call."""
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]
