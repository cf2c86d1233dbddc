"""Inject faults before, during and after every write of a night.

    python -m nba_predictions_tests.faults.matrix

runs an embedded night for each fault and prints docs/fault-matrix.md. After a fault, only the
daemon's actions follow: a tick of the sensor, or the next run of the schedule. The table must then
equal that of an undisturbed night. Its batch is published once, and no staging table is left.
"""

from __future__ import annotations

import io
import signal
import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from nba_predictions.domain.batches.batch import BatchState
from nba_predictions.domain.batches.verdict import Verdict
from nba_predictions.nightly import leases
from nba_predictions_tests.examples import GAME_DATE
from nba_predictions_tests.faults.strikes import (
    SHORT_LEASE,
    Boundary,
    InjectedError,
    Kind,
    in_another_process,
    watched,
    without_renewals,
)
from nba_predictions_tests.nights import (
    MOVED,
    ROWS,
    SLATE,
    Scene,
    embedded_scene,
    publish,
    whole_night,
)

#: The writes of a night with two players and a skip, in order.
CALLS = (
    "create the batch",
    "append 'created' to the ledger",
    "move the batch to staging",
    "record joelembiid, skipped",
    "stage lukadoncic",
    "record lukadoncic, staged",
    "stage zachcollins",
    "record zachcollins, staged",
    "move the batch to staged",
    "append 'staged' to the ledger",
    "acquire the lease",
    "MERGE",
    "retire rows",
    "append 'merged' to the ledger",
    "move the batch to consolidated",
    "release the lease",
    "acquire the lease (2)",
    "drop staging",
    "append 'cleaned' to the ledger",
    "move the batch to cleaned",
    "release the lease (2)",
    "publish the message",
    "append 'published' to the ledger",
    "move the batch to published",
)
#: Writes that a fault can interrupt: the file has no name yet, the staging tables are read but not
#: merged, or one of two staging tables is dropped.
WITH_AN_INSIDE = ("stage lukadoncic", "MERGE", "drop staging")

#: The title of the column of runs that are killed under the real daemon and run queue.
DAEMON = "kill -9 under the daemon"

#: What the other run predicts while a run is paused at a boundary.
SLATES = {Kind.AGAIN: SLATE, Kind.ZOMBIE: MOVED}

BOUNDARIES = [
    Boundary(call, moment)
    for call in CALLS
    for moment in ("before", "during", "after")
    if moment != "during" or call in WITH_AN_INSIDE
]


def disturbed(scene: Scene, boundary: Boundary, kind: Kind) -> None:
    """Run a night with a fault at a boundary. Its outcome does not matter."""
    if kind is Kind.KILL:
        assert in_another_process(scene.home, "run_1", boundary) == -signal.SIGKILL
        return
    if kind in SLATES:

        def strike() -> None:
            in_another_process(scene.home, "run_2", slate=SLATES[kind])
    else:

        def strike() -> None:
            raise InjectedError(str(boundary))

    parts, _, struck = watched(scene.home.open(), boundary, strike)
    try:
        with without_renewals() if kind in SLATES else nullcontext():
            whole_night(parts, "run_1")
    except Exception as error:
        # Any error is acceptable: the test examines the state that it left.
        assert struck, f"the night failed without the fault: {error!r}"
    assert struck == [boundary]


def recovery(scene: Scene, kind: Kind | None = None) -> str:
    """Do what the daemon does until the night is complete. Return the actions."""
    parts = scene.home.open()
    actions = []
    for turn in range(3):
        if scene.audit().verdict is Verdict.COMPLETE:
            break
        if publish(parts, f"sensor_{turn}"):
            actions.append("sensor")
        else:
            whole_night(parts, f"next_{turn}", MOVED if kind is Kind.ZOMBIE else SLATE)
            actions.append("next run")
    return ", ".join(actions) or "none"


