"""Parse injury reports, and choose the newest report for a game date (INJURIES)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, time

import polars as pl

from nba_predictions.domain.league.games import (
    EASTERN,
    eastern_date,
    end_of_eastern_day,
    team_abbreviation,
)
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
from nba_predictions.inputs.port import INJURIES, INJURY_STATUSES
from nba_predictions.inputs.row_rules import newest, split_replaced, with_lookup, with_mapped
from nba_predictions.inputs.schedules import DATE_FIX, TEAM_FIX

INJURIES_REQUIRED = ("player", "status")
INJURIES_OPTIONAL = ("game_date", "reason", "team", "report_time", OBSERVED)
INJURIES_COLUMNS = (*INJURIES_REQUIRED, *INJURIES_OPTIONAL)

_ROWS = {**INJURIES, FILE: pl.String, ROW: pl.Int64}
#: Other words for the statuses, in capital letters and with single spaces.
_STATUS_WORDS = {
    **{status: status for status in INJURY_STATUSES},
    **dict.fromkeys(
        (
            *("O", "OUT FOR SEASON", "OUT FOR THE SEASON", "OUT INDEFINITELY", "OFS", "INACTIVE"),
            *("SUSPENDED", "SUSPENSION", "INJURED RESERVE", "IR", "NOT WITH TEAM", "DNP"),
        ),
        "OUT",
    ),
    **dict.fromkeys(("D",), "DOUBTFUL"),
    **dict.fromkeys(
        ("Q", "DAY TO DAY", "DTD", "GTD", "GAME TIME DECISION"),
        "QUESTIONABLE",
    ),
    **dict.fromkeys(("P", "LIKELY"), "PROBABLE"),
    **dict.fromkeys(("ACTIVE", "HEALTHY", "CLEARED", "A"), "AVAILABLE"),
}
# The time of a report in a file's name: 0900, 17_30, 05PM or 05_30PM, possibly after a date.
_NAMED_TIME = re.compile(
    r"^injuries(?:[_ -]+[a-z]+)*(?:[_ -]+(?P<day>[0-9]{4}-?[0-9]{2}-?[0-9]{2}))?[_ T-]+"
    r"(?P<hour>[0-9]{1,2})(?P<gap>[_:h-]?)(?P<minute>[0-9]{2})?(?:(?P=gap)[0-9]{2})?"
    r"[_ ]?(?P<half>[AP]M)?(?=[_. -]|$)",
    re.IGNORECASE,
)
# Four digits that are a year and not a time, as in injuries_2025.csv and injuries_2025-26.csv.
_YEAR = re.compile(r"20[12][0-9]")
_TIME_FORMATS = ("%Y-%m-%d %H:%M", "%Y-%m-%d %I:%M %p", "%m/%d/%y %I:%M %p", "%m/%d/%Y %I:%M %p")
_CLOCK_FORMATS = ("%H:%M", "%I:%M %p", "%I:%M%p", "%I %p", "%I%p")


def normalize_injuries(tables: Sequence[RawTable]) -> Parsed:
    """Return the valid rows of all tables as INJURIES with FILE and ROW.

    `game_date` is null in rows without a date. They apply to every date. The moment of a row is
    that of `observed_at` or `report_time`, or the time in the name of the file, US Eastern.

    Raises:
        SourceDataError: a table lacks a required column.
    """
    return Parsed.of(tables, [_typed_injuries(table) for table in tables])


def report_of(rows: pl.DataFrame, game_date: date, games: pl.DataFrame) -> Known:
    """Return the injury report (INJURIES with FILE and ROW) for a date.

    A report is complete for each team that it names: of a team's rows, only those of the newest
    report count. Of several rows of a player, the newest counts. A row without a game_date applies
    to every date for which the player has no other row, except to dates before its moment. Rows
    from after the tip-off of the team's game, or of the date's last game, are dropped
    (`after_tipoff`).

    While some games of the date have begun and others have not, the rows of a player without a
    team are all kept, because the game of the player is not known here. They are in order of time.

    Args:
        rows: the rows of `normalize_injuries` that are known.
        game_date: the date.
        games: its games (SCHEDULE).
    """
    dated = rows.filter(pl.col("game_date") == game_date)
    later = (pl.col(OBSERVED) >= end_of_eastern_day(game_date)).fill_null(False)
    undated = rows.filter(pl.col("game_date").is_null() & ~later)
    undated = undated.join(dated.select("player_lookup"), on="player_lookup", how="anti")
    undated = undated.with_columns(pl.lit(game_date, pl.Date).alias("game_date"))
    report = pl.concat([dated, undated])
    report = _with_tipoff(report, games)
    late = (pl.col(OBSERVED) > pl.col("tipoff")).fill_null(False)
    dropped = count_by_file(report.filter(late), "after_tipoff")
    report = report.filter(~late)
    # Only the newest report of a team counts, and null is no moment of a report.
    is_old = (pl.col(OBSERVED) < pl.col(OBSERVED).max().over("team")).fill_null(False)
    is_old |= pl.col(OBSERVED).is_null() & pl.col(OBSERVED).max().over("team").is_not_null()
    of_team = pl.col("team").is_not_null()
    current = report.filter(~(of_team & is_old))
    first = games["tipoff"].min()
    undecided = (~of_team & (pl.col(OBSERVED) > pl.lit(first, MOMENT))).fill_null(False)
    kept, _ = newest(current.filter(~undecided), ("player_lookup", "team"))
    frame = pl.concat([kept, current.filter(undecided)]).sort(
        "player_lookup", OBSERVED, nulls_last=False, maintain_order=True
    )
    replaced = report.join(frame, on=[FILE, ROW], how="anti", maintain_order="left")
    older, duplicates = split_replaced(frame, replaced)
    dropped |= count_by_file(duplicates, "duplicate")
    return Known(conform(frame, _ROWS), rows_by_file(older), dropped=dropped)


def made_on(rows: pl.DataFrame, game_date: date, report: pl.DataFrame) -> date | None:
    """Return the date of the injury report for a date, US Eastern; None if it is unknown.

    Args:
        rows: the rows of `normalize_injuries` that are known.
        game_date: the date.
        report: the report for the date (`report_of`).
    """
    newest_row = report[OBSERVED].max()
    if isinstance(newest_row, datetime):
        return eastern_date(newest_row)
    days = rows["game_date"]
    return game_date if (days == game_date).any() and not days.has_nulls() else None


def _with_tipoff(report: pl.DataFrame, games: pl.DataFrame) -> pl.DataFrame:
    """Add the tip-off of the team's game or, without a team, of the last game of the date."""
    sides = games.unpivot(["away_team", "home_team"], index="tipoff", value_name="team")
    last = None if games["tipoff"].has_nulls() else games["tipoff"].max()
    report = report.join(
        sides.select("team", "tipoff"), on="team", how="left", maintain_order="left"
    )
    return report.with_columns(
        pl.when(pl.col("team").is_null())
        .then(pl.lit(last, MOMENT))
        .otherwise("tipoff")
        .alias("tipoff")
    )


