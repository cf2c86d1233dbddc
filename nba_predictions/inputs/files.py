"""The source that reads a folder of Parquet and CSV files.

`docs/input-files.md` describes the layout of the files.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from functools import cached_property
from pathlib import Path

import polars as pl

from nba_predictions.domain.errors import SourceDataError
from nba_predictions.inputs import box_scores, markets
from nba_predictions.inputs.box_scores import no_designated_homes, normalize_game_logs
from nba_predictions.inputs.parsing import FILE, ROW, Parsed, RawTable, conform
from nba_predictions.inputs.port import INJURIES, PROP_LINES, SCHEDULE, Provenance
from nba_predictions.inputs.reading import find_tables, oldest_date, read_table
from nba_predictions.inputs.row_rules import reject_second_game

_Normalizer = Callable[[Sequence[RawTable]], Parsed]
_KINDS: dict[str, tuple[_Normalizer, tuple[str, ...]]] = {
    "player_game_logs": (
        box_scores.normalize_game_logs,
        (*box_scores.REQUIRED, *box_scores.OPTIONAL),
    ),
    "points_lines": (
        markets.normalize_lines,
        (*markets.LINES_REQUIRED, *markets.LINES_OPTIONAL),
    ),
    "schedule": (
        markets.normalize_schedule,
        (*markets.SCHEDULE_REQUIRED, *markets.SCHEDULE_OPTIONAL),
    ),
    "injuries": (
        markets.normalize_injuries,
        (*markets.INJURIES_REQUIRED, *markets.INJURIES_OPTIONAL),
    ),
}
_TEAMS = ("away_team", "home_team")


class FilesSource:
    """Inputs from the files of one folder.

    Each file is read once, when it is first needed. Later changes of the file have no effect. Every
    method raises SourceDataError with file, row and column if a file that it needs is invalid.
    """

    name = "files"

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._parsed: dict[str, Parsed | None] = {}
        self._lock = threading.RLock()

    @cached_property
    def first_date(self) -> date | None:
        """The date of the oldest box score, None if the files cannot be read."""
        return oldest_date(self.folder, "player_game_logs", "GAME_DATE")

    def game_logs(self, before: date) -> pl.DataFrame:
        """Return the rows (GAME_LOGS) of all games before `before`, oldest first."""
        return self._logs().filter(pl.col("game_date") < before)

    def box_scores(self, game_date: date) -> pl.DataFrame:
        """Return the rows (GAME_LOGS) of `game_date`, none while the files lack them."""
        return self._logs().filter(pl.col("game_date") == game_date)

    def schedule(self, game_date: date) -> pl.DataFrame:
        """Return the games (SCHEDULE) of `game_date`.

        Without schedule files, the games are derived from the logs of the date or, if the logs
        have none yet, from its lines. Only the teams are taken from the logs, so that no result
        becomes known before the game.

        Raises:
            SourceDataError: the games are derived from lines, in which a team has two games.
        """
        schedule = self._read("schedule")
        if schedule is not None:
            return schedule.frame.filter(pl.col("game_date") == game_date)
        return self._derived_schedule(game_date)

    def prop_lines(self, game_date: date) -> pl.DataFrame:
        """Return the quotes (PROP_LINES) for `game_date`.

        If a book names the other team as the home team (on a neutral court), the teams are
        swapped to match the schedule.
        """
        lines = self._read("points_lines")
        if lines is None:
            return pl.DataFrame(schema=PROP_LINES)
        quoted = lines.frame.filter(pl.col("game_date") == game_date)
        games = self.schedule(game_date).select(
            away_team="home_team", home_team="away_team", swapped=pl.lit(True)
        )
        quoted = quoted.join(
            games, on=["away_team", "home_team"], how="left", maintain_order="left"
        )
        swapped = pl.col("swapped").fill_null(False)
        quoted = quoted.with_columns(
            pl.when(swapped).then("home_team").otherwise("away_team").alias("away_team"),
            pl.when(swapped).then("away_team").otherwise("home_team").alias("home_team"),
        )
        return conform(quoted, PROP_LINES)

    def injuries(self, game_date: date) -> pl.DataFrame:
        """Return the report (INJURIES) for `game_date`.

        A row without a game_date applies to every date for which the player has no other row.
        """
        report = self._read("injuries")
        if report is None:
            return pl.DataFrame(schema=INJURIES)
        dated = report.frame.filter(pl.col("game_date") == game_date)
        undated = report.frame.filter(pl.col("game_date").is_null())
        undated = undated.join(dated, on="player_lookup", how="anti")
        undated = undated.with_columns(pl.lit(game_date, pl.Date).alias("game_date"))
        return pl.concat([dated, undated]).sort("player_lookup")

    def provenance(self, game_date: date) -> Provenance:
        """Return whether schedule files exist, their last date, and the day of the injury report.

        The day of the report is known only if all its rows have a date.
        """
        schedule, report = self._read("schedule"), self._read("injuries")
        report_date: date | None = None
        if report is not None:
            days = report.frame["game_date"]
            report_date = game_date if (days == game_date).any() and not days.has_nulls() else None
        last = None if schedule is None else schedule.frame["game_date"].max()
        return Provenance(
            schedule_is_given=schedule is not None,
            schedule_until=last if isinstance(last, date) else None,
            injuries_made_on=report_date,
        )

    @property
    def notes(self) -> dict[str, int]:
        """Counts of the input rows, over all files, that were omitted or changed.

        `did_not_play_rows`, `duplicate_rows_collapsed`, `lines_other_markets`,
        `lines_price_sentinel`, `lines_after_tipoff`, `players_renamed`.
        """
        total: Counter[str] = Counter()
        for kind in _KINDS:
            parsed = self._read(kind)
            # update() keeps zeros, which show that the input was checked.
            total.update(parsed.notes if parsed is not None else {})
        return dict(sorted(total.items()))

    def _logs(self) -> pl.DataFrame:
        logs = self._read("player_game_logs")
        if logs is None:
            existing = ", ".join(sorted(p.name for p in self.folder.iterdir())[:10])
            raise SourceDataError(
                f"{self.folder}: no file is named player_game_logs*.parquet or .csv (the files are "
                f"{existing}); add box scores under such a name"
            )
        return logs.frame

    def _read(self, kind: str) -> Parsed | None:
        """Return the parsed files of one kind; None if no file exists."""
        with self._lock:
            if kind not in self._parsed:
                normalize, columns = _KINDS[kind]
                tables = [read_table(p, columns) for p in find_tables(self.folder, kind)]
                if tables and kind == "player_game_logs":
                    self._parsed[kind] = normalize_game_logs(tables, self._designated_homes)
                else:
                    self._parsed[kind] = normalize(tables) if tables else None
            return self._parsed[kind]

    def _designated_homes(self) -> pl.DataFrame:
        """Return the home teams by the schedule, then by the lines in file order."""
        keys = ["game_date", "away_team", "home_team"]
        homes = [no_designated_homes().select(keys)]
        for kind in ("schedule", "points_lines"):
            parsed = self._read(kind)
            if parsed is not None:
                order = [c for c in (FILE, ROW) if c in parsed.frame.columns]
                frame = parsed.frame.sort(order) if order else parsed.frame
                homes.append(frame.select(keys))
        return pl.concat(homes)

    def _derived_schedule(self, game_date: date) -> pl.DataFrame:
        games = box_scores.games_of(self._logs(), game_date)
        lines = self._read("points_lines")
        if lines is None:
            return _with_tipoff(games, pl.DataFrame(schema=markets.LINES_AND_GAMES))
        quoted = lines.frame.filter(pl.col("game_date") == game_date).sort(FILE, ROW)
        if games.is_empty():
            # Books may name different home teams for a game. The first one counts.
            one, two = pl.min_horizontal(_TEAMS), pl.max_horizontal(_TEAMS)
            games = quoted.filter(pl.struct(one.alias("one"), two.alias("two")).is_first_distinct())
            reject_second_game(games, "home_team")
        return _with_tipoff(games, quoted)


def _with_tipoff(games: pl.DataFrame, quoted: pl.DataFrame) -> pl.DataFrame:
    """Return SCHEDULE: the games with the newest tip-off in their lines."""
    newest = quoted.sort("quoted_on").group_by("game_id").agg(pl.col("tipoff").drop_nulls().last())
    games = games.select("game_date", "game_id", "away_team", "home_team")
    games = games.join(newest, on="game_id", how="left")
    return conform(games, SCHEDULE).sort("tipoff", "game_id")
