"""The resources of the profile `gcp`: BigQuery, Firestore and Pub/Sub.

They are in a module of their own because their clients take two seconds to import. Nothing connects
before it is used.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import google.auth
import requests
from dagster_gcp import BigQueryResource
from google.auth.credentials import AnonymousCredentials
from google.auth.transport.requests import AuthorizedSession
from google.cloud import bigquery
from requests.adapters import HTTPAdapter

from nba_predictions.batch_store.firestore_store import FirestoreBatchStore
from nba_predictions.batch_store.port import BatchStore
from nba_predictions.google_cloud import connect
from nba_predictions.messaging.port import Publisher
from nba_predictions.messaging.pubsub import PubSubPublisher
from nba_predictions.orchestration.resources import SharedAdapterResource
from nba_predictions.warehouse.bigquery_warehouse import MAX_CONCURRENT_LOADS, BigQueryWarehouse
from nba_predictions.warehouse.port import Warehouse


class PooledBigQueryResource(BigQueryResource):
    """The BigQuery resource of dagster-gcp, with a connection for every concurrent load.

    If the variable BIGQUERY_EMULATOR_HOST is set, the client library connects to the emulator, and
    no credentials are needed.
    """

    @contextmanager
    def get_client(self) -> Iterator[bigquery.Client]:
        """Yield a new client. It stays open."""
        session: requests.Session = requests.Session()
        credentials: google.auth.credentials.Credentials = AnonymousCredentials()
        if not os.environ.get("BIGQUERY_EMULATOR_HOST"):
            credentials, _ = connect(lambda: google.auth.default(scopes=bigquery.Client.SCOPE))
            session = AuthorizedSession(credentials)
        # With fewer connections than threads, every further call would open one of its own.
        for scheme in ("https://", "http://"):
            session.mount(scheme, HTTPAdapter(pool_maxsize=MAX_CONCURRENT_LOADS))
        yield bigquery.Client(
            project=self.project, location=self.location, credentials=credentials, _http=session
        )


class BigQueryWarehouseResource(SharedAdapterResource[Warehouse]):
    """A BigQuery dataset with the tables, and `<dataset>_staging` next to it."""

    project: str
    location: str
    dataset: str

    def open(self) -> Warehouse:
        connection = PooledBigQueryResource(project=self.project, location=self.location)
        return BigQueryWarehouse(self.project, self.location, self.dataset, connection.get_client)


class FirestoreBatchStoreResource(SharedAdapterResource[BatchStore]):
    """The Firestore documents below `nba_predictions/<namespace>`."""

    project: str
    namespace: str
    database: str

    def open(self) -> BatchStore:
        return FirestoreBatchStore(self.project, self.namespace, self.database)


class PubSubPublisherResource(SharedAdapterResource[Publisher]):
    """A Pub/Sub topic, and `<topic>-dead-letters` next to it."""

    project: str
    topic: str

    def open(self) -> Publisher:
        return PubSubPublisher(self.project, self.topic)
