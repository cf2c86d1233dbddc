"""Parse lines, schedules and injury reports into PROP_LINES, SCHEDULE and INJURIES.

The file source and the simulated league both use this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from nba_predictions.domain.errors import SourceDataError
from nba_predictions.domain.league.games import EASTERN, team_abbreviation
from nba_predictions.domain.market import registered_markets
from nba_predictions.inputs.parsing import (
    FILE,
    ROW,
    Cell,
    Parsed,
    RawTable,
    calendar_date,
    cell_error,
    conform,
    moment,
    number,
    parse,
    reject,
    require_columns,
    text,
    whole,
)
from nba_predictions.inputs.port import INJURIES, INJURY_STATUSES, PROP_LINES, SCHEDULE
from nba_predictions.inputs.row_rules import (
    collapse_duplicates,
    reject_second_game,
    with_game_id,
    with_lookup,
    with_mapped,
)

LINES_REQUIRED = (
    *("player", "market", "bookmaker", "side", "line", "price", "home_team", "away_team"),
)
LINES_OPTIONAL = ("commence_time", "snap")
SCHEDULE_REQUIRED = ("game_date", "away_team", "home_team")
SCHEDULE_OPTIONAL = ("tipoff", "commence_time")
INJURIES_REQUIRED = ("player", "status")
INJURIES_OPTIONAL = ("game_date", "reason")

#: PROP_LINES, and the game and tip-off that the lines contain.
LINES_AND_GAMES = {
    **PROP_LINES,
    "game_id": pl.String,
    "tipoff": SCHEDULE["tipoff"],
    FILE: pl.String,
    ROW: pl.Int64,
}

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
    """Return all tables as one frame of LINES_AND_GAMES.

    The game_date is the date of `commence_time` in US Eastern time or, if it is empty, the date in
    `snap`. The notes count the omitted rows: `lines_other_markets`, `lines_price_sentinel`,
    `lines_after_tipoff` (quoted on a later UTC date than that of the tip-off) and
    `duplicate_rows_collapsed`.

    Raises:
        SourceDataError: a cell is invalid, or a row has neither of the two times.
    """
    parts = [_typed_lines(table) for table in tables]
    rows = pl.concat([rows for rows, _ in parts])
    rows = _with_teams(rows)
    rows = with_game_id(rows, "home_team")
    rows = with_lookup(rows, "player")
    content = [c for c in rows.columns if c not in (FILE, ROW)]
    distinct = rows.unique(content, keep="first", maintain_order=True)
    late = (pl.col("quoted_on") > pl.col("tipoff").dt.date()).fill_null(False)
    timely = distinct.filter(~late)
    notes = {
        "lines_other_markets": sum(n["other"] for _, n in parts),
        "lines_price_sentinel": sum(n["sentinel"] for _, n in parts),
        "lines_after_tipoff": distinct.height - timely.height,
        "duplicate_rows_collapsed": rows.height - distinct.height,
    }
    order = [
        "game_date",
        "game_id",
        "player_lookup",
        "market",
        "book",
        "quoted_on",
        "line",
        "side",
        "price",
    ]
    return Parsed(conform(timely.sort(order), LINES_AND_GAMES), notes)


def _typed_lines(table: RawTable) -> tuple[pl.DataFrame, dict[str, int]]:
    require_columns(table, LINES_REQUIRED)
    if not {"commence_time", "snap"} & set(table.frame.columns):
        raise cell_error(
            table.name,
            f"1 to {table.frame.height}",
            "commence_time",
            "is missing, and so is snap, so the lines have no date",
            f"add commence_time ({_TIME_FIX}) or snap ({_SNAP_FIX})",
        )
    raw = table.with_row_numbers()
    for column in LINES_OPTIONAL:
        if column not in raw.columns:
            raw = raw.with_columns(pl.lit(None, pl.String).alias(column))
    by_label = _markets_by_label()
    label = Cell("market", text(raw, "market"), "a market", f"write {' or '.join(by_label)}")
    known = raw.filter(parse(raw, {"market": label})["market"].is_in(list(by_label)))
    price = Cell(
        "price",
        whole(known, "price", -(10**9), 10**9),
        "a price",
        "write American odds, as in -110 or 105, or leave it empty",
        optional=True,
    )
    prices = parse(known, {"price": price})["price"]
    quoted = known.filter((prices.abs() < SENTINEL_PRICE).fill_null(True))
    counts = {
        "other": raw.height - known.height,
        "sentinel": known.height - quoted.height,
    }
    return _parse_lines(quoted), counts


def _markets_by_label() -> dict[str, str]:
    """Return the name of the market that each label in input files stands for."""
    return {label: m.name for m in registered_markets() for label in m.input_labels}


def _parse_lines(raw: pl.DataFrame) -> pl.DataFrame:
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
    }
    rows = parse(raw, cells)
    _reject_impossible_lines(rows)
    key = pl.col("book").str.to_lowercase().str.replace_all("[^a-z0-9]", "")
    return rows.with_columns(
        _eastern_date("tipoff").fill_null(pl.col("quoted_on")).alias("game_date"),
        pl.when(key.is_in(sorted(DFS_BOOKS)))
        .then(pl.lit("dfs"))
        .otherwise(pl.lit("sportsbook"))
        .alias("line_source"),
    )


def _reject_impossible_lines(rows: pl.DataFrame) -> None:
    """Raise SourceDataError for impossible prices, and for lines without a date."""
    reject(
        rows,
        pl.col("price").abs() < 100,
        "price",
        pl.format("{} is not an American price", "price"),
        "write odds of at most -100 or at least 100, and convert decimal odds",
    )
    reject(
        rows,
        pl.col("tipoff").is_null() & pl.col("quoted_on").is_null(),
        "commence_time",
        pl.lit("is empty, and so is snap, so the line has no date"),
        f"fill in commence_time ({_TIME_FIX}) or snap ({_SNAP_FIX})",
    )


def _eastern_date(column: str) -> pl.Expr:
    return pl.col(column).dt.convert_time_zone(EASTERN.key).dt.date()


def _with_teams(rows: pl.DataFrame) -> pl.DataFrame:
    """Replace the names of both teams by their abbreviations."""
    for column in ("away_team", "home_team"):
        rows = with_mapped(rows, [column], "__team", team_abbreviation, (column, _TEAM_FIX))
        rows = rows.with_columns(pl.col("__team").alias(column)).drop("__team")
    return rows


def normalize_schedule(tables: Sequence[RawTable]) -> Parsed:
    """Return all tables as one frame of SCHEDULE.

    Identical rows are kept once. The note `duplicate_rows_collapsed` counts the others.

    Raises:
        SourceDataError: a cell is invalid, a tip-off is not on its game_date, or a team has two
            games on a date.
    """
    rows = pl.concat([_typed_games(table) for table in tables])
    reject(
        rows,
        _eastern_date("tipoff") != pl.col("game_date"),
        "tipoff",
        pl.format("{} is not on {} in US Eastern time", "tipoff", "game_date"),
        "correct the time (UTC) or the date (US Eastern)",
    )
    rows = with_game_id(_with_teams(rows), "home_team")
    rows, collapsed = collapse_duplicates(rows, ("game_id",), _tipoff_error)
    reject_second_game(rows, "home_team")
    frame = conform(rows, SCHEDULE).sort("game_date", "tipoff", "game_id")
    return Parsed(frame, {"duplicate_rows_collapsed": collapsed})


def _typed_games(table: RawTable) -> pl.DataFrame:
    require_columns(table, SCHEDULE_REQUIRED)
    raw = table.with_row_numbers()
    cells = {
        "game_date": Cell("game_date", calendar_date(raw, "game_date"), "a date", _DATE_FIX),
        "away_team": Cell("away_team", text(raw, "away_team"), "a team", _TEAM_FIX),
        "home_team": Cell("home_team", text(raw, "home_team"), "a team", _TEAM_FIX),
    }
    column = next((c for c in SCHEDULE_OPTIONAL if c in raw.columns), None)
    if column is not None:
        cells["tipoff"] = Cell(
            column, moment(raw, column), "a time with a time zone", _TIME_FIX, optional=True
        )
        return parse(raw, cells)
    unknown = pl.lit(None, pl.Datetime("us", "UTC")).alias("tipoff")
    return parse(raw, cells).with_columns(unknown)


def _tipoff_error(first: dict[str, Any], second: dict[str, Any]) -> SourceDataError:
    return cell_error(
        second[FILE],
        second[ROW],
        "tipoff",
        f"{second['game_id']} is also in {first[FILE]}, row {first[ROW]}, with the tip-off "
        f"{first['tipoff']} instead of {second['tipoff']}",
        "keep the correct row",
    )


def normalize_injuries(tables: Sequence[RawTable]) -> Parsed:
    """Return all tables as one frame of INJURIES.

    `game_date` is null in rows without a date. They apply to every date.

    Raises:
        SourceDataError: a cell is invalid, a status is not one of INJURY_STATUSES, or a player has
            two statuses for a date.
    """
    rows = with_lookup(pl.concat([_typed_injuries(table) for table in tables]), "player")
    # Different spellings of a name, or different wordings of a reason, are not a contradiction.
    reasons = rows.select("game_date", "player_lookup", "player_name", "reason")
    rows = rows.drop("player_name", "reason")
    rows, collapsed = collapse_duplicates(rows, ("game_date", "player_lookup"), _status_error)
    rows = rows.join(
        reasons.unique(["game_date", "player_lookup"], keep="first", maintain_order=True),
        on=["game_date", "player_lookup"],
        how="left",
        nulls_equal=True,
        maintain_order="left",
    )
    frame = conform(rows, INJURIES).sort("game_date", "player_lookup")
    return Parsed(frame, {"duplicate_rows_collapsed": collapsed})


def _typed_injuries(table: RawTable) -> pl.DataFrame:
    require_columns(table, INJURIES_REQUIRED)
    raw = table.with_row_numbers()
    for column in INJURIES_OPTIONAL:
        if column not in raw.columns:
            raw = raw.with_columns(pl.lit(None, pl.String).alias(column))
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
    }
    return parse(raw, cells)


def _status_error(first: dict[str, Any], second: dict[str, Any]) -> SourceDataError:
    day = f"on {second['game_date']}" if second["game_date"] else "without a game_date"
    return cell_error(
        second[FILE],
        second[ROW],
        "status",
        f"{second['player_lookup']} is {second['status']} {day}, but {first['status']} by "
        f"{first[FILE]}, row {first[ROW]}",
        "keep the newest row",
    )
