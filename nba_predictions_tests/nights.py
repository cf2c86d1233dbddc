"""Run a night on the ports of either profile, step by step as the assets do, without Dagster."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from google.cloud.pubsub_v1 import SubscriberClient
from tenacity import wait_none

from nba_predictions.batch_store.port import BatchStore
from nba_predictions.definitions import PROFILES
from nba_predictions.domain.batches.batch import Batch
from nba_predictions.domain.betting.slate import Slate
from nba_predictions.domain.errors import PublishError
from nba_predictions.domain.messages.completion import CompletionMessage
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.messaging.outbox import OutboxPublisher
from nba_predictions.messaging.port import Publisher
from nba_predictions.nightly.audit import NightAudit, audit_night
from nba_predictions.nightly.cleanup import clean_up
from nba_predictions.nightly.current_batch import current_batch
from nba_predictions.nightly.merge import merge_batch
from nba_predictions.nightly.open_batch import BatchTerms, open_batch
from nba_predictions.nightly.publication import (
    publish_completion,
    publish_dead_letters,
    unpublished_batches,
)
from nba_predictions.nightly.staging import (
    close_staging,
    stage_players,
)
from nba_predictions.nightly.start import players_to_stage
from nba_predictions.orchestration.resources import open_adapters
from nba_predictions.settings import Settings
from nba_predictions.warehouse.bigquery_warehouse import exact
from nba_predictions.warehouse.port import Warehouse
from nba_predictions_tests.examples import (
    GAME_DATE,
    Skip,
    rows_of,
    slate_of,
    slate_player,
    with_line,
)
from nba_predictions_tests.standins import StandIn
from nba_predictions_tests.subscription import Subscription

PROFILE_NAMES = ("embedded", "gcp")
#: Two players to predict, one of them without a line, and one who is out.
SLATE = slate_of(
    [slate_player("lukadoncic", "31.5"), slate_player("zachcollins", None)],
    [Skip("joelembiid", "injury_report: OUT")],
)
#: The same night after a line has moved.
MOVED = slate_of([with_line(SLATE.players[0], "33.5"), SLATE.players[1]], SLATE.skips)
ROWS = 30


@dataclass(frozen=True)
class Parts:
    """The three backends of a night, as one process opens them."""

    batches: BatchStore
    warehouse: Warehouse
    publisher: Publisher


@dataclass(frozen=True)
class Home:
    """The settings of a home. It can be sent to another process and opened there."""

    settings: Settings
    environment: Mapping[str, str] = field(default_factory=dict)

    def open(self) -> Parts:
        """Open new backends, as another process would."""
        os.environ.update(self.environment)
        return Parts(**open_adapters(PROFILES[self.settings.profile](self.settings)))


@dataclass(frozen=True)
class Scene:
    """A home with functions that read its target table, staging and published messages."""

    home: Home
    read_table: Callable[[Parts], Any]
    read_messages: Callable[[], list[CompletionMessage]]
    list_staging: Callable[[Parts], list[str]]

    def table(self) -> list[dict[str, Any]]:
        """Return all rows, sorted by key, without the columns that differ between equal nights."""
        frame = self.whole_table().drop("batch_id", "created_at", "updated_at", "write_sequence")
        return frame.to_dicts()

    def whole_table(self) -> pl.DataFrame:
        frame = pl.DataFrame(self.read_table(self.home.open()))
        return frame.sort("game_date", "player_lookup", "system_id", "points_line")

    def messages(self) -> list[CompletionMessage]:
        """Return the messages that a deduplicating subscriber receives, in order."""
        return self.read_messages()

    def staging_left(self) -> list[str]:
        """Return all staging tables, whether a batch recorded them or not."""
        return self.list_staging(self.home.open())

    def audit(self) -> NightAudit:
        parts = self.home.open()
        return audit_night(GAME_DATE, parts.batches, parts.warehouse)


def predict(parts: Parts, run_id: str, slate: Slate = SLATE) -> Batch:
    """Do what the job `nightly_predictions` does after the slate; return the batch."""
    batch = stage(parts, run_id, slate)
    merge(parts, run_id)
    clean(parts, run_id)
    return parts.batches.get(batch.batch_id)


def stage(parts: Parts, run_id: str, slate: Slate = SLATE) -> Batch:
    """Do what the asset `staged_predictions` does; return the batch."""
    store, warehouse = parts.batches, parts.warehouse
    warehouse.prepare()
    slate = replace(slate, sequence=store.next_sequence(GAME_DATE))
    batch = open_batch(store, slate, BatchTerms("test"), run_id=run_id)
    batch_id = batch.batch_id
    done = {c.player_lookup for c in store.completions(batch_id)}
    todo = players_to_stage(batch, slate, store, warehouse)
    staged = stage_players(
        batch,
        todo,
        lambda player: rows_of(player, batch_id),
        store,
        warehouse,
        run_id=run_id,
        lost=done,
        # With one thread, the writes of a night have a fixed order.
        threads=1,
        wait=wait_none(),
    )
    for _ in staged:
        """Consuming the iterator stages the players."""
    batch = current_batch(store, GAME_DATE)
    close_staging(batch, store, run_id=run_id)
    with suppress(PublishError):
        publish_dead_letters(batch, store, parts.publisher, run_id=run_id)
    return batch


def merge(parts: Parts, run_id: str, wait_seconds: float = 20.0) -> list[str]:
    """Do what the asset `player_prop_predictions` does; return the problems of the merge."""
    batch = current_batch(parts.batches, GAME_DATE)
    merged = merge_batch(
        batch, parts.batches, parts.warehouse, run_id=run_id, wait_seconds=wait_seconds
    )
    return merged.reconciliation.merge_problems()


def clean(parts: Parts, run_id: str) -> None:
    """Do what the asset `staging_cleanup` does."""
    batch = current_batch(parts.batches, GAME_DATE)
    clean_up(batch, parts.batches, parts.warehouse, run_id=run_id)


def publish(parts: Parts, run_id: str) -> list[str]:
    """Do what the publishing sensor and its job do; return the message ids."""
    return [
        publish_completion(batch, parts.batches, parts.publisher, run_id=run_id).message_id
        for batch in unpublished_batches(parts.batches)
    ]


def whole_night(parts: Parts, run_id: str, slate: Slate = SLATE) -> None:
    predict(parts, run_id, slate)
    publish(parts, run_id)


def embedded_scene(folder: Path) -> Scene:
    home = Home(Settings(home=folder))

    def read_table(parts: Parts) -> Any:
        with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.sql(f"SELECT * FROM {PREDICTIONS.name}").to_arrow_table()

    def read_messages() -> list[CompletionMessage]:
        return [sent.message for sent in OutboxPublisher(folder / "outbox.sqlite").read()]

    def list_staging(parts: Parts) -> list[str]:
        return sorted(path.name for path in (folder / "staging").rglob("*") if path.is_file())

    return Scene(home, read_table, read_messages, list_staging)


def cloud_settings(home: Path, name: str) -> Settings:
    """Settings of the profile `gcp` with a dataset and a topic of their own."""
    return Settings(
        profile="gcp",
        home=home,
        gcp_project="test-project",
        gcp_dataset=f"night_{name}",
        gcp_topic=f"night-{name}",
    )


def cloud_scene(
    folder: Path, environment: Mapping[str, str], subscriber: SubscriberClient
) -> Scene:
    """Create a home on the stand-ins, as `nba-predictions gcp init` does."""
    name = uuid.uuid4().hex[:12]
    settings = cloud_settings(folder, name)
    home = Home(settings, environment)
    parts = home.open()
    for set_up in (parts.warehouse.set_up, parts.warehouse.prepare, parts.publisher.prepare):
        set_up()
    subscription = Subscription(
        subscriber, str(settings.gcp_project), settings.gcp_topic, folder / "seen.sqlite"
    )

    def read_table(parts: Parts) -> Any:
        target: Any = parts.warehouse
        client = target.client
        found = client.query_and_wait(f"SELECT * FROM `{target.full_name(PREDICTIONS)}`")
        return exact(found.to_arrow(create_bqstorage_client=False), PREDICTIONS)

    def read_messages() -> list[CompletionMessage]:
        return [CompletionMessage.model_validate_json(m.data) for m in subscription.read()]

    def list_staging(parts: Parts) -> list[str]:
        target: Any = parts.warehouse
        client = target.client
        found = client.list_tables(f"{target.project}.{target.staging_dataset}")
        return sorted(table.table_id for table in found)

    return Scene(home, read_table, read_messages, list_staging)


@pytest.fixture
def environment(
    bigquery_standin: StandIn,
    firestore_standin: StandIn,
    pubsub_standin: StandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, str]:
    """Set the variables that point the clients to the stand-ins; return them."""
    standins: Sequence[StandIn] = (bigquery_standin, firestore_standin, pubsub_standin)
    found = {name: value for s in standins for name, value in s.environment.items()}
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture
def subscriber(environment: Mapping[str, str]) -> Iterator[SubscriberClient]:
    with SubscriberClient() as client:
        yield client


@pytest.fixture
def gcp_scene(
    tmp_path: Path, environment: Mapping[str, str], subscriber: SubscriberClient
) -> Scene:
    return cloud_scene(tmp_path, environment, subscriber)


@pytest.fixture(params=PROFILE_NAMES)
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    """A home of each profile."""
    if request.param == "embedded":
        return embedded_scene(tmp_path)
    found: Scene = request.getfixturevalue("gcp_scene")
    return found
