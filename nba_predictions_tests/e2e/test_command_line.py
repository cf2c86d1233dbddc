"""The command line in a separate process, as a user runs it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nba_predictions import cli
from nba_predictions_tests.e2e.pipeline import GAME_DATE, SYSTEMS
from nba_predictions_tests.leagues import small_league, write_files
from nba_predictions_tests.waiting import CEILING_SECONDS

MILESTONES = [
    *("batch_created", "slate_loaded", "player_staged", "completion_recorded", "batch_staged"),
    *("consolidation_started", "staging_found", "merge_executed", "reconciliation"),
    *("cleanup_done", "phase5_published", "batch_complete"),
]
LAST_LINE = re.compile(
    r"BATCH (?P<batch_id>batch_\S+) COMPLETE players=(?P<players>\d+) staged=(?P<staged>\d+) "
    r"merged=(?P<merged>\d+) cleaned=(?P<cleaned>\d+) published=\S+"
)


def command(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command line with only the given variables of the pipeline."""
    environment = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("NBA_PREDICTIONS_", "DAGSTER_", "PYTEST_"))
    }
    environment |= {"NBA_PREDICTIONS_HOME": str(home), **variables}
    return subprocess.run(
        [sys.executable, "-m", "nba_predictions.cli", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=CEILING_SECONDS,
        check=False,
    )


def json_lines(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def default_run(home: Path) -> subprocess.CompletedProcess[str]:
    """The result of `nba-predictions run` with no setting except the home."""
    return command(home, "run")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    league = small_league()
    write_files(league, folder, ["2025-26"], logs_before=GAME_DATE, dates={GAME_DATE})
    return folder


def test_a_run_exits_with_0_and_its_last_line_has_all_counts(
    default_run: subprocess.CompletedProcess[str],
) -> None:
    assert default_run.returncode == 0, default_run.stderr
    last_line = LAST_LINE.fullmatch(default_run.stdout.splitlines()[-1])
    assert last_line is not None
    assert int(last_line["players"]) == int(last_line["cleaned"]) > 100
    assert int(last_line["staged"]) == int(last_line["merged"]) > 5 * int(last_line["players"])


def test_the_milestones_are_json_lines_on_stdout_in_order(
    default_run: subprocess.CompletedProcess[str],
) -> None:
    lines = json_lines(default_run.stdout)
    order = list(dict.fromkeys(line["event"] for line in lines))
    assert order == MILESTONES
    last_line = LAST_LINE.fullmatch(default_run.stdout.splitlines()[-1])
    assert last_line is not None
    for line in lines:
        assert line["batch_id"] == last_line["batch_id"]
        assert line["severity"] == "INFO"
        assert line["message"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", line["time"])
    per_player = [line["event"] for line in lines].count("player_staged")
    assert per_player == int(last_line["players"])


def test_a_complete_run_prints_no_error(
    default_run: subprocess.CompletedProcess[str],
) -> None:
    assert "Traceback" not in default_run.stderr
    assert "Error" not in default_run.stderr


def test_simulated_predictions_are_labeled(
    default_run: subprocess.CompletedProcess[str],
) -> None:
    assert "SIMULATED LEAGUE: these games, players and lines do not exist." in default_run.stdout


def test_a_predicted_night_can_be_graded(
    default_run: subprocess.CompletedProcess[str],
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert default_run.returncode == 0
    for variable in ("PROFILE", "SOURCE", "DATA", "COMPLETION_THRESHOLD"):
        monkeypatch.delenv(f"NBA_PREDICTIONS_{variable}", raising=False)
    monkeypatch.setenv("NBA_PREDICTIONS_HOME", str(home))
    monkeypatch.setenv("DAGSTER_HOME", str(home / "dagster"))
    assert cli.main(["grade"]) == 0
    printed = capsys.readouterr().out
    assert all(column in printed for column in ("system", "error", "log_loss", "profit"))
    assert all(f" {system} " in printed for system in SYSTEMS)
    assert [line["event"] for line in json_lines(printed)] == ["graded"]


def test_invalid_input_cells_are_named_on_stderr(files: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    logs = pl.read_parquet(files / "player_game_logs_2025-26.parquet")
    points = pl.when(pl.int_range(pl.len()) >= 41).then(-7).otherwise(pl.col("PTS"))
    logs.with_columns(points.alias("PTS")).write_parquet(data / "player_game_logs.parquet")
    result = command(
        tmp_path / "home",
        *("run", "--game-date", GAME_DATE.isoformat()),
        NBA_PREDICTIONS_SOURCE="files",
        NBA_PREDICTIONS_DATA=str(data),
    )
    assert result.returncode == 1
    printed = result.stderr.splitlines()
    assert printed[0].startswith("nba-predictions: game_logs")
    assert "player_game_logs.parquet, row 42, column PTS: " in printed[0]
    assert result.stderr.count("row 42, column PTS") == 1
    assert "Traceback" not in result.stderr
    assert "Stack Trace" not in result.stderr
    assert result.stdout.splitlines()[-1] == f"NO BATCH OF {GAME_DATE} NOT_STARTED"


def test_an_invalid_setting_is_named_and_exits_with_2(tmp_path: Path) -> None:
    result = command(tmp_path, "run", NBA_PREDICTIONS_COMPLETION_THRESHOLD="90")
    assert result.returncode == 2
    assert result.stderr.startswith("nba-predictions: NBA_PREDICTIONS_COMPLETION_THRESHOLD=90 ")
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
