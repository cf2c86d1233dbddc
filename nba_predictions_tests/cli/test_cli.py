"""The command line in this process: what it prepares, what it prints, and its exit codes.

Tests of a separate process are in e2e/test_command_line.py, tests of options in test_options.py.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest

from nba_predictions import cli
from nba_predictions.cli.pipeline import print_failures
from nba_predictions.domain.errors import SourceDataError
from nba_predictions_tests.e2e.pipeline import GAME_DATE, QUIET
from nba_predictions_tests.upgrades.stored_state import STATE

NIGHT = GAME_DATE.isoformat()


def test_init_creates_a_dagster_home_and_can_be_repeated(home: Path) -> None:
    assert cli.main(["init"]) == 0
    configuration = home / "dagster" / "dagster.yaml"
    assert "telemetry" in configuration.read_text("utf-8")
    tables = home / "dagster" / "schedules" / "schedules.db"
    with closing(sqlite3.connect(tables)) as connection:
        assert len(connection.execute("SELECT * FROM alembic_version").fetchall()) == 1
    configuration.write_text("telemetry:\n  enabled: false\n# mine\n", "utf-8")
    assert cli.main(["init"]) == 0
    assert configuration.read_text("utf-8").endswith("# mine\n")


def test_init_replaces_a_dagster_configuration_of_an_earlier_version(home: Path) -> None:
    assert cli.main(["init"]) == 0
    configuration = home / "dagster" / "dagster.yaml"
    current = configuration.read_text("utf-8")
    shutil.copy(STATE / "dagster.yaml", configuration)
    assert cli.main(["init"]) == 0
    assert configuration.read_text("utf-8") == current


def test_init_uses_the_dagster_home_of_the_environment(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "elsewhere"))
    assert cli.main(["init"]) == 0
    assert (tmp_path / "elsewhere" / "dagster.yaml").is_file()
    assert not (home / "dagster").exists()


def test_dagster_accepts_the_packaged_configuration(home: Path) -> None:
    assert cli.main(["init"]) == 0
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        assert instance.telemetry_enabled is False


def test_a_dagster_home_may_be_a_relative_path(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", "state/dagster")
    assert cli.main(["init"]) == 0
    with dg.DagsterInstance.get() as instance:
        assert Path(instance.root_directory).is_absolute()


def test_an_error_names_the_setting_and_nothing_is_created(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NBA_PREDICTIONS_SOURCE", "files")
    assert cli.main(["run"]) == 2
    assert "nba-predictions: NBA_PREDICTIONS_DATA is not set" in capsys.readouterr().err
    assert not home.exists()


def test_a_failed_run_ends_with_1_although_an_earlier_batch_of_the_date_is_complete(
    home: Path, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", "--game-date", NIGHT]) == 0
    assert " COMPLETE players=" in capsys.readouterr().out.splitlines()[-1]
    (files / "player_game_logs_2025-26.parquet").write_bytes(b"PAR1 cut off")
    assert cli.main(["run", "--game-date", NIGHT]) == 1
    printed = capsys.readouterr().err
    assert "nba-predictions: game_logs" in printed
    assert "player_game_logs_2025-26.parquet: cannot be read as parquet" in printed
    assert printed.splitlines()[-1] == f"THIS RUN OF {NIGHT} FAILED. The errors are printed above."


def test_a_date_without_games_is_published_as_no_data_and_exits_with_0(
    home: Path, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["run", "--game-date", "2025-11-27"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"BATCH batch_\S+ COMPLETE players=0 staged=0 merged=0 cleaned=0 published=\S+", lines[-1]
    )
    events = [json.loads(line) for line in lines if line.startswith("{")]
    (published,) = [event for event in events if event["event"] == "phase5_published"]
    assert published["status"] == "no_data"


@pytest.mark.parametrize("command", ["run", "grade"])
def test_a_date_before_the_first_date_of_the_source_is_refused(
    home: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([command, "--game-date", "2024-10-21"]) == 2
    printed = capsys.readouterr().err
    assert "2024-10-21 cannot be predicted or graded; choose a date from 2024-10-22" in printed
    assert "Traceback" not in printed


def test_grading_fails_before_the_games_are_over(
    home: Path, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["grade", "--game-date", NIGHT]) == 1
    printed = capsys.readouterr().err
    assert f"no box score of {NIGHT} yet; grade when the games are over" in printed
    assert "Stack Trace" not in printed


def failing(*errors: Exception) -> dg.ExecuteInProcessResult:
    """Return the result of a run in which one step fails with each of the errors."""

    def step(number: int, error: Exception) -> dg.OpDefinition:
        @dg.op(name=f"step_{number}")
        def fail() -> None:
            raise error

        return fail

    ops = [step(number, error) for number, error in enumerate(errors)]

    @dg.job
    def doomed() -> None:
        for op in ops:
            op()

    return doomed.execute_in_process(
        raise_on_error=False,
        instance=dg.DagsterInstance.ephemeral(),
        run_config=QUIET,
    )


def test_the_same_error_of_several_steps_is_printed_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = SourceDataError("lines.csv, row 7, column line: 'x' is no number; write 15.5")
    print_failures(failing(error, error))
    assert capsys.readouterr().err == (
        "nba-predictions: step_0, step_1 failed: "
        "lines.csv, row 7, column line: 'x' is no number; write 15.5\n"
    )


def test_an_unexpected_error_is_printed_with_its_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_failures(failing(ZeroDivisionError("division by zero")))
    printed = capsys.readouterr().err
    assert printed.startswith("nba-predictions: step_0 failed: ZeroDivisionError: division by zero")
    assert "in fail" in printed


def test_an_expected_error_is_printed_without_its_cause(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = SourceDataError("lines.csv: cannot be read; check the file")
    error.__cause__ = PermissionError("denied")
    print_failures(failing(error))
    assert capsys.readouterr().err == (
        "nba-predictions: step_0 failed: lines.csv: cannot be read; check the file\n"
    )


def test_a_retried_step_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    tried: list[bool] = []

    @dg.op(retry_policy=dg.RetryPolicy(max_retries=1))
    def shaky() -> None:
        if not tried:
            tried.append(True)
            raise ConnectionError("away")

    @dg.job
    def recovers() -> None:
        shaky()

    result = recovers.execute_in_process(instance=dg.DagsterInstance.ephemeral(), run_config=QUIET)
    assert result.success
    print_failures(result)
    assert capsys.readouterr().err.startswith(
        "nba-predictions: shaky failed and was retried: ConnectionError: away"
    )
