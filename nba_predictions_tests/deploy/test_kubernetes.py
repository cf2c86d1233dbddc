"""What is applied to a cluster: whole, without a cluster."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator

import kubernetes
import pytest
import yaml
from dagster_k8s.models import k8s_model_from_dict, k8s_snake_case_dict

from nba_predictions.orchestration.ui_guard import PROBED
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
from nba_predictions_tests.deploy.manifests import (
    GLOBAL,
    KUBERNETES,
    RUN_LABELS,
    Manifest,
    containers,
    render,
)

OBJECTS = render()
IMAGE = read_image()
DEPLOYMENTS = {each["metadata"]["name"]: each for each in OBJECTS if each["kind"] == "Deployment"}
CONFIGURATION = configuration(KUBERNETES / "dagster.yaml")
#: Made by hand, since it is secret: docs/deploying.md.
SECRETS = {
    "nba-predictions-postgres": {"PGPASSWORD"},
    "nba-predictions-alerts": {"NBA_PREDICTIONS_ALERT_URLS"},
    "nba-predictions-ui": {"NBA_PREDICTIONS_UI_TOKEN"},
}

each_deployment = pytest.mark.parametrize("name", sorted(DEPLOYMENTS))


def named(kind: str) -> dict[str, Manifest]:
    return {each["metadata"]["name"]: each for each in OBJECTS if each["kind"] == kind}


def pod_of(name: str) -> Manifest:
    pod: Manifest = DEPLOYMENTS[name]["spec"]["template"]["spec"]
    return pod


def sort_key(manifest: Manifest) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"]["name"]


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl")
def test_kubectl_renders_the_same_as_these_tests_look_at() -> None:
    made = subprocess.run(
        ["kubectl", "kustomize", str(KUBERNETES)], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    rendered = list(yaml.safe_load_all(made.stdout))
    assert sorted(rendered, key=sort_key) == sorted(OBJECTS, key=sort_key)


@pytest.mark.parametrize("manifest", OBJECTS, ids=lambda m: "/".join(sort_key(m)))
def test_every_object_is_what_the_api_knows_and_nothing_else(manifest: Manifest) -> None:
    model = {
        "Namespace": kubernetes.client.V1Namespace,
        "ServiceAccount": kubernetes.client.V1ServiceAccount,
        "Role": kubernetes.client.V1Role,
        "RoleBinding": kubernetes.client.V1RoleBinding,
        "PersistentVolumeClaim": kubernetes.client.V1PersistentVolumeClaim,
        "ConfigMap": kubernetes.client.V1ConfigMap,
        "Deployment": kubernetes.client.V1Deployment,
        "Service": kubernetes.client.V1Service,
        "NetworkPolicy": kubernetes.client.V1NetworkPolicy,
    }[manifest["kind"]]
    # It raises for a field that is not known, at any depth.
    made = k8s_model_from_dict(model, k8s_snake_case_dict(model, manifest))
    back = kubernetes.client.ApiClient().sanitize_for_serialization(made)
    assert back == manifest


def test_a_field_that_the_api_does_not_know_would_be_noticed() -> None:
    wrong = json.loads(json.dumps(DEPLOYMENTS["daemon"]))
    wrong["spec"]["template"]["spec"]["containers"][0]["livenessProb"] = {}
    model = kubernetes.client.V1Deployment
    with pytest.raises(Exception, match=r"Unexpected keys.*livenessProb"):
        k8s_model_from_dict(model, k8s_snake_case_dict(model, wrong))


def test_everything_is_in_one_namespace_that_admits_no_privileged_pod() -> None:
    (namespace,) = named("Namespace")
    labels = named("Namespace")[namespace]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    for each in OBJECTS:
        if each["kind"] not in GLOBAL:
            assert each["metadata"]["namespace"] == namespace


def references(pod: Manifest) -> Iterator[tuple[str, str]]:
    """Every object that a pod names, by kind and name."""
    yield "ServiceAccount", pod["serviceAccountName"]
    for volume in pod["volumes"]:
        (kind,) = set(volume) - {"name"}
        if kind == "configMap":
            yield "ConfigMap", volume[kind]["name"]
        elif kind == "emptyDir":
            assert volume["name"] in ("storage", "tmp")
        else:
            assert kind == "persistentVolumeClaim"
            yield "PersistentVolumeClaim", volume[kind]["claimName"]
    for container in pod["containers"]:
        for source in container["envFrom"]:
            ((kind, reference),) = source.items()
            found = {"configMapRef": "ConfigMap", "secretRef": "Secret"}
            yield found[kind], reference["name"]


@each_deployment
def test_what_a_pod_names_is_there(name: str) -> None:
    pod = pod_of(name)
    for kind, referred in references(pod):
        assert referred in (SECRETS if kind == "Secret" else named(kind))
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for container in pod["containers"]:
        for mount in container["volumeMounts"]:
            volume = volumes[mount["name"]]
            if "subPath" in mount:
                assert mount["subPath"] in named("ConfigMap")[volume["configMap"]["name"]]["data"]


def test_a_service_finds_the_pods_and_ports_that_it_is_for() -> None:
    assert set(named("Service")) == {"webserver", "code-server"}
    for name, service in named("Service").items():
        selector = service["spec"]["selector"].items()
        found = [
            deployment
            for deployment, each in DEPLOYMENTS.items()
            if selector <= each["spec"]["template"]["metadata"]["labels"].items()
        ]
        assert found == [name]
        ports = {port["name"] for c in pod_of(name)["containers"] for port in c["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


@each_deployment
def test_a_deployment_selects_its_own_pods(name: str) -> None:
    spec = DEPLOYMENTS[name]["spec"]
    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
    # There must not be two daemons, nor a daemon and the next one.
    assert spec["replicas"] == 1
    assert (spec.get("strategy") == {"type": "Recreate"}) == (name == "daemon")


@each_deployment
def test_commands_ports_and_probes_fit_each_other(name: str) -> None:
    (container,) = pod_of(name)["containers"]
    command = container["args"]
    check_command(command)
    ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
    if ports:
        assert [int(command[command.index("--port") + 1])] == list(ports.values())
        assert command[command.index("--host") + 1] == "0.0.0.0"
    # The daemon serves nothing; that it is ready is of no interest to anybody.
    kinds = {"startupProbe", "livenessProbe"} | ({"readinessProbe"} if ports else set())
    assert {key for key in container if key.endswith("Probe")} == kinds
    for kind in kinds:
        probe = container[kind]
        assert probe["timeoutSeconds"] <= probe["periodSeconds"]
        if "exec" in probe:
            check_command(probe["exec"]["command"])
        elif "grpc" in probe:
            assert probe["grpc"]["port"] in ports.values()
        else:
            assert probe["httpGet"]["port"] in ports
            # Probes ask by the address of the pod, to which the guard answers only here.
            assert probe["httpGet"]["path"] == PROBED


def test_webserver_and_daemon_ask_the_code_server_at_its_service() -> None:
    (location,) = configuration(DEPLOY / "workspace.yaml")["load_from"]
    server = location["grpc_server"]
    settings = named("ConfigMap")["nba-predictions-settings"]["data"]
    service = named("Service")[settings[server["host"]["env"]]]
    assert service["spec"]["ports"][0]["port"] == server["port"]


@each_deployment
def test_a_pod_is_not_root_and_says_what_it_needs(name: str) -> None:
    pod = pod_of(name)
    uid, gid = map(int, IMAGE.user.split(":"))
    context = pod["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (uid, gid, gid)
    assert context["runAsNonRoot"] is True
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]


def given_to(container: Manifest) -> set[str]:
    """The variables that a container gets, the image's among them."""
    given = {each["name"] for each in container.get("env", [])}
    for source in container["envFrom"]:
        if "secretRef" in source:
            given |= SECRETS[source["secretRef"]["name"]]
        else:
            given |= set(named("ConfigMap")[source["configMapRef"]["name"]]["data"])
    return given | set(IMAGE.environment)


