"""Game logs as nba_api's `LeagueGameLog` gives them, brought to GAME_LOGS.

Files and the simulated league pass through here alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import polars as pl

from nba_predictions.domain.errors import SourceDataError
from nba_predictions.domain.league.games import TEAM_ALIASES, season_of
from nba_predictions.inputs.port import GAME_LOGS
from nba_predictions.inputs.rows import (
    collapse_duplicates,
    reject_second_game,
    with_game_id,
    with_lookup,
    with_mapped,
)
from nba_predictions.inputs.tables import (
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

#: Counting statistics of the log, by the name they get here.
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

# Nobody has come near it in a game (the record is 100 points); it catches a shifted column.
_MOST = 200
# The longest game, with six overtimes, had 78 minutes; it catches seconds.
_MOST_MINUTES = 100.0
_MATCHUP = r"^([A-Z0-9]{2,4}) (@|vs\.?) ([A-Z0-9]{2,4})$"
_MADE_OF = (("FGM", "FGA"), ("FG3M", "FG3A"), ("FTM", "FTA"), ("FG3M", "FGM"), ("FG3A", "FGA"))
#: Games with the team that counts as the home team.
DesignatedHomes = Callable[[], pl.DataFrame]

_NAMES = {column: name for name, column in STATS.items()}


def no_homes() -> pl.DataFrame:
    """Designate no home team."""
    return pl.DataFrame(schema=dict.fromkeys(("away_team", "home_team"), pl.String)).with_columns(
        pl.lit(None, pl.Date).alias("game_date")
    )


def normalise_game_logs(
    tables: Sequence[RawTable], designated: DesignatedHomes = no_homes
) -> Parsed:
    """Return all tables as one frame of GAME_LOGS, oldest first.

    `designated` gives game_date, away_team and home_team of games; it is asked only if some game
    was on a neutral court, and then decides on which side of the game_id its teams stand.

    Rows of players who did not play (MIN is empty or 0) are left out, and identical rows are
    kept once; the notes `did_not_play_rows` and `duplicate_rows_collapsed` count them.
    `players_renamed` counts PLAYER_IDs that bear more than one name.

    Raises:
        SourceDataError: a cell cannot be trusted, or rows contradict each other.
    """
    rows = pl.concat([_typed(table) for table in tables], how="diagonal")
    rows = rows.with_columns(pl.col("team", "opponent").replace(TEAM_ALIASES))
    if rows.is_empty():
        raise SourceDataError(
            f"{', '.join(t.name for t in tables)}: there is not one row (no row 1, column "
            "PLAYER_ID) of a player who played; fetch the logs again"
        )
    rows, collapsed = collapse_duplicates(rows, ("player_id", "game_date"), _contradiction)
    rows = _with_games(rows, designated)
    rows = _with_season(with_lookup(rows, "PLAYER_NAME"))
    _distinct_players(rows)
    names = rows.group_by("player_id").agg(pl.col("player_lookup").n_unique() > 1)
    notes = {
        "did_not_play_rows": sum(t.frame.height for t in tables) - rows.height - collapsed,
        "duplicate_rows_collapsed": collapsed,
        "players_renamed": int(names["player_lookup"].sum()),
    }
    ordered = rows.sort("game_date", "game_id", "team", "player_lookup")
    return Parsed(conform(ordered, GAME_LOGS), notes)


def _typed(table: RawTable) -> pl.DataFrame:
    require_columns(table, REQUIRED)
    raw = table.addressed()
    minutes = _minutes(raw)
    raw = raw.with_columns(minutes.alias("__minutes"))
    played = pl.col("MIN").is_not_null() & ~(pl.col("__minutes") == 0).fill_null(False)
    _not_played_but_scored(raw, played)
    matchup = text(raw, "MATCHUP")
    count = f"a whole number from 0 to {_MOST}"
    cells = {
        "player_id": Cell(
            "PLAYER_ID", whole(raw, "PLAYER_ID", 0, 2**62), "an id", "write nba_api's PLAYER_ID"
        ),
        "player_name": Cell(
            "PLAYER_NAME", text(raw, "PLAYER_NAME"), "a name", "write the player's full name"
        ),
        "team_column": Cell(
            "TEAM_ABBREVIATION",
            pl.when(text(raw, "TEAM_ABBREVIATION").str.contains(r"^[A-Z0-9]{2,4}$")).then(
                text(raw, "TEAM_ABBREVIATION")
            ),
            "a team's abbreviation",
            "write it in capitals, as in DAL",
        ),
        "game_date": Cell(
            "GAME_DATE",
            calendar_date(raw, "GAME_DATE"),
            "a date",
            "write the day of the game in US Eastern time, as in 2025-01-10",
        ),
        "team": Cell(
            "MATCHUP",
            matchup.str.extract(_MATCHUP, 1),
            "two teams",
            "write `DAL @ ATL` (away) or `PHI vs. SAS` (at home), the player's team first",
        ),
        "minutes": Cell(
            "MIN",
            pl.col("__minutes"),
            f"a playing time from 0 to {_MOST_MINUTES:.0f} minutes",
            "write minutes as in 24 or 24.5, or MM:SS as in 24:30",
            where=played,
        ),
        **{
            name: Cell(
                column,
                whole(raw, column, 0, _MOST),
                count,
                "write the number from the box score",
                where=played,
            )
            for name, column in STATS.items()
        },
        **_season_cells(raw),
    }
    # Who did not play has no statistics to check, but his row must still say who and when.
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
        "write the player's own team (TEAM_ABBREVIATION) first, then its opponent",
    )
    typed = typed.filter("played").drop("team_column", "matchup_column", "played")
    for part, of in _MADE_OF:
        reject(
            typed,
            pl.col(_NAMES[part]) > pl.col(_NAMES[of]),
            part,
            pl.format(f"{{}} is more than {of} {{}}", _NAMES[part], _NAMES[of]),
            f"correct {part} or {of} from the box score",
        )
    return typed


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


def _not_played_but_scored(raw: pl.DataFrame, played: pl.Expr) -> None:
    # MIN 0 with a point is a matter of rounding; an empty MIN with a point is a hole in the file.
    empty = ~played & pl.col("__minutes").is_null()
    reject(
        raw,
        empty & (whole(raw, "PTS", 1, _MOST) > 0),
        "MIN",
        pl.format("is empty, but PTS is {}", "PTS"),
        "write the minutes; for a player who did not play, leave PTS empty too",
    )


def _season_cells(raw: pl.DataFrame) -> dict[str, Cell]:
    cells = {}
    if "season" in raw.columns:
        written = text(raw, "season")
        start = written.str.extract(r"^([0-9]{4})-[0-9]{2}$").cast(pl.Int64)
        end = written.str.extract(r"^[0-9]{4}-([0-9]{2})$").cast(pl.Int64)
        cells["season_column"] = Cell(
            "season",
            pl.when((start + 1) % 100 == end).then(written),
            "a season",
            "write it as in 2024-25, or leave the column out",
        )
    if "SEASON_ID" in raw.columns:
        year = whole(raw, "SEASON_ID", 10_000, 99_999) % 10_000
        ending = ((year + 1) % 100).cast(pl.String).str.zfill(2)
        cells["season_id"] = Cell(
            "SEASON_ID",
            pl.format("{}-{}", year, ending),
            "a season's id",
            "write nba_api's SEASON_ID as in 22024, or leave the column out",
        )
    return cells


def _contradiction(first: dict[str, Any], second: dict[str, Any]) -> SourceDataError:
    named = {"team": "TEAM_ABBREVIATION", "opponent": "MATCHUP", "minutes": "MIN", **STATS}
    differs = [named[c] for c in named if first[c] != second[c]] or ["PLAYER_NAME"]
    return cell_error(
        second[FILE],
        second[ROW],
        differs[0],
        f"{second['player_name']} (PLAYER_ID {second['player_id']}) has another row for "
        f"{second['game_date']} ({first[FILE]}, row {first[ROW]}), which differs in "
        f"{', '.join(differs)}",
        "keep the right one",
    )


def _with_games(rows: pl.DataFrame, designated: DesignatedHomes) -> pl.DataFrame:
    """Return the rows with `away_team`, `home_team` and `game_id`.

    On a neutral court nba_api writes `@` for both teams. Then nobody is at home, and the home team
    of the game_id is the one that `designated` names, else the later one in the alphabet.

    Raises:
        SourceDataError: a team is in two games on a date, or both at home and away.
    """
    rows = rows.with_columns(
        pl.min_horizontal("team", "opponent").alias("one"),
        pl.max_horizontal("team", "opponent").alias("two"),
        pl.when("is_home").then("team").otherwise("opponent").alias("home"),
    )
    said = rows.unique(["game_date", "team", "opponent", "is_home"], maintain_order=True)
    reject(
        said,
        ~pl.struct("game_date", "team").is_first_distinct(),
        "MATCHUP",
        pl.format("{} plays two games on {}, or one at two venues", "team", "game_date"),
        "a team plays one game a day; correct the date or the teams",
    )
    pair = ["game_date", "one", "two"]
    games = said.group_by(pair, maintain_order=True).agg(
        pl.col(FILE, ROW).first(),
        pl.col("home").first(),
        (pl.col("home").n_unique() > 1).alias("neutral"),
    )
    named = games.select(FILE, ROW, "game_date", away_team="one", home_team="two")
    reject_second_game(named, "MATCHUP")
    if games["neutral"].any():
        hints = designated().with_columns(
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
    rows = with_mapped(rows, ["game_date"], "own_season", season_of, ("GAME_DATE", ""))
    # Rows from several tables may have either column or none.
    written = [c for c in ("season_column", "season_id") if c in rows.columns]
    rows = rows.with_columns(pl.coalesce(*written, "own_season").alias("season"))
    # The season that a file states wins over the date's: 2019-20 ended in October.
    start = pl.col("season").str.head(4).cast(pl.Int32)
    reject(
        rows,
        ~(pl.col("game_date").dt.year() - start).is_between(0, 1),
        "GAME_DATE",
        pl.format("{} is not in the season {}", "game_date", "season"),
        "correct the date or the season",
    )
    return rows


def _distinct_players(rows: pl.DataFrame) -> None:
    """Raise SourceDataError if two players of the same time have the same key."""
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
    one = spans.row(at, named=True)
    two = {k.removeprefix("other_"): v for k, v in one.items() if k.startswith("other_")}
    raise row_error(
        spans,
        at,
        "PLAYER_ID",
        f"{one['player_name']} (PLAYER_ID {one['player_id']}, {one['first']} to {one['last']}) "
        f"and {two['player_name']} (PLAYER_ID {two['player_id']}, {two['first']} to "
        f"{two['last']}) both become {one['player_lookup']!r}",
        "add what tells them apart (Jr., II, a middle name) to PLAYER_NAME of one of them",
    )


def games_of(logs: pl.DataFrame, game_date: date) -> pl.DataFrame:
    """Return game_date, game_id, away_team and home_team of the games that `logs` has on a date."""
    games = logs.filter(pl.col("game_date") == game_date).select("game_date", "game_id").unique()
    teams = pl.col("game_id").str.split("_").list
    return games.with_columns(teams.get(1).alias("away_team"), teams.get(2).alias("home_team"))
