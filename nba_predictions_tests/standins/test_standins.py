"""The stand-ins: they answer the real clients, stop completely and report failed installations."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery, firestore, storage
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient

from nba_predictions_tests.standins import StandIn, install, start
from nba_predictions_tests.standins.processes import VARIABLES
from nba_predictions_tests.waiting import CEILING_SECONDS, wait_until


def use(standin: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in standin.environment.items():
        monkeypatch.setenv(name, value)


def is_open(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def closes(address: str) -> bool:
    """Wait until the address is closed; return whether it is."""
    return wait_until(lambda: not is_open(address))


def test_bigquery_answers_the_real_client(
    bigquery_standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(bigquery_standin, monkeypatch)
    client = bigquery.Client(project="test-project", credentials=AnonymousCredentials())
    assert [row.one for row in client.query("SELECT 1 AS one").result()] == [1]


def test_firestore_answers_the_real_client(
    firestore_standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(firestore_standin, monkeypatch)
    document = firestore.Client(project="test-project").document("standins/one")
    document.set({"a": 1})
    assert document.get().to_dict() == {"a": 1}


def test_pubsub_answers_the_real_client(
    pubsub_standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(pubsub_standin, monkeypatch)
    publisher, subscriber = PublisherClient(), SubscriberClient()
    topic = publisher.topic_path("test-project", "standins")
    subscription = subscriber.subscription_path("test-project", "standins")
    publisher.create_topic(name=topic)
    subscriber.create_subscription(name=subscription, topic=topic)
    publisher.publish(topic, b"hello").result(timeout=CEILING_SECONDS)
    pulled = subscriber.pull(subscription=subscription, max_messages=1, timeout=CEILING_SECONDS)
    assert [received.message.data for received in pulled.received_messages] == [b"hello"]


def test_cloud_storage_answers_the_real_client(
    storage_standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(storage_standin, monkeypatch)
    bucket = storage.Client(project="test-project").create_bucket("standins")
    bucket.blob("one").upload_from_string(b"hello")
    assert bucket.blob("one").download_as_bytes() == b"hello"


def test_stop_ends_a_stand_in_with_all_its_processes() -> None:
    standin = start("pubsub")
    assert is_open(standin.address)
    standin.stop()
    assert closes(standin.address)
    standin.stop()


def test_a_stand_in_ends_with_the_process_that_started_it() -> None:
    code = (
        "import os, signal; from nba_predictions_tests.standins import start;"
        "print(start('pubsub').address, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert killed.returncode == -9
    assert closes(killed.stdout.strip())


def test_a_server_named_in_the_environment_is_used_and_not_stopped(
    pubsub_standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(pubsub_standin, monkeypatch)
    with start("pubsub") as found:
        assert (found.kind, found.address) == ("environment", pubsub_standin.address)
    assert is_open(pubsub_standin.address)


def test_a_failed_installation_reports_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBA_PREDICTIONS_TEST_STANDINS_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(install.InstallError, match="cloudbox") as failed:
        install.pubsub()
    assert "pip install" in str(failed.value)
    assert "PUBSUB_EMULATOR_HOST" in str(failed.value)
    assert not (tmp_path / "pubsub" / "installed").exists()


def test_the_launcher_runs_a_command_with_the_stand_ins_of_a_night_and_returns_its_exit_code() -> (
    None
):
    code = (
        "import os, sys;"
        f"sys.exit(40 + sum(name in os.environ for name in {sorted(VARIABLES.values())}))"
    )
    launcher = [sys.executable, "-m", "nba_predictions_tests.standins"]
    done = subprocess.run([*launcher, sys.executable, "-c", code], env=_without_addresses())
    assert done.returncode == 43
    assert subprocess.run(launcher, capture_output=True).returncode == 2


def _without_addresses() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k not in VARIABLES.values()}
