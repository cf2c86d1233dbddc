"""Start a stand-in, wait until it answers, and stop it with all its child processes."""

from __future__ import annotations

import atexit
import http.client
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import grpc

from nba_predictions_tests.servers import end_of_log, free_port, kill_kept, start_kept
from nba_predictions_tests.standins import install
from nba_predictions_tests.waiting import wait_until

#: The environment variable with the address of each service, which the client libraries read.
VARIABLES: Mapping[str, str] = {
    "bigquery": "BIGQUERY_EMULATOR_HOST",
    "firestore": "FIRESTORE_EMULATOR_HOST",
    "pubsub": "PUBSUB_EMULATOR_HOST",
    "storage": "STORAGE_EMULATOR_HOST",
}
#: The services whose stand-ins answer HTTP requests. The others answer gRPC calls.
_HTTP_SERVICES = ("bigquery", "storage")

#: What each stand-in does not reproduce. The summary of a test run prints this.
_LIMITS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("bigquery", "package"): (
        "billing, quotas, permissions and the duration of real jobs",
        "how BigQuery serializes two MERGEs of one table: the stand-in is one process",
        "dml_stats of a job, dry runs and the destination table of a query job",
    ),
    ("firestore", "google"): (
        "permissions, quotas, index builds and the duration of a commit between regions",
    ),
    ("firestore", "package"): (
        "permissions, quotas, index builds and the duration of a commit between regions",
        "contending transactions: they fail with AlreadyExists instead of Aborted",
        "preconditions on last_update_time and several transforms in one update",
    ),
    ("pubsub", "google"): ("permissions, quotas, subscription filters and retry back-off",),
    ("pubsub", "package"): (
        "permissions, quotas, subscription filters and retry back-off",
        "the forwarding of messages to a subscription's dead-letter topic",
    ),
    ("storage", "package"): ("permissions, signed URLs and the lifecycle rules of buckets",),
}


class StartError(RuntimeError):
    """A stand-in did not answer in time. The message ends with its log."""


@dataclass
class StandIn:
    """A running stand-in. `environment` directs the client libraries to it.

    `kind` is `environment` (it was running before and keeps running), `google` or `package`.
    """

    service: str
    kind: str
    address: str
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _logs: tempfile.TemporaryDirectory[str] | None = field(default=None, repr=False)

    @property
    def environment(self) -> dict[str, str]:
        scheme = "http://" if self.service in _HTTP_SERVICES else ""
        return {VARIABLES[self.service]: scheme + self.address}

    @property
    def limits(self) -> tuple[str, ...]:
        return _LIMITS.get((self.service, self.kind), ())

    def stop(self) -> None:
        """Stop the process and its children. A stand-in that was running before keeps running."""
        process, self._process = self._process, None
        if process is None:
            return
        kill_kept(process)
        if self._logs is not None:
            self._logs.cleanup()

    def __enter__(self) -> StandIn:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start(service: str) -> StandIn:
    """Start the stand-in for a service of VARIABLES and wait until it answers.

    Raises:
        InstallError: the package could not be installed.
        StartError: the stand-in does not answer.
    """
    address = os.environ.get(VARIABLES[service])
    if address:
        return StandIn(service, "environment", address.removeprefix("http://"))
    port = free_port()
    recipe = _recipe(service, port)
    logs = tempfile.TemporaryDirectory(prefix="nba_predictions_standin_")
    log = Path(logs.name) / f"{service}.log"
    process = start_kept(
        recipe.command,
        log,
        folder=recipe.folder,
        environment={**os.environ, **recipe.environment},
    )
    standin = StandIn(service, recipe.kind, f"127.0.0.1:{port}", process, logs)
    atexit.register(standin.stop)
    try:
        _wait(standin, process, log)
    except BaseException:
        standin.stop()
        raise
    return standin


@dataclass(frozen=True)
class _Recipe:
    """The command that starts a stand-in."""

    kind: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None


def _recipe(service: str, port: int) -> _Recipe:
    google = None
    if os.environ.get("NBA_PREDICTIONS_TEST_STANDINS") != "packages":
        google = _of_google(service)
    if google is not None:
        return _Recipe("google", [*google, "--host=127.0.0.1", f"--port={port}"])
    if service == "bigquery":
        command, environment = install.bigquery()
        ports = ["--rest-port", str(port), "--grpc-port", str(free_port())]
        return _Recipe("package", [*command, "start", *ports], environment)
    if service == "firestore":
        command, folder = install.firestore()
        return _Recipe("package", [*command, str(port)], folder=folder)
    if service == "storage":
        options = ["--host", "127.0.0.1", "--port", str(port), "--in-memory"]
        return _Recipe("package", [*install.storage(), "start", *options])
    return _Recipe("package", [*install.pubsub(), str(port)])


def _of_google(service: str) -> Sequence[str] | None:
    """Return the first words of the command of Google's emulator; None if it is not installed."""
    root = _cloud_sdk()
    java = shutil.which("java")
    if root is None or java is None:
        return None
    jar = root / "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar"
    pubsub = next(root.glob("platform/pubsub-emulator/lib/cloud-pubsub-emulator*.jar"), None)
    main = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
    if service == "firestore" and jar.is_file():
        return [java, "-cp", str(jar), main]
    if service == "pubsub" and pubsub is not None:
        return [java, "-jar", str(pubsub)]
    return None


@cache
def _cloud_sdk() -> Path | None:
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        return None
    command = [gcloud, "info", "--format=value(installation.sdk_root)"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return Path(found.stdout.strip()) if found.returncode == 0 and found.stdout.strip() else None


def _wait(standin: StandIn, process: subprocess.Popen[bytes], log: Path) -> None:
    answers = _answers_http if standin.service in _HTTP_SERVICES else _answers_grpc
    if not wait_until(lambda: answers(standin.address), process):
        raise StartError(
            f"the stand-in for {standin.service} ({standin.kind}) does not answer at "
            f"{standin.address}; the end of its log:\n{end_of_log(log)}"
        )


def _answers_http(address: str) -> bool:
    connection = http.client.HTTPConnection(address, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < 500
    except OSError:
        return False
    finally:
        connection.close()


def _answers_grpc(address: str) -> bool:
    with grpc.insecure_channel(address) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=2)
        except grpc.FutureTimeoutError:
            return False
    return True
