"""The source that reads a folder of Parquet and CSV files.

`docs/input-files.md` describes the layout of the files.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import date, datetime, timezone
from functools import cached_property
from pathlib import Path

import polars as pl

from nba_predictions.domain.clock import utc_now
from nba_predictions.domain.errors import SourceDataError
from nba_predictions.inputs import box_scores, injuries, lines, schedules
from nba_predictions.inputs.account import InputAccount, Known, accounts_of, known_at
from nba_predictions.inputs.box_scores import PlayerKeys, known_logs, no_designated_homes
from nba_predictions.inputs.parsing import (
    MAX_REJECTED_SHARE,
    OBSERVED,
    Parsed,
    RawTable,
    conform,
    refuse_many_rejected,
)
from nba_predictions.inputs.port import (
    GAME_LOGS,
    GAMES,
    INJURIES,
    LINES,
    LOGS,
    PROP_LINES,
    REPORT,
    ROSTER,
    SCHEDULE,
    Provenance,
)
from nba_predictions.inputs.reading import Listing, list_folder, oldest_date, read_table

_Normalizer = Callable[[Sequence[RawTable]], Parsed]
_KINDS: dict[str, tuple[_Normalizer, tuple[str, ...]]] = {
    LOGS: (box_scores.normalize_game_logs, (*box_scores.REQUIRED, *box_scores.OPTIONAL)),
    LINES: (lines.normalize_lines, lines.LINES_COLUMNS),
    GAMES: (schedules.normalize_schedule, schedules.SCHEDULE_COLUMNS),
    REPORT: (injuries.normalize_injuries, injuries.INJURIES_COLUMNS),
}
# Moments of which a process keeps the box scores: those of a run, of now, and of a comparison.
_MOMENTS = 4


@dataclass(frozen=True)
class _KnownLogs:
    """The box scores of one moment. `homes` are the designated home teams that they depend on."""

    known: Known
    keys: PlayerKeys
    homes: pl.DataFrame | None


class _Folder:
    """The files of a folder, each read and parsed once, and what was known at some moments."""

    def __init__(self, path: Path, max_rejected_share: float) -> None:
        self.path = path
        self.lock = threading.RLock()
        self._max_rejected_share = max_rejected_share
        self._parsed: dict[str, Parsed | None] = {}
        self._logs: OrderedDict[datetime | None, _KnownLogs] = OrderedDict()
        self._moments: list[datetime] | None = None
        self._listing: Listing | None = None

    def listing(self) -> Listing:
        """Return the files of the folder, as they were when they were first needed."""
        with self.lock:
            if self._listing is None:
                self._listing = list_folder(self.path)
            return self._listing

    def parsed(self, kind: str) -> Parsed | None:
        """Return the parsed files of one kind; None if no file exists."""
        with self.lock:
            if kind not in self._parsed:
                normalize, columns = _KINDS[kind]
                tables = [read_table(p, columns) for p in self.listing().tables[kind]]
                parsed = normalize(tables) if tables else None
                if parsed is not None:
                    refuse_many_rejected(kind, parsed, self._max_rejected_share)
                self._parsed[kind] = parsed
            return self._parsed[kind]

    def rows(self, kind: str, as_of: datetime) -> pl.DataFrame | None:
        """Return the rows of one kind that were known; None if no file exists."""
        parsed = self.parsed(kind)
        return None if parsed is None else known_at(parsed.frame, as_of)

    def logs(self, as_of: datetime) -> _KnownLogs:
        """Return the box scores that were known. Moments between two facts share one result."""
        parsed = self.parsed(LOGS)
        if parsed is None:
            raise self._without_logs()
        with self.lock:
            if self._moments is None:
                self._moments = parsed.frame[OBSERVED].drop_nulls().unique().sort().to_list()
            at = bisect_right(self._moments, as_of)
            moment = self._moments[at - 1] if at else None
            logs = self._logs.get(moment)
            if logs is None or (
                logs.homes is not None and not logs.homes.equals(self._homes(as_of))
            ):
                self._logs[moment] = logs = self._known_logs(parsed, as_of)
            self._logs.move_to_end(moment)
            if len(self._logs) > _MOMENTS:
                self._logs.popitem(last=False)
            return logs

    def _known_logs(self, parsed: Parsed, as_of: datetime) -> _KnownLogs:
        homes: list[pl.DataFrame] = []

        def designated_homes() -> pl.DataFrame:
            homes.append(self._homes(as_of))
            return homes[0]

        known = known_logs(known_at(parsed.frame, as_of), designated_homes)
        return _KnownLogs(known, PlayerKeys.of(known.frame), homes[0] if homes else None)

    def _homes(self, as_of: datetime) -> pl.DataFrame:
        """Return the home teams by the schedule, then by the lines in file order."""
        keys = ["game_date", "away_team", "home_team"]
        homes = [no_designated_homes().select(keys)]
        for kind in (GAMES, LINES):
            rows = self.rows(kind, as_of)
            if rows is not None:
                homes.append(rows.select(keys))
        return pl.concat(homes)

    def _without_logs(self) -> SourceDataError:
        listing = self.listing()
        others = [p.name for paths in listing.tables.values() for p in paths]
        unread = [f"{a.path} ({a.note})" for a in listing.unread]
        return SourceDataError(
            f"{self.path}: no file is named player_game_logs*.parquet or .csv (the files are "
            f"{', '.join((*unread, *others)[:10])}); add box scores under such a name"
        )


class FilesSource:
    """Inputs from the files of one folder.

    Each file is read once, when it is first needed. Later changes of the file have no effect. Every
    method raises SourceDataError if a file that it needs cannot be read, or if too many of its rows
    are invalid.

    Args:
        folder: the folder with the files.
        max_rejected_share: the tolerated share of invalid rows of one kind of input.
    """

    name = "files"

    def __init__(self, folder: Path, max_rejected_share: float = MAX_REJECTED_SHARE) -> None:
        self.folder = Path(folder)
        self._files = _Folder(self.folder, max_rejected_share)
        self._as_of: datetime | None = None

    def known_at(self, as_of: datetime) -> FilesSource:
        """Return the source as it was known at a moment. It shares the parsed files."""
        view = copy(self)
        # The columns of moments are in UTC, and polars compares only equal time zones.
        view._as_of = as_of.astimezone(timezone.utc)
        return view

    @staticmethod
    def columns() -> dict[str, tuple[str, ...]]:
        """Return the columns that are read of each kind of file."""
        return {kind: columns for kind, (_, columns) in _KINDS.items()}

    @property
    def as_of(self) -> datetime:
        """The moment of the source: now, unless `known_at` made it."""
        return self._as_of or utc_now()

    @cached_property
    def first_date(self) -> date | None:
        """The date of the oldest box score, None if the files cannot be read."""
        try:
            return oldest_date(list_folder(self.folder).tables[LOGS], "GAME_DATE")
        except SourceDataError:
            return None

    def game_logs(self, before: date) -> pl.DataFrame:
        """Return the rows (GAME_LOGS) of all games before `before`, oldest first."""
        return self._logs(pl.col("game_date") < before, before)

    def box_scores(self, game_date: date) -> pl.DataFrame:
        """Return the rows (GAME_LOGS) of `game_date`, none while the files lack them."""
        return self._logs(pl.col("game_date") == game_date, game_date)

    def schedule(self, game_date: date) -> pl.DataFrame:
        """Return the games (SCHEDULE) of `game_date`.

        Without schedule files, the games are derived from the logs of the date or, if the logs
        have none yet, from its lines. Only the teams are taken from the logs, so that no result
        becomes known before the game.
        """
        rows = self._rows(GAMES)
        if rows is not None:
            games = schedules.known_games(rows).frame
            return conform(games.filter(pl.col("game_date") == game_date), SCHEDULE)
        played = box_scores.games_of(self._files.logs(self.as_of).known.frame, game_date)
        return schedules.derived_games(game_date, played, self._rows(LINES))

    def prop_lines(self, game_date: date) -> pl.DataFrame:
        """Return the quotes (PROP_LINES) for `game_date`."""
        return conform(self._known(LINES, game_date).frame, PROP_LINES)

    def injuries(self, game_date: date) -> pl.DataFrame:
        """Return the report (INJURIES) for `game_date`."""
        return conform(self._known(REPORT, game_date).frame, INJURIES)

    def roster(self, game_date: date) -> pl.DataFrame:
        """Return no players (ROSTER): their teams are those of the box scores."""
        del game_date
        return pl.DataFrame(schema=ROSTER)

    def provenance(self, game_date: date) -> Provenance:
        """Return whether schedule files exist, their last date, and the day of the injury report.

        The day of the report is that of its newest row, US Eastern. Without moments it is known
        only if all rows have a game_date.
        """
        schedule, report = self._rows(GAMES), self._rows(REPORT)
        report_date: date | None = None
        if report is not None:
            current = self._known(REPORT, game_date).frame
            report_date = injuries.made_on(report, game_date, current)
        last = None if schedule is None else schedule["game_date"].max()
        return Provenance(
            schedule_is_given=schedule is not None,
            schedule_until=last if isinstance(last, date) else None,
            injuries_made_on=report_date,
        )

    def accounts(self, game_date: date) -> list[InputAccount]:
        """Return the outcome of each row of each file, for `game_date`, and the unread files."""
        accounts: list[InputAccount] = []
        for kind in _KINDS:
            parsed = self._files.parsed(kind)
            if parsed is not None:
                known = self._known(kind, game_date)
                day = pl.col("game_date")
                used = known.frame.filter(day < game_date if kind == LOGS else day == game_date)
                accounts += accounts_of(kind, parsed, known, used, self.as_of)
        return accounts + list(self._files.listing().unread)

    def _known(self, kind: str, game_date: date) -> Known:
        rows = self._rows(kind)
        if kind == LOGS:
            return self._files.logs(self.as_of).known
        if kind == GAMES:
            empty = pl.DataFrame(schema=SCHEDULE)
            return Known(empty) if rows is None else schedules.known_games(rows)
        if kind == LINES:
            if rows is None:
                return Known(pl.DataFrame(schema=PROP_LINES))
            return lines.lines_of(rows, game_date, self.schedule, self.as_of)
        if rows is None:
            return Known(pl.DataFrame(schema=INJURIES))
        return injuries.report_of(rows, game_date, self.schedule(game_date))

    def _rows(self, kind: str) -> pl.DataFrame | None:
        return self._files.rows(kind, self.as_of)

    def _logs(self, which: pl.Expr, game_date: date) -> pl.DataFrame:
        logs = self._files.logs(self.as_of)
        rows = conform(logs.known.frame.filter(which), GAME_LOGS)
        return logs.keys.applied(rows, game_date)
