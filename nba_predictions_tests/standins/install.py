"""Install the packages that replace Google's emulators where those are missing.

Each package has its own folder, apart from the dependencies of the project. A finished installation
is reused until its pinned versions change. A broken one is replaced.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]


class InstallError(RuntimeError):
    """A stand-in could not be installed. The message has the command and its output."""


def home() -> Path:
    """Return the folder of the installed stand-ins."""
    return Path(os.environ.get("NBA_PREDICTIONS_TEST_STANDINS_HOME") or REPOSITORY / ".standins")


def bigquery() -> tuple[list[str], dict[str, str]]:
    """Return the first words of the command and the environment of the BigQuery stand-in."""
    folder = _installed("bigquery", ["requirements-bigquery.txt"], _install_bigquery)
    # It writes DuckDB extensions to the home folder, which must not be the user's.
    return [str(folder / "venv/bin/bqemulator")], {"HOME": str(folder / "home")}


def pubsub() -> list[str]:
    """Return the first words of the command of the Pub/Sub stand-in."""
    files = ["requirements-pubsub.txt", "pubsub_server.py"]
    folder = _installed("pubsub", files, _install_pubsub)
    return [str(folder / "venv/bin/python"), str(HERE / "pubsub_server.py")]


def storage() -> list[str]:
    """Return the first words of the command of the Cloud Storage stand-in."""
    folder = _installed("storage", ["requirements-storage.txt"], _install_storage)
    return [str(folder / "venv/bin/gcp-storage-emulator")]


def firestore() -> tuple[list[str], Path]:
    """Return the first words of the command of the Firestore stand-in and its working folder."""
    files = ["package.json", "requirements-node.txt"]
    folder = _installed("firestore", files, _install_firestore)
    node = shutil.which("node") or str(folder / "node/bin/node")
    return [node, str(HERE / "firestore_server.mjs")], folder


def _install_bigquery(folder: Path) -> None:
    python = _virtual_environment(folder / "venv", "requirements-bigquery.txt")
    # The stand-in loads DuckDB's spatial extension, which DuckDB would download.
    code = (
        "import duckdb, duckdb_extension_spatial as s;"
        "print(duckdb.sql('PRAGMA platform').fetchone()[0], *s.__path__, sep='\\n')"
    )
    platform, package = _run([python, "-c", code]).split()
    (extension,) = Path(package).glob("extensions/*/spatial.duckdb_extension")
    target = folder / "home/.duckdb/extensions" / extension.parent.name / platform
    target.mkdir(parents=True)
    shutil.copy(extension, target)


def _install_pubsub(folder: Path) -> None:
    _virtual_environment(folder / "venv", "requirements-pubsub.txt", "--ignore-requires-python")


def _install_storage(folder: Path) -> None:
    _virtual_environment(folder / "venv", "requirements-storage.txt")


def _install_firestore(folder: Path) -> None:
    shutil.copy(HERE / "package.json", folder)
    npm = shutil.which("npm")
    path = os.environ.get("PATH", "")
    if npm is None or shutil.which("node") is None:
        _virtual_environment(folder / "node", "requirements-node.txt")
        path = f"{folder / 'node/bin'}{os.pathsep}{path}"
        npm = str(folder / "node/bin/npm")
    command = [npm, "install", "--no-audit", "--no-fund", "--silent"]
    _run(command, folder=folder, environment={**os.environ, "PATH": path})


def _virtual_environment(folder: Path, requirements: str, *options: str) -> str:
    _run([sys.executable, "-m", "venv", str(folder)])
    python = str(folder / "bin/python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, *options, "--requirement", str(HERE / requirements)])
    return python


def _installed(name: str, pins: Sequence[str], install: Callable[[Path], None]) -> Path:
    folder = home() / name
    wanted = hashlib.sha256(b"".join((HERE / pin).read_bytes() for pin in pins)).hexdigest()
    wanted += f" {sys.version_info.major}.{sys.version_info.minor}"
    done = folder / "installed"
    with _alone(name):
        if not done.is_file() or done.read_text("utf-8") != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            print(f"installing the stand-in for {name} into {folder}", file=sys.stderr)
            install(folder)
            done.write_text(wanted, "utf-8")
    return folder


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Allow one process at a time to install."""
    home().mkdir(parents=True, exist_ok=True)
    with (home() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(
    command: Sequence[str],
    *,
    folder: Path | None = None,
    environment: dict[str, str] | None = None,
) -> str:
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise InstallError(f"{command[0]} cannot be started: {error}") from error
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise InstallError(
            f"`{' '.join(command)}` failed with exit code {done.returncode}:\n{last}\n"
            f"The tests need its package registry, or the variables of running emulators "
            f"(BIGQUERY_EMULATOR_HOST, FIRESTORE_EMULATOR_HOST, PUBSUB_EMULATOR_HOST, "
            f"STORAGE_EMULATOR_HOST)"
        )
    return done.stdout
