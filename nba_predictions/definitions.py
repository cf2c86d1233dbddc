"""Everything wired together. The only place that knows which backends a profile uses."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import dagster as dg

from nba_predictions.alerts.apprise_notifier import AppriseNotifier
from nba_predictions.batch_store.sqlite_store import SQLiteBatchStore
from nba_predictions.domain.errors import SettingsError
from nba_predictions.inputs.files import FilesSource
from nba_predictions.inputs.port import LeagueSource
from nba_predictions.inputs.simulated import SimulatedLeague
from nba_predictions.messaging.outbox import OutboxPublisher
from nba_predictions.orchestration import jobs, maintenance, schedules
from nba_predictions.orchestration.assets import (
    features,
    grading,
    ingestion,
    merge,
    prediction_models,
    publication,
    staging,
)
from nba_predictions.orchestration.catalog import catalogued
from nba_predictions.orchestration.checks import batch_checks, input_gates
from nba_predictions.orchestration.io_managers import assets_folder, io_managers
from nba_predictions.orchestration.partitions import starting_at
from nba_predictions.orchestration.sensors import alerting, batch_followup, gate_retry
from nba_predictions.settings import Settings
from nba_predictions.training.model_store import ModelStore
from nba_predictions.warehouse.duckdb_warehouse import DuckDBWarehouse


def league_source(settings: Settings) -> LeagueSource:
    """Return the source that the settings name."""
    if settings.source == "files" and settings.data is not None:
        return FilesSource(settings.data)
    return SimulatedLeague()


def embedded(settings: Settings) -> dict[str, Any]:
    """Return the backends of the embedded profile: everything in one folder, nothing to start."""
    return {
        "warehouse": DuckDBWarehouse(settings.home / "warehouse.duckdb", settings.home / "staging"),
        "batches": SQLiteBatchStore(settings.home / "batches.sqlite"),
        "publisher": OutboxPublisher(settings.home / "outbox.sqlite"),
    }


def gcp(settings: Settings) -> dict[str, Any]:
    """Return the backends of the gcp profile: BigQuery, Firestore and Pub/Sub.

    Nothing is connected before it is used.
    """
    # Here, because these clients take two seconds to import that an embedded night does not have.
    from nba_predictions.batch_store.firestore_store import FirestoreBatchStore
    from nba_predictions.messaging.pubsub import PubSubPublisher
    from nba_predictions.warehouse.bigquery_warehouse import BigQueryConnection, BigQueryWarehouse

    place = settings.gcp
    if place is None:
        raise SettingsError("the profile gcp was chosen without its settings")
    connection = BigQueryConnection(project=place.project, location=place.location)
    return {
        "warehouse": BigQueryWarehouse(connection, place.dataset),
        "batches": FirestoreBatchStore(place.project, place.dataset, place.database),
        "publisher": PubSubPublisher(place.project, place.topic),
    }


PROFILES: Mapping[str, Callable[[Settings], dict[str, Any]]] = {"embedded": embedded, "gcp": gcp}


def build_resources(settings: Settings) -> dict[str, Any]:
    """Return all resources for some settings, by the names that assets and sensors ask for."""
    return {
        "settings": settings,
        "league": league_source(settings),
        "model_store": ModelStore(settings.home / "models"),
        # A process that lives long must look anew: a source answers as it did when first asked.
        "open_league": partial(league_source, settings),
        "notifier": AppriseNotifier([url.get_secret_value() for url in settings.alert_urls]),
        **io_managers(assets_folder(settings.home)),
        **PROFILES[settings.profile](settings),
    }


def build_definitions(resources: dict[str, Any]) -> dg.Definitions:
    """Return the definitions over some resources."""
    first_date = resources["league"].first_date
    return dg.Definitions(
        assets=catalogued(
            starting_at(
                first_date,
                dg.load_assets_from_modules(
                    [ingestion, features, prediction_models, staging, merge, publication, grading]
                ),
            ),
            resources["settings"].code_url,
        ),
        asset_checks=starting_at(
            first_date, dg.load_asset_checks_from_modules([batch_checks, input_gates])
        ),
        jobs=[
            jobs.nightly_predictions,
            jobs.refresh_predictions,
            jobs.replay_players,
            jobs.finish_batch,
            jobs.publish_phase5_completion,
            jobs.grade_predictions,
            jobs.train_models,
            maintenance.maintenance,
        ],
        schedules=[
            schedules.predict_today_at_7_eastern,
            schedules.grade_yesterday_at_6_eastern,
            schedules.refresh_when_inputs_changed,
            schedules.train_on_monday_at_5_30_eastern,
            schedules.maintain_on_sunday_at_4_eastern,
        ],
        sensors=[
            batch_followup.publish_cleaned_batches,
            batch_followup.settle_stalled_batches,
            gate_retry.predict_waiting_nights,
            *alerting.ALERT_SENSORS,
        ],
        resources=resources,
        # A step in a process of its own costs seconds; the work of one takes milliseconds.
        executor=dg.in_process_executor,
    )


defs = build_definitions(build_resources(Settings.from_environment(os.environ)))
