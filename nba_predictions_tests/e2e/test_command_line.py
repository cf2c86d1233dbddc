"""The command line in a process of its own, as a user runs it."""

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
    """Run the command line with only the variables that a test names."""
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
        timeout=180,
        check=False,
    )


def json_lines(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def default_run(home: Path) -> subprocess.CompletedProcess[str]:
    """`nba-predictions run`, with nothing configured but where to keep everything."""
    return command(home, "run")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    league = small_league()
    write_files(league, folder, ["2025-26"], logs_before=GAME_DATE, dates={GAME_DATE})
    return folder


def test_a_run_ends_with_exit_code_0_and_one_line_that_says_it_all(
    default_run: subprocess.CompletedProcess[str],
) -> None:
    assert default_run.returncode == 0, default_run.stderr
    found = LAST_LINE.fullmatch(default_run.stdout.splitlines()[-1])
    assert found is not None
    assert int(found["players"]) == int(found["cleaned"]) > 100
    assert int(found["staged"]) == int(found["merged"]) > 5 * int(found["players"])


def test_every_milestone_is_a_json_line_on_stdout_in_order(
    default_run: subprocess.CompletedProcess[str],
) -> None:
    lines = json_lines(default_run.stdout)
    order = list(dict.fromkeys(line["event"] for line in lines))
    assert order == MILESTONES
    found = LAST_LINE.fullmatch(default_run.stdout.splitlines()[-1])
    assert found is not None
    for line in lines:
        assert line["batch_id"] == found["batch_id"]
        assert line["severity"] == "INFO"
        assert line["message"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", line["time"])
    per_player = [line["event"] for line in lines].count("player_staged")
    assert per_player == int(found["players"])


def test_stderr_of_a_good_run_has_no_traceback(
    default_run: subprocess.CompletedProcess[str],
) -> None:
    assert "Traceback" not in default_run.stderr
    assert "Error" not in default_run.stderr


def test_simulated_predictions_are_announced_as_such(
    default_run: subprocess.CompletedProcess[str],
) -> None:
    assert "SIMULATED LEAGUE: these games, players and lines do not exist." in default_run.stdout


def test_a_predicted_night_is_graded_by_the_next_command(
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
    said = capsys.readouterr().out
    assert all(column in said for column in ("system", "error", "log_loss", "profit"))
    assert all(f" {system} " in said for system in SYSTEMS)
    assert [line["event"] for line in json_lines(said)] == ["graded"]


def test_a_bad_input_cell_is_named_plainly_on_stderr(files: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    logs = pl.read_parquet(files / "player_game_logs_2025-26.parquet")
    points = pl.when(pl.int_range(pl.len()) == 41).then(-7).otherwise(pl.col("PTS"))
    logs.with_columns(points.alias("PTS")).write_parquet(data / "player_game_logs.parquet")
    result = command(
        tmp_path / "home",
        *("run", "--game-date", GAME_DATE.isoformat()),
        NBA_PREDICTIONS_SOURCE="files",
        NBA_PREDICTIONS_DATA=str(data),
    )
    assert result.returncode == 1
    said = result.stderr.splitlines()
    assert said[0].startswith("nba-predictions: game_logs")
    assert "player_game_logs.parquet, row 42, column PTS: " in said[0]
    assert result.stderr.count("row 42, column PTS") == 1
    assert "Traceback" not in result.stderr
    assert "Stack Trace" not in result.stderr
    assert result.stdout.splitlines()[-1] == f"NO BATCH OF {GAME_DATE} NOT_STARTED"


def test_a_bad_setting_ends_with_exit_code_2_and_its_name(tmp_path: Path) -> None:
    result = command(tmp_path, "run", NBA_PREDICTIONS_COMPLETION_THRESHOLD="90")
    assert result.returncode == 2
    assert result.stderr.startswith("nba-predictions: NBA_PREDICTIONS_COMPLETION_THRESHOLD=90 ")
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
