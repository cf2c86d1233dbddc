"""Faults at the boundaries of a night: before, during or after a write to a port."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import Enum
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from unittest import mock

import psutil

from nba_predictions.domain.betting.slate import Slate
from nba_predictions.nightly import leases
from nba_predictions.warehouse import duckdb_warehouse
from nba_predictions.warehouse.duckdb_warehouse import DuckDBWarehouse
from nba_predictions_tests.nights import SLATE, Home, Parts, whole_night
from nba_predictions_tests.waiting import CEILING_SECONDS, wait_until

#: The lease duration in these tests, so that the lease of a dead worker expires soon.
SHORT_LEASE = timedelta(seconds=0.4)


class Kind(Enum):
    """What happens at a boundary."""

    EXCEPTION = "exception"
    KILL = "kill -9"
    #: Another process runs the whole night while this one is paused, longer than its lease.
    AGAIN = "concurrent run"
    #: The same, and the other process has newer lines.
    ZOMBIE = "run with newer lines"


class InjectedError(Exception):
    """An exception, unknown to the pipeline, that is raised at a boundary."""


@dataclass(frozen=True)
class Boundary:
    """A write and the moment at which the fault strikes: before, during or after."""

    call: str
    moment: str

    def __str__(self) -> str:
        return f"{self.moment} {self.call}"


#: The name of a call, made from its arguments.
_NAMES: dict[str, Callable[..., str]] = {
    "create": lambda batch, after: "create the batch",
    "move": lambda batch_id, to, reason=None: f"move the batch to {to.value}",
    "complete": lambda batch_id, completion, replace=False: (
        f"record {completion.player_lookup}, " + ("staged" if completion.rows else "skipped")
    ),
    "append": lambda batch_id, entry, lease=None: f"append '{entry.event.value}' to the ledger",
    "acquire_lease": lambda *arguments: "acquire the lease",
    "release_lease": lambda *arguments: "release the lease",
    "stage": lambda table, batch_id, name, rows: f"stage {name.partition('.')[0]}",
    "merge": lambda *arguments: "MERGE",
    "retire": lambda *arguments: "retire rows",
    "drop_staging": lambda *arguments: "drop staging",
    "publish": lambda message: "publish the message",
}


@dataclass
class Struck:
    """A wrapper of a port that records every write and strikes once, at one boundary."""

    real: Any
    strike: Callable[[], None]
    at: Boundary | None
    calls: list[str]
    struck: list[Boundary] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        real = getattr(self.real, name)
        if name not in _NAMES:
            return real

        def call(*arguments: Any, **named: Any) -> Any:
            label = _NAMES[name](*arguments, **named)
            times = sum(earlier.partition(" (")[0] == label for earlier in self.calls)
            if times:
                # Repeated writes of a night are numbered.
                label = f"{label} ({times + 1})"
            self.calls.append(label)
            self._meet(Boundary(label, "before"))
            with self._in_the_middle(label, name, arguments):
                answer = real(*arguments, **named)
            self._meet(Boundary(label, "after"))
            return answer

        return call

    def _meet(self, boundary: Boundary) -> None:
        if boundary == self.at and not self.struck:
            self.struck.append(boundary)
            self.strike()

    @contextmanager
    def _in_the_middle(self, label: str, name: str, arguments: Any) -> Iterator[None]:
        """Let the strike fall inside a call: a file written and not yet named or loaded, staging
        read and not yet merged, one table dropped of several."""
        during = Boundary(label, "during")
        if during != self.at:
            yield
            return
        if name == "drop_staging":
            self.real.drop_staging(arguments[0][:1])
            self._meet(during)
            yield
            return
        adapter: Any = sys.modules[type(self.real).__module__]
        owner, attribute = {
            "stage": (adapter.pq, "write_table"),
            "merge": (adapter, "merge_statement"),
        }[name]
        untouched = getattr(owner, attribute)

        def and_strike(*given: Any, **named: Any) -> Any:
            answer = untouched(*given, **named)
            self._meet(during)
            return answer

        with mock.patch.object(owner, attribute, and_strike):
            yield


@contextmanager
def without_renewals() -> Iterator[None]:
    """Let the leases of this process expire, as those of a paused process do."""
    with mock.patch.object(leases, "_renew", lambda *arguments: None):
        yield


def watched(
    parts: Parts, at: Boundary | None = None, strike: Callable[[], None] = lambda: None
) -> tuple[Parts, list[str], list[Boundary]]:
    """Return wrapped ports, the list of recorded calls, and the list of struck boundaries."""
    calls: list[str] = []
    struck: list[Boundary] = []
    ports: dict[str, Any] = {
        name: Struck(getattr(parts, name), strike, at, calls, struck)
        for name in ("batches", "warehouse", "publisher")
    }
    return Parts(**ports), calls, struck


# New processes are forked from a process that has imported everything and opened nothing.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["nba_predictions_tests.faults.strikes"])


def in_another_process(
    home: Home, run_id: str, at: Boundary | None = None, slate: Slate = SLATE
) -> int:
    """Run a whole night in a new process, killed at a boundary; return its exit code."""
    process = _processes.Process(target=_night, args=(home, run_id, at, slate, signal.SIGKILL))
    process.start()
    return _exit_code(process)


def frozen_in_another_process(
    home: Home, run_id: str, at: Boundary, meanwhile: Callable[[], None]
) -> int:
    """Run a whole night in a new process, frozen at a boundary by SIGSTOP; return its exit code.

    The process is thawed when `meanwhile` has returned.
    """
    process = _processes.Process(target=_night, args=(home, run_id, at, SLATE, signal.SIGSTOP))
    process.start()
    frozen = psutil.Process(process.pid)
    assert wait_until(lambda: frozen.status() == psutil.STATUS_STOPPED)
    meanwhile()
    frozen.resume()
    return _exit_code(process)


def _exit_code(process: BaseProcess) -> int:
    process.join(timeout=CEILING_SECONDS)
    assert process.exitcode is not None, f"{process.name} did not end"
    return process.exitcode


def _night(
    home: Home, run_id: str, at: Boundary | None, slate: Slate, strike: signal.Signals
) -> None:
    opened = home.open()
    if isinstance(opened.warehouse, DuckDBWarehouse):
        opened = replace(opened, warehouse=replace(opened.warehouse, read_wait_seconds=1.0))
    parts, _, _ = watched(opened, at, lambda: os.kill(os.getpid(), strike))
    with (
        mock.patch.object(leases, "LEASE_TTL", SHORT_LEASE),
        # Do not wait long for a paused process that has the warehouse file open.
        mock.patch.object(duckdb_warehouse, "WRITE_WAIT_SECONDS", 1.0),
        # The output of the night does not matter.
        Path(os.devnull).open("w") as nowhere,
        redirect_stdout(nowhere),
        redirect_stderr(nowhere),
    ):
        try:
            whole_night(parts, run_id, slate)
        except Exception:
            sys.exit(1)
