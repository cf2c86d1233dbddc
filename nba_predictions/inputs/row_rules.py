"""Rules for the rows of all inputs: duplicates, one game per team and date, and derived keys.

All frames have the columns FILE and ROW.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from nba_predictions.domain.errors import SourceDataError
from nba_predictions.domain.league.games import make_game_id
from nba_predictions.domain.league.players import player_lookup
from nba_predictions.inputs.parsing import FILE, ROW, first_true, row_error


def collapse_duplicates(
    rows: pl.DataFrame, key: Sequence[str], error: Callable[..., SourceDataError]
) -> tuple[pl.DataFrame, int]:
    """Return the rows without exact duplicates, in order, and the number of duplicates.

    `error(first, second)` makes the exception for two rows, as dicts, with the same `key` and
    different content.
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
    """Raise SourceDataError if a team has two different games on a date."""
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
        f"{second['home_team']}, but {first['away_team']} - {first['home_team']} in "
        f"{first[FILE]}, row {first[ROW]}",
        "correct the date or the teams: a team plays one game per day",
    )


def with_game_id(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    """Add `game_id`, derived from `game_date`, `away_team` and `home_team`."""
    keys = ["game_date", "away_team", "home_team"]
    return with_mapped(rows, keys, "game_id", make_game_id, (column, "write two different teams"))


def with_lookup(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    """Add `player_lookup`, derived from `player_name`."""
    error_parts = (column, "write the player's name in Latin letters")
    return with_mapped(rows, ["player_name"], "player_lookup", player_lookup, error_parts)


def with_mapped(
    rows: pl.DataFrame,
    keys: Sequence[str],
    name: str,
    make: Callable[..., Any],
    error_parts: tuple[str, str],
    dtype: pl.DataType | type[pl.DataType] = pl.String,
) -> pl.DataFrame:
    """Add the column `name` with the result of `make`, called once per distinct `keys`.

    If `make` raises ValueError or returns None, the row is rejected. `error_parts` are the input
    column and the fix that the error names.
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
            invalid = rows.filter(
                pl.all_horizontal(
                    pl.col(k).eq_missing(pl.lit(a)) for k, a in zip(keys, arguments, strict=True)
                )
            )
            raise row_error(invalid, 0, error_parts[0], problem, error_parts[1])
        values.append(value)
    table = distinct.with_columns(pl.Series(name, values, dtype=dtype))
    return rows.join(table, on=list(keys), how="left", nulls_equal=True, maintain_order="left")
