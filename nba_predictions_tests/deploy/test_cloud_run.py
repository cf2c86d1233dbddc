"""What is deployed to Cloud Run, held against the schema of its API and against the code."""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Any

import pytest

from nba_predictions.orchestration.ui_guard import PROBED
from nba_predictions.settings import Settings
from nba_predictions_tests.deploy.containers import (
    DEPLOY,
    OF_DAGSTER,
    OF_LIBPQ,
    check_command,
    configuration,
    read_image,
    variables_of,
    variables_of_settings,
)

SERVICE = configuration(DEPLOY / "cloud-run" / "service.yaml")
REVISION = SERVICE["spec"]["template"]
SPEC = REVISION["spec"]
CONTAINERS = {container["name"]: container for container in SPEC["containers"]}
IMAGE = read_image()
#: The API's own description, which Google's client library brings.
SCHEMAS = json.loads(
    resources.files("googleapiclient")
    .joinpath("discovery_cache/documents/run.v1.json")
    .read_text("utf-8")
)["schemas"]

PYTHON = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
#: Cloud Run gives no container more time to start.
LONGEST_START_SECONDS = 240

each_container = pytest.mark.parametrize("name", sorted(CONTAINERS))


def problems(value: Any, schema: dict[str, Any], where: str) -> list[str]:
    """Return what of a value the API does not know, does not take or does not support."""
    if "$ref" in schema:
        return problems(value, SCHEMAS[schema["$ref"]], where)
    kind = schema["type"]
    if not isinstance(value, PYTHON[kind]):
        return [f"{where} is no {kind}"]
    found: list[str] = []
    if isinstance(value, list):
        for number, each in enumerate(value):
            found += problems(each, schema["items"], f"{where}[{number}]")
    if isinstance(value, dict):
        known = schema.get("properties", {})
        for name, each in value.items():
            field = known.get(name) or schema.get("additionalProperties")
            if field is None:
                found.append(f"{where}.{name} is not known")
            elif field.get("description", "").startswith("Not supported by Cloud Run"):
                found.append(f"{where}.{name} is not supported")
            else:
                found += problems(each, field, f"{where}.{name}")
    return found


def test_the_api_knows_every_field() -> None:
    assert (SERVICE["apiVersion"], SERVICE["kind"]) == ("serving.knative.dev/v1", "Service")
    assert problems(SERVICE, SCHEMAS["Service"], "service") == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"env": [{"nam": "PGHOST"}]}, "container.env[0].nam is not known"),
        ({"envFrom": []}, "container.envFrom is not supported"),
        ({"livenessProbe": {"periodSeconds": "30"}}, ".livenessProbe.periodSeconds is no integer"),
        ({"livenessProbe": {"exec": {}}}, ".livenessProbe.exec is not supported"),
    ],
)
def test_a_field_that_the_api_does_not_know_would_be_noticed(
    change: dict[str, Any], problem: str
) -> None:
    (found,) = problems({**CONTAINERS["daemon"], **change}, SCHEMAS["Container"], "container")
    assert found.endswith(problem)


@pytest.mark.parametrize(("kind", "holder"), [("Service", SERVICE), ("Revision", REVISION)])
def test_the_annotations_are_those_that_the_api_lists(kind: str, holder: dict[str, Any]) -> None:
    described = SCHEMAS["ObjectMeta"]["properties"]["annotations"]["description"]
    listed = {
        name for name, kinds in re.findall(r"`([\w./-]+)`: ([\w, ]+)", described) if kind in kinds
    }
    annotations = holder["metadata"]["annotations"]
    assert set(annotations) <= listed
    assert all(isinstance(value, str) for value in annotations.values())


def test_there_is_one_instance_which_always_has_its_processors() -> None:
    annotations = REVISION["metadata"]["annotations"]
    assert annotations["autoscaling.knative.dev/minScale"] == "1"
    assert annotations["autoscaling.knative.dev/maxScale"] == "1"
    assert annotations["run.googleapis.com/cpu-throttling"] == "false"
    # Of the first generation there are no volumes.
    assert annotations["run.googleapis.com/execution-environment"] == "gen2"


def test_only_the_webserver_is_reached_and_the_others_wait_for_the_code() -> None:
    assert set(CONTAINERS) == {"webserver", "daemon", "code-server"}
    assert [name for name, each in CONTAINERS.items() if "ports" in each] == ["webserver"]
    order = REVISION["metadata"]["annotations"]["run.googleapis.com/container-dependencies"]
    assert json.loads(order) == {"webserver": ["code-server"], "daemon": ["code-server"]}
    # Cloud Run waits for those only that it can ask.
    assert "startupProbe" in CONTAINERS["code-server"]


