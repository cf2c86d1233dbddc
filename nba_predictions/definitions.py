"""Wire the pipeline: the only place that chooses the backends of a profile."""

import os
from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg
from pydantic import SecretStr

from nba_predictions.alerts.apprise_notifier import AppriseNotifier
from nba_predictions.domain.errors import SettingsError
from nba_predictions.fetching.port import InputFetcher
from nba_predictions.inputs.port import LeagueSource
from nba_predictions.orchestration import (
    check_night,
    jobs,
    maintenance,
    schedules,
    standing_audit,
)
from nba_predictions.orchestration.assets import (
    features,
    fetching,
    grading,
    ingestion,
    merge,
    prediction_models,
    publication,
    staging,
)
from nba_predictions.orchestration.catalog import cataloged
from nba_predictions.orchestration.checks import batch_checks, input_gates
from nba_predictions.orchestration.io_managers import assets_folder, io_managers
from nba_predictions.orchestration.partitions import starting_at
from nba_predictions.orchestration.resources import (
    AdapterResource,
    AppriseNotifierResource,
    DuckDBWarehouseResource,
    FilesSourceResource,
    LiveFetcherResource,
    LiveSourceResource,
    ModelStoreResource,
    NothingToFetchResource,
    OutboxPublisherResource,
    SettingsResource,
    SimulatedLeagueResource,
    SQLiteBatchStoreResource,
    open_adapters,
)
from nba_predictions.orchestration.sensors import (
    alerting,
    batch_followup,
    dead_runs,
    gate_retry,
    live_day,
    night_retry,
)
from nba_predictions.settings import LIVE, PREFIX, Settings
from nba_predictions.warehouse.duckdb_warehouse import READ_WAIT_SECONDS


def league_source(settings: Settings) -> AdapterResource[LeagueSource]:
    """Return the resource of the configured input source."""
    if settings.source == "files":
        return FilesSourceResource(
            folder=str(settings.data), max_rejected_share=settings.max_rejected_share
        )
    if settings.source == LIVE:
        return LiveSourceResource(
            landing=settings.landing, max_rejected_share=settings.max_rejected_share
        )
    return SimulatedLeagueResource()


def input_fetcher(settings: Settings) -> AdapterResource[InputFetcher]:
    """Return the resource that fetches the inputs of the configured source."""
    if settings.source != LIVE:
        return NothingToFetchResource(source=settings.source)
    return LiveFetcherResource(
        settings=SettingsResource.of(settings).values,
        odds_api_key=_secret("odds_api_key", settings.odds_api_key),
        proxy=_secret("proxy", settings.proxy),
    )


def _secret(name: str, value: SecretStr | None) -> Any:
    """Return the variable of a secret setting, of which the UI shows only the name."""
    return "" if value is None else dg.EnvVar(f"{PREFIX}{name.upper()}")


#: How long a command that only reads waits for a process that writes to the warehouse.
_READER_WAIT_SECONDS = 3.0


def embedded(settings: Settings, *, reading: bool = False) -> dict[str, Any]:
    """Return the backends of the profile `embedded`: files in one folder, no service.

    `reading` is for commands that only read: they create nothing and wait only briefly.
    """
    home = settings.home
    return {
        "warehouse": DuckDBWarehouseResource(
            path=str(home / "warehouse.duckdb"),
            staging=str(home / "staging"),
            read_wait_seconds=_READER_WAIT_SECONDS if reading else READ_WAIT_SECONDS,
        ),
        "batches": SQLiteBatchStoreResource(path=str(home / "batches.sqlite"), read_only=reading),
        "publisher": OutboxPublisherResource(path=str(home / "outbox.sqlite")),
    }


def gcp(settings: Settings, *, reading: bool = False) -> dict[str, Any]:
    """Return the backends of the profile `gcp`: BigQuery, Firestore and Pub/Sub.

    Reading from them creates nothing, so `reading` makes no difference.
    """
    del reading
    # Imported here because an embedded night does not need these clients.
    from nba_predictions.orchestration import gcp_resources

    cloud = settings.gcp
    if cloud is None:
        raise SettingsError("the profile gcp is used without its settings")
    return {
        "warehouse": gcp_resources.BigQueryWarehouseResource(
            project=cloud.project, location=cloud.location, dataset=cloud.dataset
        ),
        "batches": gcp_resources.FirestoreBatchStoreResource(
            project=cloud.project, namespace=cloud.dataset, database=cloud.database
        ),
        "publisher": gcp_resources.PubSubPublisherResource(
            project=cloud.project, topic=cloud.topic
        ),
    }


PROFILES: Mapping[str, Callable[..., dict[str, Any]]] = {"embedded": embedded, "gcp": gcp}


def configured_resources(settings: Settings, *, reading: bool = False) -> dict[str, Any]:
    """Return all resources, by the names that assets, checks and sensors ask for.

    With `reading`, using the warehouse and the batch store to read creates nothing.
    """
    alert_urls = dg.EnvVar(f"{PREFIX}ALERT_URLS") if settings.alert_urls else ""
    # Validate the URLs when the definitions load, not at the first alert.
    AppriseNotifier([url.get_secret_value() for url in settings.alert_urls])
    return {
        "settings": SettingsResource.of(settings),
        "league": league_source(settings),
        "fetcher": input_fetcher(settings),
        "model_store": ModelStoreResource(folder=str(settings.home / "models")),
        "notifier": AppriseNotifierResource(urls=alert_urls),
        **io_managers(assets_folder(settings.home)),
        **PROFILES[settings.profile](settings, reading=reading),
    }


def build_resources(settings: Settings, *, reading: bool = False) -> dict[str, Any]:
    """Return the adapters that the resources create, for use outside of a Dagster run."""
    return open_adapters(configured_resources(settings, reading=reading))


def build_definitions(resources: dict[str, Any]) -> dg.Definitions:
    """Return the definitions. `resources` has Dagster resources, or in tests the adapters."""
    opened = open_adapters({name: resources[name] for name in ("league", "settings")})
    first_date = opened["league"].first_date
    return dg.Definitions(
        assets=cataloged(
            starting_at(
                first_date,
                dg.load_assets_from_modules(
                    [
                        *(fetching, ingestion, features, prediction_models),
                        *(staging, merge, publication, grading),
                    ]
                ),
            ),
            opened["settings"].code_url,
        ),
        asset_checks=starting_at(
            first_date, dg.load_asset_checks_from_modules([batch_checks, input_gates])
        ),
        jobs=[
            *jobs.JOBS,
            check_night.check_night,
            maintenance.maintenance,
            standing_audit.standing_audit,
        ],
        schedules=schedules.SCHEDULES,
        sensors=[
            *batch_followup.FOLLOWUP_SENSORS,
            gate_retry.predict_waiting_nights,
            live_day.follow_live_day,
            dead_runs.end_dead_runs,
            night_retry.retry_unfinished_night,
            *alerting.ALERT_SENSORS,
        ],
        resources=resources,
        # A process per step costs seconds, and most steps take milliseconds.
        executor=dg.in_process_executor,
    )


defs = build_definitions(configured_resources(Settings.from_environment(os.environ)))