def _typed_injuries(table: RawTable) -> Parsed:
    require_columns(table, INJURIES_REQUIRED)
    raw = table.with_row_numbers(INJURIES_OPTIONAL)
    status = text(raw, "status").str.to_uppercase().str.replace_all(r"[\s_/-]+", " ")
    date_of_game = calendar_date(raw, "game_date")
    cells = {
        "game_date": Cell("game_date", date_of_game, "a date", DATE_FIX, optional=True),
        "player_name": Cell("player", text(raw, "player"), "a name", "write the player's name"),
        "team_name": Cell("team", text(raw, "team"), "a team", TEAM_FIX, optional=True),
        "status": Cell(
            "status",
            status.replace_strict(_STATUS_WORDS, default=None),
            "a status of the injury report",
            f"write one of {', '.join(INJURY_STATUSES)}",
        ),
        "reason": Cell(
            "reason", text(raw, "reason"), "text", "write text, or leave it empty", optional=True
        ),
        "report_at": Cell(
            "report_time",
            _report_time(raw, date_of_game),
            "a time",
            "write it with its UTC offset, or in US Eastern time, as in 05:30 PM",
            optional=True,
        ),
        OBSERVED: observed(raw),
    }
    rows, rejected = parse(raw, cells)
    rows, unnamed = with_lookup(rows, "player")
    rows, unknown = _with_team(rows)
    named = _named_time(table.name)
    at: list[str | pl.Expr] = [OBSERVED, "report_at"]
    if named is not None:
        day, clock = named
        at.append(_eastern(pl.coalesce(pl.lit(day, pl.Date), "game_date").dt.combine(clock)))
    rows = rows.with_columns(pl.coalesce(at).alias(OBSERVED))
    return Parsed(conform(rows, _ROWS), (*rejected, *unnamed, *unknown))