def read_variables() -> set[str]:
    workspace = variables_of(configuration(DEPLOY / "workspace.yaml"))
    of_dagster = variables_of(CONFIGURATION) | workspace | OF_DAGSTER
    return of_dagster | OF_LIBPQ | variables_of_settings()


def selects(selector: Manifest, labels: dict[str, str]) -> bool:
    """Return whether a label selector selects a pod with these labels."""
    assert set(selector) <= {"matchLabels", "matchExpressions"}
    for requirement in selector.get("matchExpressions", []):
        assert requirement["operator"] == "In"
        if labels.get(requirement["key"]) not in requirement["values"]:
            return False
    return selector.get("matchLabels", {}).items() <= labels.items()


LABELS = {
    "a run": RUN_LABELS,
    **{name: d["spec"]["template"]["metadata"]["labels"] for name, d in DEPLOYMENTS.items()},
}


def permitted(direction: str, pod: str) -> Iterator[Manifest] | None:
    """Return the rules of a pod, None if no policy restricts it in this direction."""
    policies = [
        policy["spec"]
        for policy in named("NetworkPolicy").values()
        if direction.capitalize() in policy["spec"]["policyTypes"]
        and selects(policy["spec"]["podSelector"], LABELS[pod])
    ]
    return (rule for spec in policies for rule in spec[direction]) if policies else None


def connects(source: str, target: str) -> bool:
    """Return whether the policies let one pod open a connection to the named port of another."""
    ends = (("egress", source, "to", target), ("ingress", target, "from", source))
    for direction, pod, key, other in ends:
        rules = permitted(direction, pod)
        if rules is not None and not any(
            selects(peer["podSelector"], LABELS[other])
            for rule in rules
            for peer in rule.get(key, [])
            if "podSelector" in peer
        ):
            return False
    return True


