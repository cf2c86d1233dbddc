"""Parse schedules, and choose the newest row of each game (SCHEDULE)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date

import polars as pl

from nba_predictions.domain.league.games import EASTERN, team_abbreviation
from nba_predictions.inputs.account import Known, rows_by_file
from nba_predictions.inputs.parsing import (
    FILE,
    MOMENT,
    OBSERVED,
    ROW,
    Cell,
    Parsed,
    RawTable,
    Rejected,
    calendar_date,
    conform,
    count_by_file,
    moment,
    observed,
    parse,
    require_columns,
    text,
)
from nba_predictions.inputs.port import SCHEDULE
from nba_predictions.inputs.row_rules import (
    newest,
    one_game_per_team,
    split_replaced,
    with_game_id,
    with_mapped,
)

SCHEDULE_REQUIRED = ("game_date", "away_team", "home_team")
SCHEDULE_OPTIONAL = ("tipoff", "commence_time", "status", "GAME_ID", "game_id", OBSERVED)
SCHEDULE_COLUMNS = (*SCHEDULE_REQUIRED, *SCHEDULE_OPTIONAL)

#: A tip-off before this hour US Eastern may be that of a delayed game of the day before.
LATEST_DELAYED_TIPOFF = "6h"

TEAM_FIX = "write the full name, as in Los Angeles Lakers, or the abbreviation, as in LAL"
TIME_FIX = "write the time in UTC, as in 2025-01-11T00:10:00Z, or with its UTC offset"
DATE_FIX = "write the day of the game in US Eastern time, as in 2025-01-10"

_TEAMS = ("away_team", "home_team")
_EXHIBITION_TEAM = (
    r"(?i)^(team [a-z .'-]+|(east|west)(ern)?( .*)?|world( .*)?|usa( .*)?|.*all[- ]?stars?"
    r"|rising stars.*|est|wst)$"
)
_NOT_PLAYED = r"(?i)^\W*(postponed|ppd|pst|cancell?ed|canc|abandoned)\b"
_NBA_GAME_ID = r"^0*([1-9][0-9]{7})$"
_KINDS_LEFT_OUT = {"1": "preseason", "3": "all_star"}
_ROWS = {
    **SCHEDULE,
    "nba_id": pl.String,
    "not_played": pl.Boolean,
    FILE: pl.String,
    ROW: pl.Int64,
}


def normalize_schedule(tables: Sequence[RawTable]) -> Parsed:
    """Return the valid rows of all tables as SCHEDULE with FILE and ROW.

    A game whose tip-off is not known yet (`TBD`) or not on its date is kept without it. These rows
    are counted as `tipoff_unknown` and `tipoff_not_on_date`. Games of other teams than those of the
    league (`unknown_team`), of the preseason (`preseason`) and of All-Star teams (`all_star`) are
    dropped.

    Raises:
        SourceDataError: a table lacks a required column.
    """
    return Parsed.of(tables, [_typed_games(table) for table in tables])


def known_games(rows: pl.DataFrame) -> Known:
    """Return the newest row of each game (SCHEDULE with FILE and ROW), one game per team and date.

    A game is identified by the league's id, if the schedule has it, and by its date and two teams.
    Games whose newest row says that they are not played are dropped (`postponed`).

    Args:
        rows: the rows of `normalize_schedule` that are known.
    """
    rows = rows.with_columns(one=pl.min_horizontal(_TEAMS), two=pl.max_horizontal(_TEAMS))
    games, older = newest(
        rows.with_columns(
            id=pl.coalesce("nba_id", pl.format("{} {} {}", "game_date", "one", "two"))
        ),
        ("id",),
    )
    games, replaced = newest(games, ("game_date", "one", "two"))
    played = games.filter(~pl.col("not_played"))
    played, rejected = one_game_per_team(played, _TEAMS, "home_team")
    older, duplicates = split_replaced(games, pl.concat([older, replaced]))
    return Known(
        conform(
            played.sort("game_date", "tipoff", "game_id"),
            {**SCHEDULE, FILE: pl.String, ROW: pl.Int64},
        ),
        rows_by_file(older),
        tuple(rejected),
        {
            **count_by_file(games.filter("not_played"), "postponed"),
            **count_by_file(duplicates, "duplicate"),
        },
    )


def derived_games(
    game_date: date, played: pl.DataFrame, lines: pl.DataFrame | None
) -> pl.DataFrame:
    """Return the games (SCHEDULE) of a date without a schedule.

    Args:
        game_date: the date.
        played: game_date, game_id, away_team and home_team of its games in the logs. Only if there
            are none, the games are those of the lines.
        lines: the rows of `normalize_lines` that are known; None if there are no files.
    """
    unknown = {"tipoff": pl.lit(None, MOMENT), OBSERVED: pl.lit(None, MOMENT)}
    if lines is None:
        return conform(played.with_columns(**unknown), SCHEDULE).sort("game_id")
    quoted = lines.filter(pl.col("game_date") == game_date)
    games = played
    if games.is_empty():
        # Books may name different home teams for a game. The first one counts.
        pair = pl.struct(pl.min_horizontal(_TEAMS).alias("one"), pl.max_horizontal(_TEAMS))
        games, _ = one_game_per_team(quoted.filter(pair.is_first_distinct()), _TEAMS, "home_team")
    order = ["quoted_on", OBSERVED]
    newest_tipoff = pl.col("tipoff").sort_by(order, nulls_last=False).drop_nulls().last()
    tipoffs = quoted.group_by("game_id").agg(newest_tipoff)
    games = games.select("game_date", "game_id", *_TEAMS).join(tipoffs, on="game_id", how="left")
    return conform(games.with_columns(unknown[OBSERVED].alias(OBSERVED)), SCHEDULE).sort(
        "tipoff", "game_id"
    )


def with_teams(rows: pl.DataFrame) -> tuple[pl.DataFrame, list[Rejected]]:
    """Replace the names of both teams by their abbreviations."""
    rejected: list[Rejected] = []
    for column in _TEAMS:
        rows, unknown = with_mapped(rows, [column], "__team", team_abbreviation, (column, TEAM_FIX))
        rows = rows.with_columns(pl.col("__team").alias(column)).drop("__team")
        rejected += unknown
    return rows, rejected


def drop_exhibitions(raw: pl.DataFrame) -> tuple[pl.DataFrame, dict[tuple[str, str], int]]:
    """Return the rows without games of All-Star teams, and the numbers of those."""
    selected = [text(raw, column).str.contains(_EXHIBITION_TEAM) for column in _TEAMS]
    out = pl.any_horizontal(selected).fill_null(False)
    return raw.filter(~out), count_by_file(raw.filter(out), "all_star")


def _typed_games(table: RawTable) -> Parsed:
    require_columns(table, SCHEDULE_REQUIRED)
    raw, all_star = drop_exhibitions(table.with_row_numbers(SCHEDULE_OPTIONAL))
    dropped = Counter(all_star)
    column = next((c for c in SCHEDULE_OPTIONAL[:2] if c in table.frame.columns), None)
    cells = {
        "game_date": Cell("game_date", calendar_date(raw, "game_date"), "a date", DATE_FIX),
        "away_team": Cell("away_team", text(raw, "away_team"), "a team", TEAM_FIX),
        "home_team": Cell("home_team", text(raw, "home_team"), "a team", TEAM_FIX),
        "tipoff": _tipoff_cell(raw, column or "tipoff"),
        "nba_id": Cell("GAME_ID", _nba_id(raw), "an id", "", where=pl.lit(False)),
        "not_played": Cell(
            "status", text(raw, "status").str.contains(_NOT_PLAYED).fill_null(False), "a status", ""
        ),
        OBSERVED: observed(raw),
    }
    rows, rejected = parse(raw, cells)
    kind = pl.col("nba_id").str.head(1).replace_strict(_KINDS_LEFT_OUT, default=None)
    for reason in _KINDS_LEFT_OUT.values():
        out = (kind == reason).fill_null(False)
        dropped.update(count_by_file(rows.filter(out), reason))
        rows = rows.filter(~out)
    rows, unknown = with_teams(rows)
    dropped.update((row.file, "unknown_team") for row in unknown)
    rows, invalid = with_game_id(rows, "home_team")
    local = pl.col("tipoff").dt.convert_time_zone(EASTERN.key)
    days = (local.dt.date(), local.dt.offset_by(f"-{LATEST_DELAYED_TIPOFF}").dt.date())
    elsewhere = pl.all_horizontal(day != pl.col("game_date") for day in days).fill_null(False)
    if column is not None:
        dropped.update(count_by_file(rows.filter(pl.col("tipoff").is_null()), "tipoff_unknown"))
    dropped.update(count_by_file(rows.filter(elsewhere), "tipoff_not_on_date"))
    rows = rows.with_columns(pl.when(~elsewhere).then("tipoff").alias("tipoff"))
    return Parsed(conform(rows, _ROWS), (*rejected, *invalid), dropped)


def _tipoff_cell(raw: pl.DataFrame, column: str) -> Cell:
    """Return the cell of the tip-off. Text without a digit, as in TBD, is an unknown tip-off."""
    words = text(raw, column)
    return Cell(
        column,
        moment(raw, column),
        "a time with a time zone",
        f"{TIME_FIX}, or write TBD",
        optional=True,
        where=words.is_null() | words.str.contains("[0-9]"),
    )


def _nba_id(raw: pl.DataFrame) -> pl.Expr:
    """Return the league's id of the game without leading zeros; null for any other id."""
    columns = [c for c in ("GAME_ID", "game_id") if c in raw.columns]
    values = [pl.col(c).cast(pl.String).str.extract(_NBA_GAME_ID, 1) for c in columns]
    return pl.coalesce(values)
