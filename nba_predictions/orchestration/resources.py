"""The resources of the pipeline, each with the configuration that the UI's resources page shows.

A resource creates one adapter. Assets, checks and sensors ask for the port that the adapter
implements, for example `dg.ResourceParam[Warehouse]`, and never for a resource class.
https://docs.dagster.io/guides/build/external-resources
"""

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg

from nba_predictions.alerts.apprise_notifier import AppriseNotifier
from nba_predictions.alerts.port import Notifier
from nba_predictions.batch_store.port import BatchStore
from nba_predictions.batch_store.sqlite_store import SQLiteBatchStore
from nba_predictions.fetching.fetch import Services
from nba_predictions.fetching.fetcher import LiveFetcher
from nba_predictions.fetching.port import InputFetcher, NothingToFetch
from nba_predictions.fetching.providers import nba_stats
from nba_predictions.fetching.transport import make_transport
from nba_predictions.inputs.files import FilesSource
from nba_predictions.inputs.landing.source import LiveSource
from nba_predictions.inputs.landing.zone import LandingZone
from nba_predictions.inputs.parsing import MAX_REJECTED_SHARE
from nba_predictions.inputs.port import LeagueSource
from nba_predictions.inputs.simulated import SimulatedLeague
from nba_predictions.messaging.outbox import OutboxPublisher
from nba_predictions.messaging.port import Publisher
from nba_predictions.settings import Settings
from nba_predictions.training.model_store import ModelStore
from nba_predictions.warehouse.duckdb_warehouse import READ_WAIT_SECONDS, DuckDBWarehouse
from nba_predictions.warehouse.port import Warehouse

T = TypeVar("T")


class AdapterResource(dg.ConfigurableResource[T]):
    """A resource whose value is an adapter. Its fields are what the UI shows."""

    @abstractmethod
    def open(self) -> T:
        """Return the adapter. It opens its connections when it uses them, and is never closed."""

    def create_resource(self, context: dg.InitResourceContext) -> T:
        return self.open()


#: The settings with the base URLs of the live services.
_ADDRESSES = (*("nba_stats_url", "nba_cdn_url", "espn_url", "odds_api_url", "injury_report_url"),)
#: The adapters of this process, by the resource class and its configuration.
_shared: dict[str, Any] = {}


def _plain(value: str) -> str:
    """Return a configured text. Dagster resolves an EnvVar only for a run."""
    return (value.get_value() or "") if isinstance(value, dg.EnvVar) else value


class SharedAdapterResource(AdapterResource[T]):
    """A resource whose adapter all runs and ticks of a process share: connecting is slow."""

    def create_resource(self, context: dg.InitResourceContext) -> T:
        key = f"{type(self).__name__} {self.model_dump_json()}"
        if key not in _shared:
            _shared[key] = self.open()
        adapter: T = _shared[key]
        return adapter


class SettingsResource(AdapterResource[Settings]):
    """The settings. `values` has a JSON value for each field of `Settings` that is not None.

    The UI shows `values`, so the destinations of alerts, which contain secrets, are not among them.
    """

    values: dict[str, Any]

    @classmethod
    def of(cls, settings: Settings) -> "SettingsResource":
        # Dagster's configuration cannot contain None, the default of each field that may be None.
        exclude = {"alert_urls", "ui_token", "odds_api_key", "proxy"}
        return cls(values=settings.model_dump(mode="json", exclude=exclude, exclude_none=True))

    def open(self) -> Settings:
        return Settings(**self.values)


class SimulatedLeagueResource(AdapterResource[LeagueSource]):
    """A league that does not exist."""

    def open(self) -> LeagueSource:
        return SimulatedLeague()


class FilesSourceResource(AdapterResource[LeagueSource]):
    """The input files in a folder."""

    folder: str
    max_rejected_share: float = MAX_REJECTED_SHARE

    def open(self) -> LeagueSource:
        return FilesSource(Path(self.folder), self.max_rejected_share)


class NothingToFetchResource(AdapterResource[InputFetcher]):
    """Files and the simulated league have nothing to fetch."""

    source: str

    def open(self) -> InputFetcher:
        return NothingToFetch(self.source)


class LiveSourceResource(SharedAdapterResource[LeagueSource]):
    """The landing zone of the live services."""

    landing: str
    max_rejected_share: float = MAX_REJECTED_SHARE

    def open(self) -> LeagueSource:
        return LiveSource(LandingZone(self.landing), self.max_rejected_share)


class LiveFetcherResource(AdapterResource[InputFetcher]):
    """The live services.

    The key of The Odds API and the proxy are secrets. Configure them with `dg.EnvVar`, of which the
    UI shows only the name.
    """

    settings: dict[str, Any]
    odds_api_key: str = ""
    proxy: str = ""

    def open(self) -> InputFetcher:
        key, proxy = _plain(self.odds_api_key), _plain(self.proxy)
        settings = Settings(**self.settings)
        zone = LandingZone(settings.landing)
        return LiveFetcher(
            zone,
            Services(
                **{name: getattr(settings, name) for name in _ADDRESSES},
                odds_api_key=key or None,
                odds_books=settings.odds_books,
                headers={**nba_stats.HEADERS, **settings.nba_headers},
                pause_seconds=settings.request_pause_seconds,
                credits_per_day=settings.odds_credits_per_day,
                credits_per_month=settings.odds_credits_per_month,
            ),
            LiveSource(zone, settings.max_rejected_share),
            lambda: make_transport(settings.transport, settings.request_timeout_seconds, proxy),
            [proxy],
        )


class ModelStoreResource(AdapterResource[ModelStore]):
    """The folder of trained models."""

    folder: str

    def open(self) -> ModelStore:
        return ModelStore(Path(self.folder))


class AppriseNotifierResource(AdapterResource[Notifier]):
    """The destinations of alerts, as apprise URLs separated by spaces.

    The URLs hold secrets. Configure them with `dg.EnvVar`, of which the UI shows only the name.
    """

    urls: str = ""

    def open(self) -> Notifier:
        return AppriseNotifier(_plain(self.urls).split())


class DuckDBWarehouseResource(AdapterResource[Warehouse]):
    """The embedded warehouse: a DuckDB file, and a folder of staging files."""

    path: str
    staging: str
    #: How long a query waits for a process that writes to the file.
    read_wait_seconds: float = READ_WAIT_SECONDS

    def open(self) -> Warehouse:
        return DuckDBWarehouse(Path(self.path), Path(self.staging), self.read_wait_seconds)


class SQLiteBatchStoreResource(AdapterResource[BatchStore]):
    """The embedded batch store: a SQLite file."""

    path: str
    read_only: bool = False

    def open(self) -> BatchStore:
        return SQLiteBatchStore(Path(self.path), read_only=self.read_only)


class OutboxPublisherResource(AdapterResource[Publisher]):
    """The embedded publisher: a durable outbox in a SQLite file."""

    path: str

    def open(self) -> Publisher:
        return OutboxPublisher(Path(self.path))


def open_adapters(resources: Mapping[str, Any]) -> dict[str, Any]:
    """Return the adapters that some resources create, for use outside of a run.

    Whatever is not an adapter's resource is returned unchanged.
    """
    return {
        name: resource.open() if isinstance(resource, AdapterResource) else resource
        for name, resource in resources.items()
    }
