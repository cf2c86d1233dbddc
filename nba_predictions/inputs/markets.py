"""Parse lines, schedules and injury reports into PROP_LINES, SCHEDULE and INJURIES.

The file source and the simulated league both use this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from nba_predictions.domain.league.games import EASTERN, team_abbreviation
from nba_predictions.domain.market import registered_markets
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
    cell_error,
    conform,
    count_by_file,
    moment,
    number,
    observed,
    parse,
    reject,
    require_columns,
    text,
    whole,
)
from nba_predictions.inputs.port import INJURIES, INJURY_STATUSES, PROP_LINES, SCHEDULE
from nba_predictions.inputs.row_rules import (
    newest,
    one_game_per_team,
    with_game_id,
    with_lookup,
    with_mapped,
)

LINES_REQUIRED = (
    *("player", "market", "bookmaker", "side", "line", "price", "home_team", "away_team"),
)
LINES_OPTIONAL = ("commence_time", "snap", OBSERVED)
SCHEDULE_REQUIRED = ("game_date", "away_team", "home_team")
SCHEDULE_OPTIONAL = ("tipoff", "commence_time", OBSERVED)
INJURIES_REQUIRED = ("player", "status")
INJURIES_OPTIONAL = ("game_date", "reason", OBSERVED)

#: PROP_LINES, and the game and tip-off that the lines contain.
LINES_AND_GAMES = {
    **PROP_LINES,
    "tipoff": MOMENT,
    OBSERVED: MOMENT,
    FILE: pl.String,
    ROW: pl.Int64,
}
_LINE_ORDER = (
    *("game_date", "game_id", "player_lookup", "market", "book", "quoted_on"),
    *("line", "side", "price"),
)

#: A price of at least this size, positive or negative, is a placeholder and cannot be bet on.
SENTINEL_PRICE = 10_000
#: The names of fantasy operators, reduced to letters and digits. They quote a threshold that is
#: part of a slip, and not a line with a price.
DFS_BOOKS = frozenset(
    {
        *("prizepicks", "underdog", "underdogfantasy", "sleeper", "sleeperfantasy"),
        *("pick6", "draftkingspick6", "betr", "betrpicks", "betrusdfs", "dabble", "parlayplay"),
        *("chalkboard", "boomfantasy", "hotstreak", "thrivefantasy", "vividpicks", "ownersbox"),
    }
)

_HIGHEST_LINE = 200
_SNAP_FORMAT = "%m_%d_%Y"
_TEAM_FIX = "write the full name, as in Los Angeles Lakers, or the abbreviation, as in LAL"
_TIME_FIX = "write the time in UTC, as in 2025-01-11T00:10:00Z, or with its UTC offset"
_SNAP_FIX = "the UTC date of the quote, as in 01_10_2025"
_DATE_FIX = "write the day of the game in US Eastern time, as in 2025-01-10"


def normalize_lines(tables: Sequence[RawTable]) -> Parsed:
    """Return the valid quotes of all tables as LINES_AND_GAMES.

    The game_date is the date of `commence_time` in US Eastern time or, if it is empty, the date in
    `snap`. Dropped are `other_market`, `placeholder_price` and `after_tipoff` (quoted on a later
    UTC date than that of the tip-off).

    Raises:
        SourceDataError: a table lacks a required column.
    """
    return Parsed.of(tables, [_typed_lines(table) for table in tables])


def _typed_lines(table: RawTable) -> Parsed:
    require_columns(table, LINES_REQUIRED)
    if not {"commence_time", "snap"} & set(table.frame.columns):
        raise cell_error(
            table.name,
            f"1 to {table.frame.height}",
            "commence_time",
            "is missing, and so is snap, so the lines have no date",
            f"add commence_time ({_TIME_FIX}) or snap ({_SNAP_FIX})",
        )
    raw = table.with_row_numbers(LINES_OPTIONAL)
    label = text(raw, "market")
    other = (label.is_not_null() & ~label.is_in(list(_markets_by_label()))).fill_null(False)
    price = pl.coalesce(whole(raw, "price", -(10**9), 10**9), 0)
    known = raw.filter(~other)
    quoted = known.filter(price.abs() < SENTINEL_PRICE)
    rows, rejected = _parse_lines(quoted)
    for rule in (
        _reject_impossible_lines,
        _with_teams,
        lambda rows: with_game_id(rows, "home_team"),
        lambda rows: with_lookup(rows, "player"),
    ):
        rows, invalid = rule(rows)
        rejected += invalid
    late = (pl.col("quoted_on") > pl.col("tipoff").dt.date()).fill_null(False)
    dropped = {
        **count_by_file(raw.filter(other), "other_market"),
        **count_by_file(known.filter(price.abs() >= SENTINEL_PRICE), "placeholder_price"),
        **count_by_file(rows.filter(late), "after_tipoff"),
    }
    return Parsed(conform(rows.filter(~late), LINES_AND_GAMES), tuple(rejected), dropped)


def lines_of(rows: pl.DataFrame, game_date: date, games: pl.DataFrame) -> Known:
    """Return the quotes (PROP_LINES with FILE and ROW) for the games of a date.

    If a book names the other team as the home team (on a neutral court), the teams are swapped to
    match the schedule.

    Args:
        rows: the rows of `normalize_lines` that are known.
        game_date: the date.
        games: its games (SCHEDULE).
    """
    quoted, older = newest(rows.filter(pl.col("game_date") == game_date), _LINE_ORDER)
    swaps = games.select(away_team="home_team", home_team="away_team", swapped="game_id")
    quoted = quoted.join(swaps, on=["away_team", "home_team"], how="left", maintain_order="left")
    swapped = pl.col("swapped").is_not_null()
    quoted = quoted.with_columns(
        pl.when(swapped).then("home_team").otherwise("away_team").alias("away_team"),
        pl.when(swapped).then("away_team").otherwise("home_team").alias("home_team"),
        pl.coalesce("swapped", "game_id").alias("game_id"),
    )
    frame = conform(quoted.sort(_LINE_ORDER), {**PROP_LINES, FILE: pl.String, ROW: pl.Int64})
    return Known(frame, rows_by_file(older))


def _markets_by_label() -> dict[str, str]:
    """Return the name of the market that each label in input files stands for."""
    return {label: m.name for m in registered_markets() for label in m.input_labels}


def _parse_lines(raw: pl.DataFrame) -> tuple[pl.DataFrame, list[Rejected]]:
    side = text(raw, "side").str.to_titlecase()
    line = number(raw, "line")
    cells = {
        "player_name": Cell("player", text(raw, "player"), "a name", "write the player's name"),
        "market": Cell(
            "market",
            text(raw, "market").replace_strict(_markets_by_label(), default=None),
            "a registered market",
            "",
        ),
        "book": Cell("bookmaker", text(raw, "bookmaker"), "a name", "write the book's name"),
        "side": Cell(
            "side",
            pl.when(side.is_in(["Over", "Under"])).then(side),
            "a side",
            "write Over or Under",
        ),
        "line": Cell(
            "line",
            pl.when((line > 0) & (line <= _HIGHEST_LINE) & (line * 2 == (line * 2).floor()))
            .then(line)
            .cast(pl.Decimal(5, 1)),
            f"a line (a multiple of 0.5 above 0, at most {_HIGHEST_LINE})",
            "write the line of the book, as in 24.5, or remove the row",
        ),
        "price": Cell("price", whole(raw, "price", -(10**9), 10**9), "a price", "", optional=True),
        "home_team": Cell("home_team", text(raw, "home_team"), "a team", _TEAM_FIX),
        "away_team": Cell("away_team", text(raw, "away_team"), "a team", _TEAM_FIX),
        "tipoff": Cell(
            "commence_time",
            moment(raw, "commence_time"),
            "a time with a time zone",
            _TIME_FIX,
            optional=True,
        ),
        "quoted_on": Cell(
            "snap",
            calendar_date(raw, "snap", [_SNAP_FORMAT]),
            "a day",
            f"write {_SNAP_FIX}",
            optional=True,
        ),
        OBSERVED: observed(raw),
    }
    rows, rejected = parse(raw, cells)
    key = pl.col("book").str.to_lowercase().str.replace_all("[^a-z0-9]", "")
    return rows.with_columns(
        _eastern_date("tipoff").fill_null(pl.col("quoted_on")).alias("game_date"),
        pl.when(key.is_in(sorted(DFS_BOOKS)))
        .then(pl.lit("dfs"))
        .otherwise(pl.lit("sportsbook"))
        .alias("line_source"),
        pl.col("book").alias("book_name"),
        pl.col(OBSERVED).alias("quoted_at"),
    ), rejected


def _reject_impossible_lines(rows: pl.DataFrame) -> tuple[pl.DataFrame, list[Rejected]]:
    """Reject impossible prices, and lines without a date."""
    rows, odds = reject(
        rows,
        pl.col("price").abs() < 100,
        "price",
        pl.format("{} is not an American price", "price"),
        "write odds of at most -100 or at least 100, and convert decimal odds",
    )
    rows, undated = reject(
        rows,
        pl.col("tipoff").is_null() & pl.col("quoted_on").is_null(),
        "commence_time",
        pl.lit("is empty, and so is snap, so the line has no date"),
        f"fill in commence_time ({_TIME_FIX}) or snap ({_SNAP_FIX})",
    )
    return rows, odds + undated


def _eastern_date(column: str) -> pl.Expr:
    return pl.col(column).dt.convert_time_zone(EASTERN.key).dt.date()


def _with_teams(rows: pl.DataFrame) -> tuple[pl.DataFrame, list[Rejected]]:
    """Replace the names of both teams by their abbreviations."""
    rejected: list[Rejected] = []
    for column in ("away_team", "home_team"):
        rows, unknown = with_mapped(
            rows, [column], "__team", team_abbreviation, (column, _TEAM_FIX)
        )
        rows = rows.with_columns(pl.col("__team").alias(column)).drop("__team")
        rejected += unknown
    return rows, rejected


def normalize_schedule(tables: Sequence[RawTable]) -> Parsed:
    """Return the valid rows of all tables as SCHEDULE with FILE and ROW.

    Raises:
        SourceDataError: a table lacks a required column.
    """
    return Parsed.of(tables, [_typed_games(table) for table in tables])


def known_games(rows: pl.DataFrame) -> Known:
    """Return the newest row of each game (SCHEDULE with FILE and ROW), one game per team and date.

    Args:
        rows: the rows of `normalize_schedule` that are known.
    """
    games, older = newest(rows, ("game_id",))
    games, rejected = one_game_per_team(games, ("away_team", "home_team"), "home_team")
    games = games.sort("game_date", "tipoff", "game_id")
    return Known(games, rows_by_file(older), tuple(rejected))


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
    if lines is None:
        lines = pl.DataFrame(schema=LINES_AND_GAMES)
    quoted = lines.filter(pl.col("game_date") == game_date)
    games = played
    if games.is_empty():
        # Books may name different home teams for a game. The first one counts.
        teams = ("away_team", "home_team")
        pair = pl.struct(pl.min_horizontal(teams).alias("one"), pl.max_horizontal(teams))
        games, _ = one_game_per_team(quoted.filter(pair.is_first_distinct()), teams, "home_team")
    newest = quoted.sort("quoted_on").group_by("game_id").agg(pl.col("tipoff").drop_nulls().last())
    games = games.select("game_date", "game_id", "away_team", "home_team")
    games = games.join(newest, on="game_id", how="left")
    games = games.with_columns(pl.lit(None, MOMENT).alias(OBSERVED))
    return conform(games, SCHEDULE).sort("tipoff", "game_id")


def _typed_games(table: RawTable) -> Parsed:
    require_columns(table, SCHEDULE_REQUIRED)
    raw = table.with_row_numbers(SCHEDULE_OPTIONAL)
    column = next((c for c in ("tipoff", "commence_time") if c in table.frame.columns), "tipoff")
    cells = {
        "game_date": Cell("game_date", calendar_date(raw, "game_date"), "a date", _DATE_FIX),
        "away_team": Cell("away_team", text(raw, "away_team"), "a team", _TEAM_FIX),
        "home_team": Cell("home_team", text(raw, "home_team"), "a team", _TEAM_FIX),
        "tipoff": Cell(
            column, moment(raw, column), "a time with a time zone", _TIME_FIX, optional=True
        ),
        OBSERVED: observed(raw),
    }
    rows, rejected = parse(raw, cells)
    for rule in (
        _reject_tipoff,
        _with_teams,
        lambda rows: with_game_id(rows, "home_team"),
    ):
        rows, invalid = rule(rows)
        rejected += invalid
    return Parsed(conform(rows, {**SCHEDULE, FILE: pl.String, ROW: pl.Int64}), tuple(rejected))


def _reject_tipoff(rows: pl.DataFrame) -> tuple[pl.DataFrame, list[Rejected]]:
    return reject(
        rows,
        _eastern_date("tipoff") != pl.col("game_date"),
        "tipoff",
        pl.format("{} is not on {} in US Eastern time", "tipoff", "game_date"),
        "correct the time (UTC) or the date (US Eastern)",
    )


def normalize_injuries(tables: Sequence[RawTable]) -> Parsed:
    """Return the valid rows of all tables as INJURIES with FILE and ROW.

    `game_date` is null in rows without a date. They apply to every date.

    Raises:
        SourceDataError: a table lacks a required column.
    """
    return Parsed.of(tables, [_typed_injuries(table) for table in tables])


def report_of(rows: pl.DataFrame, game_date: date, games: pl.DataFrame) -> Known:
    """Return the injury report (INJURIES with FILE and ROW) for a date.

    A row without a game_date applies to every date for which the player has no other row.

    Args:
        rows: the rows of `normalize_injuries` that are known.
        game_date: the date.
        games: its games (SCHEDULE).
    """
    report, older = newest(rows, ("game_date", "player_lookup"))
    dated = report.filter(pl.col("game_date") == game_date)
    undated = report.filter(pl.col("game_date").is_null())
    undated = undated.join(dated, on="player_lookup", how="anti")
    undated = undated.with_columns(pl.lit(game_date, pl.Date).alias("game_date"))
    return Known(pl.concat([dated, undated]).sort("player_lookup"), rows_by_file(older))


def _typed_injuries(table: RawTable) -> Parsed:
    require_columns(table, INJURIES_REQUIRED)
    raw = table.with_row_numbers(INJURIES_OPTIONAL)
    status = text(raw, "status").str.to_uppercase()
    known = ", ".join(INJURY_STATUSES)
    cells = {
        "game_date": Cell(
            "game_date", calendar_date(raw, "game_date"), "a date", _DATE_FIX, optional=True
        ),
        "player_name": Cell("player", text(raw, "player"), "a name", "write the player's name"),
        "status": Cell(
            "status",
            pl.when(status.is_in(INJURY_STATUSES)).then(status),
            "a status of the injury report",
            f"write one of {known}",
        ),
        "reason": Cell(
            "reason", text(raw, "reason"), "text", "write text, or leave it empty", optional=True
        ),
        OBSERVED: observed(raw),
    }
    rows, rejected = parse(raw, cells)
    rows, invalid = with_lookup(rows, "player")
    rows = rows.with_columns(pl.lit(None, pl.String).alias("team"))
    schema = {**INJURIES, FILE: pl.String, ROW: pl.Int64}
    return Parsed(conform(rows, schema), (*rejected, *invalid))
