"""What all descriptions of a deployment name: the image, commands, variables."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import typer
import yaml
from dagster._cli import create_dagster_cli
from dagster._daemon.cli import create_dagster_daemon_cli

from nba_predictions.cli.commands import app
from nba_predictions.settings import PREFIX, Settings
from nba_predictions_tests.conftest import REPOSITORY

DEPLOY = REPOSITORY / "deploy"
#: What PostgreSQL's own client library reads, besides what dagster.yaml hands it.
OF_LIBPQ = frozenset({"PGHOST", "PGSSLMODE"})
#: What Dagster reads by itself.
OF_DAGSTER = frozenset({"DAGSTER_HOME", "DAGSTER_CURRENT_IMAGE"})
_CLIS: dict[str, Any] = {
    "dagster": create_dagster_cli(),
    "dagster-daemon": create_dagster_daemon_cli(),
    "nba-predictions": typer.main.get_command(app),
}


@dataclass(frozen=True)
class Image:
    """What deploy/Dockerfile says of the image."""

    instructions: list[tuple[str, str]]
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def command(self) -> list[str]:
        return self._words("CMD")

    @property
    def healthcheck(self) -> list[str]:
        words: list[str] = json.loads(self._last("HEALTHCHECK").partition(" CMD ")[2])
        return words

    @property
    def workdir(self) -> str:
        return self._last("WORKDIR")

    @property
    def user(self) -> str:
        return self._last("USER")

    def places(self) -> dict[str, Path]:
        """Return the files of the image, and those of the repository that they are."""
        return {
            f"{target.rstrip('/')}/{Path(source).name}": REPOSITORY / source
            for sources, target in self.copies()
            for source in sources
        }

    def copies(self) -> list[tuple[list[str], str]]:
        """Return what is copied from the repository, and whereto."""
        found = []
        for instruction, arguments in self.instructions:
            if instruction == "COPY" and "--from=" not in arguments:
                words = [word for word in arguments.split() if not word.startswith("--")]
                found.append((words[:-1], words[-1]))
        return found

    def _last(self, instruction: str) -> str:
        return [text for name, text in self.instructions if name == instruction][-1]

    def _words(self, instruction: str) -> list[str]:
        words: list[str] = json.loads(self._last(instruction))
        return words


def read_image() -> Image:
    """Read deploy/Dockerfile; the environment is that of its last stage."""
    text = (DEPLOY / "Dockerfile").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    image = Image([])
    for line in filter(None, map(str.strip, joined.splitlines())):
        instruction, _, arguments = line.partition(" ")
        image.instructions.append((instruction, arguments.strip()))
        if instruction == "FROM":
            image.environment.clear()
        if instruction == "ENV":
            for pair in shlex.split(arguments):
                name, _, value = pair.partition("=")
                image.environment[name] = value
    return image


def configuration(path: Path) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return read


def write_instance(deployed: dict[str, Any], dagster_home: Path) -> None:
    """Write a dagster.yaml whose temporary folder is below DAGSTER_HOME.

    Dagster captures the output of steps in /tmp, whatever TMPDIR is.
    """
    (dagster_home / "tmp").mkdir(exist_ok=True)
    deployed["compute_logs"]["config"]["local_dir"] = str(dagster_home / "tmp")
    (dagster_home / "dagster.yaml").write_text(yaml.safe_dump(deployed), "utf-8")


def variables_of(value: Any) -> set[str]:
    """Return the variables that a configuration of Dagster's reads, as `env: NAME`."""
    if isinstance(value, list):
        return set().union(*map(variables_of, value))
    if not isinstance(value, dict):
        return set()
    if set(value) == {"env"} and isinstance(value["env"], str):
        return {value["env"]}
    return set().union(*map(variables_of, value.values()))


def variables_of_settings() -> set[str]:
    return {f"{PREFIX}{field.upper()}" for field in Settings.model_fields}


def installed(command: list[str]) -> list[str]:
    """Return a command with the place of its program: beside this Python, in the PATH or not."""
    return [str(Path(sys.executable).parent / command[0]), *command[1:]]


def confined(command: list[str], *writable: Path) -> list[str]:
    """Return a command that runs with a read-only file system, but for the given folders.

    Where the system does not permit this, for example without root, return the command itself.
    """
    unshare = ["unshare", "--mount", "sh", "-euc"]
    script = 'while [ "$1" != -- ]; do mount --bind "$1" "$1"; shift; done; shift; '
    script += 'mount -o remount,bind,ro /; exec "$@"'
    if shutil.which("unshare") is None:
        return command
    trial = [*unshare, script, "sh", "--", "true"]
    if subprocess.run(trial, capture_output=True, check=False).returncode:
        return command
    return [*unshare, script, "sh", *map(str, writable), "--", *command]


def written(mounts: list[dict[str, Any]], dagster_home: Path, home: Path) -> list[Path]:
    """Create the folders for the volumes to which a container writes, and return them."""
    places = {
        f"{read_image().environment['DAGSTER_HOME']}/storage": dagster_home / "storage",
        "/tmp": dagster_home / "tmp",
        read_image().workdir: home,
    }
    found = [places[mount["mountPath"]] for mount in mounts if not mount.get("readOnly", False)]
    for place in found:
        place.mkdir(parents=True, exist_ok=True)
    return found


def check_command(command: list[str]) -> None:
    """Check that a command is installed and that its program knows the subcommand and options.

    Raises:
        AssertionError: naming what is not there.
    """
    name, *arguments = command
    scripts = {script.name for script in entry_points(group="console_scripts")}
    assert name in scripts, f"{name} is no command of an installed package"
    program = _CLIS[name]
    while hasattr(program, "commands") and arguments:
        subcommand = program.commands.get(arguments[0])
        assert subcommand is not None, f"{name} has no subcommand {arguments[0]}"
        program, arguments = subcommand, arguments[1:]
    # Parsed, and not run. A file has to be in the image.
    places = read_image().places()
    program.make_context(name, [str(places.get(word, word)) for word in arguments])
