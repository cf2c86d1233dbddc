"""The outcome of each row of an input, for one game date and the moment of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from nba_predictions.domain.betting.slate import InputSummary
from nba_predictions.domain.policies.input_gates import KEPT_REASONS
from nba_predictions.inputs.parsing import FILE, OBSERVED, Parsed, Rejected

#: Reasons of `dropped` that depend on the date and the moment of the run, and not on the row alone.
OTHER_DATES, NOT_YET_KNOWN = "other_dates", "not_yet_known"

#: The kind of a file that does not seem to be an input.
UNKNOWN = "unknown"


@dataclass(frozen=True)
class InputAccount:
    """The outcome of the rows of one file, or one simulated table, for one game date and moment.

    For a file that was read, `rows` is the sum of `used`, `superseded`, the rejected rows and
    `left_out`.

    Attributes:
        kind: `player_game_logs`, `points_lines`, `schedule`, `injuries` or `unknown`.
        path: the name of the file in its folder.
        read: False for a file that is not read. Then `note` says why and what to do.
        rows: the number of rows of the file.
        used: the number of rows that are known and count for the date.
        superseded: the number of rows that a newer row for the same fact replaced.
        rejected: the invalid rows.
        dropped: the number of rows that a rule leaves out, by reason. Rows with a reason of
            KEPT_REASONS are kept without the value in question, and only counted.
        note: what else a reader must know.
    """

    kind: str
    path: str
    read: bool
    rows: int = 0
    used: int = 0
    superseded: int = 0
    rejected: tuple[Rejected, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    note: str = ""

    @property
    def left_out(self) -> int:
        """The number of rows that a rule leaves out."""
        return _left_out(self.dropped)

    def summary(self) -> InputSummary:
        """Return the counts, without the rejected rows themselves."""
        return InputSummary(
            self.kind,
            self.path,
            self.read,
            self.rows,
            self.used,
            self.superseded,
            len(self.rejected),
            ", ".join(f"{reason}: {n}" for reason, n in self.dropped.items()),
            self.note,
        )


@dataclass(frozen=True)
class Known:
    """The facts of one kind that hold at a moment, and the outcome of the other rows.

    Attributes:
        frame: the facts, with FILE and ROW.
        superseded: the number of rows that a newer row replaced, by file.
        rejected: rows that contradict others so that the order does not decide.
        dropped: the number of rows that a rule leaves out, by file and reason.
        notes: what else a reader must know, by file.
    """

    frame: pl.DataFrame
    superseded: Mapping[str, int] = field(default_factory=dict)
    rejected: tuple[Rejected, ...] = ()
    dropped: Mapping[tuple[str, str], int] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)


def problems(accounts: Sequence[InputAccount]) -> tuple[list[str], list[str]]:
    """Return a description of each rejected row, and of each unread file that may be an input."""
    rejected = [str(row) for account in accounts for row in account.rejected]
    unread = [f"{a.path}: {a.note}" for a in accounts if not a.read and a.kind != UNKNOWN]
    return rejected, unread


def _left_out(dropped: Mapping[str, int]) -> int:
    return sum(count for reason, count in dropped.items() if reason not in KEPT_REASONS)


def rows_by_file(rows: pl.DataFrame) -> Counter[str]:
    """Return the number of rows by file."""
    return Counter(dict(rows.group_by(FILE).len().iter_rows()))


def known_at(rows: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """Return the rows that were known at a moment. Rows of unknown moment were always known."""
    if rows[OBSERVED].null_count() == rows.height:
        return rows
    return rows.filter(pl.col(OBSERVED).is_null() | (pl.col(OBSERVED) <= as_of))


def accounts_of(
    kind: str, parsed: Parsed, known: Known, used: pl.DataFrame, as_of: datetime
) -> list[InputAccount]:
    """Return the accounts of all files of one kind.

    Args:
        kind: the kind of input.
        parsed: the rows of its files.
        known: the facts at `as_of`.
        used: the facts of `known` that count for the date.
        as_of: the moment of the run.
    """
    in_use = rows_by_file(used)
    late = parsed.frame.height - known_at(parsed.frame, as_of).height
    not_yet = (
        rows_by_file(parsed.frame.filter(pl.col(OBSERVED) > as_of)) if late else Counter[str]()
    )
    accounts = []
    for file, rows in parsed.rows.items():
        dropped = Counter({r: n for (f, r), n in parsed.dropped.items() if f == file})
        dropped.update({r: n for (f, r), n in known.dropped.items() if f == file})
        dropped[NOT_YET_KNOWN] += not_yet[file]
        rejected = tuple(r for r in (*parsed.rejected, *known.rejected) if r.file == file)
        superseded = known.superseded.get(file, 0)
        dropped[OTHER_DATES] += (
            rows - in_use[file] - superseded - len(rejected) - _left_out(dropped)
        )
        accounts.append(
            InputAccount(
                kind,
                file,
                True,
                rows,
                in_use[file],
                superseded,
                rejected,
                {reason: count for reason, count in sorted(dropped.items()) if count},
                known.notes.get(file, ""),
            )
        )
    return accounts
