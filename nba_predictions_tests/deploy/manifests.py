"""deploy/kubernetes as `kubectl kustomize` renders it, for where there is no kubectl.

It knows no more of kustomize than is used there, and refuses the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from nba_predictions_tests.deploy.containers import DEPLOY, configuration

KUBERNETES = DEPLOY / "kubernetes"
#: Kinds that are in no namespace.
GLOBAL = frozenset({"Namespace"})
#: The labels that dagster-k8s gives to the pod of a run.
RUN_LABELS = {
    "app.kubernetes.io/name": "dagster",
    "app.kubernetes.io/component": "run_worker",
}
_KNOWN = frozenset(
    {
        *("apiVersion", "kind", "namespace", "resources", "images", "configMapGenerator"),
        *("generatorOptions", "replacements"),
    }
)

Manifest = dict[str, Any]


def render() -> list[Manifest]:
    """Return all objects, in no particular order.

    Raises:
        AssertionError: the kustomization uses what is not known here.
    """
    wanted = configuration(KUBERNETES / "kustomization.yaml")
    assert set(wanted) <= _KNOWN, f"not known: {set(wanted) - _KNOWN}"
    assert wanted["generatorOptions"] == {"disableNameSuffixHash": True}
    objects: list[Manifest] = []
    for name in wanted["resources"]:
        text = (KUBERNETES / name).read_text("utf-8")
        # Without aliases: what is changed in one place must not change in another.
        objects += [_unshared(each) for each in yaml.safe_load_all(text)]
    objects += [_config_map(each) for each in wanted["configMapGenerator"]]
    for each in objects:
        if each["kind"] not in GLOBAL:
            each["metadata"]["namespace"] = wanted["namespace"]
        for subject in each.get("subjects", []):
            subject["namespace"] = wanted["namespace"]
        for container in containers(each):
            for image in wanted["images"]:
                assert set(image) == {"name", "newName", "newTag"}
                if container["image"] == image["name"]:
                    container["image"] = f"{image['newName']}:{image['newTag']}"
    for replacement in wanted["replacements"]:
        source = replacement["source"]
        path = source.pop("fieldPath")
        parent, key = _follow(_one(objects, source), path)
        value = parent[key]
        for target in replacement["targets"]:
            for place in target["fieldPaths"]:
                parent, key = _follow(_one(objects, target["select"]), place)
                assert key in parent
                parent[key] = value
    return objects


def containers(manifest: Manifest) -> list[Manifest]:
    """Return the containers of a deployment; of other kinds there are none."""
    if manifest["kind"] != "Deployment":
        return []
    found: list[Manifest] = manifest["spec"]["template"]["spec"]["containers"]
    return found


def _unshared(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _unshared(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_unshared(each) for each in value]
    return value


def _config_map(wanted: Manifest) -> Manifest:
    assert set(wanted) <= {"name", "files", "envs"}
    data: dict[str, str] = {}
    for name in wanted.get("files", []):
        data[name] = (KUBERNETES / name).read_text("utf-8")
    for name in wanted.get("envs", []):
        for line in (KUBERNETES / name).read_text("utf-8").splitlines():
            if line and not line.startswith("#"):
                key, _, value = line.partition("=")
                data[key] = value
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": wanted["name"]},
        "data": data,
    }


def _one(objects: list[Manifest], select: dict[str, str]) -> Manifest:
    assert set(select) == {"kind", "name"}
    (found,) = (
        each
        for each in objects
        if (each["kind"], each["metadata"]["name"]) == (select["kind"], select["name"])
    )
    return found


def _follow(manifest: Manifest, path: str) -> tuple[Manifest, str]:
    """Return what holds the end of a path as `spec.containers.[name=x].image`, and `image`."""
    *steps, last = _steps(path)
    here: Any = manifest
    for step in steps:
        chosen = re.fullmatch(r"\[(\w+)=([^\]]+)\]", step)
        if chosen is None:
            here = here[step]
        else:
            (here,) = (each for each in here if each[chosen[1]] == chosen[2])
    return here, last


def _steps(path: str) -> Iterator[str]:
    yield from re.findall(r"\[[^\]]+\]|[^.\[\]]+", path)
