"""A home of version 0.1.0: every command refuses it until it is migrated, and then continues."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from nba_predictions import cli
from nba_predictions.batch_store.sqlite_store import SQLiteBatchStore
from nba_predictions.domain.tables import PREDICTIONS, TABLES
from nba_predictions.inputs.files import FilesSource
from nba_predictions.orchestration.partitions import player_partition_key
from nba_predictions.warehouse.duckdb_warehouse import DuckDBWarehouse
from nba_predictions_tests.e2e.pipeline import Pipeline, errors
from nba_predictions_tests.upgrades.stored_state import (
    FAILED_PLAYER,
    INPUT,
    PUBLISHED,
    ROWS,
    UNFINISHED,
    dump,
    restore_home,
)


@pytest.fixture
def old_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    restore_home(home)
    monkeypatch.setenv("NBA_PREDICTIONS_SOURCE", "files")
    monkeypatch.setenv("NBA_PREDICTIONS_DATA", str(INPUT))
    return home


def stored(home: Path) -> dict[str, Any]:
    """Return all rows of the warehouse, the batch store and the outbox."""
    found: dict[str, Any] = {n: dump(home / f"{n}.sqlite") for n in ("batches", "outbox")}
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        for table in TABLES:
            found[table.name] = connection.sql(
                f"SELECT * FROM {table.name} ORDER BY ALL"
            ).fetchall()
    # A sequence number may be taken and not used.
    found["batches"] = [line for line in found["batches"] if 'INTO "sequences"' not in line]
    return found


def predictions(home: Path) -> dict[str, dict[str, Any]]:
    """Return the predictions of the published night by prediction_id, without bookkeeping."""
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        rows = connection.sql(
            "SELECT * EXCLUDE (batch_id, created_at, updated_at, write_sequence) "
            f"FROM {PREDICTIONS.name} WHERE game_date = '{PUBLISHED}'"
        ).to_arrow_table()
    return {row["prediction_id"]: row for row in rows.to_pylist()}


def assert_no_duplicates(home: Path) -> None:
    warehouse = DuckDBWarehouse(home / "warehouse.duckdb", home / "staging")
    for table in TABLES:
        for game_date in (PUBLISHED, UNFINISHED):
            assert warehouse.count(table, game_date, "any").duplicate_keys == 0


def last_line(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a command that must succeed; return the last line that it prints."""
    code = cli.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    return captured.out.splitlines()[-1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--game-date", str(UNFINISHED)],
        ["refresh", "--past", "--game-date", str(PUBLISHED)],
        ["grade", "--game-date", str(PUBLISHED)],
        ["audit", "--game-date", str(PUBLISHED)],
        ["report", "--game-date", str(PUBLISHED)],
        ["repair", "--yes", "--game-date", str(PUBLISHED)],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_home_is_refused_with_the_command_and_nothing_is_written(
    old_home: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    # Opening the batch store adds the columns that it lacks, with their defaults.
    SQLiteBatchStore(old_home / "batches.sqlite").prepare()
    before = stored(old_home)
    assert cli.main(arguments) != 0
    printed = capsys.readouterr().err
    assert "table player_prop_predictions of " in printed
    assert "was created by an earlier version" in printed
    assert "run `nba-predictions migrate`" in printed
    assert "Traceback" not in printed
    assert stored(old_home) == before


def test_migrate_prints_what_it_filled_in(
    old_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for filled, columns in ((ROWS, "market"), (0, "none")):
        assert cli.main(["migrate"]) == 0
        *tables, end = capsys.readouterr().out.splitlines()
        assert end == "MIGRATED"
        assert len(tables) == len(TABLES)
        for line in tables:
            assert line.endswith(f": {filled} of {ROWS} rows filled, columns added: {columns}")


def test_a_migrated_home_continues_its_nights(
    old_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert last_line(capsys, "migrate") == "MIGRATED"
    before = predictions(old_home)
    unfinished = last_line(capsys, "run", "--game-date", UNFINISHED)
    # The batch of the earlier version is resumed: the players it staged are not predicted again.
    assert unfinished.startswith("BATCH batch_2025-10-29_1795601804 COMPLETE players=32 ")
    # The player who failed is predicted again into the batch that was published.
    assert cli.main(["repair", "--yes", "--game-date", str(PUBLISHED)]) == 0
    assert "BATCH batch_2025-10-28_1795601772 COMPLETE players=32 " in capsys.readouterr().out
    after = predictions(old_home)
    assert {key: after[key] for key in before} == before
    added = [row for key, row in after.items() if key not in before]
    assert {row["player_lookup"] for row in added} == {FAILED_PLAYER}

    last_line(capsys, "refresh", "--past", "--game-date", PUBLISHED)
    assert set(predictions(old_home)) == set(after)
    last_line(capsys, "run", "--game-date", PUBLISHED)
    assert set(predictions(old_home)) == set(after)
    assert_no_duplicates(old_home)


def test_a_migrated_night_is_graded_audited_and_reported(
    old_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last_line(capsys, "migrate")
    last_line(capsys, "grade", "--game-date", PUBLISHED)
    assert_no_duplicates(old_home)
    # One player failed, so the night is partial, and the exit code says so.
    assert cli.main(["audit", "--game-date", str(PUBLISHED)]) == 1
    verdict = capsys.readouterr().out.splitlines()[-1]
    assert " PARTIAL players=31 staged=570 merged=570 cleaned=31 " in verdict
    page = tmp_path / "night.html"
    last_line(capsys, "report", "--game-date", PUBLISHED, "--html", page)
    assert "points" in page.read_text("utf-8")


def test_one_player_is_predicted_again_from_the_values_between_the_steps(
    old_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last_line(capsys, "migrate")
    pipeline = Pipeline.build(old_home, FilesSource(INPUT))
    key = player_partition_key(PUBLISHED, FAILED_PLAYER)
    pipeline.instance.add_dynamic_partitions("player_nights", [key])
    staged = pipeline.materialize("player_staging", partition=key)
    assert staged.success, errors(staged)
    assert f"/{FAILED_PLAYER}." in pipeline.staging_files()[0]


def test_a_damaged_slate_is_refused_with_its_file_and_the_fix(
    old_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last_line(capsys, "migrate")
    file = old_home / "assets" / "slate" / f"{PUBLISHED}.json"
    file.write_text(file.read_text("utf-8").replace('"player_name"', '"full_name"'), "utf-8")
    pipeline = Pipeline.build(old_home, FilesSource(INPUT))
    key = player_partition_key(PUBLISHED, FAILED_PLAYER)
    pipeline.instance.add_dynamic_partitions("player_nights", [key])
    (error,) = errors(pipeline.materialize("player_staging", partition=key))
    assert str(file) in error
    assert f"materialize slate of {PUBLISHED} again" in error
