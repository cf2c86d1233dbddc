"""Parse game logs in the format of nba_api's `LeagueGameLog` into GAME_LOGS.

The file source and the simulated league both use this module.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from nba_predictions.domain.league.games import TEAM_ALIASES, season_of
from nba_predictions.inputs.account import Known, rows_by_file
from nba_predictions.inputs.parsing import (
    FILE,
    OBSERVED,
    ROW,
    Cell,
    Parsed,
    RawTable,
    Rejected,
    by_value,
    calendar_date,
    conform,
    count_by_file,
    number,
    observed,
    parse,
    reject,
    require_columns,
    text,
    whole,
)
from nba_predictions.inputs.port import GAME_LOGS
from nba_predictions.inputs.row_rules import (
    newest,
    one_game_per_team,
    split_replaced,
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
OPTIONAL = ("season", "SEASON_ID", "GAME_ID", "REB", OBSERVED)

# The kind of a game is the third digit of GAME_ID and the first of SEASON_ID. These kinds are left
# out: their teams and minutes say nothing about games that count.
_LEFT_OUT = {1: "preseason", 3: "all_star"}
_REGULAR, _CUP_FINAL, _LAST_KIND = 2, 6, 6
# The teams of All-Star games, for logs that have neither GAME_ID nor SEASON_ID.
_ALL_STARS = ("EST", "WST", "LBN", "GNS", "DRT", "STP")
# No season had a game before July of its first year or after October of its second.
_FIRST_MONTH, _LAST_MONTH = 7, 10
# A higher value is an error, for example a shifted column. The record is 100 points.
_MOST = 200
# A higher value is an error, for example seconds. The longest game had 78 minutes.
_MOST_MINUTES = 100.0
_MATCHUP = r"^([A-Z0-9]{2,4}) (@|vs\.?) ([A-Z0-9]{2,4})$"
_PARTS = (("FGM", "FGA"), ("FG3M", "FG3A"), ("FTM", "FTA"), ("FG3M", "FGM"), ("FG3A", "FGA"))
#: A function that returns games with their designated home team.
DesignatedHomes = Callable[[], pl.DataFrame]

_NAMES = {column: name for name, column in STATS.items()}
# The columns of a row before its game is known. Their input columns name what a correction changed.
_CONTENT = {
    "team": "TEAM_ABBREVIATION",
    "opponent": "MATCHUP",
    "is_home": "MATCHUP",
    "minutes": "MIN",
    **STATS,
    "player_name": "PLAYER_NAME",
}
_PARSED = (
    *(FILE, ROW, OBSERVED, "player_id", "game_date", "season", "player_lookup", "played"),
    *_CONTENT,
)
# So many corrections of a file are shown in full.
_SHOWN = 3


def no_designated_homes() -> pl.DataFrame:
    """Return no games: no home team is designated."""
    return pl.DataFrame(schema=dict.fromkeys(("away_team", "home_team"), pl.String)).with_columns(
        pl.lit(None, pl.Date).alias("game_date")
    )


def normalize_game_logs(tables: Sequence[RawTable]) -> Parsed:
    """Return the valid rows of games that count, without `preseason` and `all_star`.

    `played` tells whether MIN is neither empty nor 0. Only then are the statistics valid.

    Raises:
        SourceDataError: a table lacks a required column.
    """
    return Parsed.of(tables, [_typed(table) for table in tables])


def _typed(table: RawTable) -> Parsed:
    require_columns(table, REQUIRED)
    raw, dropped = _games_that_count(table.with_row_numbers(OPTIONAL))
    raw = raw.with_columns(_minutes(raw).alias("__minutes"))
    absent = pl.col("MIN").is_null() | (pl.col("__minutes") == 0).fill_null(False)
    raw = raw.with_columns(played=~absent)
    # A row of a player who did not play must have a valid player, team and date all the same.
    cells = {**_identity_cells(raw), **_statistics_cells(raw), **_season_cells(raw)}
    keep = ("team", "opponent", "is_home", "played", "kind", "kind_by_game", "season_by_game")
    rows, rejected = _reject_points_without_minutes(raw)
    rows, invalid = parse(rows, cells, keep)
    rejected += invalid
    for rule in (_reject_matchup, _reject_kind, _with_season, _reject_statistics, _with_key):
        rows, invalid = rule(rows)
        rejected += invalid
    return Parsed(rows.select(_PARSED), tuple(rejected), dropped)


def _games_that_count(raw: pl.DataFrame) -> tuple[pl.DataFrame, dict[tuple[str, str], int]]:
    """Add the kind and season of each game by its ids, and leave out the kinds of _LEFT_OUT.

    GAME_ID is 00KYYNNNNN, or the same without its leading zeros. Other ids say nothing.
    """
    game_id = whole(raw, "GAME_ID", 10_000_000, 69_999_999)
    year = game_id // 100_000 % 100
    raw = by_value(
        raw,
        "GAME_ID",
        kind_by_game=game_id // 10_000_000,
        season_by_game=pl.when(year < 46).then(2000 + year).otherwise(1900 + year),
    )
    team, venue, opponent = (text(raw, "MATCHUP").str.extract(_MATCHUP, i) for i in (1, 2, 3))
    raw = by_value(
        raw,
        "MATCHUP",
        team=team.replace(TEAM_ALIASES),
        opponent=opponent.replace(TEAM_ALIASES),
        is_home=venue != "@",
        all_star=team.is_in(_ALL_STARS) & opponent.is_in(_ALL_STARS),
    )
    season_id = whole(raw, "SEASON_ID", 10_000, 69_999)
    raw = raw.with_columns(kind=season_id // 10_000)
    kind = pl.coalesce("kind", "kind_by_game", pl.when("all_star").then(3))
    # A row whose ids contradict each other is rejected later.
    agrees = (pl.col("kind") == pl.col("kind_by_game")).fill_null(True)
    dropped: dict[tuple[str, str], int] = {}
    for left_out, name in _LEFT_OUT.items():
        is_left_out = raw.select((agrees & (kind == left_out)).fill_null(False)).to_series()
        dropped |= count_by_file(raw.filter(is_left_out), name)
        raw = raw.filter(~is_left_out)
    return raw, dropped


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
        "__team": Cell(
            "MATCHUP",
            pl.col("team"),
            "two teams",
            "write `DAL @ ATL` (away) or `PHI vs. SAS` (home), the player's team first",
        ),
    }


def _statistics_cells(raw: pl.DataFrame) -> dict[str, Cell]:
    """Return the cells of the minutes and counts, which rows of players who played need."""
    return {
        "minutes": Cell(
            "MIN",
            pl.col("__minutes"),
            f"a playing time from 0 to {_MOST_MINUTES:.0f} minutes",
            "write minutes, for example 24 or 24.5, or MM:SS, for example 24:30",
            where=pl.col("played"),
        ),
        **{
            name: Cell(
                column,
                whole(raw, column, 0, _MOST),
                f"a whole number from 0 to {_MOST}",
                "write the number from the box score",
                where=pl.col("played"),
            )
            for name, column in STATS.items()
        },
        "reb": Cell(
            "REB",
            whole(raw, "REB", 0, _MOST),
            f"a whole number from 0 to {_MOST}",
            "write the number from the box score, or omit the column",
            optional=True,
            where=pl.col("played"),
        ),
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


def _reject_points_without_minutes(raw: pl.DataFrame) -> tuple[pl.DataFrame, list[Rejected]]:
    # MIN 0 with a point is a rounded value. An empty MIN with a point is a missing value.
    empty = ~pl.col("played") & pl.col("__minutes").is_null()
    return reject(
        raw,
        empty & (whole(raw, "PTS", 1, _MOST) > 0),
        "MIN",
        pl.format("is empty, but PTS is {}", "PTS"),
        "write the minutes, or leave PTS empty for a player who did not play",
    )


def _season_cells(raw: pl.DataFrame) -> dict[str, Cell]:
    season = text(raw, "season")
    start = season.str.extract(r"^([0-9]{4})-[0-9]{2}$").cast(pl.Int64)
    end = season.str.extract(r"^[0-9]{4}-([0-9]{2})$").cast(pl.Int64)
    return {
        "season_column": Cell(
            "season",
            pl.when((start + 1) % 100 == end).then(start),
            "a season",
            "write for example 2024-25, or omit the column",
            optional=True,
        ),
        "season_id": Cell(
            "SEASON_ID",
            whole(raw, "SEASON_ID", 10_000, 69_999) % 10_000,
            "a season's id",
            "write nba_api's SEASON_ID, for example 22024, or omit the column",
            optional=True,
        ),
        OBSERVED: observed(raw),
    }


def _with_key(rows: pl.DataFrame) -> tuple[pl.DataFrame, list[Rejected]]:
    return with_lookup(rows, "PLAYER_NAME")


def _reject_matchup(rows: pl.DataFrame) -> tuple[pl.DataFrame, list[Rejected]]:
    return reject(
        rows,
        (pl.col("team") != pl.col("team_column").replace(TEAM_ALIASES))
        | (pl.col("team") == pl.col("opponent")),
        "MATCHUP",
        pl.format("{} - {} does not fit a player of {}", "team", "opponent", "team_column"),
        "write the player's own team (TEAM_ABBREVIATION) first, then the opponent",
    )


def _reject_kind(rows: pl.DataFrame) -> tuple[pl.DataFrame, list[Rejected]]:
    """Reject rows whose SEASON_ID and GAME_ID name different kinds of games."""
    # nba_api lists the final of the Cup under the regular season, too.
    by_season, by_game = pl.col("kind"), pl.col("kind_by_game")
    same = (by_season == by_game) | ((by_season == _REGULAR) & (by_game == _CUP_FINAL))
    return reject(
        rows,
        ~same,
        "GAME_ID",
        pl.format("is of a game of kind {}, but SEASON_ID of kind {}", by_game, by_season),
        "correct GAME_ID (00KYYNNNNN) or SEASON_ID (KYYYY)",
    )


def _with_season(rows: pl.DataFrame) -> tuple[pl.DataFrame, list[Rejected]]:
    """Add `season`, and reject rows with a season that contradicts another one or the date."""
    # Seasons cannot be told from the date alone: 2019-20 ended in October.
    stated = {"SEASON_ID": "season_id", "season": "season_column", "GAME_ID": "season_by_game"}
    day = pl.col("game_date")
    month = day.dt.year().cast(pl.Int64) * 12 + day.dt.month()
    rejected: list[Rejected] = []
    for column, year in stated.items():
        rows, invalid = reject(
            rows,
            ~month.is_between(
                pl.col(year) * 12 + _FIRST_MONTH, (pl.col(year) + 1) * 12 + _LAST_MONTH
            ),
            column,
            pl.format("{} is not in the season {}", "game_date", _season_name(pl.col(year))),
            "correct the season or GAME_DATE",
        )
        rejected += invalid
    first = pl.coalesce(*stated.values())
    rows, invalid = reject(
        rows,
        pl.any_horizontal(pl.col(year) != first for year in stated.values()),
        "SEASON_ID",
        pl.format("SEASON_ID, season and GAME_ID name different seasons; {}", first),
        "correct the one that is wrong",
    )
    rejected += invalid
    rows, invalid = with_mapped(
        rows, ["game_date"], "own_season", season_of, ("GAME_DATE", "correct the date")
    )
    season = pl.coalesce(_season_name(first), "own_season")
    return rows.with_columns(season.alias("season")), rejected + invalid


def _season_name(year: pl.Expr) -> pl.Expr:
    ending = ((year + 1) % 100).cast(pl.String).str.zfill(2)
    return pl.format("{}-{}", year, ending)


def _reject_statistics(rows: pl.DataFrame) -> tuple[pl.DataFrame, list[Rejected]]:
    """Reject rows whose numbers contradict each other."""
    rejected: list[Rejected] = []
    for part, whole_column in _PARTS:
        rows, invalid = reject(
            rows,
            pl.col("played") & (pl.col(_NAMES[part]) > pl.col(_NAMES[whole_column])),
            part,
            pl.format(f"{{}} is more than {whole_column} {{}}", _NAMES[part], _NAMES[whole_column]),
            f"correct {part} or {whole_column} from the box score",
        )
        rejected += invalid
    points = 2 * pl.col("fgm") + pl.col("fg3m") + pl.col("ftm")
    rebounds = pl.col("oreb") + pl.col("dreb")
    for column, name, total, meaning in (
        ("PTS", "points", points, "2 FGM + FG3M + FTM"),
        ("REB", "reb", rebounds, "OREB + DREB"),
    ):
        rows, invalid = reject(
            rows,
            pl.col("played") & (pl.col(name) != total),
            column,
            pl.format(f"{{}} is not {meaning} = {{}}", name, total),
            f"correct {column} or its parts from the box score",
        )
        rejected += invalid
    return rows, rejected


def known_logs(
    rows: pl.DataFrame, designated_homes: DesignatedHomes = no_designated_homes
) -> Known:
    """Return the newest row of each player and date as GAME_LOGS with FILE and ROW, oldest first.

    A player whose newest row says that he did not play is dropped (`did_not_play`).
    Of two games of a team on one date, the one with more rows counts; of as many, the newer one.
    `player_lookup` is the key of the name in the row: see `PlayerKeys`.

    Args:
        rows: the rows of `normalize_game_logs` that are known.
        designated_homes: returns game_date, away_team and home_team of games. It is called only
            for games on a neutral court, to derive their game_id.
    """
    kept, replaced = newest(rows, ("player_id", "game_date"))
    older, duplicates = split_replaced(kept, replaced)
    notes = _corrections(kept, older)
    absent = kept.filter(~pl.col("played"))
    kept, rejected = _with_games(kept.filter("played"), designated_homes)
    ordered = kept.sort("game_date", "game_id", "team", "player_lookup")
    return Known(
        conform(ordered, {**GAME_LOGS, FILE: pl.String, ROW: pl.Int64}),
        rows_by_file(older),
        tuple(rejected),
        {**count_by_file(duplicates, "duplicate"), **count_by_file(absent, "did_not_play")},
        notes,
    )


def _shown(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.String).fill_null("empty")


def _corrections(kept: pl.DataFrame, older: pl.DataFrame) -> dict[str, str]:
    """Return, by file of the newer row, what it corrected in the row that it replaced."""
    if older.is_empty():
        return {}
    key = ["player_id", "game_date"]
    pairs = older.select(*key, *_CONTENT).join(
        kept.select(FILE, ROW, *key, *_CONTENT), on=key, suffix="_new", maintain_order="left"
    )
    changes = [
        pl.when(pl.col(c).ne_missing(pl.col(f"{c}_new"))).then(
            pl.format(f"{column} {{}} -> {{}}", _shown(c), _shown(f"{c}_new"))
        )
        for c, column in _CONTENT.items()
    ]
    change = pl.concat_str(changes, separator=", ", ignore_nulls=True)
    sentence = pl.format("PLAYER_ID {}, {}, {}", "player_id", "game_date", change)
    changed = pairs.filter(change != "").unique([FILE, ROW], keep="first", maintain_order=True)
    notes = {}
    for (file,), part in changed.group_by(FILE, maintain_order=True):
        count = f"{part.height} row{'s' if part.height > 1 else ''} corrected"
        shown = part.head(_SHOWN).select(sentence).to_series().to_list()
        more = "; ..." if part.height > _SHOWN else ""
        notes[str(file)] = f"{count}: {'; '.join(shown)}{more}"
    return notes


def _with_games(
    rows: pl.DataFrame, designated_homes: DesignatedHomes
) -> tuple[pl.DataFrame, list[Rejected]]:
    """Add `away_team`, `home_team` and `game_id`, for one game and one venue per team and date.

    On a neutral court, nba_api writes `@` for both teams. Then no team is at home, and the home
    team of the game_id is the designated one, or otherwise the last one in alphabetical order.
    """
    rows = rows.with_columns(
        pl.min_horizontal("team", "opponent").alias("one"),
        pl.max_horizontal("team", "opponent").alias("two"),
    )
    rows, rejected = one_game_per_team(rows, ("one", "two"), "MATCHUP")
    rows, invalid = _with_one_venue(rows)
    pair = ["game_date", "one", "two"]
    home = pl.when("is_home").then("team").otherwise("opponent")
    games = rows.group_by(pair).agg(
        home.first().alias("home"), (home.n_unique() > 1).alias("neutral")
    )
    if games["neutral"].any():
        games = _with_designated_homes(games, designated_homes())
    home_is_one = pl.col("home") == pl.col("one")
    away = pl.when(home_is_one).then("two").otherwise("one")
    games = games.select(*pair, "neutral", home_team="home", away_team=away)
    games, _ = with_game_id(games, "MATCHUP")
    rows = rows.join(games, on=pair, how="left", maintain_order="left")
    return rows.with_columns(pl.col("is_home") & ~pl.col("neutral")), rejected + invalid


def _with_one_venue(rows: pl.DataFrame) -> tuple[pl.DataFrame, list[Rejected]]:
    """Return the rows with the venue that most rows of a team and date have."""
    venues = rows.select("game_date", "team", "is_home").unique()
    if not venues.select("game_date", "team").is_duplicated().any():
        return rows, []
    at_home = pl.col("is_home").mean().over("game_date", "team")
    return reject(
        rows,
        pl.col("is_home") != (at_home > 0.5),
        "MATCHUP",
        pl.format("other rows have another venue for {} on {}", "team", "game_date"),
        "write `@` for the team that plays away and `vs.` for the team at home",
    )


def _with_designated_homes(games: pl.DataFrame, designated: pl.DataFrame) -> pl.DataFrame:
    """Replace the home team of neutral games by the first designated one."""
    hints = designated.with_columns(
        pl.min_horizontal("away_team", "home_team").alias("one"),
        pl.max_horizontal("away_team", "home_team").alias("two"),
    )
    pair = ["game_date", "one", "two"]
    hints = hints.unique(pair, keep="first", maintain_order=True)
    return games.join(hints.select(*pair, "home_team"), on=pair, how="left").with_columns(
        pl.when("neutral").then(pl.coalesce("home_team", "two")).otherwise("home").alias("home")
    )


@dataclass(frozen=True)
class PlayerKeys:
    """The names of each player_id over time, from which `player_lookup` is made.

    `names` has player_id, player_lookup and `since`, the first date of that name, oldest first.
    """

    names: pl.DataFrame

    @classmethod
    def of(cls, logs: pl.DataFrame) -> PlayerKeys:
        """Return the names in GAME_LOGS whose rows have the key of the name in the row."""
        names = logs.select("player_id", "player_lookup", since="game_date")
        before = pl.col("player_lookup").shift().over("player_id")
        return cls(names.filter(pl.col("player_lookup").ne_missing(before)).sort("since"))

    def at(self, game_date: date) -> pl.DataFrame:
        """Return player_id and player_lookup for `game_date`: one key for each player.

        The key is made of the newest name before the date or, without one, of the first name. If
        two players have the same key, the one who appeared first keeps it, and the id of the other
        is added to it.
        """
        past = pl.col("since") < game_date
        keys = self.names.group_by("player_id").agg(
            pl.coalesce(
                pl.col("player_lookup").filter(past).last(), pl.col("player_lookup").first()
            ),
            pl.col("since").min(),
        )
        key = pl.col("player_lookup")
        own = pl.when(key.is_first_distinct()).then(key)
        return keys.sort("since", "player_id").select(
            "player_id",
            pl.coalesce(own, pl.format("{}{}", key, "player_id")).alias("player_lookup"),
        )

    def applied(self, logs: pl.DataFrame, game_date: date) -> pl.DataFrame:
        """Return GAME_LOGS with the keys for `game_date`."""
        ids, keys = self.names["player_id"], self.names["player_lookup"]
        if not (ids.is_duplicated().any() or keys.is_duplicated().any()):
            return logs
        keyed = logs.drop("player_lookup").join(
            self.at(game_date), on="player_id", how="left", maintain_order="left"
        )
        return keyed.select(logs.columns)


def games_of(logs: pl.DataFrame, game_date: date) -> pl.DataFrame:
    """Return game_date, game_id, away_team and home_team of the games in `logs` on a date."""
    games = logs.filter(pl.col("game_date") == game_date).select("game_date", "game_id").unique()
    teams = pl.col("game_id").str.split("_").list
    return games.with_columns(teams.get(1).alias("away_team"), teams.get(2).alias("home_team"))
