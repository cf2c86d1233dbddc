"""Parse game logs in the format of nba_api's `LeagueGameLog` into GAME_LOGS.

The file source and the simulated league both use this module.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import polars as pl

from nba_predictions.domain.errors import SourceDataError
from nba_predictions.domain.league.games import TEAM_ALIASES, season_of
from nba_predictions.inputs.parsing import (
    FILE,
    ROW,
    Cell,
    Parsed,
    RawTable,
    calendar_date,
    cell_error,
    conform,
    first_true,
    number,
    parse,
    reject,
    require_columns,
    row_error,
    text,
    whole,
)
from nba_predictions.inputs.port import GAME_LOGS
from nba_predictions.inputs.row_rules import (
    collapse_duplicates,
    reject_second_game,
    with_game_id,
    with_lookup,
    with_mapped,
)

#: The input column of each statistic in GAME_LOGS.
STATS: dict[str, str] = {
    "points": "PTS",
    "fgm": "FGM",
    "fga": "FGA",
    "fg3m": "FG3M",
    "fg3a": "FG3A",
    "ftm": "FTM",
    "fta": "FTA",
    "oreb": "OREB",
    "dreb": "DREB",
    "ast": "AST",
    "stl": "STL",
    "blk": "BLK",
    "tov": "TOV",
    "pf": "PF",
}
REQUIRED = (
    *("PLAYER_ID", "PLAYER_NAME", "TEAM_ABBREVIATION", "GAME_DATE", "MATCHUP", "MIN"),
    *STATS.values(),
)
OPTIONAL = ("season", "SEASON_ID")

# A higher value is an error, for example a shifted column. The record is 100 points.
_MOST = 200
# A higher value is an error, for example seconds. The longest game had 78 minutes.
_MOST_MINUTES = 100.0
_MATCHUP = r"^([A-Z0-9]{2,4}) (@|vs\.?) ([A-Z0-9]{2,4})$"
_PARTS = (("FGM", "FGA"), ("FG3M", "FG3A"), ("FTM", "FTA"), ("FG3M", "FGM"), ("FG3A", "FGA"))
#: A function that returns games with their designated home team.
DesignatedHomes = Callable[[], pl.DataFrame]

_NAMES = {column: name for name, column in STATS.items()}


def no_designated_homes() -> pl.DataFrame:
    """Return no games: no home team is designated."""
    return pl.DataFrame(schema=dict.fromkeys(("away_team", "home_team"), pl.String)).with_columns(
        pl.lit(None, pl.Date).alias("game_date")
    )


def normalize_game_logs(
    tables: Sequence[RawTable], designated_homes: DesignatedHomes = no_designated_homes
) -> Parsed:
    """Return all tables as one frame of GAME_LOGS, oldest first.

    Rows of players who did not play (MIN is empty or 0) are omitted, and identical rows are kept
    once. The notes `did_not_play_rows` and `duplicate_rows_collapsed` count them.
    `players_renamed` counts the PLAYER_IDs with more than one name.

    Args:
        tables: the input files.
        designated_homes: returns game_date, away_team and home_team of games. It is called only
            for games on a neutral court, to derive their game_id.

    Raises:
        SourceDataError: a cell is invalid, or rows contradict each other.
    """
    rows = pl.concat([_typed(table) for table in tables], how="diagonal")
    rows = rows.with_columns(pl.col("team", "opponent").replace(TEAM_ALIASES))
    if rows.is_empty():
        raise SourceDataError(
            f"{', '.join(t.name for t in tables)}: no row (from row 1, column PLAYER_ID) is of a "
            "player who played; fetch the logs again"
        )
    rows, collapsed = collapse_duplicates(rows, ("player_id", "game_date"), _contradiction_error)
    rows = _with_games(rows, designated_homes)
    rows = _with_season(with_lookup(rows, "PLAYER_NAME"))
    _reject_shared_keys(rows)
    names = rows.group_by("player_id").agg(pl.col("player_lookup").n_unique() > 1)
    notes = {
        "did_not_play_rows": sum(t.frame.height for t in tables) - rows.height - collapsed,
        "duplicate_rows_collapsed": collapsed,
        "players_renamed": int(names["player_lookup"].sum()),
    }
    ordered = rows.sort("game_date", "game_id", "team", "player_lookup")
    return Parsed(conform(ordered, GAME_LOGS), notes)


def _typed(table: RawTable) -> pl.DataFrame:
    """Return the rows of players who played, with parsed and checked columns."""
    require_columns(table, REQUIRED)
    raw = table.with_row_numbers()
    raw = raw.with_columns(_minutes(raw).alias("__minutes"))
    played = pl.col("MIN").is_not_null() & ~(pl.col("__minutes") == 0).fill_null(False)
    _reject_points_without_minutes(raw, played)
    # A row of a player who did not play must have a valid player, team and date all the same.
    cells = {**_identity_cells(raw), **_statistics_cells(raw, played), **_season_cells(raw)}
    matchup = text(raw, "MATCHUP")
    typed = parse(raw, cells).with_columns(
        matchup_column=raw.select(matchup).to_series(),
        opponent=raw.select(matchup.str.extract(_MATCHUP, 3)).to_series(),
        is_home=raw.select(matchup.str.extract(_MATCHUP, 2) != "@").to_series(),
        played=raw.select(played).to_series(),
    )
    reject(
        typed,
        (pl.col("team") != pl.col("team_column")) | (pl.col("team") == pl.col("opponent")),
        "MATCHUP",
        pl.format("{} does not fit a player of {}", "matchup_column", "team_column"),
        "write the player's own team (TEAM_ABBREVIATION) first, then the opponent",
    )
    typed = typed.filter("played").drop("team_column", "matchup_column", "played")
    for part, whole_column in _PARTS:
        reject(
            typed,
            pl.col(_NAMES[part]) > pl.col(_NAMES[whole_column]),
            part,
            pl.format(f"{{}} is more than {whole_column} {{}}", _NAMES[part], _NAMES[whole_column]),
            f"correct {part} or {whole_column} from the box score",
        )
    return typed


def _identity_cells(raw: pl.DataFrame) -> dict[str, Cell]:
    """Return the cells of the player, the team and the date, which every row needs."""
    team = text(raw, "TEAM_ABBREVIATION")
    return {
        "player_id": Cell(
            "PLAYER_ID", whole(raw, "PLAYER_ID", 0, 2**62), "an id", "write nba_api's PLAYER_ID"
        ),
        "player_name": Cell(
            "PLAYER_NAME", text(raw, "PLAYER_NAME"), "a name", "write the player's full name"
        ),
        "team_column": Cell(
            "TEAM_ABBREVIATION",
            pl.when(team.str.contains(r"^[A-Z0-9]{2,4}$")).then(team),
            "a team's abbreviation",
            "write it in capital letters, for example DAL",
        ),
        "game_date": Cell(
            "GAME_DATE",
            calendar_date(raw, "GAME_DATE"),
            "a date",
            "write the day of the game in US Eastern time, for example 2025-01-10",
        ),
        "team": Cell(
            "MATCHUP",
            text(raw, "MATCHUP").str.extract(_MATCHUP, 1),
            "two teams",
            "write `DAL @ ATL` (away) or `PHI vs. SAS` (home), the player's team first",
        ),
    }


def _statistics_cells(raw: pl.DataFrame, played: pl.Expr) -> dict[str, Cell]:
    """Return the cells of the minutes and counts, which rows of players who played need."""
    return {
        "minutes": Cell(
            "MIN",
            pl.col("__minutes"),
            f"a playing time from 0 to {_MOST_MINUTES:.0f} minutes",
            "write minutes, for example 24 or 24.5, or MM:SS, for example 24:30",
            where=played,
        ),
        **{
            name: Cell(
                column,
                whole(raw, column, 0, _MOST),
                f"a whole number from 0 to {_MOST}",
                "write the number from the box score",
                where=played,
            )
            for name, column in STATS.items()
        },
    }


def _minutes(raw: pl.DataFrame) -> pl.Expr:
    value = number(raw, "MIN")
    if not raw.schema["MIN"].is_numeric():
        clock = text(raw, "MIN")
        value = pl.coalesce(
            value,
            clock.str.extract(r"^([0-9]{1,3}):[0-5][0-9]$").cast(pl.Float64)
            + clock.str.extract(r"^[0-9]{1,3}:([0-5][0-9])$").cast(pl.Float64) / 60,
        )
    return pl.when(value.is_between(0, _MOST_MINUTES)).then(value)


def _reject_points_without_minutes(raw: pl.DataFrame, played: pl.Expr) -> None:
    # MIN 0 with a point is a rounded value. An empty MIN with a point is a missing value.
    empty = ~played & pl.col("__minutes").is_null()
    reject(
        raw,
        empty & (whole(raw, "PTS", 1, _MOST) > 0),
        "MIN",
        pl.format("is empty, but PTS is {}", "PTS"),
        "write the minutes, or leave PTS empty for a player who did not play",
    )


def _season_cells(raw: pl.DataFrame) -> dict[str, Cell]:
    cells = {}
    if "season" in raw.columns:
        season = text(raw, "season")
        start = season.str.extract(r"^([0-9]{4})-[0-9]{2}$").cast(pl.Int64)
        end = season.str.extract(r"^[0-9]{4}-([0-9]{2})$").cast(pl.Int64)
        cells["season_column"] = Cell(
            "season",
            pl.when((start + 1) % 100 == end).then(season),
            "a season",
            "write for example 2024-25, or omit the column",
        )
    if "SEASON_ID" in raw.columns:
        year = whole(raw, "SEASON_ID", 10_000, 99_999) % 10_000
        ending = ((year + 1) % 100).cast(pl.String).str.zfill(2)
        cells["season_id"] = Cell(
            "SEASON_ID",
            pl.format("{}-{}", year, ending),
            "a season's id",
            "write nba_api's SEASON_ID, for example 22024, or omit the column",
        )
    return cells


def _contradiction_error(first: dict[str, Any], second: dict[str, Any]) -> SourceDataError:
    columns = {"team": "TEAM_ABBREVIATION", "opponent": "MATCHUP", "minutes": "MIN", **STATS}
    differs = [columns[c] for c in columns if first[c] != second[c]] or ["PLAYER_NAME"]
    return cell_error(
        second[FILE],
        second[ROW],
        differs[0],
        f"{second['player_name']} (PLAYER_ID {second['player_id']}) has another row for "
        f"{second['game_date']} ({first[FILE]}, row {first[ROW]}), which differs in "
        f"{', '.join(differs)}",
        "keep the correct row",
    )


def _with_games(rows: pl.DataFrame, designated_homes: DesignatedHomes) -> pl.DataFrame:
    """Add `away_team`, `home_team` and `game_id`.

    On a neutral court, nba_api writes `@` for both teams. Then no team is at home, and the home
    team of the game_id is the designated one, or otherwise the last one in alphabetical order.

    Raises:
        SourceDataError: a team has two games on a date, or is both at home and away.
    """
    rows = rows.with_columns(
        pl.min_horizontal("team", "opponent").alias("one"),
        pl.max_horizontal("team", "opponent").alias("two"),
        pl.when("is_home").then("team").otherwise("opponent").alias("home"),
    )
    venues = rows.unique(["game_date", "team", "opponent", "is_home"], maintain_order=True)
    reject(
        venues,
        ~pl.struct("game_date", "team").is_first_distinct(),
        "MATCHUP",
        pl.format("{} plays two games on {}, or one at two venues", "team", "game_date"),
        "correct the date or the teams: a team plays one game per day",
    )
    pair = ["game_date", "one", "two"]
    games = venues.group_by(pair, maintain_order=True).agg(
        pl.col(FILE, ROW).first(),
        pl.col("home").first(),
        (pl.col("home").n_unique() > 1).alias("neutral"),
    )
    pairs = games.select(FILE, ROW, "game_date", away_team="one", home_team="two")
    reject_second_game(pairs, "MATCHUP")
    if games["neutral"].any():
        hints = designated_homes().with_columns(
            pl.min_horizontal("away_team", "home_team").alias("one"),
            pl.max_horizontal("away_team", "home_team").alias("two"),
        )
        hints = hints.unique(pair, keep="first", maintain_order=True)
        games = games.join(hints.select(*pair, "home_team"), on=pair, how="left").with_columns(
            pl.when("neutral").then(pl.coalesce("home_team", "two")).otherwise("home").alias("home")
        )
    games = games.select(*pair, "neutral", home_team="home").with_columns(
        pl.when(pl.col("home_team") == pl.col("one"))
        .then("two")
        .otherwise("one")
        .alias("away_team")
    )
    rows = rows.join(games, on=pair, how="left", maintain_order="left")
    rows = rows.with_columns(pl.col("is_home") & ~pl.col("neutral"))
    return with_game_id(rows, "MATCHUP")


def _with_season(rows: pl.DataFrame) -> pl.DataFrame:
    rows = with_mapped(
        rows, ["game_date"], "own_season", season_of, ("GAME_DATE", "correct the date")
    )
    # Each table has both columns, one of them or none.
    stated = [c for c in ("season_column", "season_id") if c in rows.columns]
    rows = rows.with_columns(pl.coalesce(*stated, "own_season").alias("season"))
    # A stated season has priority over that of the date: 2019-20 ended in October.
    start = pl.col("season").str.head(4).cast(pl.Int32)
    reject(
        rows,
        ~(pl.col("game_date").dt.year() - start).is_between(0, 1),
        "GAME_DATE",
        pl.format("{} is not in the season {}", "game_date", "season"),
        "correct the date or the season",
    )
    return rows


def _reject_shared_keys(rows: pl.DataFrame) -> None:
    """Raise SourceDataError if two players of the same period have the same `player_lookup`."""
    shared = rows.filter(pl.col("player_id").n_unique().over("player_lookup") > 1)
    if shared.is_empty():
        return
    spans = (
        shared.group_by("player_lookup", "player_id")
        .agg(
            pl.col("game_date").min().alias("first"),
            pl.col("game_date").max().alias("last"),
            pl.col("player_name", FILE, ROW).sort_by("game_date").first(),
        )
        .sort("player_lookup", "first", "player_id")
        .with_columns(pl.all().shift().over("player_lookup").name.prefix("other_"))
    )
    at = first_true(spans, pl.col("first") <= pl.col("other_last"))
    if at is None:
        return
    later = spans.row(at, named=True)
    earlier = {k.removeprefix("other_"): v for k, v in later.items() if k.startswith("other_")}
    raise row_error(
        spans,
        at,
        "PLAYER_ID",
        f"{_with_span(later)} and {_with_span(earlier)} both have the key "
        f"{later['player_lookup']!r}",
        "make PLAYER_NAME of one of them unique (Jr., II, a middle name)",
    )


def _with_span(player: dict[str, Any]) -> str:
    return "{player_name} (PLAYER_ID {player_id}, {first} to {last})".format_map(player)


def games_of(logs: pl.DataFrame, game_date: date) -> pl.DataFrame:
    """Return game_date, game_id, away_team and home_team of the games in `logs` on a date."""
    games = logs.filter(pl.col("game_date") == game_date).select("game_date", "game_id").unique()
    teams = pl.col("game_id").str.split("_").list
    return games.with_columns(teams.get(1).alias("away_team"), teams.get(2).alias("home_team"))
