"""Every write of a night, struck before, during and after, in three ways: docs/fault-matrix.md.

    python -m nba_predictions_tests.faults.matrix

strikes an embedded night at each boundary and prints that document. After a strike only what a
daemon does is done: the sensor's tick, or the next run of the schedule. The table is then that of
an undisturbed night, its batch is published once, and no staging is left.
"""

from __future__ import annotations

import io
import signal
import sys
from contextlib import redirect_stdout
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
)
from nba_predictions_tests.nights import ROWS, Scene, embedded_scene, publish, whole_night

#: The writes of a night of two players and a skip, in their order.
CALLS = (
    "create the batch",
    "enter 'created' into the ledger",
    "move the batch to staging",
    "record joelembiid, skipped",
    "stage lukadoncic",
    "record lukadoncic, staged",
    "stage zachcollins",
    "record zachcollins, staged",
    "move the batch to staged",
    "enter 'staged' into the ledger",
    "take the lease",
    "MERGE",
    "retire rows",
    "enter 'merged' into the ledger",
    "move the batch to consolidated",
    "give the lease back",
    "take the lease (2)",
    "drop staging",
    "enter 'cleaned' into the ledger",
    "move the batch to cleaned",
    "give the lease back (2)",
    "publish the message",
    "enter 'published' into the ledger",
    "move the batch to published",
)
#: Writes with an inside: a file without a name, staging read and not merged, one table of two gone.
WITH_AN_INSIDE = ("stage lukadoncic", "MERGE", "drop staging")

BOUNDARIES = [
    Boundary(call, moment)
    for call in CALLS
    for moment in ("before", "during", "after")
    if moment != "during" or call in WITH_AN_INSIDE
]


def disturbed(scene: Scene, boundary: Boundary, kind: Kind) -> None:
    """Run a night that is struck at a boundary, in whatever way it ends."""
    if kind is Kind.KILL:
        assert in_another_process(scene.home, "run_1", boundary) == -signal.SIGKILL
        return
    if kind is Kind.AGAIN:

        def strike() -> None:
            in_another_process(scene.home, "run_2")
    else:

        def strike() -> None:
            raise InjectedError(str(boundary))

    parts, _, struck = watched(scene.home.open(), boundary, strike)
    try:
        whole_night(parts, "run_1")
    except Exception as error:
        """Whatever it was: what counts is what is found, and made of it, afterwards."""
        assert struck, f"the night failed by itself: {error!r}"
    assert struck == [boundary]


def healed_by(scene: Scene) -> str:
    """Let the daemon do what it does until the night is whole; say what it took."""
    parts = scene.home.open()
    took = []
    for turn in range(3):
        if scene.judgement().verdict is Verdict.COMPLETE:
            break
        if publish(parts, f"sensor_{turn}"):
            took.append("sensor")
        else:
            whole_night(parts, f"next_{turn}")
            took.append("next run")
    return ", ".join(took) or "itself"


def check(scene: Scene, undisturbed: list[dict[str, Any]]) -> None:
    assert scene.judgement().verdict is Verdict.COMPLETE
    assert scene.table() == undisturbed
    assert len(undisturbed) == ROWS
    assert scene.staging_left() == []
    newest, *earlier = scene.home.open().batches.of_date(GAME_DATE)
    assert {row["batch_id"] for row in scene.whole_table().to_dicts()} == {newest.batch_id}
    # A run that begins when another has cleaned up is a night of its own, and speaks for both.
    # One that finds it was not alone when it began is given up, empty.
    ended = {BatchState.CLEANED, BatchState.PUBLISHED, BatchState.FAILED}
    assert {batch.state for batch in earlier} <= ended
    published = [b.batch_id for b in (newest, *earlier) if b.state is BatchState.PUBLISHED]
    assert newest.batch_id in published
    assert sorted(m.execution_id for m in scene.messages()) == sorted(published)


Row = tuple[str, ...]


def row_of(boundary: Boundary, outcomes: dict[Kind, str]) -> Row:
    return (boundary.moment, boundary.call, *(outcomes[kind] for kind in Kind))


def documented(text: str) -> dict[tuple[Boundary, Kind], str]:
    """Read the outcomes back from the document."""
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and cells[0] in ("before", "during", "after"):
            for kind, outcome in zip(Kind, cells[2:], strict=True):
                found[Boundary(cells[1], cells[0]), kind] = outcome
    return found


_DOCUMENT = """# Fault matrix

A night of two players and a skip, struck at each of its writes: by an exception that nobody knows,
by `kill -9`, and by another process that runs the whole night to its end while this one stands
still at that very point. Afterwards nobody mends anything by hand: the sensor ticks, and the
schedule runs the night again where it is not whole yet. In every cell the table ends as that of an
undisturbed night, row by row, the batch that holds the rows is published once, and no staging is
left. The cells say what it took: `itself` means that the night was whole already.

`python -m nba_predictions_tests.faults.matrix` prints this document from {cells} struck nights. The
suite strikes them all on the profile `embedded`. On the profile `gcp`, where BigQuery, Firestore
and Pub/Sub have stand-ins, it kills after each write, and strikes the other ways after those that
decide; the outcomes are the same.

{table}
"""


def render(rows: list[Row]) -> str:
    """Return the document."""
    lines = ["| struck | write | " + " | ".join(kind.value for kind in Kind) + " |"]
    lines.append("|---" * (2 + len(Kind)) + "|")
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return _DOCUMENT.format(cells=len(rows) * len(Kind), table="\n".join(lines))


def main() -> int:
    rows = []
    with TemporaryDirectory() as folder, mock.patch.object(leases, "LEASE_TTL", SHORT_LEASE):
        whole = embedded_scene(Path(folder) / "undisturbed")
        # The log of so many nights is not what is wanted here.
        with redirect_stdout(io.StringIO()):
            whole_night(whole.home.open(), "run_0")
            for number, boundary in enumerate(BOUNDARIES):
                outcomes = {}
                for kind in Kind:
                    scene = embedded_scene(Path(folder) / f"{number}-{kind.name}")
                    disturbed(scene, boundary, kind)
                    outcomes[kind] = healed_by(scene)
                    check(scene, whole.table())
                rows.append(row_of(boundary, outcomes))
    sys.stdout.write(render(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