def _with_team(rows: pl.DataFrame) -> tuple[pl.DataFrame, list[Rejected]]:
    """Add the abbreviation of the team, null where the report has none."""
    with_team = rows.filter(pl.col("team_name").is_not_null())
    with_team, unknown = with_mapped(
        with_team, ["team_name"], "team", team_abbreviation, ("team", TEAM_FIX)
    )
    without = rows.filter(pl.col("team_name").is_null())
    without = without.with_columns(pl.lit(None, pl.String).alias("team"))
    return pl.concat([with_team, without]).sort(ROW), unknown


def _named_time(name: str) -> tuple[date | None, time] | None:
    """Return the day, if any, and the time that the name of a file states.

    >>> _named_time("injuries_2025-01-10_05_30PM.csv")
    (datetime.date(2025, 1, 10), datetime.time(17, 30))
    >>> _named_time("injuries_0900.csv"), _named_time("injuries_2025-26.csv")
    ((None, datetime.time(9, 0)), None)
    """
    found = _NAMED_TIME.match(name)
    if found is None:
        return None
    day, hour, minute, half = found.group("day", "hour", "minute", "half")
    if half:
        if not 1 <= int(hour) <= 12:
            return None
        hours = int(hour) % 12 + 12 * (half.upper() == "PM")
    elif minute and not (day is None and _is_season(hour, minute)):
        hours = int(hour)
    else:
        return None
    try:
        digits = day.replace("-", "") if day else None
        on = date(int(digits[:4]), int(digits[4:6]), int(digits[6:])) if digits else None
        return on, time(hours, int(minute or 0))
    except ValueError:
        return None


def _is_season(one: str, two: str) -> bool:
    """Return whether two numbers are a year, as 20 and 25, or a season, as 24 and 25."""
    return _YEAR.fullmatch(one + two) is not None or int(two) == int(one) + 1


def _report_time(raw: pl.DataFrame, date_of_game: pl.Expr) -> pl.Expr:
    """Parse the time of a report: a moment, or a time US Eastern with or without its date."""
    words = text(raw, "report_time").str.to_uppercase().str.replace(r"\s*(ET|EST|EDT)$", "")
    local = [words.str.to_datetime(f, time_unit="us", strict=False) for f in _TIME_FORMATS]
    clock = pl.coalesce(words.str.to_time(f, strict=False) for f in _CLOCK_FORMATS)
    return pl.coalesce(
        moment(raw, "report_time"), *map(_eastern, local), _eastern(date_of_game.dt.combine(clock))
    )


def _eastern(local: pl.Expr) -> pl.Expr:
    zoned = local.dt.replace_time_zone(EASTERN.key, ambiguous="earliest", non_existent="null")
    return zoned.dt.convert_time_zone("UTC").dt.cast_time_unit("us")