def command_of(name: str) -> list[str]:
    container = CONTAINERS[name]
    words = [*container.get("command", []), *container.get("args", [])]
    return words or IMAGE.command


@each_container
def test_commands_ports_and_probes_fit_each_other(name: str) -> None:
    command = command_of(name)
    check_command(command)
    container = CONTAINERS[name]
    port = int(command[command.index("--port") + 1]) if "--port" in command else None
    if port is not None:
        assert command[command.index("--host") + 1] == "0.0.0.0"
    assert [each["containerPort"] for each in container.get("ports", [])] in ([], [port])
    probes = [container[key] for key in container if key.endswith("Probe")]
    assert bool(probes) == (port is not None)
    for probe in probes:
        (asked,) = (probe[key] for key in ("httpGet", "grpc") if key in probe)
        assert asked["port"] == port
        assert asked.get("path", PROBED) == PROBED
        assert probe["timeoutSeconds"] < probe["periodSeconds"]
    if "startupProbe" in container:
        startup = container["startupProbe"]
        assert startup["periodSeconds"] * startup["failureThreshold"] <= LONGEST_START_SECONDS


def test_the_code_server_is_asked_in_the_same_instance() -> None:
    (location,) = configuration(DEPLOY / "workspace.yaml")["load_from"]
    server = location["grpc_server"]
    assert IMAGE.environment[server["host"]["env"]] == "localhost"
    command = command_of("code-server")
    assert int(command[command.index("--port") + 1]) == server["port"]


@each_container
def test_every_variable_that_is_set_is_read_and_what_is_needed_is_set(name: str) -> None:
    given = {each["name"] for each in CONTAINERS[name]["env"]}
    files = [configuration(DEPLOY / f"{file}.yaml") for file in ("dagster", "workspace")]
    needed = variables_of(files) | {"PGHOST"}
    assert given <= needed | variables_of_settings() | OF_DAGSTER | OF_LIBPQ
    assert needed <= given | set(IMAGE.environment)
    values = {each["name"]: each["value"] for each in CONTAINERS[name]["env"] if "value" in each}
    settings = Settings.from_environment({**IMAGE.environment, **values})
    assert settings.profile == "gcp"


def test_the_password_is_a_secret_that_is_only_named() -> None:
    for container in CONTAINERS.values():
        (password,) = (each for each in container["env"] if each["name"] == "PGPASSWORD")
        assert set(password) == {"name", "valueFrom"}
        assert set(password["valueFrom"]) == {"secretKeyRef"}


def test_the_database_is_reached_through_the_socket_of_the_instance_that_is_named() -> None:
    instance = REVISION["metadata"]["annotations"]["run.googleapis.com/cloudsql-instances"]
    for container in CONTAINERS.values():
        hosts = [each["value"] for each in container["env"] if each["name"] == "PGHOST"]
        assert hosts == [f"/cloudsql/{instance}"]


def test_the_containers_share_a_volume_that_outlives_them() -> None:
    (volume,) = SPEC["volumes"]
    assert volume["csi"]["driver"] == "gcsfuse.run.googleapis.com"
    uid, gid = IMAGE.user.split(":")
    options = volume["csi"]["volumeAttributes"]["mountOptions"].split(",")
    assert {f"uid={uid}", f"gid={gid}"} <= set(options)
    for container in CONTAINERS.values():
        (mount,) = container["volumeMounts"]
        assert mount["name"] == volume["name"]
        # Where by default each source has its home.
        assert mount["mountPath"] == IMAGE.workdir
        given = {each["name"]: each.get("value", "") for each in container["env"]}
        assert "NBA_PREDICTIONS_HOME" not in {**IMAGE.environment, **given}
        assert given["NBA_PREDICTIONS_DATA"].startswith(f"{mount['mountPath']}/")
        # The lifecycle rule of the bucket of compute logs must not delete other files.
        bucket = volume["csi"]["volumeAttributes"]["bucketName"]
        assert given["DAGSTER_COMPUTE_LOGS_BUCKET"] != bucket


def test_there_is_one_image_with_a_version_and_one_service_account() -> None:
    (image,) = {container["image"] for container in CONTAINERS.values()}
    assert image.rpartition(":")[2] not in ("", "latest")
    # Not the project's own, which may do nearly everything.
    name, _, domain = SPEC["serviceAccountName"].partition("@")
    assert name == "nba-predictions"
    assert domain.endswith(".iam.gserviceaccount.com")
