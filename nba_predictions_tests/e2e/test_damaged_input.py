"""Damaged and unusual input files: refused with a reason, set aside with a warning, or used."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from nba_predictions import cli
from nba_predictions_tests.e2e.pipeline import GAME_DATE

NIGHT = GAME_DATE.isoformat()
Change = Callable[[pl.DataFrame], pl.DataFrame]
LOGS, LINES, GAMES, REPORT = "player_game_logs", "points_lines", "schedule", "injuries"


def rewrite(folder: Path, kind: str, change: Change) -> None:
    """Rewrite one input file."""
    (path,) = folder.glob(f"{kind}_*.parquet")
    change(pl.read_parquet(path)).write_parquet(path)


def in_first_row(column: str, value: Any, dtype: pl.DataType | None = None) -> Change:
    """Return a change of the first row's value. The column gets the type of the value."""

    def changed(frame: pl.DataFrame) -> pl.DataFrame:
        values = [value, *frame[column].to_list()[1:]]
        if isinstance(value, str):
            values = [value, *map(str, frame[column].to_list()[1:])]
        return frame.with_columns(pl.Series(column, values, dtype, strict=False))

    return changed


def renamed_players(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(player=pl.lit("Nobody Whatsoever"))


def twice_with_other_points(frame: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([frame, frame.head(1).with_columns(PTS=pl.col("PTS") + 1)])


def shifted_into_the_future(frame: pl.DataFrame) -> pl.DataFrame:
    """Append a copy of the history, two years later."""
    later = frame.with_columns(
        pl.col("GAME_DATE").dt.offset_by("2y"),
        pl.lit("2027-28").alias("season"),
        pl.lit(22_027, pl.Int64).alias("SEASON_ID"),
        pl.col("GAME_ID").cast(pl.Int64).add(10_000_000).cast(pl.String),
    )
    return pl.concat([frame, later])


def game_ids_in_two_formats(frame: pl.DataFrame) -> pl.DataFrame:
    """Pad every second game id with zeros."""
    padded = pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.concat_str(pl.lit("00"), "GAME_ID"))
    return frame.with_columns(GAME_ID=padded.otherwise(pl.col("GAME_ID")))


#: Refused changes: the file, the change and a part of the error.
REFUSED: dict[str, tuple[str, Change, str]] = {
    "a missing column": (LOGS, lambda f: f.drop("PTS"), "PTS"),
    "points of another column": (LOGS, lambda f: f.with_columns(PTS="REB"), "column PTS"),
    "no names": (LOGS, lambda f: f.with_columns(PLAYER_NAME=pl.lit("")), "column PLAYER_NAME"),
    "a season that contradicts the dates": (
        LOGS,
        lambda f: f.with_columns(SEASON_ID=pl.lit(22030), season=pl.lit("2030-31")),
        "SEASON_ID",
    ),
    "decimal odds": (LINES, lambda f: f.with_columns(price=pl.lit(1.91)), "column price"),
    "no line column": (LINES, lambda f: f.drop("line"), "line"),
}

#: Changes of one row, which is set aside: the file, the change and the column that is named.
SET_ASIDE: dict[str, tuple[str, Change, str]] = {
    "text for points": (LOGS, in_first_row("PTS", "many"), "column PTS"),
    "points below zero": (LOGS, in_first_row("PTS", -3), "column PTS"),
    "points that contradict the shots": (LOGS, twice_with_other_points, "column PTS"),
    "NaN minutes": (LOGS, in_first_row("MIN", math.nan, pl.Float64()), "column MIN"),
    "infinite minutes": (LOGS, in_first_row("MIN", math.inf, pl.Float64()), "column MIN"),
    "no player": (LOGS, in_first_row("PLAYER_NAME", ""), "column PLAYER_NAME"),
    "a date that does not exist": (LOGS, in_first_row("GAME_DATE", "2025-13-45"), "GAME_DATE"),
    "a line that is not a number": (LINES, in_first_row("line", math.nan), "column line"),
    "text for a line": (LINES, in_first_row("line", "high"), "column line"),
    "an unknown status": (REPORT, in_first_row("status", "MAYBE"), "column status"),
}

#: Accepted changes: the table is complete.
ACCEPTED: dict[str, tuple[str, Change]] = {
    "additional columns": (LOGS, lambda f: f.with_columns(extra=pl.lit("x"))),
    "every row duplicated": (LOGS, lambda f: pl.concat([f, f])),
    "every line duplicated": (LINES, lambda f: pl.concat([f, f])),
    "game ids in two formats": (LOGS, game_ids_in_two_formats),
    "rows in another order": (LOGS, lambda f: f.reverse()),
    "box scores of the future": (LOGS, shifted_into_the_future),
    "no lines": (LINES, lambda f: f.head(0)),
    "lines of players without box scores": (LINES, renamed_players),
    "lines of another market": (LINES, lambda f: f.with_columns(market=pl.lit("player_rebounds"))),
    "an empty injury report": (REPORT, lambda f: f.head(0)),
}


def table(home: Path) -> pl.DataFrame:
    path = home / "warehouse.duckdb"
    if not path.exists():
        return pl.DataFrame()
    with duckdb.connect(str(path)) as connection:
        if not connection.execute("SHOW TABLES").fetchall():
            return pl.DataFrame()
        return pl.DataFrame(
            connection.sql("SELECT * FROM player_prop_predictions").to_arrow_table()
        )


@pytest.mark.parametrize("name", REFUSED)
def test_a_damaged_file_is_refused_before_any_prediction(
    home: Path, files: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    kind, change, message = REFUSED[name]
    rewrite(files, kind, change)
    assert cli.main(["run", "--game-date", NIGHT]) == 1
    error = capsys.readouterr().err
    assert kind in error
    assert message in error
    assert "Traceback" not in error
    assert table(home).is_empty()


@pytest.mark.parametrize("name", SET_ASIDE)
def test_an_invalid_row_is_set_aside_with_a_warning(
    home: Path, files: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    kind, change, column = SET_ASIDE[name]
    rewrite(files, kind, change)
    assert cli.main(["run", "--game-date", NIGHT]) == 0
    assert not table(home).is_empty()
    lines = capsys.readouterr().out.splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    (warning,) = (each for each in events if each.get("gate") == "rows_are_valid")
    assert kind in warning["message"]
    assert column in warning["message"]


@pytest.mark.parametrize("name", ACCEPTED)
def test_an_unusual_file_ends_in_a_complete_table(
    home: Path, files: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    kind, change = ACCEPTED[name]
    rewrite(files, kind, change)
    assert cli.main(["run", "--game-date", NIGHT]) == 0
    rows = table(home)
    key = ["game_date", "game_id", "player_lookup", "system_id", "points_line"]
    assert not rows.select(key).is_duplicated().any()
    per_player = Counter(rows.select("player_lookup", "system_id").iter_rows())
    assert set(per_player.values()) <= {1, 5}
    assert rows["game_date"].unique().to_list() == [GAME_DATE]
    assert rows["predicted_points"].is_between(0, 60).all()
    assert rows["over_probability"].drop_nulls().is_finite().all()
    lines = capsys.readouterr().out.splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    (slate,) = [event for event in events if event["event"] == "slate_loaded"]
    if kind == LINES and name != "every line duplicated":
        assert slate["with_line"] == 0
        assert set(rows["recommendation"]) == {"NO_LINE"}
    if "without box scores" in name:
        assert any("box score" in reason for reason in slate["skipped_players"].values())
