"""What all kinds of input rows have in common: keys, and rules between rows.

Frames here carry the addresses of their rows (FILE, ROW).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from nba_predictions.domain.errors import SourceDataError
from nba_predictions.domain.league.games import make_game_id
from nba_predictions.domain.league.players import player_lookup
from nba_predictions.inputs.tables import FILE, ROW, first_true, row_error


def collapse_duplicates(
    rows: pl.DataFrame, key: Sequence[str], error: Callable[..., SourceDataError]
) -> tuple[pl.DataFrame, int]:
    """Return the rows without exact repetitions, in order, and how many those were.

    `error(first, second)`, with two rows as dicts, makes the exception for two that share `key`
    but differ.
    """
    content = [c for c in rows.columns if c not in (FILE, ROW)]
    if not rows.select(pl.struct(key).is_duplicated().any()).item():
        return rows, 0
    kept = rows.unique(content, keep="first", maintain_order=True)
    at = first_true(kept, ~pl.struct(key).is_first_distinct())
    if at is not None:
        second = kept[at]
        first = kept.head(at).join(second, on=list(key), how="semi", nulls_equal=True)
        raise error(first.row(0, named=True), second.row(0, named=True))
    return kept, rows.height - kept.height


def reject_second_game(games: pl.DataFrame, column: str) -> None:
    """Raise SourceDataError if a team is in two of the (distinct) games of a date."""
    sides = pl.concat(
        [
            games.select(FILE, ROW, "game_date", "away_team", "home_team", pl.col(side).alias("t"))
            for side in ("away_team", "home_team")
        ]
    )
    at = first_true(sides, ~pl.struct("game_date", "t").is_first_distinct())
    if at is None:
        return
    second = sides.row(at, named=True)
    first = sides.head(at).row(
        by_predicate=(pl.col("t") == second["t"]) & (pl.col("game_date") == second["game_date"]),
        named=True,
    )
    raise row_error(
        sides,
        at,
        column,
        f"on {second['game_date']} {second['t']} plays {second['away_team']} - "
        f"{second['home_team']}, but {first['away_team']} - {first['home_team']} by "
        f"{first[FILE]}, row {first[ROW]}",
        "a team plays one game a day; correct the date or the teams",
    )


def with_game_id(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return the rows with `game_id`, made from `game_date`, `away_team` and `home_team`."""
    keys = ["game_date", "away_team", "home_team"]
    return with_mapped(rows, keys, "game_id", make_game_id, (column, "write two different teams"))


def with_lookup(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return the rows with `player_lookup`, made from `player_name`."""
    blame = (column, "write the player's name in Latin letters")
    return with_mapped(rows, ["player_name"], "player_lookup", player_lookup, blame)


def with_mapped(
    rows: pl.DataFrame,
    keys: Sequence[str],
    name: str,
    make: Callable[..., Any],
    blame: tuple[str, str],
    dtype: pl.DataType | type[pl.DataType] = pl.String,
) -> pl.DataFrame:
    """Return the rows with a column `name` that `make` gives, called once per distinct `keys`.

    `blame` is the input's column and the mend for the error that a ValueError of `make` becomes;
    a None from it is one as well.
    """
    distinct = rows.select(keys).unique(maintain_order=True)
    values = []
    for arguments in distinct.iter_rows():
        try:
            value = make(*arguments)
            problem = None if value is not None else f"{arguments[0]!r} is not known"
        except ValueError as error:
            value, problem = None, str(error)
        if problem is not None:
            found = rows.filter(
                pl.all_horizontal(
                    pl.col(k).eq_missing(pl.lit(a)) for k, a in zip(keys, arguments, strict=True)
                )
            )
            raise row_error(found, 0, blame[0], problem, blame[1])
        values.append(value)
    table = distinct.with_columns(pl.Series(name, values, dtype=dtype))
    return rows.join(table, on=list(keys), how="left", nulls_equal=True, maintain_order="left")