def test_only_webserver_and_daemon_connect_to_another_pod_and_only_to_the_code_server() -> None:
    made = {(a, b) for a in LABELS for b in LABELS if connects(a, b)}
    assert made == {("webserver", "code-server"), ("daemon", "code-server")}
    ports = {
        port["port"]
        for policy in named("NetworkPolicy").values()
        for direction in ("ingress", "egress")
        for rule in policy["spec"].get(direction, [])
        if any("podSelector" in peer for peer in [*rule.get("to", []), *rule.get("from", [])])
        for port in rule["ports"]
    }
    assert ports == {
        port["containerPort"] for port in pod_of("code-server")["containers"][0]["ports"]
    }


@pytest.mark.parametrize("pod", sorted(LABELS))
def test_every_pod_reaches_what_a_night_needs_and_no_other_port(pod: str) -> None:
    rules = list(permitted("egress", pod) or [])
    anywhere = {port["port"] for rule in rules if "to" not in rule for port in rule["ports"]}
    settings = named("ConfigMap")["nba-predictions-settings"]["data"]
    assert anywhere == {53, 443, 6443, int(settings["PGPORT"])}
    peers = [peer for rule in rules for peer in rule.get("to", [])]
    blocks = {peer["ipBlock"]["cidr"] for peer in peers if "ipBlock" in peer}
    assert blocks == {"169.254.169.252/32", "169.254.169.254/32"}


@each_deployment
def test_every_variable_that_dagster_reads_is_set(name: str) -> None:
    (container,) = pod_of(name)["containers"]
    needed = variables_of(CONFIGURATION) | {"PGHOST"}
    if name == "code-server":
        # It launches nothing.
        needed -= {"NAMESPACE"}
    assert needed <= given_to(container)


@each_deployment
def test_every_variable_that_is_set_is_read(name: str) -> None:
    (container,) = pod_of(name)["containers"]
    assert given_to(container) - set(IMAGE.environment) <= read_variables()


def test_every_service_account_has_an_identity_in_google_cloud() -> None:
    # Runs write compute logs, and the webserver reads them.
    for name, account in named("ServiceAccount").items():
        identity = account["metadata"]["annotations"]["iam.gke.io/gcp-service-account"]
        assert identity.partition("@")[0] == name


def test_nothing_secret_is_written_down() -> None:
    assert named("Secret") == {}
    for each in named("ConfigMap").values():
        for secret in SECRETS.values():
            assert secret.isdisjoint(each["data"])


def test_alerts_go_out_from_where_sensors_are_evaluated_and_nothing_waits_for_their_secret() -> (
    None
):
    (container,) = pod_of("code-server")["containers"]
    references = [source["secretRef"] for source in container["envFrom"] if "secretRef" in source]
    assert {"name": "nba-predictions-alerts", "optional": True} in references


def test_the_image_is_the_same_everywhere_and_has_a_version() -> None:
    images = {c["image"] for each in OBJECTS for c in containers(each)}
    (image,) = images
    assert image.rpartition(":")[2] not in ("", "latest")
    (code_server,) = pod_of("code-server")["containers"]
    (current,) = code_server["env"]
    assert current == {"name": "DAGSTER_CURRENT_IMAGE", "value": image}


def test_the_files_are_on_a_volume_that_many_nodes_write() -> None:
    (claim,) = named("PersistentVolumeClaim").values()
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    settings = named("ConfigMap")["nba-predictions-settings"]["data"]
    for name in DEPLOYMENTS:
        (container,) = pod_of(name)["containers"]
        mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert f"{IMAGE.environment['DAGSTER_HOME']}/dagster.yaml" in mounts
        # Where by default each source has its home.
        assert IMAGE.workdir in mounts
        assert "NBA_PREDICTIONS_HOME" not in given_to(container)
        assert settings["NBA_PREDICTIONS_DATA"].startswith(f"{IMAGE.workdir}/")


def test_the_instance_is_that_of_other_deployments_but_for_how_runs_are_launched() -> None:
    launcher = CONFIGURATION["run_launcher"]
    assert launcher["class"] == "KubernetesRunLauncher"
    others = configuration(DEPLOY / "dagster.yaml")
    assert {**others, "run_launcher": None} == {**CONFIGURATION, "run_launcher": None}


def test_only_who_launches_runs_may_do_something_in_the_cluster() -> None:
    (binding,) = named("RoleBinding").values()
    assert [subject["name"] for subject in binding["subjects"]] == ["dagster"]
    assert binding["roleRef"]["name"] in named("Role")
    launching = {name for name in DEPLOYMENTS if pod_of(name)["serviceAccountName"] == "dagster"}
    assert launching == {"webserver", "daemon"}
    other = named("ServiceAccount")["nba-predictions"]
    assert other["automountServiceAccountToken"] is False
    for rule in named("Role")[binding["roleRef"]["name"]]["rules"]:
        assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]
