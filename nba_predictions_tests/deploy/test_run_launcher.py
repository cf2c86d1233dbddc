"""Runs as jobs of a cluster: the real launcher against a stand-in of the Kubernetes API."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import dagster as dg
import pytest
import yaml
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.launcher import LaunchRunContext, WorkerStatus
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster_k8s import K8sRunLauncher

from nba_predictions.definitions import defs
from nba_predictions.settings import Settings
from nba_predictions_tests.conftest import REPOSITORY
from nba_predictions_tests.deploy.conftest import OpenInstance
from nba_predictions_tests.deploy.containers import (
    configuration,
    confined,
    installed,
    read_image,
    variables_of,
    write_instance,
    written,
)
from nba_predictions_tests.deploy.manifests import (
    KUBERNETES,
    RUN_LABELS,
    Manifest,
    containers,
    render,
)
from nba_predictions_tests.e2e.pipeline import NO_GAMES_DATE
from nba_predictions_tests.waiting import CEILING_SECONDS

OBJECTS = render()
NAMESPACE = "nba-predictions"
IMAGE = "registry.example/nba-predictions:1.2.3"
VERBS = {"POST": "create", "DELETE": "delete", "PATCH": "patch", "PUT": "update"}


@dataclass
class Cluster:
    """The jobs that were asked for, and every request as access control sees it."""

    url: str
    jobs: dict[str, Manifest] = field(default_factory=dict)
    asked: set[tuple[str, str, str]] = field(default_factory=set)

    def answer(self, method: str, address: str, body: Manifest) -> tuple[int, Any]:
        split = urlsplit(address)
        found = re.fullmatch(
            rf"/(?:api/v1|apis/(?P<group>\w+)/v1)/namespaces/{NAMESPACE}"
            r"/(?P<resource>\w+)(?:/(?P<name>[^/]+)(?:/(?P<part>\w+))?)?",
            split.path,
        )
        assert found is not None, address
        group, resource, name, part = found["group"] or "", *found.group("resource", "name", "part")
        verb = VERBS.get(method) or ("get" if name else "list")
        self.asked.add((group, f"{resource}/{part}" if part else resource, verb))
        if part == "log":
            return 200, "the last words of a pod"
        if verb == "create":
            name = body["metadata"]["name"]
            self.jobs[name] = {**body, "status": {"active": 1, "startTime": _now()}}
            return 201, self.jobs[name]
        if verb == "delete":
            self.jobs.pop(name, None)
            return 200, {"kind": "Status", "status": "Success"}
        if verb == "get":
            return 200, self.jobs[name]
        query = parse_qs(split.query)
        items = {"jobs": list(self.jobs.values()), "pods": self._pods(), "events": []}[resource]
        assert query
        return 200, {"kind": "List", "items": items}

    def _pods(self) -> list[Manifest]:
        state = {"running": {"startedAt": _now()}}
        status = {"name": "dagster", "image": IMAGE, "imageID": "", "ready": True}
        running = {**status, "restartCount": 0, "state": state}
        return [
            {
                "metadata": {"name": f"{name}-pod"},
                "spec": job["spec"]["template"]["spec"],
                "status": {"phase": "Running", "containerStatuses": [running]},
            }
            for name, job in self.jobs.items()
        ]


def _now() -> str:
    return datetime.now(timezone.utc).isoformat()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            status, said = served.answer(self.command, self.path, body)
            text = said if isinstance(said, str) else json.dumps(said)
            self.send_response(status)
            kind = "text/plain" if isinstance(said, str) else "application/json"
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_DELETE = do_PATCH = do_PUT = handle_any  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served = Cluster(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield served
        server.shutdown()


@pytest.fixture
def launching_home(dagster_home: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Path:
    """DAGSTER_HOME as in the cluster; the way to the API is in a file instead of in the pod."""
    access = dagster_home / "kubeconfig"
    context = {"cluster": "stand-in", "user": "stand-in"}
    kubeconfig = {
        "clusters": [{"name": "stand-in", "cluster": {"server": cluster.url}}],
        "users": [{"name": "stand-in", "user": {}}],
        "contexts": [{"name": "stand-in", "context": context}],
        "current-context": "stand-in",
    }
    access.write_text(yaml.safe_dump(kubeconfig), "utf-8")
    deployed = configuration(KUBERNETES / "dagster.yaml")
    there = {"load_incluster_config": False, "kubeconfig_file": str(access)}
    deployed["run_launcher"]["config"].update(there)
    write_instance(deployed, dagster_home)
    monkeypatch.setenv("NAMESPACE", NAMESPACE)
    return dagster_home


def launch(instance: dg.DagsterInstance) -> dg.DagsterRun:
    """Launch a night, as the daemon does with one from the queue."""
    code = RepositoryPythonOrigin(
        executable_path="/opt/venv/bin/python",
        code_pointer=ModuleCodePointer("nba_predictions.definitions", "defs", str(REPOSITORY)),
        container_image=IMAGE,
        entry_point=["dagster"],
        container_context={},
    )
    run = instance.create_run_for_job(
        defs.resolve_job_def("nightly_predictions"),
        tags={"dagster/partition": NO_GAMES_DATE.isoformat()},
        job_code_origin=JobPythonOrigin("nightly_predictions", code),
        status=dg.DagsterRunStatus.STARTING,
    )
    instance.run_launcher.launch_run(LaunchRunContext(dagster_run=run, workspace=None))
    return run


def test_the_role_admits_all_that_the_launcher_asks_for_and_nothing_else(
    launching_home: Path, open_instance: OpenInstance, cluster: Cluster
) -> None:
    instance = open_instance()
    launcher = instance.run_launcher
    assert isinstance(launcher, K8sRunLauncher)
    run = launch(instance)
    assert launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING
    told = launcher.get_run_worker_debug_info(run)
    assert told is not None
    assert "the last words of a pod" in told
    assert launcher.terminate(run.run_id)
    # Where there is no pod, the job itself is looked for.
    lost = launcher.get_run_worker_debug_info(run)
    assert lost is not None
    assert "Could not find job" in lost

    (role,) = (each for each in OBJECTS if each["kind"] == "Role")
    admitted = {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert cluster.asked == admitted


def test_a_run_is_a_pod_like_the_others_of_the_image_of_its_code(
    launching_home: Path, open_instance: OpenInstance, cluster: Cluster
) -> None:
    launch(open_instance())
    (job,) = cluster.jobs.values()
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (server,) = (
        each
        for each in OBJECTS
        if each["metadata"]["name"] == "code-server" and each["kind"] == "Deployment"
    )
    (alike,) = containers(server)
    other = server["spec"]["template"]["spec"]
    assert container["image"] == IMAGE
    assert pod["securityContext"] == other["securityContext"]
    assert container["securityContext"] == alike["securityContext"]
    assert pod["serviceAccountName"] == other["serviceAccountName"]
    assert pod["automountServiceAccountToken"] is False
    # Sensors tell people, runs do not: the addresses of alerts are not for them.
    alerts = {"secretRef": {"name": "nba-predictions-alerts", "optional": True}}
    assert [*container["envFrom"], alerts] == alike["envFrom"]
    names = {"home", "storage", "tmp"}
    assert [v for v in other["volumes"] if v["name"] in names] == pod["volumes"]
    assert [m for m in alike["volumeMounts"] if m["name"] in names] == container["volumeMounts"]
    assert RUN_LABELS.items() <= job["spec"]["template"]["metadata"]["labels"].items()
    assert set(container["resources"]["requests"]) == {"cpu", "memory"}
    annotations = job["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}
    (home,) = (each["value"] for each in container["env"] if each["name"] == "DAGSTER_HOME")
    assert home == read_image().environment["DAGSTER_HOME"]


def test_a_job_ends_without_a_daemon_but_not_before_its_maximum_runtime(
    launching_home: Path, open_instance: OpenInstance, cluster: Cluster
) -> None:
    launch(open_instance())
    (job,) = cluster.jobs.values()
    (limit,) = (
        each.le for each in Settings.model_fields["max_run_seconds"].metadata if hasattr(each, "le")
    )
    assert job["spec"]["activeDeadlineSeconds"] >= limit


def test_what_the_job_runs_is_a_night(
    launching_home: Path,
    home: Path,
    open_instance: OpenInstance,
    cluster: Cluster,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    instance = open_instance()
    run = launch(instance)
    (job,) = cluster.jobs.values()
    (container,) = job["spec"]["template"]["spec"]["containers"]
    # A run launches nothing, and is not told where it could.
    environment = {**os.environ, "DAGSTER_HOME": str(launching_home)}
    del environment["NAMESPACE"]
    assert variables_of(configuration(KUBERNETES / "dagster.yaml")) - set(environment) == {
        "NAMESPACE"
    }
    environment |= {"TMPDIR": str(launching_home / "tmp"), "HOME": "/home/nba"}
    # The tests set another home than that of the image.
    volumes = written(container["volumeMounts"], launching_home, home)
    done = subprocess.run(
        confined(installed(container["args"]), *volumes),
        env=environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=CEILING_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    ended = instance.get_run_by_id(run.run_id)
    assert ended is not None
    assert ended.status is dg.DagsterRunStatus.SUCCESS, done.stderr[-3000:]
