"""The command line from inside: what it prepares and explains, and when it fails.

Runs in a process of their own are in e2e/test_command_line.py.
"""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from nba_predictions import cli
from nba_predictions.cli import in_process
from nba_predictions.domain.errors import SourceDataError
from nba_predictions.inputs.simulated import SimulatedLeague
from nba_predictions_tests.e2e.pipeline import GAME_DATE, QUIET

NIGHT = GAME_DATE.isoformat()


def test_init_makes_a_dagster_home_and_can_be_repeated(home: Path) -> None:
    assert cli.main(["init"]) == 0
    configuration = home / "dagster" / "dagster.yaml"
    assert "telemetry" in configuration.read_text("utf-8")
    configuration.write_text("telemetry:\n  enabled: false\n# mine\n", "utf-8")
    assert cli.main(["init"]) == 0
    assert configuration.read_text("utf-8").endswith("# mine\n")


def test_init_respects_a_dagster_home_that_is_set(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "elsewhere"))
    assert cli.main(["init"]) == 0
    assert (tmp_path / "elsewhere" / "dagster.yaml").is_file()
    assert not (home / "dagster").exists()


def test_the_packaged_configuration_is_one_that_dagster_accepts(home: Path) -> None:
    assert cli.main(["init"]) == 0
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        assert instance.telemetry_enabled is False


def test_a_home_can_be_named_relative_to_the_working_folder(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", "state/dagster")
    assert cli.main(["init"]) == 0
    with dg.DagsterInstance.get() as instance:
        assert Path(instance.root_directory).is_absolute()


def test_a_bad_date_is_refused_before_anything_is_made(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        cli.main(["run", "--game-date", "15.01.2026"])
    assert refused.value.code == 2
    assert "--game-date" in capsys.readouterr().err
    assert not home.exists()


def test_a_bad_setting_is_named_and_nothing_is_made(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NBA_PREDICTIONS_SOURCE", "files")
    assert cli.main(["run"]) == 2
    assert "nba-predictions: NBA_PREDICTIONS_DATA is not set" in capsys.readouterr().err
    assert not home.exists()


def test_a_run_that_fails_after_a_good_one_of_the_date_does_not_pass_for_it(
    home: Path, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The date's earlier batch is complete and published; the run that was asked for is not."""
    assert cli.main(["run", "--game-date", NIGHT]) == 0
    assert " COMPLETE players=" in capsys.readouterr().out.splitlines()[-1]
    (files / "player_game_logs_2025-26.parquet").write_bytes(b"PAR1 cut off")
    assert cli.main(["run", "--game-date", NIGHT]) == 1
    said = capsys.readouterr().err
    assert "nba-predictions: game_logs" in said
    assert "player_game_logs_2025-26.parquet: cannot be read as parquet" in said
    assert said.splitlines()[-1] == f"THIS RUN OF {NIGHT} FAILED, for the reasons given above"


def test_a_date_without_games_is_published_as_no_data_and_ends_with_0(
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


def test_grading_before_the_games_are_over_says_so_and_fails(
    home: Path, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["grade", "--game-date", NIGHT]) == 1
    said = capsys.readouterr().err
    assert f"no box score of {NIGHT} yet; grade when the games are over" in said
    assert "Stack Trace" not in said


def failing(*errors: Exception) -> dg.ExecuteInProcessResult:
    """The result of a run in which one step fails for each of the errors."""

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


def test_the_same_reason_of_several_steps_is_given_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = SourceDataError("lines.csv, row 7, column line: 'x' is no number; write 15.5")
    in_process.explain_failures(failing(error, error))
    assert capsys.readouterr().err == (
        "nba-predictions: step_0, step_1 failed: "
        "lines.csv, row 7, column line: 'x' is no number; write 15.5\n"
    )


def test_an_error_that_nobody_foresaw_keeps_its_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    in_process.explain_failures(failing(ZeroDivisionError("division by zero")))
    said = capsys.readouterr().err
    assert said.startswith("nba-predictions: step_0 failed: ZeroDivisionError: division by zero")
    assert "in fail" in said


def test_an_error_of_ours_that_came_from_another_is_told_in_our_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = SourceDataError("lines.csv: cannot be read; check the file")
    error.__cause__ = PermissionError("denied")
    in_process.explain_failures(failing(error))
    assert capsys.readouterr().err == (
        "nba-predictions: step_0 failed: lines.csv: cannot be read; check the file\n"
    )


def test_a_step_that_was_tried_again_is_mentioned(capsys: pytest.CaptureFixture[str]) -> None:
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
    in_process.explain_failures(result)
    assert capsys.readouterr().err.startswith(
        "nba-predictions: shaky failed and was tried again: ConnectionError: away"
    )


def test_the_default_date_is_one_on_which_the_simulated_league_plays() -> None:
    league = SimulatedLeague()
    assert date(2026, 1, 15) == cli.DEFAULT_GAME_DATE
    assert len(league.schedule(cli.DEFAULT_GAME_DATE)) >= 5
    assert isinstance(league.prop_lines(cli.DEFAULT_GAME_DATE), pl.DataFrame)
    assert len(league.prop_lines(cli.DEFAULT_GAME_DATE)) > 0
