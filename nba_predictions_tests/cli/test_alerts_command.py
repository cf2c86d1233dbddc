"""The commands `alerts test` and `alerts status`."""

from __future__ import annotations

from pathlib import Path

import pytest

from nba_predictions import cli
from nba_predictions.domain.policies.alerting import Kind
from nba_predictions.orchestration.sensors import alerting
from nba_predictions_tests.alerts.receiver import SECRET, Receiver
from nba_predictions_tests.e2e.pipeline import GAME_DATE

NIGHT = GAME_DATE.isoformat()


def test_a_test_message_goes_to_each_destination_and_errors_are_printed(
    home: Path,
    slack: Receiver,
    mail: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("NBA_PREDICTIONS_ALERT_URLS", f"{slack.url}\n {mail.url}")
    assert cli.main(["alerts", "test"]) == 1
    sent, failed = capsys.readouterr().out.splitlines()
    assert sent == f"SENT JSON 1 (json://127.0.0.1:{slack.port}/****)"
    assert failed.startswith(f"FAILED JSON 2 (json://127.0.0.1:{mail.port}/****): A Connection")
    assert slack.titles == ["[nba_predictions embedded simulated] test of alerts"]
    mail.up()
    assert cli.main(["alerts", "test"]) == 0


def test_without_a_destination_the_error_shows_how_to_configure_one(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NBA_PREDICTIONS_ALERT_URLS", " ")
    assert cli.main(["alerts", "test"]) == 2
    assert "NBA_PREDICTIONS_ALERT_URLS='slack://" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["test", "status"])
def test_an_unknown_url_is_named_by_its_position(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    monkeypatch.setenv("NBA_PREDICTIONS_ALERT_URLS", f"json://127.0.0.1 nope://{SECRET}")
    assert cli.main(["alerts", command]) == 2
    printed = capsys.readouterr()
    assert "apprise does not support address number 2, nope://****" in printed.err
    assert SECRET not in printed.err + printed.out


def test_the_status_lists_open_conditions_with_their_cause_and_fix(
    home: Path, files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBA_PREDICTIONS_UI_URL", "https://dagster.example.com")
    assert cli.main(["alerts", "status"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "ALERTS errors=0 warnings=0 unknown=0"
    logs = files / "player_game_logs_2025-26.parquet"
    logs.write_bytes(b"PAR1 cut off")
    assert cli.main(["run", "--game-date", NIGHT]) == 1
    capsys.readouterr()
    assert cli.main(["alerts", "status"]) == 1
    out = capsys.readouterr().out
    assert f"  nightly_predictions failed for {NIGHT}\n" in out
    assert "player_game_logs_2025-26.parquet: cannot be read as parquet" in out
    assert f"to do: nba-predictions audit --game-date {NIGHT}; fix the cause" in out
    assert "link: https://dagster.example.com/runs/" in out
    assert out.splitlines()[-1] == "ALERTS errors=1 warnings=0 unknown=0"


def test_a_kind_that_cannot_be_evaluated_is_printed_and_exits_with_1(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(context: object) -> list[object]:
        raise OSError("the disk failed")

    monkeypatch.setitem(alerting.CONDITION_FINDERS, Kind.FAILED_CHECK, fail)
    assert cli.main(["alerts", "status"]) == 1
    out = capsys.readouterr().out
    assert "UNKNOWN failed_check: OSError: the disk failed" in out
    assert out.splitlines()[-1] == "ALERTS errors=0 warnings=0 unknown=1"
