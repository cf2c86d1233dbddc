"""What can be said of the image without building it; no container engine is needed."""

from __future__ import annotations

import configparser
import re
from fnmatch import fnmatch
from pathlib import PurePosixPath

import pytest

from nba_predictions_tests.conftest import REPOSITORY
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

IMAGE = read_image()
COPIED = sorted({source for sources, _ in IMAGE.copies() for source in sources})


def ignored(path: str) -> bool:
    """Tell whether .dockerignore keeps a path out: the last pattern decides that fits it."""
    out = False
    for line in (REPOSITORY / ".dockerignore").read_text("utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        pattern = line.strip().removeprefix("!").strip("/")
        parts = PurePosixPath(path).parts
        above = ["/".join(parts[: n + 1]) for n in range(len(parts))]
        if any(_fits(each, pattern) for each in above):
            out = not line.startswith("!")
    return out


def _fits(path: str, pattern: str) -> bool:
    anywhere = pattern.removeprefix("**/")
    if anywhere != pattern:
        return fnmatch(PurePosixPath(path).name, anywhere)
    return path.count("/") == pattern.count("/") and fnmatch(path, pattern)


@pytest.mark.parametrize("source", COPIED)
def test_what_is_copied_is_there_and_not_ignored(source: str) -> None:
    path = REPOSITORY / source
    assert path.exists()
    files = [path] if path.is_file() else [p for p in path.rglob("*.*") if p.suffix != ".pyc"]
    assert files
    assert [str(f) for f in files if ignored(f.relative_to(REPOSITORY).as_posix())] == []


@pytest.mark.parametrize(
    "path",
    [
        *(".git/config", ".venv/bin/python", ".nba_predictions/simulated/warehouse.duckdb"),
        *(".standins/bigquery", "nba_predictions_tests/conftest.py", "docs/design.md", ".env"),
        *("deploy/kubernetes/settings.env", "nba_predictions/domain/__pycache__/batch.pyc"),
    ],
)
def test_everything_else_stays_outside(path: str) -> None:
    assert ignored(path)


def test_the_packages_are_those_of_the_constraints_with_the_extra_of_deployments() -> None:
    runs = [text for name, text in IMAGE.instructions if name == "RUN" and "pip install" in text]
    first, second = runs
    assert "--constraint constraints.txt '.[deploy]'" in first
    assert "--no-deps" in second
    setup = configparser.ConfigParser()
    setup.read(REPOSITORY / "setup.cfg")
    extra = setup["options.extras_require"]["deploy"]
    pinned = (REPOSITORY / "constraints.txt").read_text("utf-8").splitlines()
    for package in re.findall(r"^[\w-]+", extra, re.MULTILINE):
        assert any(line.startswith(f"{package}==") for line in pinned)
    packages = set(re.findall(r"^[\w-]+", extra, re.MULTILINE))
    assert packages == {"dagster-postgres", "dagster-k8s", "gcsfs"}
    python = dict(text.split("=") for name, text in IMAGE.instructions if name == "ARG")["PYTHON"]
    assert f"Programming Language :: Python :: {python}" in setup["metadata"]["classifiers"]


def test_it_does_not_run_as_root_and_says_what_it_prints_at_once() -> None:
    uid, gid = IMAGE.user.split(":")
    assert int(uid) > 0 < int(gid)
    assert IMAGE.environment["PYTHONUNBUFFERED"] == "1"


def test_dagster_finds_its_configuration_where_the_image_has_it() -> None:
    home = IMAGE.environment["DAGSTER_HOME"]
    for name in ("dagster.yaml", "workspace.yaml"):
        assert IMAGE.places()[f"{home}/{name}"] == DEPLOY / name


def test_every_variable_that_it_sets_is_read_and_none_is_secret() -> None:
    of_python = {"PATH", "PYTHONUNBUFFERED"}
    files = [configuration(DEPLOY / f"{name}.yaml") for name in ("dagster", "workspace")]
    read = variables_of(files) | variables_of_settings() | OF_DAGSTER | OF_LIBPQ | of_python
    assert set(IMAGE.environment) <= read
    secret = re.compile("PASSWORD|SECRET|TOKEN|KEY|CREDENTIALS")
    assert [name for name in IMAGE.environment if secret.search(name)] == []


def test_its_commands_are_installed() -> None:
    check_command(IMAGE.command)
    check_command(IMAGE.healthcheck)


@pytest.mark.parametrize(
    "command", [["dagster-demon", "run"], ["dagster", "api", "http"], ["dagster-daemon", "start"]]
)
def test_a_command_that_is_not_there_would_be_noticed(command: list[str]) -> None:
    with pytest.raises(AssertionError, match=r"is no command|has no subcommand"):
        check_command(command)