def check(scene: Scene, undisturbed: list[dict[str, Any]], kind: Kind | None = None) -> None:
    assert scene.audit().verdict is Verdict.COMPLETE
    assert scene.table() == undisturbed
    assert len(undisturbed) == ROWS
    if kind is Kind.ZOMBIE:
        # The staging of a superseded batch is kept for inspection.
        assert scene.audit().count("staging left") == 0
    else:
        assert scene.staging_left() == []
    newest, *earlier = scene.home.open().batches.of_date(GAME_DATE)
    assert {row["batch_id"] for row in scene.whole_table().to_dicts()} == {newest.batch_id}
    # A run that starts after another has cleaned up creates its own batch, which replaces that one.
    # A run that finds a concurrent batch abandons its own, which is empty.
    ended = {BatchState.CLEANED, BatchState.PUBLISHED, BatchState.FAILED}
    messages = [message.execution_id for message in scene.messages()]
    if kind is Kind.ZOMBIE:
        # The paused run may have published its batch before. The last message is the newest one.
        assert messages[-1] == newest.batch_id
        assert len(messages) == len(set(messages))
        return
    assert {batch.state for batch in earlier} <= ended
    published = [b.batch_id for b in (newest, *earlier) if b.state is BatchState.PUBLISHED]
    assert newest.batch_id in published
    assert sorted(messages) == sorted(published)


Row = tuple[str, ...]


def row_of(boundary: Boundary, outcomes: dict[Kind, str], under_daemon: str) -> Row:
    return (boundary.moment, boundary.call, *(outcomes[kind] for kind in Kind), under_daemon)


def documented(text: str) -> dict[tuple[Boundary, Kind | str], str]:
    """Return the outcomes in the document."""
    found: dict[tuple[Boundary, Kind | str], str] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and cells[0] in ("before", "during", "after"):
            for kind, outcome in zip((*Kind, DAEMON), cells[2:], strict=True):
                found[Boundary(cells[1], cells[0]), kind] = outcome
    return found


_DOCUMENT = """# Fault matrix

This page shows what completes a night after a fault at each of its writes. The night has two
players and a skip. There are four kinds of faults:

- an exception that the pipeline does not know;
- `kill -9` of the process;
- a concurrent run: a second process runs the whole night while the first one is paused at the
  write, longer than its lease;
- a run with newer lines: the same, and a line has moved in the meantime. The paused run then
  continues. It must change nothing that the second one wrote.

The last column is `kill -9` of a run that a real daemon launched from its queue. There, the daemon
predicts several dates at the same time, finds the dead run, and retries it.

Nobody fixes anything by hand afterwards. The sensor ticks, and the schedule runs the night again
if it is incomplete. In every case the table ends in the state of an undisturbed night (with the
newer lines, where there are any), row by row. The batch with the rows is published once. No
staging table is left, except of a batch that the newer lines superseded. Each cell names the
action that completed the night. `none` means that the night was complete already.

`python -m nba_predictions_tests.faults.matrix` prints this page from {cells} nights. The test
suite runs all of them on the profile `embedded`, and six of those under the daemon, which take
longer; `make kills` runs the others. On the profile `gcp`, with stand-ins for
BigQuery, Firestore and Pub/Sub, it runs `kill -9` after each write and the other faults after the
most important writes. The outcomes are the same.

{table}
"""


def render(rows: list[Row]) -> str:
    """Return the document."""
    head = ("when", "write", *(kind.value for kind in Kind), DAEMON)
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return _DOCUMENT.format(cells=len(rows) * (len(Kind) + 1), table="\n".join(lines))


def main() -> int:
    from nba_predictions_tests.daemon.matrix import column

    rows = []
    with TemporaryDirectory() as folder, mock.patch.object(leases, "LEASE_TTL", SHORT_LEASE):
        whole = embedded_scene(Path(folder) / "undisturbed")
        # The logs of the nights would hide the document.
        with redirect_stdout(io.StringIO()):
            whole_night(whole.home.open(), "run_0")
            moved = embedded_scene(Path(folder) / "moved")
            whole_night(moved.home.open(), "run_0", MOVED)
            tables = {Kind.ZOMBIE: moved.table()}
            under_daemon = column(Path(folder) / "daemon", BOUNDARIES)
            for number, boundary in enumerate(BOUNDARIES):
                outcomes = {}
                for kind in Kind:
                    scene = embedded_scene(Path(folder) / f"{number}-{kind.name}")
                    disturbed(scene, boundary, kind)
                    outcomes[kind] = recovery(scene, kind)
                    check(scene, tables.get(kind, whole.table()), kind)
                rows.append(row_of(boundary, outcomes, under_daemon[boundary]))
    sys.stdout.write(render(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
