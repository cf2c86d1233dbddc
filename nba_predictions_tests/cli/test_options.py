"""The options of the commands: dates, defaults, errors, help and shell completion."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from nba_predictions import __version__, cli
from nba_predictions.backtest.walk_forward import RETRAIN
from nba_predictions.cli import commands, options
from nba_predictions.domain.batches.retention import Retention
from nba_predictions.domain.policies.input_gates import MODES
from nba_predictions.inputs.simulated import SimulatedLeague
from nba_predictions_tests.waiting import CEILING_SECONDS

#: 16 January in UTC, 15 January in US Eastern time.
NOW = datetime(2026, 1, 16, 3, tzinfo=timezone.utc)

COMMANDS = [
    *("run", "refresh", "audit", "report", "grade", "publish", "dead-letters", "replay"),
    *("repair", "backfill", "backtest", "models list", "models promote", "models rollback"),
    *("init", "import", "maintain", "alerts test", "alerts status", "gcp init"),
]


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "utc_now", lambda: NOW)


@pytest.mark.usefixtures("now")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-12-31", date(2025, 12, 31)),
        ("today", date(2026, 1, 15)),
        ("yesterday", date(2026, 1, 14)),
        ("tomorrow", date(2026, 1, 16)),
    ],
)
def test_a_date_may_be_relative_to_today_in_us_eastern_time(text: str, expected: date) -> None:
    assert options.read_date(text) == expected


@pytest.mark.usefixtures("now")
def test_the_default_date_depends_on_the_source() -> None:
    given = date(2025, 12, 31)
    for default in (options.tonight, options.last_night):
        assert default("simulated", None) == options.DEMO_DATE
        assert default("simulated", given) == default("files", given) == given
    assert options.tonight("files", None) == date(2026, 1, 15)
    assert options.last_night("files", None) == date(2026, 1, 14)


@pytest.mark.usefixtures("now")
@pytest.mark.parametrize(
    ("command", "expected"),
    [("run", "2026-01-15"), ("audit", "2026-01-15"), ("grade", "2026-01-14")],
)
def test_a_command_without_a_date_uses_tonight_or_last_night(
    command: str,
    expected: str,
    home: Path,
    files: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def execute(self: Any, job: str, game_date: date, *given: Any) -> bool:
        dates.append(str(game_date))
        return False

    dates: list[str] = []

    monkeypatch.setattr("nba_predictions.cli.pipeline.Pipeline.execute", execute)
    assert cli.main([command]) == 1
    assert expected in [*dates, *capsys.readouterr().out.split()]


def test_the_simulated_league_plays_on_the_demo_date() -> None:
    league = SimulatedLeague()
    assert len(league.schedule(cli.DEMO_DATE)) >= 5
    assert len(league.prop_lines(cli.DEMO_DATE)) > 0


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (
            ["run", "--game-date", "15.01.2026"],
            ["'--game-date'", "'15.01.2026' is not a date; use YYYY-MM-DD, today"],
        ),
        (["run", "--gates", "off"], ["'--gates'", "'off' is not one of 'wait', 'warn'"]),
        (["maintain", "--keep-runs-days", "x"], ["'--keep-runs-days'", "integer", "'x'"]),
        (["publish"], ["Missing option '--batch'"]),
        (["report", "page.html"], ["'page.html' is only used with --html"]),
        (["report", "--htm"], ["No such option: --htm", "--html"]),
        (["reprot"], ["No such command 'reprot'. Did you mean 'report'"]),
    ],
)
def test_an_error_names_the_option_the_value_and_the_fix_and_nothing_is_created(
    arguments: list[str], parts: list[str], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    message, hint = capsys.readouterr().err.splitlines()
    assert message.startswith("nba-predictions: ")
    assert [part for part in parts if part not in message] == []
    assert "Value error" not in message
    assert hint.startswith("Try 'nba-predictions")
    assert not home.exists()


@pytest.mark.parametrize("arguments", [[], ["models"], ["alerts"], ["gcp"]])
def test_a_missing_command_prints_the_help_and_exits_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    printed = capsys.readouterr()
    assert "Usage: nba-predictions" in printed.out
    assert printed.err == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--help", "-h"):
        assert cli.main([*command.split(), option]) == 0
        assert f"Usage: nba-predictions {command}" in capsys.readouterr().out


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"nba-predictions {__version__}\n"


def default_of(command: Any, parameter: str) -> Any:
    return inspect.signature(command).parameters[parameter].default


def test_choices_and_defaults_agree_with_the_domain() -> None:
    """`commands.py` repeats them, because the modules that define them are slow to import."""
    gates, _ = get_args(get_type_hints(commands.run)["gates"])
    assert get_args(gates) == MODES
    assert get_args(get_type_hints(commands.backtest)["retrain"]) == RETRAIN
    assert default_of(commands.backtest, "retrain") == RETRAIN[0]
    assert default_of(commands.maintain, "keep_nights_days") == Retention().nights_days
    assert default_of(commands.maintain, "keep_runs_days") == Retention().runs_days


def test_help_is_printed_without_slow_imports() -> None:
    code = (
        "import sys; from nba_predictions import cli; cli.main(['--help']);"
        "slow = {'dagster', 'polars', 'numpy', 'duckdb', 'nba_predictions.settings'};"
        "print(sorted(slow & set(sys.modules)))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=CEILING_SECONDS,
    )
    assert printed.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("nba-predictions rep", ["report", "replay", "repair"]),
        ("nba-predictions run --game-date to", ["today", "tomorrow"]),
    ],
)
def test_the_shell_completes_commands_and_dates(words: str, expected: list[str]) -> None:
    environment = {
        **os.environ,
        "_NBA_PREDICTIONS_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    completed = subprocess.run(
        [sys.executable, "-m", "nba_predictions.cli"],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
        timeout=CEILING_SECONDS,
    )
    assert completed.stdout.split() == expected
