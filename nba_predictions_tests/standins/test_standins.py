import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery, firestore
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient

from nba_predictions_tests.standins import StandIn, install, start
from nba_predictions_tests.standins.processes import VARIABLES


def use(standin: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in standin.environment.items():
        monkeypatch.setenv(name, value)


def is_open(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def closes(address: str) -> bool:
    """The killed processes are gone when the system has got round to it."""
    deadline = time.monotonic() + 10
    while is_open(address) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not is_open(address)


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
    publisher.publish(topic, b"hello").result(timeout=10)
    pulled = subscriber.pull(subscription=subscription, max_messages=1, timeout=10)
    assert [received.message.data for received in pulled.received_messages] == [b"hello"]


def test_a_stopped_stand_in_is_gone_with_all_its_processes() -> None:
    standin = start("pubsub")
    assert is_open(standin.address)
    standin.stop()
    assert closes(standin.address)
    standin.stop()


def test_a_stand_in_does_not_outlive_who_started_it() -> None:
    starting = (
        "import os, signal; from nba_predictions_tests.standins import start;"
        "print(start('pubsub').address, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", starting], capture_output=True, text=True)
    assert killed.returncode == -9
    assert closes(killed.stdout.strip())


def test_an_address_in_the_environment_is_used_and_left_alone(
    pubsub_standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(pubsub_standin, monkeypatch)
    with start("pubsub") as found:
        assert (found.kind, found.address) == ("environment", pubsub_standin.address)
    assert is_open(pubsub_standin.address)


def test_an_installation_that_fails_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBA_PREDICTIONS_STANDINS_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(install.InstallError, match="cloudbox") as failed:
        install.pubsub()
    assert "pip install" in str(failed.value)
    assert "PUBSUB_EMULATOR_HOST" in str(failed.value)
    assert not (tmp_path / "pubsub" / "installed").exists()


def test_the_launcher_gives_a_command_all_three_and_its_exit_code() -> None:
    asking = (
        "import os, sys;"
        f"sys.exit(40 + sum(name in os.environ for name in {sorted(VARIABLES.values())}))"
    )
    launcher = [sys.executable, "-m", "nba_predictions_tests.standins"]
    done = subprocess.run([*launcher, sys.executable, "-c", asking], env=_without_addresses())
    assert done.returncode == 43
    assert subprocess.run(launcher, capture_output=True).returncode == 2


def _without_addresses() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k not in VARIABLES.values()}
