"""Rules for the rows of all inputs: the newest fact of each key, and derived keys.

All frames have the columns FILE and ROW.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import polars as pl

from nba_predictions.domain.league.games import make_game_id
from nba_predictions.domain.league.players import player_lookup
from nba_predictions.inputs.parsing import FILE, OBSERVED, ROW, Rejected, reject

_AT, _CLASH = "__at", "__clash"


def newest(rows: pl.DataFrame, key: Sequence[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the newest row of each `key`, in the order of `rows`, and the rows that it replaces.

    The newest row has the latest OBSERVED. An unknown moment is older than any other. Rows of the
    same moment are in the order of their files and rows.
    """
    repeated = rows.select(pl.struct(key).is_duplicated()).to_series()
    if not repeated.any():
        return rows, rows.clear()
    numbered = rows.with_row_index(_AT)
    several = numbered.filter(repeated).sort(OBSERVED, nulls_last=False, maintain_order=True)
    last = several.unique(key, keep="last", maintain_order=True)
    kept = pl.concat([numbered.filter(~repeated), last]).sort(_AT).drop(_AT)
    return kept, several.join(last, on=_AT, how="anti", maintain_order="left").drop(_AT)


def split_replaced(kept: pl.DataFrame, replaced: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the replaced rows that differ from the row that replaces them, and the duplicates.

    Both frames are those of `newest`. Rows that differ only in FILE, ROW and OBSERVED are
    duplicates.
    """
    content = [c for c in kept.columns if c not in (FILE, ROW, OBSERVED)]
    if replaced.is_empty():
        return replaced, replaced
    return (
        replaced.join(kept, on=content, how="anti", nulls_equal=True, maintain_order="left"),
        replaced.join(kept, on=content, how="semi", nulls_equal=True, maintain_order="left"),
    )


def one_game_per_team(
    rows: pl.DataFrame, teams: tuple[str, str], column: str
) -> tuple[pl.DataFrame, list[Rejected]]:
    """Return the rows of one game per team and date, and the others as Rejected.

    The game with the most rows counts; of as many, the newest one.

    Args:
        rows: one or more rows per game, with game_date and OBSERVED.
        teams: the two columns with the teams of the game.
        column: the input column that the reason names.
    """
    game = ["game_date", *teams]
    games = rows.group_by(game, maintain_order=True).agg(pl.len(), pl.col(OBSERVED).max())
    sides = games.select("game_date", pl.concat_list(teams).alias("team")).explode("team")
    if not sides.is_duplicated().any():
        return rows, []
    best_last = games.sort("len", OBSERVED, nulls_last=False, maintain_order=True)
    taken: dict[tuple[date, str], str] = {}
    clashes = []
    for day, one, two in best_last.reverse().select(game).iter_rows():
        team = next((t for t in (one, two) if (day, t) in taken), None)
        if team is None:
            taken[day, one] = taken[day, two] = f"{one} - {two}"
        else:
            clash = f"{team} plays {one} - {two} on {day}, but also {taken[day, team]}"
            clashes.append((day, one, two, clash))
    lost = pl.DataFrame(clashes, [*game, _CLASH], orient="row")
    kept, rejected = reject(
        rows.join(lost, on=game, how="left", maintain_order="left"),
        pl.col(_CLASH).is_not_null(),
        column,
        pl.col(_CLASH),
        "correct the date or the teams: a team plays one game per day",
    )
    return kept.drop(_CLASH), rejected


def with_game_id(rows: pl.DataFrame, column: str) -> tuple[pl.DataFrame, list[Rejected]]:
    """Add `game_id`, derived from `game_date`, `away_team` and `home_team`."""
    keys = ["game_date", "away_team", "home_team"]
    return with_mapped(rows, keys, "game_id", make_game_id, (column, "write two different teams"))


def with_lookup(rows: pl.DataFrame, column: str) -> tuple[pl.DataFrame, list[Rejected]]:
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
) -> tuple[pl.DataFrame, list[Rejected]]:
    """Add the column `name` with the result of `make`, called once per distinct `keys`.

    A row is rejected if `make` raises ValueError or returns None for it. `error_parts` are the
    input column and the fix that the reason names.
    """
    distinct = rows.select(keys).unique(maintain_order=True)
    values, problems = [], []
    for arguments in distinct.iter_rows():
        try:
            value = make(*arguments)
            problem = None if value is not None else f"{arguments[0]!r} is not known"
        except ValueError as error:
            value, problem = None, str(error)
        values.append(value)
        problems.append(problem)
    table = distinct.with_columns(
        pl.Series(name, values, dtype=dtype), pl.Series("__problem", problems, dtype=pl.String)
    )
    joined = rows.join(table, on=list(keys), how="left", nulls_equal=True, maintain_order="left")
    wrong = pl.col("__problem").is_not_null()
    kept, rejected = reject(joined, wrong, error_parts[0], pl.col("__problem"), error_parts[1])
    return kept.drop("__problem"), rejected
