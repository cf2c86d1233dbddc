"""Point in time: results of the game date and later do not change its predictions."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nba_predictions.inputs.files import FilesSource
from nba_predictions_tests.e2e.pipeline import GAME_DATE, Pipeline, errors, facts
from nba_predictions_tests.leagues import small_league, write_files

LOGS = "player_game_logs_2025-26.parquet"
DAY = pl.col("GAME_DATE")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write files up to five days after the date, without a schedule, which the logs replace."""
    folder = tmp_path_factory.mktemp("files")
    league = small_league()
    write_files(
        league, folder, ["2025-26"], logs_before=GAME_DATE + timedelta(days=5), dates={GAME_DATE}
    )
    (folder / "schedule_2025-26.parquet").unlink()
    return folder


def predicted_from(files: Path, home: Path) -> list[dict[str, Any]]:
    pipeline = Pipeline.build(home, FilesSource(files))
    night = pipeline.predict()
    assert night.success, errors(night)
    return facts(pipeline.table())


def with_logs(files: Path, to: Path, logs: pl.DataFrame) -> Path:
    shutil.copytree(files, to)
    logs.write_parquet(to / LOGS)
    return to


def scored_more(where: pl.Expr) -> list[pl.Expr]:
    """Add twelve free throws and minutes, so that the sums of the box score remain valid."""
    return [
        pl.when(where).then(pl.col(column) + 12).otherwise(pl.col(column)).alias(column)
        for column in ("FTM", "FTA", "PTS", "MIN")
    ]


@pytest.fixture(scope="module")
def baseline(files: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return predicted_from(files, tmp_path_factory.mktemp("baseline"))


def test_results_of_the_date_and_later_do_not_change_predictions(
    files: Path, baseline: list[dict[str, Any]], tmp_path: Path
) -> None:
    logs = pl.read_parquet(files / LOGS)
    assert logs.filter(DAY > GAME_DATE).height > 0
    first_of_team = pl.struct("TEAM_ID", "GAME_ID").is_first_distinct()
    # On the date: an unknown player replaces the first player of each team, and all score more.
    changed = logs.filter((DAY != GAME_DATE) | ~first_of_team)
    changed = changed.with_columns(scored_more(DAY >= GAME_DATE)).with_columns(
        pl.when((DAY == GAME_DATE) & first_of_team)
        .then(pl.col("PLAYER_NAME") + " the Younger")
        .otherwise("PLAYER_NAME")
        .alias("PLAYER_NAME"),
        pl.when((DAY == GAME_DATE) & first_of_team)
        .then(pl.int_range(pl.len()) + 90_000_000)
        .otherwise("PLAYER_ID")
        .alias("PLAYER_ID"),
    )
    # Later: half of the games are missing.
    changed = changed.filter((DAY <= GAME_DATE) | (pl.col("GAME_ID").hash() % 2 == 0))
    assert changed.filter(DAY > GAME_DATE).height < logs.filter(DAY > GAME_DATE).height
    assert predicted_from(with_logs(files, tmp_path / "files", changed), tmp_path) == baseline


def test_missing_results_from_the_date_on_do_not_change_predictions(
    files: Path, baseline: list[dict[str, Any]], tmp_path: Path
) -> None:
    """This is the state on the morning of the date: the games are derived from the lines."""
    logs = pl.read_parquet(files / LOGS).filter(DAY < GAME_DATE)
    assert predicted_from(with_logs(files, tmp_path / "files", logs), tmp_path) == baseline


def test_a_result_before_the_date_changes_predictions(
    files: Path, baseline: list[dict[str, Any]], tmp_path: Path
) -> None:
    """This shows that the other tests can fail."""
    logs = pl.read_parquet(files / LOGS)
    changed = logs.with_columns(scored_more(pl.lit(GAME_DATE - timedelta(days=2)) == DAY))
    again = predicted_from(with_logs(files, tmp_path / "files", changed), tmp_path)
    assert [row["player_lookup"] for row in again] == [row["player_lookup"] for row in baseline]
    assert again != baseline
