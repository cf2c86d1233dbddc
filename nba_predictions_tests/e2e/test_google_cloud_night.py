"""A whole night on the profile gcp against the stand-ins of all three services."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from nba_predictions.definitions import build_definitions, build_resources
from nba_predictions.domain.tables import PREDICTIONS
from nba_predictions.nightly.audit import audit_night
from nba_predictions.training.model_store import ModelStore
from nba_predictions.warehouse.bigquery_warehouse import BigQueryWarehouse, exact
from nba_predictions_tests.e2e.compare_profiles import COLUMNS, cloud_rows, differences
from nba_predictions_tests.e2e.pipeline import GAME_DATE, FramesLeague, Pipeline, errors, facts
from nba_predictions_tests.faults.grpc_proxy import GrpcProxy
from nba_predictions_tests.faults.http_proxy import HttpProxy
from nba_predictions_tests.faults.script import Script
from nba_predictions_tests.nights import cloud_settings
from nba_predictions_tests.standins import StandIn

UPLOAD = "^POST /upload/"
DROP = "^DELETE .*/tables/batch_"
#: The limit for calls of a night that do not depend on the number of players.
CONSTANT = 120


@dataclass
class CloudNight:
    """A pipeline on the profile gcp and the calls of its clients."""

    pipeline: Pipeline
    warehouse: BigQueryWarehouse
    bigquery: Script
    firestore: Script

    def table(self) -> pl.DataFrame:
        target = self.warehouse.full_name(PREDICTIONS)
        client = self.warehouse.client
        found = client.query(f"SELECT * FROM `{target}`").result()
        rows = exact(found.to_arrow(create_bqstorage_client=False), PREDICTIONS)
        frame = pl.DataFrame(rows)
        return frame.sort("game_date", "player_lookup", "system_id", "points_line")


@pytest.fixture
def cloud_night(
    bigquery_standin: StandIn,
    firestore_standin: StandIn,
    pubsub_standin: StandIn,
    league: FramesLeague,
    models_in: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[CloudNight]:
    name = uuid.uuid4().hex[:12]
    settings = cloud_settings(tmp_path, name)
    with (
        HttpProxy(f"http://{bigquery_standin.address}") as bigquery,
        GrpcProxy(firestore_standin.address) as firestore,
    ):
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", bigquery.url)
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore.address)
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub_standin.address)
        resources = build_resources(settings)
        resources |= {"league": league, "model_store": ModelStore(models_in)}
        warehouse = resources["warehouse"]
        warehouse.set_up()
        resources["publisher"].prepare()
        instance = dg.DagsterInstance.ephemeral()
        pipeline = Pipeline(tmp_path, league, instance, resources, build_definitions(resources))
        yield CloudNight(pipeline, warehouse, bigquery.script, firestore.script)


def test_a_cloud_night_equals_an_embedded_night_with_few_calls(
    cloud_night: CloudNight, undisturbed: pl.DataFrame
) -> None:
    pipeline = cloud_night.pipeline
    night = pipeline.predict()
    assert night.success, errors(night)
    (request,) = pipeline.tick()
    assert pipeline.publish(request).success

    table = cloud_night.table()
    assert facts(table) == facts(undisturbed)
    assert differences(undisturbed.select(COLUMNS), table.select(COLUMNS)) == []
    assert differences(cloud_rows(cloud_night.warehouse, GAME_DATE), table.select(COLUMNS)) == []
    one_more = (pl.col("points_line") + 1).cast(pl.Decimal(5, 1))
    moved = undisturbed.with_columns(one_more).select(COLUMNS)
    assert len(differences(moved, table.select(COLUMNS))) > len(table) / 2
    audit = audit_night(GAME_DATE, pipeline.resources["batches"], cloud_night.warehouse)
    assert audit.complete

    players = undisturbed["player_lookup"].n_unique()
    assert cloud_night.bigquery.count(UPLOAD) == players
    assert cloud_night.bigquery.count(DROP) == players
    # Each load is also polled at most once. A completion is one commit.
    assert cloud_night.bigquery.count() <= 3 * players + CONSTANT
    # How often the time of the service is read, and a lease is renewed, depends on the machine.
    reads = cloud_night.firestore.count("BatchGetDocuments$")
    assert cloud_night.firestore.count() - reads <= players + CONSTANT
